"""Desktop flows that are deployed with actions that cannot run here: these fail when they are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli
from sealflow.engine.runtime.flows.script_files import ScriptSource

TEXT = """@INPUT Reach : { 'Description': '', 'FriendlyName': 'Reach', 'Type': 'Boolean' }
@OUTPUT Said : { 'Description': '', 'FriendlyName': 'Said', 'Type': 'String' }
SET Said TO $'''nothing'''
IF Reach = True THEN
    MouseAndKeyboard.BlockInput BlockIt: True
END
"""
HANDLED = TEXT.replace("True\nEND", "True\n        ON ERROR\n            SET Said TO $'''handled'''\n        END\nEND")
REASON = (
    "'Block Input' (MouseAndKeyboard.BlockInput) runs on Windows only:"
    " it moves the mouse or presses keys on the desktop."
)


async def test_it_fails_with_the_reason_when_it_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "flow.robin"
    path.write_text(TEXT)
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        with pytest.raises(sealflow.DefinitionError) as refused:
            await env.deploy("flow", path)
        assert refused.value.code == "WindowsOnlyAction"
        flow = await env.deploy("flow", path, allow_unsupported=True)
        (passed,), (reached,) = await env.start(flow, {"Reach": False}), await env.start(flow, {"Reach": True})
        assert (await passed.result()).outputs == {"Said": "nothing"}
        result: Any = await reached.result()
        assert (result.status, result.code) == ("Failed", "WindowsOnlyAction")
        assert result.error["message"] == REASON
        handled = await env.deploy("handled", ScriptSource("handled", HANDLED), allow_unsupported=True)
        (run,) = await env.start(handled, {"Reach": True})
        assert (await run.result()).outputs == {"Said": "handled"}


def test_the_command_line_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Cli(tmp_path, monkeypatch, capsys)
    (cli.folder / "flow.robin").write_text(TEXT)
    assert cli("flow", "deploy", "flow.robin", "--json").json["error"]["code"] == "WindowsOnlyAction"
    assert cli("flow", "deploy", "flow.robin", "--allow-unsupported").code == 0
    assert cli("run", "flow", "--input", '{"Reach": false}').code == 0
    ran = cli("run", "flow.robin", "--allow-unsupported", "--input", '{"Reach": true}', "--json")
    assert (ran.code, ran.json["code"], ran.json["error"]["message"]) == (1, "WindowsOnlyAction", REASON)
    for arguments in (
        ("run", "flow", "--allow-unsupported"),
        ("flow", "deploy", cli.flow("f", {}), "--allow-unsupported"),
    ):
        refused = cli(*arguments, "--allow-unsupported", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (2, "InvalidUsage")
