"""Desktop flows through the runtime: deployed, run, kept, read again; what each run has open, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.folders import Allowed
from sealflow.engine.errors import DefinitionError

INPUT = (
    "@INPUT Count : { 'Description': '', 'FriendlyName': 'How many', 'Type': 'Numeric', 'IsOptional': True, "
    "'DefaultValue': 2 }"
)
OUTPUT = "@OUTPUT Text : { 'Description': '', 'FriendlyName': 'Joined', 'Type': 'String' }"
JOINING = f"""{INPUT}
{OUTPUT}
SET Text TO $''''''
LOOP i FROM 1 TO Count
    SET Text TO $'''%Text%%i%,'''
END
Text.Trim Text: Text TrimOption: Text.TrimOption.Both TrimmedText=> Text
"""


def script(tmp_path: Path, text: str, name: str = "flow.robin") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


async def run(tmp_path: Path, text: str, body: Any = None, **options: Any) -> Any:
    async with sealflow.open(tmp_path / "home", **options) as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", script(tmp_path, text))
        (started,) = await env.start(flow, body if body is not None else {})
        return await started.result()


async def test_inputs_come_in_and_outputs_go_out_by_their_names(tmp_path: Path) -> None:
    result = await run(tmp_path, JOINING, {"How many": 3})
    assert (result.status, result.outputs) == ("Succeeded", {"Joined": "1,2,3,"})
    names = [action["systemActionName"] for action in result.actions]
    assert names.count("SetVariable") == 4
    assert (result.actions[-1]["functionName"], result.actions[-1]["index"]) == ("Main", 5)
    assert (await run(tmp_path, JOINING)).outputs == {"Joined": "1,2,"}


async def test_inputs_that_do_not_fit_are_refused_before_a_run_exists(tmp_path: Path) -> None:
    for body, code in (({"None": 1}, "UnknownInput"), ({"How many": "x"}, "InvalidInput"), ([1], "InvalidInput")):
        with pytest.raises(DefinitionError) as caught:
            await run(tmp_path, JOINING, body)
        assert caught.value.code == code


async def test_a_script_that_cannot_run_is_not_deployed(tmp_path: Path) -> None:
    for text, code in (
        ("SET x TO %1%", "PercentOutsideText"),
        ("Excel.RunMacro Instance: a Macro: $'''m'''", "WindowsOnlyAction"),
    ):
        with pytest.raises(DefinitionError) as caught:
            await run(tmp_path, text)
        assert caught.value.at.count(":") == 1
        assert caught.value.code == code


async def test_the_store_holds_nothing_of_a_script_or_its_values(tmp_path: Path) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    named = "File: $'''C:\\\\plantedname.txt''' TextToWrite: $'''plantedvalue'''"
    text = f"File.WriteText {named} Encoding: File.FileEncoding.UTF8"
    desktop = Settings(folders=(Allowed(folder),), mapping={"C:": folder})
    assert (await run(tmp_path, text, desktop=desktop)).status == "Succeeded"
    assert b"plantedvalue" in (folder / "plantedname.txt").read_bytes()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert kept
    for planted in (b"planted", "planted".encode("utf-16-le"), b"WriteText"):
        assert planted not in kept


OPENING = """Excel.LaunchExcel.LaunchUnderExistingProcess Visible: False Instance=> Excel
WAIT 0.01
Excel.WriteToExcel.WriteCell Instance: Excel Value: 1 Column: $'''A''' Row: 1
"""


async def test_what_a_run_has_open_is_closed_when_it_ends(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", script(tmp_path, OPENING))
        (started,) = await env.start(flow, {})
        assert await started.wait() == "Succeeded"
        executor = env._access.executor
        assert executor is not None
        assert len(executor.performer.sessions) == 0


async def test_two_runs_have_nothing_in_common(tmp_path: Path) -> None:
    text = f"{OUTPUT}\nClipboard.GetText Text=> Text\nClipboard.SetText Text: $'''left'''"
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", script(tmp_path, text))
        for _ in range(2):
            (started,) = await env.start(flow, {})
            assert (await started.result()).outputs == {"Joined": ""}


async def test_an_instance_of_another_process_is_lost_and_a_script_can_handle_that(tmp_path: Path) -> None:
    text = f"""{OUTPUT}
Excel.LaunchExcel.LaunchUnderExistingProcess Visible: False Instance=> Excel
WAIT 0.3
SET Text TO $'''used'''
Excel.WriteToExcel.WriteCell Instance: Excel Value: 1 Column: $'''A''' Row: 1
ON ERROR InstanceLost
    SET Text TO $'''lost'''
END
"""
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", script(tmp_path, text))
        (started,) = await env.start(flow, {})
        async for row in started.follow():
            if getattr(row.node, "word", "") == "Wait":
                break
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        result = await (await env.run(started.id)).result(timeout=60)
        assert (result.status, result.outputs) == ("Succeeded", {"Joined": "lost"})


async def test_a_run_is_replayed_from_its_bundle(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", script(tmp_path, JOINING))
        (started,) = await env.start(flow, {})
        await started.wait()
        bundle = await started.export(plaintext=True)
    assert (await sealflow.replay(bundle)).differences == []
