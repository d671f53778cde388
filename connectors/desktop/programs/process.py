"""Programs that a desktop flow starts: what they are given, how long they may take, how much they may say.

What a program has to do reaches it by stdin, never as an argument, where every user of the machine could read it. It
gets few of this process's environment variables, and none of its secrets.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...concurrency import before, beside
from ...ending import ended
from ...port import SECOND
from ..fault import Fault
from ..session import Session

MOST_OUTPUT: Final = 16 * 1024 * 1024
"""Bytes that a program may write to each of its outputs."""

_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LOGNAME", "DISPLAY", "XDG_RUNTIME_DIR")


def environment() -> dict[str, str]:
    """The environment variables that programs of flows get."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended; `status` below 0 is the signal that ended it."""

    status: int
    output: str
    error: str


async def run(
    command: Sequence[str],
    session: Session,
    *,
    stdin: str = "",
    seconds: float | None = None,
    folder: Path | None = None,
    encoding: str = "utf-8",
) -> Finished:
    """Runs a program to its end, with everything it has started. `seconds` None: as long as it takes.

    Raises OSError where it cannot be started, TimeoutError, Fault ProgramOutputTooLargeError.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
        cwd=folder or session.folders.working or "/",
        start_new_session=True,
    )
    talk = _talk(process, stdin.encode(encoding, "replace"))
    try:
        if seconds is None:
            both: tuple[bytes, bytes] | None = await talk
        else:
            due = session.clock.now() + round(seconds * SECOND)
            both = await before(session.clock.sleep_until(due), talk)
    finally:
        _kill(process)
        await ended(process)
    if both is None:
        raise TimeoutError
    output, error = both
    return Finished(process.returncode or 0, output.decode(encoding, "replace"), error.decode(encoding, "replace"))


def _kill(process: asyncio.subprocess.Process) -> None:
    """Ends the program's group: what it started goes with it."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


async def _talk(process: asyncio.subprocess.Process, data: bytes) -> tuple[bytes, bytes]:
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
    async with beside(_feed(process.stdin, data)):
        both = await asyncio.gather(_read(process.stdout), _read(process.stderr))
        await process.wait()
        return both


async def _read(stream: asyncio.StreamReader) -> bytes:
    data = bytearray()
    while part := await stream.read(1 << 16):
        data += part
        if len(data) > MOST_OUTPUT:
            raise Fault("ProgramOutputTooLargeError", f"The program wrote more than {MOST_OUTPUT:,} bytes.")
    return bytes(data)


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    try:
        stdin.write(data)
        await stdin.drain()
    except ConnectionError:
        pass  # it does not read what it is given
    finally:
        stdin.close()
