"""Runs one job of `isolated` in a process of its own: what loops for ever is killed, what crashes takes nothing along.

The process is an interpreter without the user's environment, working folder, open files or site hooks; it sets itself
limits of memory and CPU time and closes off files and sockets before it sees its input (`isolated.worker`). One
process does one job, so nothing of a run can be found by the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .concurrency import before, beside
from .ending import ended
from .port import SECOND, ConnectorError, Services

_FOLDER: Final = str(Path(__file__).parent)

# The standard library comes first, this package's folder last: it has modules of the same names.
_START: Final = "import sys; sys.path += {path!r}; from isolated.worker import main; main({job!r})"

_STARTING: Final = 5
"""Seconds by the clock that a process may take in addition to its limit, to start and to read its input."""

_EXTRAS: Final = {"quickjs": "scripts", "_quickjs": "scripts", "liquid": "liquid", "dateutil": "liquid"}


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What one job may use: seconds of time (of the processor, and by the clock once it has started), bytes of memory,
    bytes of input and of output.

    Source of the defaults: Logic Apps, limits and configuration: inline code runs 15 seconds at most in Standard and
    handles 50 MB of data (5 seconds and 1,024 characters in Consumption; here the larger ones count).
    """

    seconds: int = 15
    memory: int = 1024 * 1024 * 1024
    data: int = 52_428_800


class Isolation:
    """Starts the processes of jobs, no more at a time than there are processors."""

    def __init__(self, limits: JobLimits | None = None) -> None:
        self.limits = limits if limits is not None else JobLimits()
        self._slots: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, job: str, inputs: dict[str, Any], services: Services, what: str) -> Any:
        """The job's value. `what` names the action's work in errors, e.g. `The script`.

        Raises ConnectorError with the job's own code, or with TimeLimitExceeded, MemoryLimitExceeded, ContentTooLarge,
        LibraryMissing, WorkerCrashed. Cancelling it kills the process.
        """
        data = json.dumps(inputs, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if len(data) > self.limits.data:
            raise ConnectorError("ContentTooLarge", f"{what} was given more than {self.limits.data:,} bytes.")
        async with self._slot():
            answer = await self._process(job, data, services, what)
        if "value" in answer:
            return answer["value"]
        raise self._failure(answer, what)

    def _slot(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._slots is None or self._loop is not loop:
            self._slots, self._loop = asyncio.Semaphore(max(2, os.cpu_count() or 1)), loop
        return self._slots

    async def _process(self, job: str, data: bytes, services: Services, what: str) -> dict[str, Any]:
        limits = self.limits
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            "-c",
            _START.format(path=[*filter(None, sys.path), _FOLDER], job=job),
            str(limits.seconds),
            str(limits.memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        due = services.clock.now() + (limits.seconds + _STARTING) * SECOND
        try:
            output = await before(services.clock.sleep_until(due), _talk(process, data, limits.data))
        finally:
            if process.returncode is None:
                process.kill()
            await ended(process)
        if output is None:
            raise self._too_slow(what)
        if len(output) > limits.data:
            raise ConnectorError("ContentTooLarge", f"{what} made more than {limits.data:,} bytes.")
        return self._read(output, process.returncode, what)

    def _read(self, output: bytes, status: int | None, what: str) -> dict[str, Any]:
        try:
            answer = json.loads(output)
        except ValueError:
            answer = None
        if status == 0 and isinstance(answer, dict):
            return answer
        if status is not None and -status in _CPU_SIGNALS:
            raise self._too_slow(what)
        raise ConnectorError(
            "WorkerCrashed",
            f"{what} ended its process before it was done (status {status}).",
            hint="It may have needed more memory than it may have.",
        )

    def _too_slow(self, what: str) -> ConnectorError:
        return ConnectorError("TimeLimitExceeded", f"{what} took more than {self.limits.seconds} seconds.")

    def _failure(self, answer: dict[str, Any], what: str) -> ConnectorError:
        code, message = str(answer["code"]), str(answer["message"])
        if code == "LibraryMissing":
            extra = _EXTRAS.get(message.partition(".")[0])
            hint = f"pip install 'sealflow[{extra}]'" if extra else f"pip install {message}"
            return ConnectorError(code, f"{what} needs a library that is not installed: {message}.", hint=hint)
        if code == "MemoryLimitExceeded":
            return ConnectorError(code, f"{what} needed more than {self.limits.memory:,} bytes of memory.")
        return ConnectorError(code, message, hint=answer.get("hint"))


# Killed by the system for its CPU time: SIGXCPU, or SIGKILL at the hard limit.
_CPU_SIGNALS: Final = frozenset({24, 9})


async def _talk(process: asyncio.subprocess.Process, data: bytes, most: int) -> bytes:
    """Give the process its input and take its output, up to a byte more than `most`."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
    async with beside(_feed(process.stdin, data)):
        parts: list[bytes] = []
        length = 0
        while length <= most and (part := await process.stdout.read(1 << 16)):
            parts.append(part)
            length += len(part)
        if length <= most:
            await process.wait()
        return b"".join(parts)


async def _feed(stdin: asyncio.StreamWriter, data: bytes) -> None:
    try:
        stdin.write(data)
        await stdin.drain()
    except ConnectionError:
        pass  # it ended before it had read everything; its output or status says why
    finally:
        stdin.close()
