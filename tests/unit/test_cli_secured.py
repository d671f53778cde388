"""The command line shows nothing that is secured: neither while a run goes on nor afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, compose

CANARY = "hunter2"
TRIGGER = {
    "manual": {
        "type": "Request",
        "kind": "Http",
        "runtimeConfiguration": {"secureData": {"properties": ["outputs"]}},
    }
}
FLOWS: dict[str, dict[str, Any]] = {
    "a failure": {"Bad": compose("@int(triggerBody())")},
    "a failure in a loop": {
        "L": {"type": "Foreach", "foreach": "@createArray(triggerBody())", "actions": {"Bad": compose("@int(item())")}}
    },
    "Terminate": {
        "T": {
            "type": "Terminate",
            "inputs": {"runStatus": "Failed", "runError": {"code": "E", "message": "@triggerBody()"}},
        }
    },
    "Response": {"R": {"type": "Response", "inputs": {"statusCode": 200, "body": "@triggerBody()"}}},
}


@pytest.mark.parametrize("actions", FLOWS.values(), ids=FLOWS)
def test_neither_progress_nor_history_tell_a_secured_value(
    actions: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Cli(tmp_path, monkeypatch, capsys)
    cli.flow("f", actions, triggers=TRIGGER)
    for command in (
        ("run", "f.json", "--input", f'"{CANARY}"'),
        ("run", "f.json", "--input", f'"{CANARY}"', "--json"),
        ("runs", "show", "latest"),
        ("runs", "show", "latest", "--json"),
    ):
        done = cli(*command)
        assert done.code in (0, 1), done
        assert done.out
        assert CANARY not in done.out + done.err
