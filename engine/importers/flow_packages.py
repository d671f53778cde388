"""Exported flow packages of Power Automate, without a solution: `Microsoft.Flow/flows/<id>/definition.json`.

`manifest.json` at the top lists what is in the package: the flows with their names, connectors and connections.
Source: what Power Automate exports as "Package (.zip)".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..cloud.report.problem import Problem
from ..cloud.source import Source
from ..cloud.source import read as read_source
from ..errors import DefinitionError
from .files import PackageFiles, one_root, roots
from .packages import Connection, Package, with_parameters
from .solutions import flow_connections

_DEFINITION: Final = r"microsoft\.flow/flows/([^/]+)/definition\.json"


def root(files: Mapping[str, bytes]) -> str | None:
    """The folder of a flow package, empty or ending with `/`; None where there is none."""
    return one_root(roots(files, _DEFINITION.replace("(", "(?:")))


def read(files: PackageFiles, name: str, parameters: Mapping[str, Any]) -> Package:
    """The package's flows. Raises as `open_package` does."""
    manifest = files.json_object("manifest.json") if "manifest.json" in files else {}
    details = manifest.get("details")
    shown = details.get("displayName") if isinstance(details, dict) else None
    resources = manifest.get("resources")
    resources = {
        key: each for key, each in (resources.items() if isinstance(resources, dict) else ()) if isinstance(each, dict)
    }
    sources = []
    for path, match in files.matching(_DEFINITION):
        source = _source(files, path, match[1], resources)
        if source is not None:
            sources.append(source)
    _check_assets(files)
    return Package(
        "flow-package",
        shown if isinstance(shown, str) and shown else name,
        "",
        tuple(with_parameters(sources, parameters)),
        tuple(files.problems),
        _connections(resources, sources),
        left_out=tuple(files.left_out),
    )


def _source(files: PackageFiles, path: str, folder: str, resources: Mapping[str, dict[str, Any]]) -> Source | None:
    entry = next((each for key, each in resources.items() if key.lower() == folder.lower()), {})
    try:
        source = read_source(files.bytes(path), name=_display_name(entry) or folder)
    except DefinitionError as error:
        files.leave_out(files.fault(path, error))
        return None
    aliases = dict.fromkeys([folder.lower()])
    # The folder is the resource's id in the package; the flow's own id may be another.
    for own in (entry.get("name"), source.document.get("name")):
        if isinstance(own, str) and own:
            aliases[own.lower()] = None
    return replace(source, dialect="power-automate", file=files.place(path), aliases=tuple(aliases))


def _display_name(resource: Mapping[str, Any]) -> str:
    details = resource.get("details")
    shown = details.get("displayName") if isinstance(details, dict) else None
    return shown if isinstance(shown, str) else ""


def _check_assets(files: PackageFiles) -> None:
    """The list of flows beside them names no flow that is not there."""
    path = "microsoft.flow/flows/manifest.json"
    assets = files.json_object(path).get("flowAssets") if path in files else None
    listed = assets.get("assetPaths") if isinstance(assets, dict) else None
    for index, folder in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(folder, str) and f"microsoft.flow/flows/{folder}/definition.json" not in files:
            files.leave_out(
                Problem(
                    "MissingFile",
                    "error",
                    files.place(path, f"/flowAssets/assetPaths/{index}"),
                    f"The package lists the flow '{folder}', but its definition.json is not there.",
                    "Export the package again.",
                )
            )


def _connections(resources: Mapping[str, dict[str, Any]], sources: list[Source]) -> tuple[Connection, ...]:
    found = {connection.name.lower(): connection for connection in flow_connections(sources)}
    names = {connection.connector.lower() for connection in found.values()}
    for resource in resources.values():
        if resource.get("type") == "Microsoft.PowerApps/apis" and isinstance(resource.get("name"), str):
            name = resource["name"]
            if name.lower() not in names:
                found.setdefault(name.lower(), Connection(name, name, _display_name(resource)))
    return tuple(found.values())
