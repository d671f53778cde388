"""The Cmd module: a shell that is kept open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from desktop_world import World
from sealflow.engine.datatypes import Datum, Item


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, scripts=frozenset({"shell"}))
    yield made
    await made.session.aclose()


async def opened(world: World, **arguments: Datum) -> Datum:
    return (await world.do("Cmd.Open.Open", **arguments))["Session"]


async def told(world: World, shell: Datum, command: str, until: str, **more: Datum) -> None:
    await world.do("Cmd.Write", Session=shell, Command=command, **more)
    await world.do("Cmd.WaitForText", Session=shell, Text=until)


async def test_commands_and_what_they_answer(world: World) -> None:
    shell = await opened(world)
    assert isinstance(shell, Item)
    assert shell.get("IsAlive") is True
    await told(world, shell, "x=5; echo one", "one")
    assert await world.do("Cmd.ReadFromCmdSession.Read", Session=shell) == {"CmdOutput": "one\n"}
    await told(world, shell, "echo $x two", "5 TWO")
    assert await world.do("Cmd.ReadFromCmdSession.Read", CmdSession=shell) == {"CmdOutput": "5 two\n"}


async def test_reading_waits_for_an_answer(world: World) -> None:
    shell = await opened(world)
    await world.do("Cmd.Write", Session=shell, Command="echo late")
    assert (await world.do("Cmd.ReadFromCmdSession.Read", Session=shell))["CmdOutput"] == "late\n"
    world.clock.hastens = True
    assert (await world.do("Cmd.ReadFromCmdSession.Read", Session=shell))["CmdOutput"] == ""


async def test_a_program_is_answered(world: World) -> None:
    shell = await opened(world)
    await told(world, shell, "echo Name?; read name; echo hello $name", "name?")
    await told(world, shell, "An", "", SendEnter=False)
    await told(world, shell, "n", "hello ann")
    assert (await world.do("Cmd.ReadFromCmdSession.Read", Session=shell))["CmdOutput"] == "Name?\nhello Ann\n"


async def test_errors_apart(world: World) -> None:
    shell = await opened(world)
    await told(world, shell, "echo wrong >&2", "wrong")
    await told(world, shell, "echo right", "right")
    done = await world.do("Cmd.ReadFromCmdSession.ReadAndSplit", Session=shell)
    assert done == {"CmdOutput": "right\n", "CmdError": "wrong\n"}


async def test_waiting_by_an_expression_and_with_an_end(world: World) -> None:
    shell = await opened(world)
    await world.do("Cmd.Write", Session=shell, Command="echo a1b")
    await world.do("Cmd.WaitForText", Session=shell, Text=r"A\dB", IsRegEx=True)
    world.clock.hastens = True
    await world.fails("TimeoutWhileWaitingForTextError", "Cmd.WaitForText", Session=shell, Text="never", Timeout=3)
    await world.fails(
        "TimeoutWhileWaitingForTextError", "Cmd.WaitForText", Session=shell, Text="A1B", IgnoreCase=False, Timeout=3
    )
    await world.fails("ArgumentTypeError", "Cmd.WaitForText", Session=shell, Text="(", IsRegEx=True)


async def test_a_shell_that_ends(world: World) -> None:
    shell = await opened(world)
    await world.do("Cmd.Write", Session=shell, Command="echo bye; exit")
    await world.fails("CMDSessionIsClosedError", "Cmd.WaitForText", Session=shell, Text="never")
    assert (await world.do("Cmd.ReadFromCmdSession.Read", Session=shell))["CmdOutput"] == "bye\n"
    await world.fails("CMDSessionIsClosedError", "Cmd.ReadFromCmdSession.Read", Session=shell)
    await world.fails("CMDSessionIsClosedError", "Cmd.Write", Session=shell, Command="echo")


async def test_closing_ends_what_runs(world: World) -> None:
    shell = await opened(world)
    assert isinstance(shell, Item)
    await world.do("Cmd.Write", Session=shell, Command="cat")
    await world.do("Cmd.Close", Session=shell)
    await world.do("Cmd.Close", Session=shell)
    await world.fails("CMDSessionIsClosedError", "Cmd.Write", Session=shell, Command="echo")
    process = shell.get("ProcessId")
    assert isinstance(process, int)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_the_folder_and_the_code_page(world: World) -> None:
    world.file("sub/a.txt")
    shell = await opened(world, Directory="C:\\sub")
    await told(world, shell, "ls", "a.txt")
    await world.fails("WorkingDirectoryDoesntExistError", "Cmd.Open.Open", WorkingDirectory="C:\\none")
    await world.fails("AccessDeniedError", "Cmd.Open.Open", WorkingDirectory="/etc")
    for page in (1252, "Cmd.Encoding.Windows_1252"):
        other = (await world.do("Cmd.Open.OpenWithCodePage", Encoding=page))["Session"]
        await told(world, other, "printf '\\351\\n'", "é")


async def test_no_shell_is_started_for_an_unknown_code_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    start = asyncio.create_subprocess_exec

    async def recorded(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(arguments)
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", recorded)
    await world.fails("CantStartCommandSessionError", "Cmd.Open.OpenWithCodePage", Encoding="Cmd.Encoding.x_cp20936")
    assert started == []
    await opened(world)
    assert len(started) == 1


async def test_a_shell_is_off_until_it_is_allowed(tmp_path: Path) -> None:
    failure = await World(tmp_path).fails("ScriptsNotAllowedError", "Cmd.Open.Open")
    assert "shell" in failure.message
