"""Builds packages of flows as other tools export them, out of definitions of our own."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

PARENT_ID = "11111111-2222-4333-8444-555555555501"
CHILD_ID = "11111111-2222-4333-8444-555555555502"


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return target.getvalue()


def packed(folder: Path, name: str, files: Mapping[str, str]) -> str:
    """These files as an archive in the folder; its name."""
    (folder / name).write_bytes(zipped(files))
    return name


def unpacked(folder: Path, name: str, files: Mapping[str, str]) -> str:
    """These files in a folder in the folder; its name."""
    for path, content in files.items():
        target = folder / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
    return name


def as_bytes(files: Mapping[str, bytes | str]) -> dict[str, bytes]:
    return {path: content.encode() if isinstance(content, str) else content for path, content in files.items()}


def parent(child: Mapping[str, Any], /, **parameters: Any) -> dict[str, Any]:
    """Asks a child flow for the gross of a net amount. `child` is the host of its Workflow action."""
    return {
        "parameters": parameters,
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {
            "Ask": {
                "type": "Workflow",
                "inputs": {"host": dict(child), "body": {"net": "@triggerBody()?['net']"}},
            },
            "Answer": {
                "type": "Response",
                "kind": "Http",
                "runAfter": {"Ask": ["Succeeded"]},
                "inputs": {"statusCode": 200, "body": "@body('Ask')"},
            },
        },
    }


def child(rate: str = "@1.19", /, **parameters: Any) -> dict[str, Any]:
    """Answers with the gross amount by a rate, an expression."""
    return {
        "parameters": parameters,
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {
            "Answer": {
                "type": "Response",
                "kind": "Http",
                "inputs": {
                    "statusCode": 200,
                    "body": {"gross": f"@mul(triggerBody()?['net'], {rate.removeprefix('@')})"},
                },
            }
        },
    }


def process(guid: str, name: str, file: str, category: int = 5) -> str:
    return (
        f'<Workflow WorkflowId="{{{guid}}}" Name={quoteattr(name)}><JsonFileName>/{escape(file)}</JsonFileName>'
        f"<Type>1</Type><Category>{category}</Category><StateCode>1</StateCode></Workflow>"
    )


def reference(name: str, connector: str, shown: str = "") -> str:
    return (
        f"<connectionreference connectionreferencelogicalname={quoteattr(name)}>"
        f"<connectionreferencedisplayname>{escape(shown)}</connectionreferencedisplayname>"
        f"<connectorid>/providers/Microsoft.PowerApps/apis/{connector}</connectorid></connectionreference>"
    )


def customizations(processes: Iterable[str], references: Iterable[str] = ()) -> str:
    return (
        '<ImportExportXml xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Workflows>'
        + "".join(processes)
        + "</Workflows><connectionreferences>"
        + "".join(references)
        + "</connectionreferences></ImportExportXml>"
    )


def solution_xml(name: str = "Orders", version: str = "1.2.0.0") -> str:
    return (
        f"<ImportExportXml><SolutionManifest><UniqueName>{name.lower()}</UniqueName><LocalizedNames>"
        f'<LocalizedName description="{name}" languagecode="1033"/></LocalizedNames><Version>{version}</Version>'
        "</SolutionManifest></ImportExportXml>"
    )


def variable(schema: str, name: str, kind: int, default: str | None = None) -> str:
    value = f"<defaultvalue>{escape(default)}</defaultvalue>" if default is not None else ""
    return (
        f"<environmentvariabledefinition schemaname={quoteattr(schema)}>{value}"
        f"<displayname default={quoteattr(name)}/><type>{100_000_000 + kind}</type></environmentvariabledefinition>"
    )


def current(value: str) -> str:
    return json.dumps({"environmentvariablevalues": {"environmentvariablevalue": {"value": value}}})


def flow_json(definition: Mapping[str, Any], references: Mapping[str, Any] | None = None) -> str:
    return json.dumps(
        {
            "properties": {"connectionReferences": dict(references or {}), "definition": dict(definition)},
            "schemaVersion": "1.0.0.0",
        }
    )


def solution() -> dict[str, str]:
    """A solution with a parent flow, the child it calls by id, three environment variables and a connection."""
    rate = {"type": "Float", "defaultValue": 1.07, "metadata": {"schemaName": "so_Rate"}}
    parent_file = f"Workflows/Gross-{PARENT_ID.upper()}.json"
    child_file = f"Workflows/Tax-{CHILD_ID.upper()}.json"
    return {
        "[Content_Types].xml": "<Types/>",
        "solution.xml": solution_xml(),
        "customizations.xml": customizations(
            [
                process(PARENT_ID, "Gross & net", parent_file),
                process(CHILD_ID, "Tax", child_file),
                process("11111111-2222-4333-8444-555555555503", "On the desk", "Workflows/desk.json", 6),
            ],
            [reference("so_mail", "shared_office365", "Mail")],
        ),
        parent_file: flow_json(
            parent({"workflowReferenceName": CHILD_ID}),
            {"m": {"connection": {"connectionReferenceLogicalName": "so_mail"}, "api": {"name": "shared_office365"}}},
        ),
        child_file: flow_json(child("parameters('Rate (so_Rate)')", **{"Rate (so_Rate)": rate})),
        "environmentvariabledefinitions/so_Rate/environmentvariabledefinition.xml": variable(
            "so_Rate", "Rate", 1, "1.1"
        ),
        "environmentvariabledefinitions/so_Rate/environmentvariablevalues.json": current("1.25"),
        "environmentvariabledefinitions/so_Key/environmentvariabledefinition.xml": variable("so_Key", "Key", 5, "a"),
        "environmentvariabledefinitions/so_Open/environmentvariabledefinition.xml": variable("so_Open", "Open", 0),
    }


def flow_package() -> dict[str, str]:
    """An exported package with one flow."""
    folder = f"Microsoft.Flow/flows/{CHILD_ID}"
    document = {
        "name": PARENT_ID,
        "properties": {
            "displayName": "Tax",
            "definition": child(),
            "connectionReferences": {
                "shared_teams": {"connectionName": "t", "id": "/providers/Microsoft.PowerApps/apis/shared_teams"}
            },
        },
    }
    return {
        "manifest.json": json.dumps(
            {
                "schema": "1.0",
                "details": {"displayName": "Taxes"},
                "resources": {
                    CHILD_ID: {"type": "Microsoft.Flow/flows", "details": {"displayName": "Tax"}},
                    "x": {"type": "Microsoft.PowerApps/apis", "name": "shared_sql", "details": {"displayName": "SQL"}},
                },
            }
        ),
        "Microsoft.Flow/flows/manifest.json": json.dumps({"flowAssets": {"assetPaths": [CHILD_ID]}}),
        f"{folder}/definition.json": json.dumps(document),
        f"{folder}/apisMap.json": "{}",
    }


def project() -> dict[str, str]:
    """A Logic Apps Standard project with a parent flow, the child it calls by name, shared parameters, connections."""
    return {
        "host.json": json.dumps(
            {"version": "2.0", "extensions": {"workflow": {"settings": {"Runtime.FlowMaintenanceJob": "1"}}}}
        ),
        "local.settings.json": json.dumps({"IsEncrypted": False, "Values": {"STORAGE": "secret-canary", "A": "b"}}),
        "parameters.json": json.dumps(
            {
                "rate": {"type": "Float", "value": 1.5},
                "key": {"type": "String", "value": "@appsetting('API_KEY')"},
                "unused": {"type": "Int", "value": 1},
            }
        ),
        "connections.json": json.dumps(
            {
                "managedApiConnections": {
                    "office365": {
                        "api": {"id": "/subscriptions/x/providers/Microsoft.Web/locations/y/managedApis/office365"},
                        "authentication": {"type": "Raw", "value": "@appsetting('office365-key')"},
                    }
                },
                "serviceProviderConnections": {
                    "sql": {"serviceProvider": {"id": "/serviceProviders/sql"}, "displayName": "The database"}
                },
            }
        ),
        "gross/workflow.json": json.dumps({"definition": parent({"workflow": {"id": "tax"}}), "kind": "Stateful"}),
        "tax/workflow.json": json.dumps({"definition": child("parameters('rate')"), "kind": "Stateless"}),
        "tax/notes.txt": "parameters('key')",
    }


def template(*workflows: Mapping[str, Any], **more: Any) -> str:
    return json.dumps(
        {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "resources": list(workflows),
            **more,
        }
    )


def workflow(name: str, definition: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    parameters = more.pop("parameters", {})
    return {
        "type": "Microsoft.Logic/workflows",
        "name": name,
        "properties": {"definition": definition, "parameters": parameters},
        **more,
    }
