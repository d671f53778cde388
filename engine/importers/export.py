"""A flow's definition in the forms that other tools take: a bare definition, Power Automate's, Logic Apps Standard's.

Texts and mappings of paths to bytes only; the archive around them is the caller's. What is written is not encrypted.
Values given to parameters on import are not written: they stay in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Literal

from ..cloud.artifacts import Artifacts, write_artifacts
from ..cloud.syntax.definition import JsonObject
from ..errors import DefinitionError
from .solutions import GUID, connector_of

Form = Literal["definition", "power-automate", "standard"]

_APIS: Final = "Microsoft.PowerApps/apis"
_CONNECTORS: Final = f"/providers/{_APIS}/"
_GUID: Final = re.compile(GUID, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exported:
    """One version of a flow. `id` is 32 hexadecimal digits.

    `aliases` are ids it had elsewhere, `connections` its connection references by name.
    """

    name: str
    id: str
    definition: JsonObject
    artifacts: Artifacts = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    connections: Mapping[str, Any] = field(default_factory=dict)


def document_of(flow: Exported, form: Form) -> bytes:
    """The flow as one JSON file: a definition, a Power Automate export, or workflow.json."""
    if form == "definition":
        return _json(flow.definition)
    if form == "standard":
        return _json({"definition": flow.definition, "kind": "Stateful"})
    return _json(_export(flow))


def package_of(flow: Exported, form: Form) -> dict[str, bytes]:
    """The flow as the files of a package: a flow package of Power Automate, or a project of Logic Apps Standard.

    Raises DefinitionError for a bare definition, which is one file.
    """
    if form == "power-automate":
        return _flow_package(flow)
    if form == "standard":
        return _project(flow)
    raise DefinitionError(
        "A definition alone is one file, not a package.",
        code="InvalidUsage",
        hint="Give --out a name that ends with .json, or another --format.",
    )


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _guid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _ids(flow: Exported) -> tuple[str, ...]:
    """The ids by which other flows may call it: those it had where it came from, else its own."""
    known = tuple(alias.lower() for alias in flow.aliases if _GUID.fullmatch(alias))
    return known or (_guid(flow.id),)


def _export(flow: Exported) -> JsonObject:
    return {
        "name": _ids(flow)[-1],
        "type": "Microsoft.Flow/flows",
        "properties": {
            "displayName": flow.name,
            "definition": flow.definition,
            "connectionReferences": {
                name: {"connectionName": name, "source": "Invoker", "id": _CONNECTORS + connector}
                for name, connector in _references(flow).items()
            },
        },
        "schemaVersion": "1.0.0.0",
    }


def _references(flow: Exported) -> dict[str, str]:
    """Connectors by name of the connection: those it came with, and what it names in `host.connectionName`."""
    found = {
        name: connector_of(reference) or name
        for name, reference in flow.connections.items()
        if isinstance(reference, dict)
    }
    waiting: list[Any] = [flow.definition]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            host = each.get("host")
            if isinstance(host, dict) and isinstance(host.get("connectionName"), str):
                name = host["connectionName"]
                connector = host.get("apiId")
                found.setdefault(name, (connector if isinstance(connector, str) else name).rsplit("/", 1)[-1])
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return dict(sorted(found.items()))


def _flow_package(flow: Exported) -> dict[str, bytes]:
    ids = _ids(flow)
    folder = f"Microsoft.Flow/flows/{ids[0]}"
    references = _references(flow)
    apis = {connector: _named(f"api/{connector}") for connector in references.values()}
    connections = {name: _named(f"connection/{name}") for name in references}
    resources = {
        ids[0]: _resource(
            "Microsoft.Flow/flows",
            name=ids[-1],
            shown=flow.name,
            suggested="New",
            depends_on=[*apis.values(), *connections.values()],
        )
    }
    for connector, key in apis.items():
        resources[key] = _resource(_APIS, name=connector, shown=connector) | {"id": _CONNECTORS + connector}
    for name, key in connections.items():
        resources[key] = _resource(f"{_APIS}/connections", name=name, shown=name, depends_on=[apis[references[name]]])
    details = {"displayName": flow.name, "description": "", "creator": "", "sourceEnvironment": ""}
    return {
        "manifest.json": _json({"schema": "1.0", "details": details, "resources": resources}),
        "Microsoft.Flow/flows/manifest.json": _json(
            {"packageSchemaVersion": "1.0", "flowAssets": {"assetPaths": [ids[0]]}}
        ),
        f"{folder}/definition.json": _json(_export(flow)),
        f"{folder}/apisMap.json": _json({name: apis[connector] for name, connector in references.items()}),
        f"{folder}/connectionsMap.json": _json(connections),
    }


def _named(label: str) -> str:
    """An id for a resource of a package, the same in every export."""
    return _guid(sha256(label.encode("utf-8", "surrogatepass")).hexdigest()[:32])


def _resource(
    kind: str, *, name: str, shown: str, suggested: str = "Existing", depends_on: Sequence[str] = ()
) -> JsonObject:
    """An entry of a package's manifest: a flow is the root and may be new, what it needs is there already."""
    root = suggested == "New"
    return {
        "name": name,
        "type": kind,
        "suggestedCreationType": suggested,
        "creationType": "Existing, New, Update" if root else "Existing",
        "details": {"displayName": shown},
        "configurableBy": "User",
        "hierarchy": "Root" if root else "Child",
        "dependsOn": list(depends_on),
    }


def _project(flow: Exported) -> dict[str, bytes]:
    bundle = {"id": "Microsoft.Azure.Functions.ExtensionBundle.Workflows", "version": "[1.*, 2.0.0)"}
    return {
        "host.json": _json({"version": "2.0", "extensionBundle": bundle}),
        "connections.json": _json({"managedApiConnections": {}, "serviceProviderConnections": {}}),
        "parameters.json": _json(_parameters(flow.definition)),
        f"{folder_name(flow.name)}/workflow.json": document_of(flow, "standard"),
        **write_artifacts(flow.artifacts),
    }


def _parameters(definition: JsonObject) -> Mapping[str, Any]:
    """The defaults of declared parameters as the project's values; without those that hold secrets."""
    declared = definition.get("parameters")
    return {
        name: {"type": entry.get("type"), "value": entry["defaultValue"]}
        for name, entry in (declared.items() if isinstance(declared, dict) else ())
        if isinstance(entry, dict)
        and "defaultValue" in entry
        and not name.startswith("$")
        and not str(entry.get("type", "")).lower().startswith("secure")
    }


def folder_name(name: str) -> str:
    """A flow's name as Logic Apps Standard allows it: letters, digits, `-` and `_`, at most 80, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:80]
    return plain if plain[:1].isalpha() else f"flow-{plain}".rstrip("-")[:80]
