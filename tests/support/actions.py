"""Short ways to write actions of cloud definitions."""

from __future__ import annotations

from typing import Any, Final

SUCCEEDED: Final = ["Succeeded"]


def after(*names: str, on: list[str] = SUCCEEDED) -> dict[str, list[str]]:
    return {name: list(on) for name in names}


def compose(value: Any, *names: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": after(*names)}


def wait(count: int, unit: str, *names: str) -> dict[str, Any]:
    return {"type": "Wait", "inputs": {"interval": {"count": count, "unit": unit}}, "runAfter": after(*names)}


def http(uri: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "GET", "uri": uri, **more}, "runAfter": after(*names)}


def each(items: Any, actions: dict[str, Any], *names: str) -> dict[str, Any]:
    return {"type": "Foreach", "foreach": items, "actions": actions, "runAfter": after(*names)}


def respond(body: Any, *names: str, status: int = 200) -> dict[str, Any]:
    return {"type": "Response", "inputs": {"statusCode": status, "body": body}, "runAfter": after(*names)}


def terminate(status: str, *names: str, **error: str) -> dict[str, Any]:
    inputs: dict[str, Any] = {"runStatus": status}
    if error:
        inputs["runError"] = error
    return {"type": "Terminate", "inputs": inputs, "runAfter": after(*names)}


def variable(name: str, kind: str, value: Any, *names: str) -> dict[str, Any]:
    return {
        "type": "InitializeVariable",
        "inputs": {"variables": [{"name": name, "type": kind, "value": value}]},
        "runAfter": after(*names),
    }
