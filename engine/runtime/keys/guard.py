"""Does the work of a key watch in a thread of its own while the event loop is busy.

The watch runs on the loop that drives flows. Where that loop does not answer when something is due, the guard looks at
the store, asks the key store, renews the worker's lease, and forgets the keys: then every cipher that was given out
opens and seals nothing. What else is in memory goes as soon as the loop has its turn. A loop that answers in time is
left alone, so no question is asked twice.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from ....storage import EnvironmentLocked, KeyUnavailable, StaleKeys, StorageError, Vault
from ....storage.keys.health import Answer, Decision, Verdict, answer_of
from ..workers.clock import BootClock

log = logging.getLogger("sealflow")

PERIOD: Final = 1.0
"""Seconds between two looks at the store."""

SLACK: Final = 0.2
"""Seconds after which a look by the loop counts as late."""

LEAD: Final = 0.3
"""Seconds before a question is due at which the guard asks a busy loop for a sign of life."""

ANSWER: Final = 0.1
"""Seconds in which a loop that is not busy gives one."""

PATIENCE: Final = 20.0
"""Seconds after which a key store that does not answer counts as out of reach."""

MOST_LEASE: Final = 600.0
"""Seconds for which the lease of a loop that gives no sign of life is renewed."""


class LoopClosed(Exception):
    """The watch's event loop is closed: there is nothing to guard any more. Raised by a guard's `post`."""


class Watch(Protocol):
    """A key watch as its guard sees it: plain attributes, which both threads read and set."""

    looked: float
    """When the store was looked at last."""

    @property
    def due(self) -> float:
        """When the key is to be asked for."""
        ...

    @property
    def denied(self) -> bool:
        """Whether a denial is to be confirmed: never asked early."""
        ...

    @property
    def open_vault(self) -> Vault | None:
        """What is open now."""
        ...

    def judged(self, answer: Answer, at: float) -> Verdict:
        """Take in the answer to a question that was asked at `at`, and say what it means."""
        ...

    def dropped_aside(self, vault: Vault, verdict: Verdict | None, answer: Answer, code: str) -> None:
        """On the loop: the guard has forgotten the keys of this vault; without a verdict, since they were changed or
        the environment was locked.
        """
        ...


class KeyGuard:
    """The guard of one watch. `post` has something done by the watch's loop."""

    def __init__(self, watch: Watch, clock: BootClock, post: Callable[[Callable[[], None]], None]) -> None:
        self._watch = watch
        self._clock = clock
        self._post = post
        self._vault: Vault | None = None
        self._probe: Any = None
        self._forgotten: Vault | None = None
        self._silent: float | None = None  # since when the loop gives no sign of life

    async def tend(self) -> float:
        """Do what is due where the loop is late. Returns when to be called again."""
        vault, now = self._watch.open_vault, self._clock.now()
        if vault is None or vault is self._forgotten:
            return now + PERIOD
        looking, asking = self._times()
        if now < min(looking, asking):
            return min(looking, asking)
        if await self._sign_of_life():
            await self._rest()
            return self._clock.now() + SLACK
        if self._silent is None:
            self._silent = now
        if vault is not self._vault:
            await self._rest()
            self._silent, self._vault = now, vault
            self._probe = vault.key_probe(self._post)
        if self._clock.now() >= self._times()[1]:
            await self._ask(vault)
        else:
            await self._look(vault)
        return self._clock.now() + ANSWER

    async def run(self) -> None:
        """Tend the watch until its loop is closed."""
        with suppress(LoopClosed):
            while True:
                await self._clock.sleep_until(await self.tend())

    async def close(self) -> None:
        """Close the connections."""
        await self._rest()

    def _times(self) -> tuple[float, float]:
        watch = self._watch
        return watch.looked + PERIOD + SLACK, watch.due - (0 if watch.denied else LEAD)

    async def _sign_of_life(self) -> bool:
        loop = asyncio.get_running_loop()
        answered = loop.create_future()

        def answer() -> None:
            if not answered.done():
                answered.set_result(None)

        def pong() -> None:
            with suppress(RuntimeError):  # the guard's loop has ended
                loop.call_soon_threadsafe(answer)

        self._post(pong)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER):
                await answered
        return answered.done() and not answered.cancelled()

    async def _rest(self) -> None:
        probe, self._probe, self._vault, self._silent = self._probe, None, None, None
        if probe is not None:
            await probe.close()

    async def _look(self, vault: Vault) -> None:
        at = self._clock.now()
        try:
            await self._probe.look()
            if self._silent is not None and at < self._silent + MOST_LEASE:
                await self._probe.keep_lease()
        except EnvironmentLocked:
            self._forget(vault, None, Answer.GIVEN, "")
        except StorageError as error:
            log.warning("the store of an environment whose event loop is busy could not be read: %s", error.code)
        self._watch.looked = at

    async def _ask(self, vault: Vault) -> None:
        at = self._clock.now()
        answer, code = Answer.GIVEN, ""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._probe.ask()
        except EnvironmentLocked:
            self._forget(vault, None, answer, code)
            return
        except StaleKeys as error:  # for the loop to read anew; until then nothing is written under these
            self._forget(vault, None, answer, error.code)
            return
        except TimeoutError:
            answer, code = Answer.UNAVAILABLE, KeyUnavailable.code
        except StorageError as error:
            answer, code = answer_of(error), error.code
        if self._watch.open_vault is not vault:
            return
        verdict = self._watch.judged(answer, at)
        if verdict.decision in (Decision.LOCK, Decision.SUSPEND):
            self._forget(vault, verdict, answer, code)

    def _forget(self, vault: Vault, verdict: Verdict | None, answer: Answer, code: str) -> None:
        vault.forget_keys()
        self._forgotten = vault
        log.warning("the keys of an environment were dropped while its event loop was busy")
        self._post(lambda: self._watch.dropped_aside(vault, verdict, answer, code))


class GuardThread:
    """The one thread of a process in which all guards work: there while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._guards: dict[KeyGuard, asyncio.Task[None] | None] = {}

    def add(self, guard: KeyGuard) -> None:
        """Have the guard tended from now on."""
        with self._lock:
            if self._loop is None or self._process != os.getpid():  # a fork has no threads of its parent
                self._guards, self._process = {}, os.getpid()
                self._loop = loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(loop,), name="sealflow key guard", daemon=True).start()
            self._guards[guard] = None
            self._loop.call_soon_threadsafe(self._begin, guard)

    async def remove(self, guard: KeyGuard) -> None:
        """Tend it no more. Returns when it is closed; the last one ends the thread."""
        loop = self._loop
        if loop is not None and guard in self._guards and self._process == os.getpid():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._end(guard), loop))

    # ---- in the thread

    def _begin(self, guard: KeyGuard) -> None:
        if guard in self._guards:
            self._guards[guard] = asyncio.get_running_loop().create_task(self._tend(guard))

    async def _tend(self, guard: KeyGuard) -> None:
        try:
            await guard.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("the guard of an environment's keys has ended: %s", type(error).__name__)
        await guard.close()
        self._leave(guard)

    async def _end(self, guard: KeyGuard) -> None:
        task = self._guards.get(guard)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await guard.close()
        self._leave(guard)

    def _leave(self, guard: KeyGuard) -> None:
        with self._lock:
            self._guards.pop(guard, None)
            if not self._guards:
                loop, self._loop = self._loop, None
                if loop is not None:
                    loop.call_soon(loop.stop)


GUARDS: Final = GuardThread()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
