"""Watches over an open environment's key: asks for it as often as its policy says, and looks every second whether the
environment was locked, its keys changed, or its runs taken over, by somebody else.

Idle or not, every process so drops what the key has opened within the policy's interval and two seconds of a
revocation, and within two seconds of a lock. While the event loop is busy, `keyguard` does the same in a thread of its
own, and a commit that comes when a question is overdue waits for the answer. What an answer means is said by
`storage.health`, what is dropped by `environment.session`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any, Final, TypeVar

from ....storage import EnvironmentLocked, KeyUnavailable, StorageError, Vault, taken_over
from ....storage.keys.health import CONFIRM, Answer, Decision, Health, Verdict, answer_of, judge
from ..workers.clock import SystemBootClock
from .access import Dropped, Watched
from .guard import GUARDS, PATIENCE, PERIOD, KeyGuard, LoopClosed
from .opening import Opening

log = logging.getLogger("sealflow")

BREATH: Final = 0.05
"""Seconds between two questions, however late the second is."""

EARLY: Final = 0.6
"""Seconds by which the key is asked for before the policy's probe time is over: what an answer may take."""

SWEEP: Final = 3600.0
"""Seconds between two looks at whether a locked environment is to be deleted."""

FOLLOW: Final = 3600.0
"""Seconds between two looks at whether the customer's key has a new version."""

SETTINGS: Final = 5.0
"""Seconds between two looks at the environment's settings, in a process that executes it."""

T = TypeVar("T")


class KeyWatch:
    """The watch of one environment in one process, from `start` to `close`. Made when the environment was opened."""

    def __init__(self, access: Watched, opening: Opening) -> None:
        self._access = access
        self._opening = opening
        self._clock = opening.clock
        self._health = Health()
        self._due = self._probe = self._grace = inf
        self._locked = self._gone = self._closed = False
        self._sweep = self._clock.now()
        # One change at a time.
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retaking: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._dropping = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self.looked = self._clock.now()
        self.guard = KeyGuard(self, self._clock, self._post)
        self._open_since(self._clock.now(), access.vault)
        access.doubt = self._doubt

    def start(self) -> None:
        """Watch from now on."""
        self._spawn(self._repeat(self.look, lambda: self._clock.now() + PERIOD))
        self._spawn(self._repeat(self.ask, self._next_question))
        self._spawn(self._repeat(self.follow, lambda: self._clock.now() + FOLLOW))
        self._spawn(self._repeat(self.read_settings, lambda: self._clock.now() + SETTINGS))
        if isinstance(self._clock, SystemBootClock):
            GUARDS.add(self.guard)

    async def close(self) -> None:
        """Stop the watch. Commits that wait for the key are refused."""
        self._closed = True
        await GUARDS.remove(self.guard)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- looks and questions

    async def look(self) -> None:
        """Look at the store: was the environment locked or unlocked, were its keys changed?"""
        try:
            await self._look()
        finally:
            self.looked = self._clock.now()

    async def _look(self) -> None:
        async with self._turn:
            if self._gone:
                return
            if self._access.lock_epoch is None:
                if self._locked:
                    await self._try_again()
                if self._locked:
                    await self._delete_overdue()
                return
            if self._access.vault.executor_lost:
                # What is in memory is of the past. Everything is read again, by a process that executes nothing.
                await self._drop(taken_over())
                await self._try_again()
                return
            epoch, lock_epoch = await self._access.vault.key_epochs()
            if lock_epoch != self._access.lock_epoch:
                await self._now_locked(self._opening.locked())
                await self._try_again()  # says more about it, and it may be unlocked by now
                return
            if epoch != self._access.vault.keys.epoch:
                self._due = self._clock.now()
            self._retake()

    async def ask(self) -> None:
        """Ask for the key, if it is time to."""
        if self._clock.now() < self._due or self._locked:
            return
        if self._access.lock_epoch is None:
            async with self._turn:
                await self._try_again()
            return
        vault, at = self._access.vault, self._clock.now()
        try:
            # Without the turn: a key store that does not answer keeps nobody from seeing a lock.
            answer, code = await _asked(vault)
        except EnvironmentLocked:
            await self.look()
            return
        async with self._turn:
            if self._access.lock_epoch is not None and self._access.vault is vault:
                self._read_policy(vault)
                await self._judge(answer, code, at)
        # Last: nothing stands between an answer and what follows from it.
        await vault.tell_key_calls()

    async def follow(self) -> None:
        """Have the environment's keys wrapped by the newest version of the customer's key, if that is another one: a
        worker's duty, so that an earlier version is needed no longer than that by itself (Power Platform,
        customer-managed keys: new versions are picked up in the background).
        """
        if self._access.lock_epoch is None or not self._access.executes:
            return
        vault = self._access.vault
        epoch, _ = await vault.key_epochs()
        if epoch != vault.keys.epoch:
            return  # somebody has just changed them, and this process has yet to see it
        if await _patiently(vault.keys_are_behind()) and await self._opening.rotate():
            log.info("an environment's keys are wrapped by a new version of the key above them")

    async def read_settings(self) -> None:
        """Use what an administrator has changed of what flows may reach."""
        if self._access.lock_epoch is not None and self._access.executes:
            self._access.use_settings(await self._opening.settings())

    async def _judge(self, answer: Answer, code: str, at: float) -> None:
        await self._carry_out(self.judged(answer, at), answer, code)

    def judged(self, answer: Answer, at: float) -> Verdict:
        """Take in the answer to a question that was asked at `at`, and say what it means."""
        verdict = judge(self._health, answer, at, probe=self._probe, grace=self._grace)
        self._health, self._due = verdict.health, verdict.due
        return verdict

    async def _carry_out(self, verdict: Verdict, answer: Answer, code: str) -> None:
        if verdict.decision is Decision.LOCK:
            await self._drop(self._opening.locked())
            if await self._opening.lock():
                log.error("an environment is locked: its key was denied twice")
                await self._now_locked(self._opening.locked())
        elif verdict.decision is Decision.SUSPEND:
            await self._drop(self._opening.suspended(answer))
            await self._tell_suspended(answer, code)

    async def _drop(self, error: Dropped) -> None:
        self._dropping.set()
        await self._access.drop(error)

    async def _try_again(self) -> None:
        """Nothing is open: open it if the key is given and nobody has locked the environment."""
        at = self._clock.now()
        try:
            vault = await _patiently(self._opening.attempt())
        except EnvironmentLocked as error:
            await self._now_locked(error)
        except StorageError as error:
            self._locked = False
            await self._judge(answer_of(error), error.code, at)
        else:
            await self._back(vault, at)

    async def _back(self, vault: Vault, at: float) -> None:
        healed = self._health.suspended is not None
        self._locked = False
        self._open_since(at, vault)
        self._access.admit(vault)
        self._retake()
        log.warning("the store of an environment is open again: it goes on")
        if healed:
            await self._opening.record("environment resume", "Succeeded")

    def _retake(self) -> None:
        # On its own: bringing many runs back must not keep a lock from being seen.
        if self._access.vacant and (self._retaking is None or self._retaking.done()):
            self._retaking = self._spawn(self._quietly(self._access.retake))

    async def _now_locked(self, error: EnvironmentLocked) -> None:
        """From now on it is for an administrator to unlock it; what the key store said before counts no more."""
        self._locked, self._health, self._due = True, Health(), inf
        await self._drop(error)

    async def _delete_overdue(self) -> None:
        """A worker's duty, every hour while the environment is locked."""
        now = self._clock.now()
        if now < self._sweep:
            return
        self._sweep = now + SWEEP
        if self._access.executes and await self._opening.delete_overdue():
            self._gone = True
            await self._drop(self._opening.deleted())

    async def _tell_suspended(self, answer: Answer, code: str) -> None:
        if answer is Answer.CORRUPT:
            log.critical("an environment is suspended: its key does not open what it sealed (%s)", code)
            await self._opening.record("key alarm", "Failed", code)
        else:
            log.error("an environment is suspended: its key store gives no answer (%s)", code)
            await self._opening.record("environment suspend", "Succeeded", code)

    def _doubt(self) -> None:
        self._spawn(self._quietly(self.look))

    def _next_question(self) -> float:
        now = self._clock.now()
        return min(max(self._due, now + BREATH), now + PERIOD)

    # ---- what the guard and the journal see

    @property
    def due(self) -> float:
        """When the key is to be asked for."""
        return self._due

    @property
    def denied(self) -> bool:
        """Whether a denial is to be confirmed: never asked early."""
        return self._health.denied is not None

    @property
    def open_vault(self) -> Vault | None:
        """What is open now."""
        return self._access.vault if self._access.lock_epoch is not None else None

    def _post(self, work: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            raise LoopClosed from None

    def dropped_aside(self, vault: Vault, verdict: Verdict | None, answer: Answer, code: str) -> None:
        """The guard has forgotten the keys of this vault: drop what they have opened."""
        self._following = self._spawn(self._quietly(lambda: self._after_guard(vault, verdict, answer, code)))

    async def _after_guard(self, vault: Vault, verdict: Verdict | None, answer: Answer, code: str) -> None:
        async with self._turn:
            if self.open_vault is not vault:
                return  # the watch has seen it itself
            if verdict is not None:
                await self._carry_out(verdict, answer, code)
                return
            await self._drop(self._opening.suspended(Answer.UNAVAILABLE))
            await self._try_again()

    def _fence(self) -> Awaitable[None] | None:
        """What a commit has to wait for: the answer to a question that is overdue by more than a denial may take."""
        if self._clock.now() <= self._due + (0 if self._health.denied is not None else CONFIRM):
            return None
        return self._answered()

    async def _answered(self) -> None:
        while not self._dropping.is_set():
            self._need_watch()
            if self._asking is None or self._asking.done():
                self._asking = self._spawn(self._quietly(self.ask))
            await self._unless_dropped(self._asking)
            self._need_watch()  # a close cancels the question
            if self._health.denied is None:
                return
            await self._unless_dropped(self._spawn(self._clock.sleep_until(self._due)))

    def _need_watch(self) -> None:
        """Refuse a commit that waits for an answer, once nothing asks for the key any more."""
        if self._closed:
            raise self._opening.suspended(Answer.UNAVAILABLE)

    async def _unless_dropped(self, task: asyncio.Task[None]) -> None:
        dropping = self._spawn(self._until_dropped())
        try:
            await asyncio.wait({task, dropping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dropping.cancel()

    async def _until_dropped(self) -> None:
        await self._dropping.wait()

    # ---- what the policy says

    def _open_since(self, at: float, vault: Vault) -> None:
        self._health = Health(given=at)
        self._read_policy(vault)
        self._due = at + self._probe
        self._dropping.clear()
        vault.hold_commits(self._fence)

    def _read_policy(self, vault: Vault) -> None:
        covers = vault.keys.covers.values()
        # Without a policy there is nobody to ask.
        probe = min((cover.probe for cover in covers), default=inf)
        self._probe = max(probe - EARLY, probe / 2)
        self._grace = min((cover.grace for cover in covers), default=inf)

    # ---- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _repeat(self, work: Callable[[], Awaitable[None]], due: Callable[[], float]) -> None:
        while True:
            await self._clock.sleep_until(due())
            await self._quietly(work)

    async def _quietly(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            log.warning("an environment's key could not be looked after: %s", type(error).__name__)


async def _asked(vault: Vault) -> tuple[Answer, str]:
    """How the key store answers, and the error's code. Keys that were changed are loaded, which asks for them too.

    Raises EnvironmentLocked.
    """
    try:
        epoch, _ = await vault.key_epochs()
        await _patiently(vault.probe_keys() if epoch == vault.keys.epoch else vault.reload_keys())
    except EnvironmentLocked:
        raise
    except StorageError as error:
        return answer_of(error), error.code
    return Answer.GIVEN, ""


async def _patiently(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(PATIENCE):
            return await work
    except TimeoutError:
        raise KeyUnavailable("The key store does not answer.") from None
