"""The Cmd module: a command line that is kept open, written to and read from. Off until an administrator allows it.

It is this system's shell (`/bin/sh`), which unlike Windows' echoes neither a prompt nor what it is told. What it is
told reaches it by stdin, so a program that it runs may be answered in the same way.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
from collections.abc import Callable
from typing import Final

from ....engine.patterns import PatternError, compiled, matches
from ...concurrency import before
from ...ending import ended
from ...port import SECOND
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..port import Operation, Outputs, Table
from ..session import Session
from .process import MOST_OUTPUT, environment
from .scripting import allowed

KIND: Final = "CmdSession"

_PATIENCE: Final = 1
"""Seconds that reading waits for something to read. What a command answers is not there the moment it is sent."""


class Shell:
    """A shell that runs, and what it and its programs have written and nobody has read yet."""

    def __init__(self, process: asyncio.subprocess.Process, encoding: str) -> None:
        self.process = process
        self._encoding = encoding
        self._unread: list[tuple[bool, str]] = []
        self._size = 0
        self._news = asyncio.Event()
        self._readers = [
            asyncio.ensure_future(self._read(process.stdout, error=False)),
            asyncio.ensure_future(self._read(process.stderr, error=True)),
        ]

    async def _read(self, stream: asyncio.StreamReader | None, *, error: bool) -> None:
        assert stream is not None  # noqa: S101 - both are pipes
        decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        while self._size <= MOST_OUTPUT and (data := await stream.read(1 << 16)):
            self._size += len(data)
            self._unread.append((error, decoder.decode(data)))
            self._news.set()
        self._news.set()

    @property
    def alive(self) -> bool:
        """Whether anything can still come of it."""
        return not all(reader.done() for reader in self._readers)

    @property
    def text(self) -> str:
        """What nobody has read yet, of both outputs in the order in which it came."""
        return "".join(text for _, text in self._unread)

    def take(self) -> tuple[str, str, str]:
        """What nobody has read yet: all of it, the output, the errors. It counts as read then."""
        both, output, errors = (
            self.text,
            "".join(text for error, text in self._unread if not error),
            "".join(text for error, text in self._unread if error),
        )
        self._unread.clear()
        if self._size <= MOST_OUTPUT:
            self._size = 0
        return both, output, errors

    async def news(self) -> None:
        """Returns when something was written after the last call, or the shell has ended.

        Raises Fault ProgramOutputTooLargeError.
        """
        if self._size > MOST_OUTPUT:
            raise Fault("ProgramOutputTooLargeError", f"More than {MOST_OUTPUT:,} bytes were written and not read.")
        if self.alive:
            await self._news.wait()
        self._news.clear()

    def write(self, text: str) -> None:
        """Sends a text. Raises OSError where nothing takes it."""
        stdin = self.process.stdin
        if stdin is None or stdin.is_closing():
            raise BrokenPipeError
        stdin.write(text.encode(self._encoding, "replace"))

    async def aclose(self) -> None:
        """Ends the shell and whatever it has started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for reader in self._readers:
            reader.cancel()
        try:
            await asyncio.gather(*self._readers, return_exceptions=True)
        finally:
            await ended(self.process)


async def open_session(arguments: Arguments, session: Session) -> Outputs:
    """Cmd.Open.*: a shell in the working directory, talked to in UTF-8 or in a code page."""
    allowed("shell", session)
    folder = session.folders.working
    name = arguments.named("Directory", "WorkingDirectory")
    if name in arguments:
        folder = resolved(arguments.get(name), session)
        if not folder.is_dir():
            raise fault("Working directory doesn't exist", f"There is no folder '{session.folders.shown(folder)}'.")
    encoding = _encoding(arguments)  # before the shell starts, as nothing would end it after a failure
    try:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-s",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            cwd=folder or "/",
            start_new_session=True,
        )
    except OSError as error:
        raise fault("Can't start command session", f"{error.strerror}.") from error
    shell = Shell(process, encoding)
    return {"Session": (item := session.keep(KIND, shell, {"IsAlive": True, "ProcessId": process.pid})), KIND: item}


def _encoding(arguments: Arguments) -> str:
    """The encoding by .NET's name with underscores (`utf_8`, `ibm850`, `IBM00858`), or by the number of a code page."""
    wanted = arguments.text(arguments.named("Encoding", "CodePage"), "utf_8").rsplit(".", 1)[-1]
    digits = "".join(letter for letter in wanted if letter.isdigit()).lstrip("0")
    for candidate in ("utf-8",) if wanted == "65001" else (wanted, f"cp{digits}", f"windows-{digits}"):
        try:
            return codecs.lookup(candidate).name
        except LookupError:
            continue
    raise fault("Can't start command session", f"There is no code page '{wanted}' here.")


def _shell(arguments: Arguments, session: Session) -> Shell:
    try:
        return session.use(arguments.item(arguments.named("Session", KIND), KIND), Shell)
    except Fault as error:
        if error.name != "InstanceLost":
            raise
        raise fault("CMD session is closed", error.message, hint=error.hint) from error


async def write(arguments: Arguments, session: Session) -> Outputs:
    """Cmd.Write: a command or an answer, with Enter unless told otherwise."""
    shell = _shell(arguments, session)
    if not shell.alive:
        raise fault("CMD session is closed", "The shell has ended.")
    try:
        shell.write(arguments.text("Command", "") + ("\n" if arguments.boolean("SendEnter", True) else ""))
    except OSError as error:
        raise fault("Can't write to CMD session", "The shell does not take what it is sent.") from error
    return None


async def read(arguments: Arguments, session: Session) -> Outputs:
    """Cmd.ReadFromCmdSession.*: what was written since the last reading; where that is nothing it waits a second."""
    shell = _shell(arguments, session)
    if not shell.text:
        await _until(lambda: bool(shell.text), shell, session, _PATIENCE)
    both, output, errors = shell.take()
    if not both and not shell.alive:
        raise fault("CMD session is closed", "The shell has ended, and everything it wrote is read.")
    if arguments.selector.casefold() == "readandsplit":
        return {"CmdOutput": output, "CmdError": errors}
    return {"CmdOutput": both}


async def wait_for_text(arguments: Arguments, session: Session) -> Outputs:
    """Cmd.WaitForText: until it stands in what was not read yet, which it stays. No timeout: as long as it takes."""
    shell = _shell(arguments, session)
    wanted, seconds = arguments.text("Text"), arguments.integer("Timeout", 0)
    try:
        met = _matcher(wanted, shell, arguments.boolean("IsRegEx", False), arguments.boolean("IgnoreCase", True))
        there = await _until(met, shell, session, seconds)
    except PatternError as error:
        raise Fault("ArgumentTypeError", f"The text to wait for: {error.message}") from error
    if not there:
        if not shell.alive:
            raise fault("CMD session is closed", "The shell has ended, and did not write what was waited for.")
        raise fault("Timeout while waiting for text", f"It was not written within {seconds} seconds.")
    return None


def _matcher(wanted: str, shell: Shell, is_pattern: bool, ignore_case: bool) -> Callable[[], bool]:
    """Whether what nobody has read holds the text. Raises PatternError for no pattern, and one that runs away."""
    if is_pattern:
        compiled(wanted, ignore_case)
        return lambda: bool(matches(wanted, shell.text, ignore_case=ignore_case))
    if ignore_case:
        return lambda: wanted.casefold() in shell.text.casefold()
    return lambda: wanted in shell.text


async def _until(met: Callable[[], bool], shell: Shell, session: Session, seconds: int) -> bool:
    """Whether it is `met` before the shell ends and the time is over; 0 seconds are no limit."""

    async def look() -> None:
        while not met() and shell.alive:
            await shell.news()

    if seconds > 0:
        await before(session.clock.sleep_until(session.clock.now() + seconds * SECOND), look())
    else:
        await look()
    return met()


async def close(arguments: Arguments, session: Session) -> Outputs:
    """Cmd.Close, with whatever runs in it. Closing what is closed is nothing."""
    shell = session.drop(arguments.item(arguments.named("Session", KIND), KIND))
    if isinstance(shell, Shell):
        await shell.aclose()
    return None


TABLE: Table = {
    "Cmd.Open.Open": Operation(open_session),
    "Cmd.Open.OpenWithCodePage": Operation(open_session),
    "Cmd.Write": Operation(write),
    "Cmd.ReadFromCmdSession.Read": Operation(read),
    "Cmd.ReadFromCmdSession.ReadAndSplit": Operation(read),
    "Cmd.WaitForText": Operation(wait_for_text),
    "Cmd.Close": Operation(close),
}
