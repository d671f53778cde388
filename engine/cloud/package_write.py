"""A flow's definition in the forms that other tools take: a bare definition, Power Automate's, Logic Apps Standard's.

Texts and mappings of paths to bytes only; the archive around them is the caller's. What is written is not encrypted.
Values given to parameters on import are not written: they stay in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import DefinitionError
from .artifacts import Artifacts, write_artifacts
from .definition import JsonObject

Form = Literal["definition", "power-automate", "standard"]


@dataclass(frozen=True, slots=True)
class Exported:
    """One version of a flow. `id` is 32 hexadecimal digits."""

    name: str
    id: str
    definition: JsonObject
    artifacts: Artifacts = field(default_factory=dict)


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


def _export(flow: Exported) -> JsonObject:
    return {
        "name": _guid(flow.id),
        "type": "Microsoft.Flow/flows",
        "properties": {
            "displayName": flow.name,
            "definition": flow.definition,
            "connectionReferences": _references(flow.definition),
        },
        "schemaVersion": "1.0.0.0",
    }


def _references(definition: JsonObject) -> dict[str, JsonObject]:
    """The connections that actions and triggers name in `host.connectionName`, by that name."""
    found: dict[str, JsonObject] = {}
    waiting: list[Any] = [definition]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            host = each.get("host")
            if isinstance(host, dict) and isinstance(host.get("connectionName"), str):
                connector = host.get("apiId") if isinstance(host.get("apiId"), str) else host["connectionName"]
                found[host["connectionName"]] = {
                    "connectionName": host["connectionName"],
                    "source": "Invoker",
                    "id": f"/providers/Microsoft.PowerApps/apis/{str(connector).rsplit('/', 1)[-1]}",
                }
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return dict(sorted(found.items()))


def _flow_package(flow: Exported) -> dict[str, bytes]:
    guid = _guid(flow.id)
    folder = f"Microsoft.Flow/flows/{guid}"
    manifest = {
        "schema": "1.0",
        "details": {"displayName": flow.name, "description": "", "creator": "", "sourceEnvironment": ""},
        "resources": {
            guid: {
                "name": guid,
                "type": "Microsoft.Flow/flows",
                "suggestedCreationType": "New",
                "creationType": "Existing, New, Update",
                "details": {"displayName": flow.name},
                "configurableBy": "User",
                "hierarchy": "Root",
                "dependsOn": [],
            }
        },
    }
    return {
        "manifest.json": _json(manifest),
        "Microsoft.Flow/flows/manifest.json": _json(
            {"packageSchemaVersion": "1.0", "flowAssets": {"assetPaths": [guid]}}
        ),
        f"{folder}/definition.json": _json(_export(flow)),
        f"{folder}/apisMap.json": _json({}),
        f"{folder}/connectionsMap.json": _json({}),
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
