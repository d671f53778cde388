"""The System and Scripting modules: what may be started, what is given to it, what becomes of it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from desktop_world import World


async def test_nothing_is_started_unless_it_is_allowed(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.fails("ScriptsNotAllowedError", "Scripting.RunPythonScript", PythonScript="print(1)")
    await world.fails("ScriptsNotAllowedError", "Scripting.RunDOSCommand.RunDOSCommand", DOSCommandOrApplication="ls")
    await world.fails("ScriptsNotAllowedError", "Scripting.RunJavascript.RunJavascript", JavascriptCode="1")
    await world.fails("ScriptsNotAllowedError", "Scripting.RunPowershellScript.RunPowershellScript", Script="1")
    await world.fails(
        "ApplicationsNotAllowedError", "System.RunApplication.RunApplication", ApplicationPath="/bin/true"
    )
    number = os.getpid()
    await world.fails("ApplicationsNotAllowedError", "System.TerminateProcess.TerminateProcessById", ProcessId=number)


async def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "planted")
    world = World(tmp_path, scripts=frozenset({"python"}))
    world.file("lib/mine.py", "x = 'mine'")
    script = """import os, sys, mine
print(mine.x, len(sys.argv), 'SEALFLOW_PASSPHRASE' in os.environ)
print('e', file=sys.stderr)"""
    done = await world.do("Scripting.RunPythonScript", PythonScript=script, ModuleFolderPaths="C:\\lib")
    assert (done["PythonScriptOutput"], done["ScriptError"]) == ("mine 1 False\n", "e\n")
    done = await world.do("Scripting.RunPythonScript", PythonScript="1/0")
    assert "ZeroDivisionError" in str(done["ScriptError"])


async def test_a_script_that_does_not_end_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"shell"}))
    world.clock.hastens = True
    await world.fails(
        "FailedToRunScriptInTheAllottedTimeError",
        "Scripting.RunDOSCommand.RunDOSCommand",
        DOSCommandOrApplication="sleep 1000 & sleep 1000",
        FailAfterTimeout=True,
        Timeout=5,
    )
    assert world.clock.at == 17_723_604_300_000_000 + 50_000_000


async def test_a_shell_command(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"shell"}))
    world.file("a.txt", "text")
    done = await world.do(
        "Scripting.RunDOSCommand.RunDOSCommand",
        DOSCommandOrApplication="cat a.txt; echo bad >&2; exit 3",
        WorkingDirectory="C:\\",
    )
    assert done == {"StandardOutput": "text", "StandardError": "bad\n", "ExitCode": 3}


async def test_a_program_that_says_too_much_is_stopped(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"shell"}))
    await world.fails(
        "ProgramOutputTooLargeError", "Scripting.RunDOSCommand.RunDOSCommand", DOSCommandOrApplication="yes"
    )


async def test_javascript(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"javascript"}))
    done = await world.do(
        "Scripting.RunJavascript.RunJavascript", JavascriptCode="WScript.Echo('a', 1); WScript.Echo(2);"
    )
    assert (done["ScriptOutput"], done["ScriptError"]) == ("a 1\r\n2\r\n", "")
    done = await world.do("Scripting.RunJavascript.RunJavascript", JavascriptCode="nothing.here")
    assert "not defined" in str(done["ScriptError"])


@pytest.mark.skipif(shutil.which("pwsh") is not None, reason="PowerShell is here")
async def test_powershell_that_is_not_installed(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"powershell"}))
    await world.fails(
        "FailedToRunPowerShellScriptError", "Scripting.RunPowershellScript.RunPowershellScript", Script="1"
    )


async def test_programs_are_started_watched_and_ended(tmp_path: Path) -> None:
    world = World(tmp_path, applications=frozenset({"sleep", "sh"}))
    started = await world.do(
        "System.RunApplication.RunApplication", ApplicationPath="C:\\Windows\\sleep.exe", CommandLineArguments="1000"
    )
    number = started["ProcessId"]
    assert isinstance(number, int)
    os.kill(number, 0)
    running = await world.do("System.IfProcess.ProcessIsRunning", ProcessName="sleep")
    assert running["Condition"] is True
    await world.do("System.TerminateProcess.TerminateProcessById", ProcessId=number)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    await world.fails(
        "ProcessWithSpecifiedIDNotRunningError", "System.TerminateProcess.TerminateProcessById", ProcessId=number
    )
    await world.fails(
        "FailedToTerminateProcessError", "System.TerminateProcess.TerminateProcessByName", ProcessName="no-such"
    )
    ended = await world.do(
        "System.RunApplication.RunApplicationAndWaitToComplete",
        ApplicationPath="sh",
        CommandLineArguments='-c "exit 4"',
    )
    assert ended["ExitCode"] == 4
    none = await world.do("System.WaitForProcess.ProcessToStop", ProcessName="no-such")
    assert none["Condition"] is True


async def test_an_allowed_program_that_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path, applications=frozenset({"no-such"}))
    await world.fails(
        "FileOrApplicationNotFoundError", "System.RunApplication.RunApplication", ApplicationPath="no-such.exe"
    )


async def test_environment_variables_are_the_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setenv("USER", "ada")
    world = World(tmp_path, scripts=frozenset({"shell"}))
    get = "System.GetEnvironmentVariable.GetEnvironmentVariable"
    assert (await world.do(get, Name="username"))["Value"] == "ada"
    await world.fails("EnvironmentVariableNotFoundError", get, Name="AWS_SECRET_ACCESS_KEY")
    await world.do("System.SetEnvironmentVariable", Name="MINE", Value="v")
    assert (await world.do(get, Name="mine"))["Value"] == "v"
    assert "MINE" not in os.environ
    await world.do("System.DeleteEnvironmentVariable", Name="MINE")
    await world.fails("EnvironmentVariableNotFoundError", get, Name="MINE")
    await world.fails("FailedToDeleteEnvironmentVariableError", "System.DeleteEnvironmentVariable", Name="PATH")


async def test_ping(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert (await world.do("System.Ping", HostName="127.0.0.1"))["PingResult"] == "Success"
    await world.fails("EgressRefused", "System.Ping", HostName="169.254.169.254")
    await world.fails("CantCompletePingActionError", "System.Ping", HostName="no host")


async def test_a_call_that_is_given_up_ends_its_program(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"python"}))
    fifo = world.folder / "pid"
    script = f"import os, time\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\ntime.sleep(1000)"
    os.mkfifo(fifo)
    task = asyncio.ensure_future(world.do("Scripting.RunPythonScript", PythonScript=script))
    number = int(await asyncio.to_thread(fifo.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
