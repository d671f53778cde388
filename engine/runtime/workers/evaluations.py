"""Evaluates what is too much for a turn in processes without keys, which end with a lock.

An environment has at most two of them, made when they are needed and kept for a while. A thread talks to each: what is
sent and received goes through in small pieces, between which the interpreter is free for others.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, Final, TypeVar, cast

from ...kernel import Plan, State
from ...kernel.cloud.decide import Given
from ...kernel.cloud.external_evaluation import CRASHED, TIME_LIMIT, Missing, Packed, pack, refused
from .evaluator import GIVEN, Reader, Writer

log = logging.getLogger("sealflow")

SECONDS: Final = 60.0
"""Seconds that the expressions of one action may take, by the clock."""

PROCESSES: Final = 2
IDLE: Final = 30.0
"""Seconds after which a process that has nothing to do ends."""

T = TypeVar("T")

_START: Final = "import sys; sys.path += {path!r}; from sealflow.engine.runtime.workers.evaluator import main; main()"


class Evaluations:
    """The evaluations of one environment. `close` ends them, in the middle if need be."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.made = 0
        """How many evaluations there were."""
        self._slots = asyncio.Semaphore(PROCESSES)
        self._threads: ThreadPoolExecutor | None = None
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._closed = False

    async def evaluate(self, plan: Plan, state: State) -> Given | Missing | None:
        """What is found out of the next action of a state: see `kernel.elsewhere`. None where it cannot be sent.

        Cancelling it ends the process.
        """
        if plan.document is None:
            return None
        async with self._slots:
            if self._closed:
                raise asyncio.CancelledError
            packed = pack(state)
            process = self._idle.pop() if self._idle else _Process()
            self._busy.add(process)
            process.stay()
            try:
                answer = await self._ask(process, plan, packed)
            finally:
                self._busy.discard(process)
            if process.alive and not self._closed:
                self._idle.append(process)
                process.leave_later(self._leave)
            else:
                process.end()
            return answer

    async def decide(self, work: Callable[[], T]) -> T:
        """Decide a row of a script in a thread: what takes long there - expressions in texts - leaves the interpreter
        to others, or is made of many small steps. Nobody else may use its state meanwhile.
        """
        async with self._slots:
            self.made += 1
            asked = asyncio.get_running_loop().run_in_executor(self._pool(), work)
            try:
                return await asyncio.shield(asked)
            finally:
                asked.add_done_callback(_seen)

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(PROCESSES, "sealflow evaluation")
        return self._threads

    async def _ask(self, process: _Process, plan: Plan, packed: Packed) -> Given | Missing | None:
        self.made += 1
        asked = asyncio.get_running_loop().run_in_executor(self._pool(), process.ask, plan, packed)
        try:
            async with asyncio.timeout(self.seconds):
                return await asyncio.shield(asked)
        except TimeoutError:
            process.end()
            return refused(TIME_LIMIT, f"The action's expressions took longer than {self.seconds:g} seconds.")
        except asyncio.CancelledError:
            process.end()
            raise
        except _Unsendable:
            process.end()
            return None
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            process.end()
            log.warning("the evaluation of an action ended its process: %s", type(error).__name__)
            return refused(CRASHED, "The evaluation of the action's expressions ended its process.")
        finally:
            asked.add_done_callback(_seen)

    def _leave(self, process: _Process) -> None:
        if process in self._idle:
            self._idle.remove(process)
            process.end()

    def close(self) -> None:
        """End all processes at once."""
        self._closed = True
        for process in [*self._idle, *self._busy]:
            process.end()
        self._idle.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False)


class _Unsendable(Exception):
    """A state holds something that cannot be sent."""


class _Process:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._plans: dict[int, Plan] = {}
        self._leaving: asyncio.TimerHandle | None = None
        self._ended = self._busy = False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None and not self._ended

    def stay(self) -> None:
        """It has something to do."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def leave_later(self, leave: Callable[[_Process], None]) -> None:
        """Nobody needs it now."""
        self._leaving = asyncio.get_running_loop().call_later(IDLE, leave, self)

    def ask(self, plan: Plan, packed: Packed) -> Given | Missing:
        """In a thread: send the state and read the answer."""
        self._busy = True
        try:
            return self._asked(self._running(), plan, packed)
        finally:
            self._busy = False
            if self._ended:
                self._bury()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 (this very interpreter)
                [sys.executable, "-I", "-S", "-c", _START.format(path=[*filter(None, sys.path)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )
            if self._ended:  # meanwhile
                self._process.kill()
        return self._process

    def _asked(self, process: subprocess.Popen[bytes], plan: Plan, packed: Packed) -> Given | Missing:
        source, sink = cast(BinaryIO, process.stdout), cast(BinaryIO, process.stdin)
        known = self._plans.get(id(plan)) is plan
        self._plans[id(plan)] = plan
        writer = Writer(sink)
        try:
            writer.dump((id(plan), None if known else plan.document, packed.snapshot, packed.values))
        except (RecursionError, pickle.PicklingError, TypeError, AttributeError) as error:
            raise _Unsendable from error
        sink.flush()
        kind, found = Reader(source, writer.names).load()
        return found if kind == GIVEN else Missing(found)

    def end(self) -> None:
        """End it now, whatever it does. The thread that waits for it is told so by the end of its output."""
        self._ended = True
        self.stay()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if not self._busy:
            self._bury()

    def _bury(self) -> None:
        self._plans = {}
        if self._process is not None:
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError, ValueError):  # what is not sent yet is for nobody
                    cast(BinaryIO, pipe).close()


def _seen(asked: asyncio.Future[Any]) -> None:
    if not asked.cancelled():
        asked.exception()
