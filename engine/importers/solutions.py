"""Solutions of Power Platform: `solution.xml`, `customizations.xml`, `Workflows/*.json`, environment variables.

Read as exported (a zip), and as unpacked for source control (`Other/Solution.xml`, `Workflows/*.json.data.xml`).
Source: what the exports of Power Platform hold; Dataverse, process table (category 5 is a cloud flow; a state other
than 1, Activated, is off).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..cloud.report.problem import Problem
from ..cloud.source import Source
from ..cloud.source import read as read_source
from ..errors import DefinitionError
from .desktop import DesktopFlow, desktop_flow
from .environment_variables import read_variables, with_variables
from .files import PackageFiles, XmlElement, one_root, roots
from .packages import Connection, Package, with_parameters

GUID: Final = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_FILE: Final = re.compile(rf"(.*?)-?({GUID})", re.IGNORECASE)
_CLOUD_FLOW: Final = "5"
_DESKTOP_FLOW: Final = "6"
_ACTIVATED: Final = "1"
_OTHERS: Final[Mapping[str, str]] = {
    "0": "a classic workflow",
    "1": "a dialog",
    "2": "a business rule",
    "3": "an action",
    "4": "a business process flow",
    "6": "a desktop flow",
}


@dataclass(frozen=True, slots=True)
class _Listed:
    """A process as customizations.xml lists it."""

    id: str
    name: str
    file: str
    at: str
    is_flow: bool
    is_on: bool
    category: str = ""
    element: XmlElement | None = None


def root(files: Mapping[str, bytes]) -> str | None:
    """The folder of a solution, empty or ending with `/`; None where there is none."""
    return one_root(roots(files, r"(?:other/)?solution\.xml"))


def read(files: PackageFiles, parameters: Mapping[str, Any]) -> Package:
    """The solution's cloud flows, and its desktop flows unread. Raises as `open_package` does."""
    name, version = _manifest(files)
    customizations = _customizations(files)
    entries = list(_listed(files, customizations))
    desktop = _desktop(files, entries)
    listed = {each.file.lower(): each for each in entries if each.file}
    variables = read_variables(files)
    sources = []
    for path, match in files.matching(r"workflows/([^/]+)\.json"):
        known = listed.pop(path.lower(), None)
        if known is not None and not known.is_flow:
            continue
        source = _source(files, path, match[1], known)
        if source is not None:
            sources.append(with_variables(source, variables, files.problems))
    for missing in listed.values():
        if not missing.is_flow:
            continue
        files.leave_out(
            Problem(
                "MissingFile",
                "error",
                missing.at,
                f"The solution lists the flow '{missing.name}', but its file {missing.file} is not there.",
                "Export the solution again.",
            )
        )
    _check_doubles(sources, files)
    return Package(
        "solution",
        name,
        version,
        tuple(with_parameters(sources, parameters)),
        tuple(files.problems),
        _connections(customizations, sources),
        variables,
        left_out=tuple(files.left_out),
        desktop=desktop,
    )


def _desktop(files: PackageFiles, entries: list[_Listed]) -> tuple[DesktopFlow, ...]:
    """The desktop flows that have a script; a note about every other process that is no cloud flow."""
    candidates = [each for each in entries if each.category == _DESKTOP_FLOW]
    found = []
    for each in entries:
        if each.is_flow:
            continue
        flow = None
        if each.category == _DESKTOP_FLOW and each.element is not None:
            alone = len(candidates) == 1
            flow = desktop_flow(
                files, each.element, each.name, each.id, each.file, each.at, alone=alone, enabled=each.is_on
            )
        if flow is not None:
            found.append(flow)
            continue
        what = _OTHERS.get(each.category, "a process of another kind")
        files.problems.append(Problem("NotACloudFlow", "info", each.at, f"'{each.name}' is {what} and is left out."))
    return tuple(found)


def _manifest(files: PackageFiles) -> tuple[str, str]:
    """The solution's display name and version."""
    path = "solution.xml" if "solution.xml" in files else "other/solution.xml"
    document = files.xml(path)
    manifest = document.find("SolutionManifest") if document is not None else None
    if manifest is None:
        return "", ""
    shown = manifest.find("LocalizedNames", "LocalizedName")
    name = shown.attribute("description") if shown is not None else ""
    return name or manifest.text_of("UniqueName"), manifest.text_of("Version")


def _customizations(files: PackageFiles) -> XmlElement | None:
    for path in ("customizations.xml", "other/customizations.xml"):
        if path in files:
            return files.xml(path)
    files.problems.append(
        Problem(
            "MissingFile",
            "warning",
            files.place("customizations.xml"),
            "The solution has no customizations.xml: flows are named for their files.",
        )
    )
    return None


def _listed(files: PackageFiles, customizations: XmlElement | None) -> Iterator[_Listed]:
    workflows = customizations.find("Workflows") if customizations is not None else None
    place = files.place("customizations.xml" if "customizations.xml" in files else "other/customizations.xml")
    for element in workflows.children("Workflow") if workflows is not None else ():
        yield _entry(files, element, place)
    for path, _ in files.matching(r"workflows/[^/]+\.data\.xml"):
        document = files.xml(path)
        if document is not None and document.name == "workflow":
            yield _entry(files, document, files.place(path))


def _entry(files: PackageFiles, element: XmlElement, at: str) -> _Listed:
    guid = element.attribute("WorkflowId").strip("{}").lower()
    shown = element.find("LocalizedNames", "LocalizedName")
    name = element.attribute("Name") or (shown.attribute("description") if shown is not None else "") or guid
    category = element.text_of("Category")
    file = element.text_of("JsonFileName").lstrip("/")
    is_flow, is_on = category in ("", _CLOUD_FLOW), element.text_of("StateCode") in ("", _ACTIVATED)
    return _Listed(guid, name, file, at, is_flow, is_on, category, element)


def _source(files: PackageFiles, path: str, stem: str, known: _Listed | None) -> Source | None:
    match = _FILE.fullmatch(stem)
    name = known.name if known is not None else (match[1] if match is not None and match[1] else stem)
    guid = known.id if known is not None and known.id else (match[2].lower() if match is not None else "")
    try:
        source = read_source(files.bytes(path), name=name)
    except DefinitionError as error:
        files.leave_out(files.fault(path, error))
        return None
    return replace(
        source,
        name=name,
        dialect="power-automate",
        file=files.place(path),
        aliases=(guid,) if guid else (),
        enabled=source.enabled and (known is None or known.is_on),
    )


def _check_doubles(sources: list[Source], files: PackageFiles) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        for alias in source.aliases:
            if alias in seen:
                files.problems.append(
                    Problem(
                        "DuplicateFlow",
                        "error",
                        source.file,
                        f"This flow has the id {alias}, as {seen[alias]} has: which one others call is open.",
                        "Export the solution again.",
                    )
                )
            seen[alias] = source.file


def _connections(customizations: XmlElement | None, sources: list[Source]) -> tuple[Connection, ...]:
    """The connection references of the solution, and those that only its flows name."""
    found: dict[str, Connection] = {}
    section = customizations.find("connectionreferences") if customizations is not None else None
    for element in section.children("connectionreference") if section is not None else ():
        name = element.attribute("connectionreferencelogicalname")
        connector = element.text_of("connectorid").rsplit("/", 1)[-1]
        found[name.lower()] = Connection(name, connector, element.text_of("connectionreferencedisplayname"))
    for connection in flow_connections(sources):
        found.setdefault(connection.name.lower(), connection)
    return tuple(found.values())


def flow_connections(sources: list[Source]) -> Iterator[Connection]:
    """What the `connectionReferences` (or `$connections`) of flows name."""
    for source in sources:
        for key, reference in source.connections.items():
            if not isinstance(reference, dict):
                continue
            connection = reference.get("connection")
            logical = connection.get("connectionReferenceLogicalName") if isinstance(connection, dict) else None
            yield Connection(logical if isinstance(logical, str) else key, connector_of(reference))


def connector_of(reference: Mapping[str, Any]) -> str:
    """The connector that a connection reference is for; empty where it does not say."""
    api = reference.get("api")
    connector = api.get("name") if isinstance(api, dict) else reference.get("id")
    return connector.rstrip("/").rsplit("/", 1)[-1] if isinstance(connector, str) else ""
