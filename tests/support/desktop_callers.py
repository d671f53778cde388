"""Cloud flows that call desktop flows, for tests of calls, queues and workers."""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

GREETING = """@INPUT Name : { 'Description': '', 'FriendlyName': 'Who', 'Type': 'String' }
@INPUT Number : { 'Description': '', 'FriendlyName': 'Number', 'Type': 'Numeric', 'IsOptional': True, 'DefaultValue': 1 }
@OUTPUT Text : { 'Description': '', 'FriendlyName': 'Greeting', 'Type': 'String' }
@OUTPUT Rows : { 'Description': '', 'FriendlyName': 'Rows', 'Type': 'List' }
SET Rows TO []
LOOP i FROM 1 TO Number
    Variables.AddItemToList Item: $'''%i% %Name%''' List: Rows
END
SET Text TO $'''Hello %Name%'''
"""


def calling(parameters: dict[str, Any], **action: Any) -> dict[str, Any]:
    """A cloud flow whose one action calls a desktop flow and whose response has what came of it."""
    call = {
        "type": "OpenApiConnection",
        "inputs": {
            "host": {
                "connectionName": "shared_uiflow",
                "operationId": "RunUIFlow_V2",
                "apiId": "/providers/Microsoft.PowerApps/apis/shared_uiflow",
            },
            "parameters": {"runMode": "unattended", **parameters},
            "authentication": "@parameters('$authentication')",
        },
        "runAfter": {},
        **action,
    }
    answer = {
        "type": "Response",
        "kind": "Http",
        "inputs": {
            "statusCode": 200,
            "body": {
                "greeting": "@outputs('Call')?['body/Greeting']",
                "rows": "@outputs('Call')?['body/Rows']",
                "error": "@actions('Call')?['error']",
            },
        },
        "runAfter": {"Call": ["Succeeded", "Failed", "TimedOut"]},
    }
    return {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"$authentication": {"type": "SecureObject", "defaultValue": {}}},
        "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
        "actions": {"Call": call, "Answer": answer},
    }


async def deploy(env: Any, tmp_path: Path, name: str, text: str) -> Any:
    path = tmp_path / f"{name}.robin"
    path.write_text(text)
    return await env.deploy(name, path)


async def first_of(env: Any, flow: str) -> Any:
    async with asyncio.timeout(120):
        while not (found := await env.runs(flow=flow)):
            await asyncio.sleep(0)
    return await env.run(found[0].id)
