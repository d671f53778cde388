"""Packages that flows come in: solutions and flow packages of Power Automate, Logic Apps Standard projects, ARM
templates, single files.

Here are their records, what kind a package is and what is done to every kind alike; each kind has its file
`package_*.py`. Pure: whoever reads the disk or the archive (`runtime/flows/packages.py`) hands the files in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..cloud.arm.deployment import Deployment
from ..cloud.literal import fits
from ..cloud.report.problem import Problem
from ..cloud.source import Source
from ..cloud.syntax.definition import JsonObject
from ..errors import DefinitionError
from .desktop import DesktopFlow
from .files import PackageFiles

PackageKind = Literal["solution", "flow-package", "standard", "arm", "definition"]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that flows of the package use: its name there, and the connector's id. Never a secret.

    `kind` is the section of connections.json it stands in (Logic Apps Standard), else empty.
    """

    name: str
    connector: str
    display_name: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable, with its current value, else its default, as text. A secret's value is never read."""

    schema_name: str
    name: str
    type: str
    value: str | None = field(default=None, repr=False)
    secret: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """What is in a package. A flow's own problems stand in its source, with pointers into its `file`.

    `problems` have `path#pointer` as their place; `left_out` are those of them that are about one flow which cannot be
    read. `app_settings` are names only. `desktop` are its desktop flows, whose scripts nobody has read yet.
    """

    kind: PackageKind
    name: str
    version: str = ""
    flows: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()
    connections: tuple[Connection, ...] = ()
    variables: tuple[Variable, ...] = ()
    app_settings: tuple[str, ...] = ()
    left_out: tuple[Problem, ...] = ()
    desktop: tuple[DesktopFlow, ...] = ()

    def shared_problems(self) -> tuple[Problem, ...]:
        """Its problems without those about flows that are left out."""
        return tuple(problem for problem in self.problems if problem not in self.left_out)


def open_package(files: Mapping[str, bytes], *, name: str = "", deployment: Deployment | None = None) -> Package:
    """The flows of a package, ready for `check` and for deployment.

    `files` by relative path; one file alone may be any file that `read` knows. `deployment.parameters` are values
    for an ARM template's parameters, or by name, display name or schema name for parameters of flows.

    Raises DefinitionError: NotAPackage, NoDefinition, UnknownParameter, InvalidParameterType, and what is wrong with
    the one file of a package that has no other. What is wrong with one of several flows is a problem of the package.
    """
    deployment = deployment if deployment is not None else Deployment()
    package = _open(files, name, deployment)
    flows = _named_apart(package)
    off = tuple(
        Problem(
            "FlowIsOff",
            "info",
            source.file,
            f"'{source.name}' is off in the package: where it is new, it is imported disabled.",
            "`sealflow flow enable` lets it start runs.",
        )
        for source in flows
        if not source.enabled
    )
    return replace(package, flows=flows, problems=(*package.problems, *off))


def _open(files: Mapping[str, bytes], name: str, deployment: Deployment) -> Package:
    from . import (
        arm as package_arm,
    )
    from . import (
        flow_packages as package_flows,
    )
    from . import (
        solutions as package_solution,
    )
    from . import (
        standard_projects as package_standard,
    )

    if (root := package_solution.root(files)) is not None:
        return package_solution.read(PackageFiles(files, root), deployment.parameters)
    if (root := package_flows.root(files)) is not None:
        return package_flows.read(PackageFiles(files, root), name, deployment.parameters)
    if (root := package_standard.root(files)) is not None:
        return package_standard.read(PackageFiles(files, root), name, deployment.parameters)
    found = package_arm.read(PackageFiles(files), name, deployment)
    if found is not None:
        return found
    inner = sorted(path for path in files if path.lower().endswith(".zip"))
    raise DefinitionError(
        "This is no package that holds flows.",
        code="NotAPackage",
        hint=f"It holds other archives; import one of them: {', '.join(inner[:3])}."
        if inner
        else "Known are solutions and exported flow packages of Power Automate, Logic Apps Standard projects "
        "(workflow.json in a folder for each flow), ARM templates and single definitions.",
    )


def _named_apart(package: Package) -> tuple[Source, ...]:
    """Flows are deployed under their names, in any case: of two with the same one, the second says which it is."""
    taken: set[str] = set()
    flows = []
    for source in package.flows:
        name = source.name.strip() or "flow"
        if name.lower() in taken:
            mark = next(iter(source.aliases), source.file).split("-", 1)[0]
            name, number = f"{name} ({mark})", 2
            while name.lower() in taken:
                name, number = f"{source.name} ({mark} {number})", number + 1
        taken.add(name.lower())
        flows.append(source if name == source.name else replace(source, name=name))
    return tuple(flows)


# ---- for the readers of every kind


def with_parameters(sources: list[Source], given: Mapping[str, Any], *, others: Iterable[str] = ()) -> list[Source]:
    """Sources with values for their declared parameters, those of the user on top of those of the package.

    `others` are parameters that the package has besides those of its flows, for the message about an unknown one.

    Raises DefinitionError: UnknownParameter for a value no flow has a parameter for, InvalidParameterType.
    """
    used: set[str] = set()
    result = []
    for source in sources:
        declared = declared_parameters(source.definition)
        values = {name: value for name, value in source.parameters.items() if name.lower() in declared}
        for wanted, value in given.items():
            for key, (name, kind) in declared.items():
                if wanted.lower() not in (key, *_short_names(name)):
                    continue
                if not fits(value, kind):
                    raise DefinitionError(
                        f"The parameter '{name}' is of type {kind} and cannot take this value.",
                        at=source.file,
                        code="InvalidParameterType",
                        hint="A value is JSON: strings stand in double quotes.",
                    )
                values = {each: kept for each, kept in values.items() if each.lower() != key}
                values[name] = value
                used.add(wanted)
        result.append(replace(source, parameters=values))
    unknown = [name for name in given if name not in used]
    if unknown:
        own = {name for source in sources for name, _ in declared_parameters(source.definition).values()}
        known = sorted({*others, *(name for name in own if not name.startswith("$"))})
        raise DefinitionError(
            f"Neither the package nor one of its flows has a parameter '{unknown[0]}'.",
            code="UnknownParameter",
            hint=f"They have: {', '.join(known[:10])}." if known else "They have none.",
        )
    return result


def declared_parameters(definition: JsonObject) -> dict[str, tuple[str, str]]:
    """Name and lower-case type of the declared parameters, by lower-case name."""
    declared = definition.get("parameters")
    if not isinstance(declared, dict):
        return {}
    return {
        name.lower(): (name, str(entry.get("type", "")).lower())
        for name, entry in declared.items()
        if isinstance(entry, dict)
    }


def _short_names(name: str) -> tuple[str, ...]:
    """The two names in `Display name (schema_name)`, in lower case."""
    schema = schema_name(name)
    return (name[: -len(schema) - 2].strip().lower(), schema.lower()) if schema else ()


def schema_name(name: str) -> str:
    """The schema name in the name of a parameter that stands for an environment variable; empty without one."""
    head, opening, rest = name.rpartition("(")
    return rest[:-1] if head and opening and rest.endswith(")") and " " not in rest else ""
