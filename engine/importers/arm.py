"""ARM templates as packages: every workflow of every template, with the values of a parameter file beside it.

A package of a single file that holds any other kind of definition is read here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..cloud.arm.deployment import Deployment
from ..cloud.arm.template import workflows_of
from ..cloud.literal import parameter_option
from ..cloud.report.problem import Problem
from ..cloud.source import Source, no_workflow, of_workflow
from ..cloud.source import read as read_source
from ..cloud.syntax.definition import JsonObject
from ..cloud.syntax.json_text import read_json
from ..cloud.syntax.pointer import join
from ..errors import DefinitionError
from .files import PackageFiles
from .packages import Package, with_parameters
from .solutions import flow_connections

_PARAMETERS: Final = ".parameters.json"


def read(files: PackageFiles, name: str, deployment: Deployment) -> Package | None:
    """The workflows of the package's templates, or the one flow of its one file; None where there is neither.

    Raises as `open_package` does.
    """
    everything = [path for path, _ in files.matching(r"(?:[^/]+/)*[^/]+\.json|[^/]+")]
    paths = [path for path in everything if not _has_template_beside(path, files)]
    documents: dict[str, JsonObject] = {}
    for path in paths:
        try:
            document = read_json(files.bytes(path)).value
        except DefinitionError:
            if len(paths) == 1 and _is_meant_as_json(path, files.bytes(path)):
                raise
            continue  # an archive of anything may hold JSON that is none
        if isinstance(document, dict):
            documents[path] = document
    templates = {
        path: document for path, document in documents.items() if isinstance(document.get("resources"), list | dict)
    }
    if templates:
        return _templates(files, templates, name, deployment)
    flows = []
    for path in documents:
        try:
            source = read_source(files.bytes(path), name=name)
        except DefinitionError:
            if len(paths) == 1:
                raise
            continue
        flows.append(replace(source, file=files.place(path)))
    if len(flows) != 1:
        return None
    sources = with_parameters(flows, deployment.parameters)
    return Package("definition", sources[0].name or name, "", tuple(sources), (), tuple(_unique_connections(sources)))


def _has_template_beside(path: str, files: PackageFiles) -> bool:
    """Whether this is the parameter file of another file of the package."""
    return path.lower().endswith(_PARAMETERS) and f"{path[: -len(_PARAMETERS)]}.json" in files


def _is_meant_as_json(path: str, data: bytes) -> bool:
    """Whether the one file of a package, which is no JSON, is worth an error that says why it is none."""
    start = data[:4096]
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    return path.lower().endswith(".json") or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _templates(
    files: PackageFiles,
    templates: Mapping[str, JsonObject],
    name: str,
    deployment: Deployment,
) -> Package:
    problems: list[Problem] = []
    sources: list[Source] = []
    left = dict(deployment.parameters)
    names: list[str] = []
    empty = None
    for path, document in templates.items():
        given = {**_parameter_file(files, path, problems), **deployment.parameters}
        declared = document.get("parameters")
        names += declared if isinstance(declared, dict) else ()
        known = {each.lower() for each in names}
        left = {each: value for each, value in left.items() if each.lower() not in known}
        template = workflows_of(document, replace(deployment, parameters=given))
        problems += [replace(each, at=files.place(path, each.at)) for each in template.problems]
        if not template.workflows:
            empty = no_workflow(template)
        for workflow in template.workflows:
            try:
                source = of_workflow(workflow, document, name)
            except DefinitionError as error:
                files.leave_out(files.fault(path, error))
                continue
            sources.append(replace(source, file=files.place(path)))
            if workflow.placeholders:
                problems.append(
                    Problem(
                        "ArmPlaceholder",
                        "info",
                        files.place(path, source.pointer),
                        "Parts of the deployment are not known and stand as placeholders: "
                        f"{', '.join(workflow.placeholders)}.",
                        "Give them: --subscription, --resource-group, --location, --tenant.",
                    )
                )
    if not sources and not files.problems and empty is not None:
        raise empty
    # What is no parameter of a template may be one of a workflow.
    sources = with_parameters(sources, left, others=names)
    return Package(
        "arm",
        name,
        "",
        tuple(sources),
        (*files.problems, *problems),
        tuple(_unique_connections(sources)),
        left_out=tuple(files.left_out),
    )


def _parameter_file(files: PackageFiles, path: str, problems: list[Problem]) -> dict[str, Any]:
    """Values of `name.parameters.json` beside `name.json`."""
    beside = path[: -len(".json")] + _PARAMETERS
    entries = files.json_object(beside).get("parameters") if beside in files else None
    values: dict[str, Any] = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and "value" in entry:
            values[name] = entry["value"]
        else:
            problems.append(
                Problem(
                    "ParameterWithoutValue",
                    "warning",
                    files.place(beside, join("/parameters", name)),
                    f"The parameter '{name}' has no value here (a key vault's secret is not fetched).",
                    f"Give it one, e.g. {parameter_option(name)}",
                )
            )
    return values


def _unique_connections(sources: list[Source]) -> list[Any]:
    return list({connection.name.lower(): connection for connection in flow_connections(sources)}.values())
