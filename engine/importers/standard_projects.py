"""Logic Apps Standard projects: a folder with `workflow.json` for each flow, and files they share beside the folders.

`parameters.json` declares parameters for all flows, `connections.json` their connections, `Artifacts` holds maps and
schemas, `host.json` and `local.settings.json` the app. Of connections and app settings only names are taken: their
values are secrets, or lead to them; but for the states of flows. Source: Logic Apps Standard, project structure; app
settings and parameters; `Workflows.NAME.FlowState`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ..cloud.artifacts import read_artifacts
from ..cloud.literal import parameter_option
from ..cloud.report.problem import Problem
from ..cloud.source import Source, is_off
from ..cloud.source import read as read_source
from ..cloud.syntax.definition import JsonObject
from ..cloud.syntax.pointer import join
from ..errors import DefinitionError
from .files import PackageFiles, one_root, roots
from .packages import Connection, Package, declared_parameters, with_parameters

_WORKFLOW: Final = r"([^/]+)/workflow\.json"
_ARTIFACT: Final = r"Artifacts/(?:Maps|Schemas)/.+"
_PARAMETER: Final = re.compile(r"parameters\(\s*'((?:[^']|'')+)'\s*\)", re.IGNORECASE)
_SETTING: Final = re.compile(r"appsetting\(\s*'((?:[^']|'')+)'\s*\)", re.IGNORECASE)
_SECTIONS: Final[Mapping[str, str]] = {
    "managedApiConnections": "api",
    "serviceProviderConnections": "serviceProvider",
    "functionConnections": "function",
    "apiManagementConnections": "apiManagement",
    "agentConnections": "",
}


def root(files: Mapping[str, bytes]) -> str | None:
    """The folder of the project, empty or ending with `/`; None where there is none.

    A project has host.json; what only has workflow.json in a folder is taken for one too.
    """
    found = roots(files, _WORKFLOW.replace("(", "(?:"))
    lower = {path.lower() for path in files}
    return one_root([each for each in found if each.lower() + "host.json" in lower] or found)


def read(files: PackageFiles, name: str, parameters: Mapping[str, Any]) -> Package:
    """The project's flows. Raises as `open_package` does."""
    shared = files.json_object("parameters.json") if "parameters.json" in files else {}
    connections = files.json_object("connections.json") if "connections.json" in files else {}
    if "host.json" in files:
        _check_host(files, files.json_object("host.json"))
    local = _local_settings(files)
    settings = {name.lower(): value for name, value in local.items()}
    names = dict.fromkeys(local)
    artifacts = _artifacts(files)
    sources = []
    for path, match in files.matching(_WORKFLOW):
        try:
            source = read_source(files.bytes(path), name=match[1])
        except DefinitionError as error:
            files.leave_out(files.fault(path, error))
            continue
        source = replace(
            source,
            name=match[1],
            dialect="logic-apps",
            file=files.place(path),
            artifacts=artifacts,
            enabled=not is_off(settings.get(f"workflows.{match[1]}.flowstate".lower())),
        )
        source = _with_shared(source, shared, files, {each.lower() for each in parameters})
        names.update(dict.fromkeys(_needed_settings(source, files)))
        sources.append(source)
    names.update(dict.fromkeys(_settings_in(connections)))
    return Package(
        "standard",
        name,
        "",
        tuple(with_parameters(sources, parameters)),
        tuple(files.problems),
        tuple(_connections(connections)),
        (),
        tuple(sorted(names)),
        tuple(files.left_out),
    )


def _artifacts(files: PackageFiles) -> dict[str, dict[str, str]]:
    """The project's maps and schemas, which its flows share; none, and a problem, where one cannot be read."""
    paths = [path for path, _ in files.matching(_ARTIFACT)]
    try:
        return read_artifacts({files.place(path): files.bytes(path) for path in paths})
    except DefinitionError as error:
        files.refuse(error.at[len(files.root) :], error)
        return {}


def _with_shared(source: Source, shared: JsonObject, files: PackageFiles, given: set[str]) -> Source:
    """The source with declarations and values of those shared parameters that it uses."""
    used = {name.replace("''", "'").lower() for text in _texts(source.definition) for name in _PARAMETER.findall(text)}
    declared = declared_parameters(source.definition)
    added: dict[str, Any] = {}
    values = dict(source.parameters)
    for name, entry in shared.items():
        if not isinstance(entry, dict) or name.lower() not in used | declared.keys():
            continue
        if name.lower() not in declared:
            added[name] = {"type": entry.get("type", "Object")}
        if "value" not in entry:
            continue
        if not any(_is_expression(text) for text in _texts(entry["value"])):
            values[declared.get(name.lower(), (name, ""))[0]] = entry["value"]
        elif name.lower() not in given:
            at = files.place("parameters.json", join("", name, "value"))
            files.problems.append(_unset(at, name, entry.get("type"), entry["value"]))
    if not added:
        return replace(source, parameters=values)
    own = source.definition.get("parameters")
    own = own if isinstance(own, dict) else {}
    return replace(source, parameters=values, definition={**source.definition, "parameters": {**own, **added}})


def _unset(at: str, name: str, kind: Any, value: Any) -> Problem:
    settings = ", ".join(sorted(set(_settings_in(value))))
    reason = f"the app settings {settings}, which are not imported" if settings else "an expression"
    return Problem(
        "ParameterWithoutValue",
        "warning",
        at,
        f"The value of parameter '{name}' comes from {reason}: flows that use it need another.",
        f"Give it one, e.g. {parameter_option(name, str(kind).lower())}",
    )


def _needed_settings(source: Source, files: PackageFiles) -> list[str]:
    names = sorted(set(_settings_in(source.definition)))
    if names:
        files.problems.append(
            Problem(
                "AppSettingsNeeded",
                "warning",
                f"{source.file}#{source.pointer}",
                f"The flow reads app settings, which are not imported: {', '.join(names)}.",
                "Make them parameters of the flow.",
            )
        )
    return names


def _local_settings(files: PackageFiles) -> JsonObject:
    """The app's settings. Only the states of flows are read: other values are secrets, or lead to them."""
    path = "local.settings.json"
    values = files.json_object(path).get("Values") if path in files else None
    return values if isinstance(values, dict) else {}


def _check_host(files: PackageFiles, host: JsonObject) -> None:
    extensions = host.get("extensions")
    workflow = extensions.get("workflow") if isinstance(extensions, dict) else None
    settings = workflow.get("settings") if isinstance(workflow, dict) else None
    if isinstance(settings, dict) and settings:
        files.problems.append(
            Problem(
                "HostSettingsIgnored",
                "info",
                files.place("host.json", "/extensions/workflow/settings"),
                f"Settings of the host are not taken over: {', '.join(sorted(map(str, settings))[:10])}.",
            )
        )


def _connections(document: JsonObject) -> Iterator[Connection]:
    for section, part in _SECTIONS.items():
        entries = document.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if not isinstance(entry, dict):
                continue
            target = entry.get(part)
            identifier = target.get("id") if isinstance(target, dict) else None
            shown = entry.get("displayName")
            yield Connection(
                name,
                identifier.rstrip("/").rsplit("/", 1)[-1] if isinstance(identifier, str) else "",
                shown if isinstance(shown, str) else "",
                section,
            )


def _settings_in(value: Any) -> Iterator[str]:
    for text in _texts(value):
        for name in _SETTING.findall(text):
            yield name.replace("''", "'")


def _is_expression(text: str) -> bool:
    return (text.startswith("@") and not text.startswith("@@")) or "@{" in text.replace("@@{", "")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, names of properties too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from (name for name in each if isinstance(name, str))
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
