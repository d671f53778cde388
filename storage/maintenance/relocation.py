"""An environment goes to another place: from a file into a database, back, or into another database. Its name, its id,
its policy and all that it holds stay, runs in flight included; its environment keys do not.

    fence      the source is locked (MOVING): every writer is refused, and every process that has it open drops it
    copy       its rows, as they are sealed, get fresh environment keys (rekeying) and go there in one transaction
    verify     everything there is opened, and compared with what the source holds
    switch     one commit of the control store: from here on the environment is there
    destroy    the source's key rows, then the source

Before the switch the source is what counts, and after it the target; the other one is on record as `other`, so that
the same command goes on after a crash at any moment. Giving up is a move to where the environment is.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..administration.administration import LOCK, UNLOCK, Administration, Opened, approvals_in
from ..administration.rekeying import rekeyed
from ..backends.database_url import checked_url
from ..backends.sqlite import SQLiteBackend
from ..errors import (
    AlreadyThere,
    Conflict,
    EnvironmentLocked,
    IntegrityError,
    RecordNotFound,
    StorageError,
    StoreBusy,
    StoreCorrupt,
    taken_over,
)
from ..files import make_folder
from ..format.envelope import random_id
from ..format.purposes import Kind
from ..keys.key_state import MOVING, KeyState, Lock, seal_state
from ..keys.keyring import Keyring
from ..models import EnvironmentInfo, OtherPlace
from ..policies.audit import SUCCEEDED
from ..policies.content_digests import Facts
from ..port import Backend, Batch, Guard, SealedInboxChanges
from ..stores.batch_messages import Messages
from ..stores.inbox.requests import Inbox
from ..stores.runs.journal import Journal
from ..vault.backup_register import Registry
from ..vault.vault import system_ms
from .key_destruction import keys_destroyed
from .verify import verify_rows

if TYPE_CHECKING:
    from ..vault.home import Store

MOVE: Final = "environment move"
PLACE: Final = "environment place"
"""The row that says where an environment is was changed."""

_LOOKS: Final = 400
"""How often one looks whether the process that executes the environment has let it go: 40 seconds, more than a lease of
one that died, where nobody paces that otherwise.
"""

log = logging.getLogger("sealflow")

Progress = Callable[[str, int], None]
"""Called with what is being done now, and how many things that were."""

Pause = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an environment is now, and what was verified there. `resumed`: it was there already, and what was left of
    an earlier attempt was done; `given_up`: it stays there, without anything of that attempt.

    `left` says why the source's keys are not destroyed yet, None where they are; `wal_pending` whether logs beside the
    source may still hold something of them; `backups_until_ms` as in `Shredded`.
    """

    environment: EnvironmentInfo
    runs: int = 0
    flows: int = 0
    in_flight: int = 0
    checked: int = 0
    resumed: bool = False
    given_up: bool = False
    left: str | None = field(default=None, repr=False)
    wal_pending: bool = False
    backups_until_ms: int | None = None


async def _a_moment() -> None:
    await asyncio.sleep(0.1)


async def move_environment(
    administration: Administration,
    name: str,
    database: str | None,
    *,
    progress: Progress = lambda what, done: None,
    pause: Pause = _a_moment,
) -> Moved:
    """Moves an environment into the PostgreSQL database with this URL, or with None into a file of the home folder.

    Processes that have it open drop it for that time; those that execute its runs go on at the new place by themselves.
    Killed at any moment, the same call goes on; a call for the place where the environment is gives the move up.
    Whatever fails before the switch leaves it where it is.

    Raises NotPermitted, ApprovalNeeded, RecordNotFound, InvalidDatabaseUrl, AlreadyThere (it is in that place),
    EnvironmentLocked, StoreBusy (a process keeps executing it), Conflict (something waits in its sealed inbox; that
    place has such an environment already), IntegrityError (source or copy do not verify), KeyDenied, KeyUnavailable,
    and the errors of the two stores.
    """
    administration.need_environment_administrator("move it")
    administration.need_key_administrator("move it: it gets other keys")
    store = administration.store
    url = checked_url(database) if database is not None else None
    info = await store.environment(name)
    if info.other is not None and info.other.left:
        moved = await _finished(administration, info)
        if url == info.database or moved.left is not None:
            return moved
        info = moved.environment
    async with administration.opened(info.name, locked=True) as opened:
        lock = opened.state.lock
        if lock is not None and lock.reason != MOVING:
            raise EnvironmentLocked(
                f"The environment {info.name} is locked.", hint=f"Unlock it first: sealflow env unlock {info.name}"
            )
        move = _Move(administration, opened, url, progress, pause)
        if url == opened.info.database:
            if lock is None and opened.info.other is None:
                raise AlreadyThere(f"The environment {info.name} is in that place already.")
            return await move.given_up()
        await opened.source.load(unlocked=True)  # its keys are given, before anybody is kept out
        await move.reached()
        detail = {"from": opened.info.database or "file", "to": url or "file"}
        approved = None
        if lock is None:
            approved = await administration.approval(MOVE, opened.info, approvals_in(opened.state), detail)
        async with administration.act(MOVE, info.name, detail, approved=approved):
            return await move.carried_out()


class _Move:
    """One attempt. `opened` is the source."""

    def __init__(
        self, administration: Administration, opened: Opened, url: str | None, progress: Progress, pause: Pause
    ) -> None:
        self._administration = administration
        self._store: Store = administration.store
        self._opened = opened
        self._target = replace(opened.info, database=url, other=None)
        self._progress = progress
        self._pause = pause
        self._attempt = random_id()

    async def reached(self) -> None:
        """Raises unless the target can be used, and is not the source by another address."""
        if self._target.database is None:
            return
        try:
            backend = await self._store.places.open(self._target)
        except StoreCorrupt as error:
            if isinstance(error.__cause__, RecordNotFound):  # of the environment there is nothing yet
                return
            raise
        try:
            await self._need_another(backend)
        finally:
            await backend.close()

    async def carried_out(self) -> Moved:
        locked_before = self._opened.state.lock is not None
        await self._fence()
        try:
            await self._alone()
            # As it is now: nobody else changes it from here on.
            info = await self._store.environment(self._opened.info.name)
            if info.database != self._opened.info.database:
                raise Conflict(f"The environment {info.name} was moved by somebody else meanwhile.")
        except BaseException:
            if not locked_before:
                await self._unlock()
            raise
        try:
            await self._store.remove_other(info)
            moved = await self._moved()
        except BaseException as error:
            if not await self._is_there():
                await self._undo()
                raise
            if not isinstance(error, Exception):  # what is left to be done is the next call's
                raise
            moved = Moved(self._target)
        ended = await _finished(self._administration, await self._store.environment(info.name), self._opened.backend)
        return replace(
            moved, environment=ended.environment, left=ended.left, wal_pending=ended.wal_pending,
            backups_until_ms=ended.backups_until_ms,
        )  # fmt: skip

    async def given_up(self) -> Moved:
        """The environment stays where it is, and nothing is left of the attempt. Raises StoreBusy while it goes on."""
        name = self._opened.info.name
        async with self._administration.act(MOVE, name, {"givenUp": True}):
            await self._alone()
            info = await self._store.environment(name)
            if info.database != self._opened.info.database:
                raise Conflict(f"The environment {name} was moved by somebody else meanwhile.")
            # First: whoever still copies cannot switch any more.
            await self._note(None)
            await self._store.remove_other(info)
            await self._unlock()
        return Moved(await self._store.environment(name), given_up=True)

    # --- fence

    async def _fence(self) -> None:
        state, backend = self._opened.state, self._opened.backend
        if state.lock is not None:
            return
        self._progress("fence", 0)
        if (await backend.sealed_inbox.size()).items:
            raise Conflict(
                f"Something waits in the inbox of {self._opened.info.name} that came while it was locked.",
                hint=f"Let it be carried out first: sealflow worker --once --environment {self._opened.info.name}",
            )
        # In one commit: nothing is taken in any more that would have to follow.
        await self._state(
            state.locked(Lock(MOVING, self._store.now_ms())), Batch(sealed_inbox=SealedInboxChanges(closed=True))
        )

    async def _alone(self) -> None:
        """Waits until whoever executes the environment has noticed the lock."""
        for _ in range(_LOOKS):
            if await self._opened.backend.workers.try_become_executor():
                return
            await self._pause()
        raise StoreBusy(
            f"The environment {self._opened.info.name} is in use.", hint="End the process that executes its runs."
        )

    async def _unlock(self) -> None:
        if self._opened.state.lock is not None:
            await self._state(self._opened.state.unlocked(), Batch())

    async def _state(self, state: KeyState, batch: Batch) -> None:
        opened = self._opened
        batch.guard = Guard(opened.state.lock_epoch, opened.state.epoch)
        batch.keys.state, key_row = seal_state(opened.keyring, state, opened.source.state_key)
        if key_row is not None:
            batch.keys.inserts.append(key_row)
        await opened.backend.commit(batch)
        rows = await opened.backend.keys.newest(Kind.KEY_STATE, [opened.info.id])
        opened.source.state, opened.source.state_key = state, rows[0]
        self._administration.changed(opened.info.id, state)
        what, detail = (UNLOCK, None) if state.lock is None else (LOCK, {"reason": state.lock.reason})
        await self._administration.record(what, opened.info.name, SUCCEEDED, detail)

    # --- copy, verify, switch

    async def _moved(self) -> Moved:
        opened, store, info = self._opened, self._store, self._opened.info
        self._progress("verify the source", 0)
        keyring = await opened.source.load(unlocked=True)
        before, held = await verify_rows(
            store,
            info,
            opened.backend,
            opened.source,
            keyring,
            lambda done, _: self._progress("verify the source", done),
        )
        if not before.ok:
            raise IntegrityError(
                f"The environment {info.name} does not verify: {before.findings[0].problem}",
                hint=f"`sealflow verify {info.name}` names everything, once the environment is unlocked; put it back "
                "from a backup first.",
            )
        target = await store.places.create(self._target)
        try:
            await self._need_another(target)
            taken = Conflict(
                f"{store.places.name(self._target)} has a store of this environment already.",
                hint="Another home may use it. Remove it there first.",
            )
            if await target.identity() is not None:
                raise taken
            await self._note(OtherPlace(self._target.database, left=False, attempt=self._attempt))
            if not await target.workers.try_become_executor():
                await self._note(None, own=True)  # so that it is not removed as if it were this one's
                raise taken
            async with _scratch(store.home, info.id) as folder:
                state = await self._filled(folder, target)
            return await self._checked(target, state, held, keyring)
        finally:
            await target.close()

    async def _filled(self, folder: Path, target: Backend) -> KeyState:
        """Puts a copy with keys of its own into the target, in one transaction; its state."""
        content, keys = folder / "store.db", folder / "keys.db"
        self._progress("copy", 0)
        await self._opened.backend.backups.copy_to(content, with_keys=keys)
        copy = await SQLiteBackend.open(folder / "copy.db")
        try:
            await copy.backups.copy_from(content, with_keys=keys)
            content.unlink()
            keys.unlink()
            self._progress("seal by fresh keys", 0)
            state = await rekeyed(self._store, self._opened.info, copy, self._administration.actor.name)
            await copy.backups.copy_to(content, with_keys=keys)
        finally:
            await copy.close()
        if self._opened.backend.workers.executor_lost or target.workers.executor_lost:
            raise taken_over()
        self._progress("write", 0)
        await target.backups.copy_from(content, with_keys=keys)
        return state

    async def _checked(self, target: Backend, state: KeyState, held: Facts, before: Keyring) -> Moved:
        """Compares the target with what the source holds, and lets it be the environment from then on. `before`: the
        keys of the source.
        """
        store, info, backend = self._store, self._opened.info, self._opened.backend
        source = store.key_source(info.id, target)
        try:
            keyring = await source.load()
            after, found = await verify_rows(
                store, info, target, source, keyring, lambda done, _: self._progress("verify the target", done)
            )
            copied = {**_held(found), **await _counts(target, keyring)}
        finally:
            await source.aclose()
        if not after.ok:
            raise IntegrityError(f"The copy does not verify: {after.findings[0].problem}")
        wanted = {**_held(held), **await _counts(backend, before)}
        if different := [what for what in wanted if wanted[what] != copied[what]]:
            raise IntegrityError(f"The copy holds something else than the environment: {', '.join(different)}.")
        runs, flows = len(found.runs), len(await target.flows.all())
        in_flight = len(await target.runs.unfinished())
        # Whoever has lost the source's lock, or executes it no more, may have been overtaken.
        row = await backend.keys.state()
        if backend.workers.executor_lost or row is None or row.lock_epoch != self._opened.state.lock_epoch:
            raise taken_over()
        self._progress("switch", 0)
        there = replace(self._target, other=OtherPlace(info.database, left=True, attempt=self._attempt))
        batch = await self._changed(there, own=True)
        self._administration.changed(info.id, state)
        await self._administration.record(PLACE, info.name, SUCCEEDED, {"database": there.database or "file"}, batch)
        return Moved(self._target, runs, flows, in_flight, after.checked)

    async def _need_another(self, backend: Backend) -> None:
        """Raises Conflict where the target is the source itself, under another address."""
        ours = await self._opened.backend.keys.state()
        if ours is not None and await backend.keys.state() == ours and await backend.identity() is not None:
            raise AlreadyThere(f"The environment {self._opened.info.name} is in that place already.")

    async def _is_there(self) -> bool:
        """Whether the switch was made, whatever was told of it."""
        return (await self._store.environment(self._opened.info.name)).database == self._target.database

    async def _undo(self) -> None:
        """Back to before; what cannot be undone now is by the next call."""
        try:
            info = await self._store.environment(self._opened.info.name)
            if info.other is not None:
                await self._note(None, own=True)
                await self._store.remove_other(info)
            await self._unlock()
        except StorageError as error:
            log.warning("a move could not be undone: %s", error.code)

    # --- what the control store says

    async def _note(self, other: OtherPlace | None, *, own: bool = False) -> None:
        batch = await self._changed(replace(self._opened.info, other=other), own=own)
        await self._administration.record(PLACE, self._opened.info.name, SUCCEEDED, None, batch)

    async def _changed(self, wanted: EnvironmentInfo, *, own: bool) -> Batch:
        """The row with these places; what else it says stays as it is now. Raises Conflict where the environment is
        elsewhere by now, or with `own`, where it is not this attempt that is on record any more.
        """

        def change(info: EnvironmentInfo) -> EnvironmentInfo:
            overtaken = own and (info.other is None or info.other.attempt != self._attempt)
            if info.database != self._opened.info.database or overtaken:
                raise Conflict(f"The environment {info.name} was moved by somebody else meanwhile.")
            return replace(info, database=wanted.database, other=wanted.other)

        return (await self._store.changed_environment(wanted, change))[1]


async def _finished(administration: Administration, info: EnvironmentInfo, source: Backend | None = None) -> Moved:
    """Destroys what an environment has left behind in its other place; `source` is that, where it is open."""
    store, other = administration.store, info.other
    until = await Registry(store).until_ms(info.id)
    if other is None:
        return Moved(info, resumed=True, backups_until_ms=until)
    place = replace(info, database=other.database, other=None)
    try:
        if source is not None:
            settled = await keys_destroyed(source)
            await source.close()  # its lease is not renewed in a store that is gone
        else:
            try:
                opened = await store.places.open(place)
            except StoreCorrupt as error:
                if not isinstance(error.__cause__, RecordNotFound) and other.database is not None:
                    raise
                settled = True  # it is gone
            else:
                try:
                    settled = await keys_destroyed(opened)
                finally:
                    await opened.close()
        await store.places.remove(place)
        shutil.rmtree(_folder(store.home, info.id), ignore_errors=True)
        info, batch = await store.changed_environment(
            info, lambda now: replace(now, other=None) if now.other == other else now
        )
        await administration.record(PLACE, info.name, SUCCEEDED, None, batch)
    except StorageError as error:
        return Moved(info, resumed=True, left=error.message, backups_until_ms=until)
    return Moved(info, resumed=True, wal_pending=not settled, backups_until_ms=until)


def _held(facts: Facts) -> dict[str, object]:
    """What has to be the same in both: all contents, whatever seals them."""
    rows = {
        place: fact.content for place, fact in facts.rows.items() if place[0] not in (Kind.KEY_STATE, Kind.ENVIRONMENT)
    }
    histories = {run: (fact.seq, fact.content) for run, fact in facts.runs.items()}
    return {"histories": histories, "rows": rows, "versions": facts.versions}


async def _counts(backend: Backend, keyring: Keyring) -> dict[str, object]:
    """How much there is of what has no facts."""
    messages = Messages(backend, keyring, Journal(backend), system_ms)
    return {
        "messages": [await messages.count(flow.flow_id) for flow in await backend.flows.all()],
        "requests": await Inbox(backend, keyring, system_ms).count(),
        "operations": len(await backend.operations.all()),
        "unfinished runs": await backend.runs.unfinished(),
    }


def _folder(home: Path, environment: bytes) -> Path:
    return home / "moving" / environment.hex()


@asynccontextmanager
async def _scratch(home: Path, environment: bytes) -> AsyncIterator[Path]:
    """A folder for the copy on its way, always the same: what a crash leaves in it goes with the next attempt."""
    folder = _folder(home, environment)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    make_folder(folder)
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
