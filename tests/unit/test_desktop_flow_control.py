"""If safe stop requested: a condition that a script asks, and that is never met here."""

from __future__ import annotations

from pathlib import Path

from desktop_world import World
from robin_run import ScriptRun

ACTION = "FlowControl.IfSafeStop"


async def test_nobody_can_request_a_safe_stop(tmp_path: Path) -> None:
    answer = await World(tmp_path).do(ACTION, ShouldStop=True)
    assert answer == {"Condition": False}
    run = ScriptRun(
        "SET Went TO 0\n"
        "IF (FlowControl.IfSafeStop ShouldStop: True) THEN\n    SET Went TO 1\nELSE\n    SET Went TO 2\nEND\n"
    ).to_the_end()
    run.answer(answer)
    assert run.to_the_end()["Went"] == 2
