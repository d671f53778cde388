"""The System module: programs, processes, environment variables, ping.

Starting and ending programs is off until an administrator allows them by name. Environment variables are the run's own:
of this process's only the harmless ones are seen, and changes stay in the run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..port import Operation, Outputs, Table, reads
from ..reach import address_of
from ..session import Session
from .process import environment

_VARIABLES: Final = "environment"
_STARTED: Final = "started"


def _program(text: str, session: Session) -> str:
    """The path of an allowed program. Raises Fault ApplicationsNotAllowedError, FileOrApplicationNotFoundError."""
    name = text.replace("\\", "/").rsplit("/", 1)[-1]
    plain = name.lower().removesuffix(".exe")
    allowed = {each.lower() for each in session.settings.applications}
    exact = text in session.settings.applications or "*" in allowed
    if not exact and not {name.lower(), plain} & allowed:
        raise Fault(
            "ApplicationsNotAllowedError",
            f"This environment's desktop flows may not start '{name}'.",
            hint=f"An administrator can allow it: sealflow env permissions set ENV --application {plain}.",
        )
    # A program that is allowed by its name is the system's of that name, not whatever a flow has put somewhere.
    if exact and "/" in text and Path(text).is_file():
        return text
    found = shutil.which(name) or shutil.which(plain)
    if found is None:
        raise fault("File or application not found", f"There is no program '{name}' on this machine.")
    return found


def run_application(arguments: Arguments, session: Session) -> Outputs:
    """System.RunApplication.*: continues at once, or waits until the program has ended."""
    program = _program(arguments.text("ApplicationPath"), session)
    command = [program, *_words(arguments.text("CommandLineArguments", ""))]
    folder = resolved(arguments.get("WorkingDirectory"), session) if arguments.text("WorkingDirectory", "") else None
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment(), **_handed_on(session)},
            cwd=folder or session.folders.working,
            start_new_session=True,
        )
    except OSError as error:
        raise fault("Can't execute application", f"'{Path(program).name}': {error.strerror}.") from error
    session.kept.setdefault(_STARTED, {})[process.pid] = process
    if arguments.selector.casefold() != "runapplicationandwaittocomplete":
        return {"ProcessId": process.pid}
    seconds = float(arguments.number("Timeout", 0))
    try:
        status = process.wait(seconds or None)
    except subprocess.TimeoutExpired:
        raise fault("Timeout", "The program has not ended in time; it goes on.") from None
    return {"ProcessId": process.pid, "ExitCode": status, "AppExitCode": status}


_LOADING: Final = re.compile(
    r"(LD_|DYLD_|PYTHON|PERL|RUBY|NODE_|JAVA_|_JAVA|JDK_|DOTNET_|CORECLR_|GCONV_|GIO_|GTK_|QT_|MALLOC_|GLIBC_|LUA_|BASH_)"
    r".*|PATH|IFS|ENV|SHELLOPTS|PS4|PROMPT_COMMAND|CLASSPATH|EDITOR|PAGER|HOME|XDG_.*|GIT_.*|SSH_.*",
    re.IGNORECASE,
)


def _handed_on(session: Session) -> dict[str, str]:
    """The run's variables that a program gets: none that say what it loads, or where it finds other programs.

    Otherwise a flow could have an allowed program run whatever the flow has written into a file.
    """
    variables: dict[str, str] = session.kept.get(_VARIABLES, {})
    return {name: value for name, value in variables.items() if not _LOADING.fullmatch(name)}


def _words(text: str) -> list[str]:
    """A command line cut as programs of Windows get it: blanks part, quotes join, backslashes are only letters."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
        return list(lexer)
    except ValueError:
        raise fault("Can't execute application", "A quote in the arguments is not closed.") from None


# --- processes


def _running(user: str = "") -> list[tuple[int, str]]:
    """Number and name of each process of this system, or of one user's, whose domain is left out of account."""
    try:
        import psutil
    except ImportError as error:
        raise Fault(
            "LibraryMissing", "Looking at processes needs psutil.", hint="pip install 'sealflow[desktop]'"
        ) from error
    wanted = _login(user)
    return [
        (process.pid, process.info["name"] or "")
        for process in psutil.process_iter(["name", "username"])
        if not wanted or _login(process.info["username"] or "") == wanted
    ]


def _login(user: str) -> str:
    return user.rpartition("\\")[2].strip().casefold()


def _named(arguments: Arguments) -> list[int]:
    """The processes with the name that the arguments give, of the user that they name."""
    plain = arguments.text("ProcessName").lower().removesuffix(".exe")
    running = _running(arguments.text("ProcessUser", ""))
    return [number for number, known in running if known.lower().removesuffix(".exe") == plain]


def if_process(arguments: Arguments, session: Session) -> Outputs:
    """System.IfProcess.*"""
    there = bool(_named(arguments))
    return {"Condition": there == arguments.selector.casefold().endswith("isrunning")}


def waited(arguments: Arguments, session: Session) -> Outputs:
    """System.WaitForProcess.*: whether what is waited for has come."""
    _reap(session)
    there = bool(_named(arguments))
    return {"Condition": there == arguments.selector.casefold().endswith("tostart")}


def _reap(session: Session) -> None:
    for process in session.kept.get(_STARTED, {}).values():
        process.poll()


def terminate(arguments: Arguments, session: Session) -> Outputs:
    """System.TerminateProcess.*: a program that this run has started, or one that an administrator allows."""
    started: dict[int, Any] = session.kept.get(_STARTED, {})
    if "ProcessId" in arguments:
        numbers = [arguments.integer("ProcessId")]
        if numbers[0] not in dict(_running(arguments.text("ProcessUser", ""))):
            raise fault("Process with specified ID not running", f"There is no process {numbers[0]}.")
    else:
        numbers = _named(arguments)
        if not numbers:
            raise fault("Failed to terminate process", f"No process '{arguments.text('ProcessName')}' is running.")
    names = dict(_running())
    for number in numbers:
        if number not in started:
            _program(names.get(number, str(number)), session)
        try:
            os.kill(number, 15)
        except OSError as error:
            raise fault("Failed to terminate process", f"{error.strerror}.") from error
        if number in started:
            started.pop(number).wait()
    return None


# --- environment variables


def get_variable(arguments: Arguments, session: Session) -> Outputs:
    """System.GetEnvironmentVariable.*"""
    name = arguments.text("Name")
    known: dict[str, str] = {**environment(), **_usual(), **session.kept.get(_VARIABLES, {})}
    for each, value in known.items():
        if each.lower() == name.lower():
            return {"Value": value}
    what = f"There is no environment variable '{name}' that desktop flows can see."
    raise fault("Environment variable not found", what)


def _usual() -> dict[str, str]:
    """What scripts expect of Windows, as far as this system has it."""
    home = os.environ.get("HOME", "/")
    return {
        "COMPUTERNAME": socket.gethostname(),
        "USERNAME": os.environ.get("USER", os.environ.get("LOGNAME", "")),
        "USERPROFILE": home,
        "TEMP": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
        "TMP": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
    }


def set_variable(arguments: Arguments, session: Session) -> Outputs:
    """System.SetEnvironmentVariable: for this run and the programs that it starts."""
    name = arguments.text("Name")
    if not re.fullmatch(r"[^=\0]+", name):
        what = "It is no name of an environment variable."
        raise fault("Indicates a problem setting the environment variable's value", what)
    session.kept.setdefault(_VARIABLES, {})[name] = arguments.text("Value", "")
    return None


def delete_variable(arguments: Arguments, session: Session) -> Outputs:
    """System.DeleteEnvironmentVariable: one that this run has set."""
    if session.kept.get(_VARIABLES, {}).pop(arguments.text("Name"), None) is None:
        what = f"This run has set no environment variable '{arguments.text('Name')}'."
        raise fault("Failed to delete environment variable", what)
    return None


# --- ping


def ping(arguments: Arguments, session: Session) -> Outputs:
    """System.Ping: whether the host answers; by a connection, since echo requests need rights that we do not have."""
    host, seconds = arguments.text("HostName"), arguments.integer("Timeout", 5000) / 1000
    address = address_of(host, 7, session, "Can't complete ping action")
    start = time.monotonic()
    try:
        socket.create_connection((address, 7), seconds).close()
    except ConnectionRefusedError:
        pass  # it is there, and says that it does not serve this
    except OSError:
        return {"PingResult": "TimedOut", "RoundTripTime": 0}
    return {"PingResult": "Success", "RoundTripTime": round((time.monotonic() - start) * 1000)}


TABLE: Table = {
    "System.RunApplication.RunApplication": Operation(run_application),
    "System.RunApplication.RunApplicationAndWaitToComplete": Operation(run_application),
    "System.RunApplication.RunApplicationAndWaitToLoad": Operation(run_application),
    "System.IfProcess.ProcessIsRunning": reads(if_process),
    "System.IfProcess.ProcessIsNotRunning": reads(if_process),
    "System.IfProcess.ProcessWithNameIsRunning": reads(if_process),
    "System.IfProcess.ProcessWithNameIsNotRunning": reads(if_process),
    "System.WaitForProcess.ProcessToStart": reads(waited),
    "System.WaitForProcess.ProcessToStop": reads(waited),
    "System.WaitForProcess.ProcessWithNameToStart": reads(waited),
    "System.WaitForProcess.ProcessWithNameToStop": reads(waited),
    "System.TerminateProcess.TerminateProcessById": Operation(terminate),
    "System.TerminateProcess.TerminateProcessByIdWithUserName": Operation(terminate),
    "System.TerminateProcess.TerminateProcessByNameWithUserName": Operation(terminate),
    "System.TerminateProcess.TerminateProcessByName": Operation(terminate),
    "System.GetEnvironmentVariable.GetEnvironmentVariable": reads(get_variable),
    "System.GetEnvironmentVariable.GetEnvironmentVariableFromScope": reads(get_variable),
    "System.SetEnvironmentVariable": Operation(set_variable, "rerun"),
    "System.DeleteEnvironmentVariable": Operation(delete_variable),
    "System.Ping": reads(ping),
}
