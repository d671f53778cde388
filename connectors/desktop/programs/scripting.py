"""The Scripting module: scripts in other languages, off until an administrator allows the language.

Python and shell run as programs with the rights of the process; JavaScript runs in QuickJS, in a process that sees no
files. VBScript and .NET need Windows.
"""

from __future__ import annotations

import shutil
import sys
from typing import Final

from ...isolation import Isolation
from ...port import ConnectorError, Services
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..port import Operation, Outputs, Table
from ..session import Session
from .process import Finished, run

_SECONDS: Final = 10
"""What "fail after timeout" waits where nothing else is said."""


def allowed(language: str, session: Session) -> None:
    """Raises Fault ScriptsNotAllowedError."""
    if language not in session.settings.scripts:
        raise Fault(
            "ScriptsNotAllowedError",
            f"This environment's desktop flows may not run scripts in {language}.",
            hint=f"An administrator can allow it: sealflow env permissions set ENV --scripts {language}.",
        )


def _seconds(arguments: Arguments) -> float | None:
    named = arguments.selector.casefold().endswith("failontimeout")
    failing = named or arguments.boolean("FailAfterTimeout", False) or "Timeout" in arguments
    return float(arguments.number("Timeout", _SECONDS)) if failing else None


async def _run(command: list[str], script: str, arguments: Arguments, session: Session, failed: str) -> Finished:
    folder = resolved(arguments.get("WorkingDirectory"), session) if "WorkingDirectory" in arguments else None
    try:
        return await run(command, session, stdin=script, seconds=_seconds(arguments), folder=folder)
    except TimeoutError:
        raise fault("Failed to run script in the allotted time", "The script was stopped.") from None
    except OSError as error:
        raise fault(failed, f"{error.strerror}.") from error


async def run_python(arguments: Arguments, session: Session) -> Outputs:
    """Scripting.RunPythonScript*, whatever version it names: the Python of this process, without its packages' folders
    but those named.
    """
    allowed("python", session)
    folders = [str(resolved(each, session)) for each in arguments.list("ModuleFolderPaths", [])]
    head = f"import sys; sys.path[:0] = {folders!r}\n" if folders else ""
    code = next((name for name in ("PythonCode", "PythonScript") if name in arguments), "Script")
    script = head + arguments.text(code)
    done = await _run([sys.executable, "-I", "-"], script, arguments, session, "Failed to run Python script")
    return {"PythonScriptOutput": done.output, "ScriptOutput": done.output, "ScriptError": done.error}


async def run_powershell(arguments: Arguments, session: Session) -> Outputs:
    """Scripting.RunPowershellScript, where PowerShell is installed (`pwsh`)."""
    allowed("powershell", session)
    program = shutil.which("pwsh")
    if program is None:
        what = "There is no PowerShell on this machine."
        raise fault("Failed to run PowerShell script", what, hint="Install PowerShell 7; its command is pwsh.")
    command = [program, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "-"]
    done = await _run(command, arguments.text("Script"), arguments, session, "Failed to run PowerShell script")
    return {"ScriptOutput": done.output, "PowershellOutput": done.output, "ScriptError": done.error}


async def run_dos(arguments: Arguments, session: Session) -> Outputs:
    """Scripting.RunDOSCommand.*: a command for this system's shell."""
    allowed("shell", session)
    script = arguments.text("DOSCommandOrApplication")
    done = await _run(["/bin/sh", "-s"], script, arguments, session, "Can't execute command or console application")
    return {"StandardOutput": done.output, "StandardError": done.error, "ExitCode": done.status}


_ISOLATION: Final = Isolation()

# What scripts of Windows Script Host write with; the output of one is a line.
_SHIM: Final = """const __lines = [];
const WScript = Object.freeze({ Echo: (...values) => { __lines.push(values.map(String).join(" ")); } });
(() => {
%s
})();
return __lines.map((line) => line + "\\r\\n").join("");"""


async def run_javascript(arguments: Arguments, session: Session) -> Outputs:
    """Scripting.RunJavascript: `WScript.Echo` writes to the output."""
    allowed("javascript", session)
    limits = _ISOLATION.limits
    inputs = {
        "code": _SHIM % arguments.text("JavascriptCode"),
        "context": '{"actions": {}, "trigger": null, "workflow": {}}',
        "seconds": min(_seconds(arguments) or limits.seconds, limits.seconds),
        "bytes": limits.memory,
    }
    try:
        value = await _ISOLATION.run("javascript", inputs, Services(session.clock), "The script")
    except ConnectorError as failure:
        if failure.code in ("TimeLimitExceeded", "InlineCodeExecutionTimeout"):
            raise fault("Failed to run script in the allotted time", failure.message) from None
        if failure.code == "LibraryMissing":
            raise Fault(failure.code, failure.message, hint=failure.hint) from None
        return {"ScriptOutput": "", "JavascriptOutput": "", "ScriptError": failure.message}
    text = _text(value)
    return {"ScriptOutput": text, "JavascriptOutput": text, "ScriptError": ""}


def _text(value: object) -> str:
    import json

    found = json.loads(value) if isinstance(value, str) else ""
    return found if isinstance(found, str) else ""


TABLE: Table = {
    "Scripting.RunPythonScript": Operation(run_python),
    **{
        f"Scripting.RunPythonScript.{name}": Operation(run_python)
        for name in ("RunPythonScript", "RunPythonScript34", "RunPythonScriptCPython")
    },
    "Scripting.RunPowershellScript": Operation(run_powershell),
    **{
        f"Scripting.RunPowershellScript.{name}": Operation(run_powershell)
        for name in ("RunPowershellScript", "RunScript", "RunScriptAndFailOnTimeout")
    },
    **{
        f"Scripting.RunDOSCommand.RunDOSCommand{name}": Operation(run_dos)
        for name in ("", "WithCodePage", "AndFailOnTimeout", "WithCodePageAndFailOnTimeout")
    },
    "Scripting.RunJavascript": Operation(run_javascript),
    "Scripting.RunJavascript.RunJavascript": Operation(run_javascript),
    "Scripting.RunJavascript.RunJavascriptAndFailOnTimeout": Operation(run_javascript),
}
