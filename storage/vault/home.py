"""A home folder: the control store, which knows the environments, and one store for each of them.

HOME/.gitignore                          "*"
HOME/control.db                          sealed names of environments
HOME/environments/                       the stores of environments that have no database (see places)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ..backends.sqlite import SQLiteBackend
from ..errors import (
    AlreadyThere,
    Conflict,
    EnvironmentLocked,
    IntegrityError,
    InvalidName,
    RecordNotFound,
    StorageError,
    StoreBusy,
    StoreCorrupt,
)
from ..format.codec import pack, unpack
from ..format.envelope import random_id, same
from ..format.purposes import Domain, Index, Kind, Purpose, Role
from ..format.record_names import named
from ..format.stored_values import MOST_BYTES
from ..keys.key_source import KeySource
from ..keys.key_state import MOVING, Floor, KeyState
from ..keys.keyring import Keyring
from ..keys.keystore import Keystore
from ..keys.provider_calls import SERVICE_ACTOR, KeyCalls
from ..keys.providers import provider_for
from ..models import EnvironmentInfo, OtherPlace, Value
from ..policies.audit import FAILED, SUCCEEDED, Audit
from ..policies.policy import REPAIR, Assignment, Policies
from ..port import Backend, Batch, ControlChanges, EnvironmentRow, KeyChanges, KeyProvider
from ..stores.inbox.sealed_items import SealedInbox
from .backup_register import Registry
from .locations import Places, has_environments, make_home
from .vault import Vault, system_ms

T = TypeVar("T")

log = logging.getLogger("sealflow")

CREATE: Final = "environment create"
REMOVE: Final = "environment remove"
"""The row of an environment that is deleted, and its key."""

_ATTEMPTS: Final = 5
"""How often other processes may write the same assignment first."""

_OTHER: Final = 3
"""Which of the later fields of an environment's record is its other place."""


class Store:
    """An opened home folder. Environments are partitions: each has its own store, keys and executor."""

    def __init__(
        self, home: Path, keystore: Keystore, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]
    ) -> None:
        self.home = home
        self.max_value_bytes = MOST_BYTES
        """What one value of a run may have."""
        self.customers = provider_for
        self._keystore = keystore
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._places = Places(home)
        self._service_calls: dict[bytes, KeyCalls] = {}
        self.audit = Audit(backend, keyring, now_ms)
        self.policies = Policies(backend, keyring, now_ms)

    @property
    def backend(self) -> Backend:
        """The control store's rows, for `administration`."""
        return self._backend

    @property
    def keyring(self) -> Keyring:
        """The control store's keys, for `administration`."""
        return self._keyring

    @property
    def now_ms(self) -> Callable[[], int]:
        return self._now_ms

    @property
    def places(self) -> Places:
        """Where the stores of its environments are, for `moving`."""
        return self._places

    async def remove_other(self, info: EnvironmentInfo) -> None:
        """Removes what an environment has in another place, if it was interrupted while it moved."""
        if info.other is not None:
            await self._places.remove(replace(info, database=info.other.database))

    @staticmethod
    async def open(
        home: Path, keystore: Keystore, *, create: bool = True, now_ms: Callable[[], int] = system_ms
    ) -> Store:
        """Opens the folder, and makes it if it is not there and `create` says so.

        Raises RecordNotFound (no store there), KeyMissing, WrongKey, KeystoreUnreadable, StoreNotWritable, StoreFull,
        StoreBusy, StoreCorrupt (damaged, or the control store is missing beside environments), StoreTooNew.
        """
        home, path = _control(home)
        keystore.refuse_inside(home)
        if not path.exists():
            if not create:
                raise RecordNotFound(f"There is no store in {home}.")
            if has_environments(home) and not path.exists():  # again: another process may be making both
                raise _lost_control(path)
            make_home(home)
        backend = await SQLiteBackend.open(path)
        try:
            keyring = await _open_or_create(home, backend, keystore, now_ms())
        except BaseException:
            await backend.close()
            raise
        return Store(home, keystore, backend, keyring, now_ms)

    async def close(self) -> None:
        """Closes the control store; vaults are closed by whoever opened them."""
        try:
            for calls in self._service_calls.values():
                await calls.close()
        finally:
            await self._backend.close()

    async def create_environment(
        self, name: str, *, database: str | None = None, location: str | None = None, actor: str = SERVICE_ACTOR
    ) -> EnvironmentInfo:
        """A new environment with its own keys, and its own store: in a file, or in the PostgreSQL database with this
        URL. `location` says in which region that is: a policy of another one does not come to it. It is on record that
        `actor` made it.

        Raises AlreadyThere for a name that exists, in any case, InvalidName for none, InvalidDatabaseUrl (also for a
        URL with a password), and the errors of a database that cannot be used.
        """
        if not name.strip():
            raise InvalidName("An environment needs a name.")
        if await self._find(name) is not None:
            raise AlreadyThere(f"There is an environment {name} already.")
        if database is not None:
            from ..backends.database_url import checked_url

            database = checked_url(database)
        info = EnvironmentInfo(random_id(), name, self._now_ms(), database, location)
        try:
            await self._create_environment_store(info)
        except Exception:
            with suppress(StorageError):  # whatever stood in the way still does
                await self._places.remove(info)
            raise
        # Last, so that an environment that is listed has its store; a crash before leaves an unused folder.
        await self._list(info, actor)
        await self._asked(info.id).tell()
        return info

    async def adopt_environment(self, info: EnvironmentInfo, *, actor: str = SERVICE_ACTOR) -> EnvironmentInfo:
        """Lists an environment that comes from a backup, with an empty store to put it into. Raises AlreadyThere,
        InvalidName, KeyMissing (the keystore is not the one it had).
        """
        if not info.name.strip():
            raise InvalidName("An environment needs a name.")
        if await self._find(info.name) is not None:
            raise AlreadyThere(f"There is an environment {info.name} already.")
        await asyncio.to_thread(self._keystore.keys, info.id)
        await (await self._places.create(info)).close()
        await self._list(info, actor)
        return info

    async def delete_environment(self, name: str, *, in_flight: bool = False, actor: str = SERVICE_ACTOR) -> int:
        """Shreds an environment: its row and key here, then its file with all its keys. Gives how many runs it had.
        With `in_flight`, also while runs have not ended.

        The key above them stays in the keystore, because backups need it, and what is known of its policy and lock in
        its assignment, because a backup that is restored has to respect them. Raises RecordNotFound, StoreBusy while a
        process executes its runs, and Conflict while runs are in flight.
        """
        info = await self.environment(name)
        backend, source = await self.open_backend(info)
        try:
            if not await backend.workers.try_become_executor():
                raise StoreBusy(
                    f"The environment {info.name} is in use.", hint="End the process that executes its runs."
                )
            flying = 0 if in_flight else len(await backend.runs.unfinished())
            if flying:
                raise Conflict(
                    f"{flying:,} runs of {info.name} have not ended.", hint="Cancel them first, or wait for their end."
                )
            runs = sum(count for _, count in await backend.runs.counts())
            state: KeyState | None = None
            with suppress(StorageError):  # what cannot be opened can still be shredded
                await source.load(locked=True)
                state = source.state
            batch = await self.policies.left(info.id, state)
            batch.control.removed_environments = [info.id]
            await self.audit.record(actor, REMOVE, info.name, SUCCEEDED, None, batch)
            await self._places.remove(info)
            await self.remove_other(info)
        finally:
            await source.aclose()
            await backend.close()
        await self._backend.settle()
        return runs

    async def changed_settings(
        self, name: str, change: Callable[[dict[str, Value]], dict[str, Value]]
    ) -> tuple[EnvironmentInfo, Batch]:
        """What an environment's flows are allowed, changed, and what has to be committed for it: Conflict where
        somebody else did so at the same moment. Raises RecordNotFound.
        """
        info = await self.environment(name)
        return await self.changed_environment(info, lambda now: replace(now, settings=change(dict(now.settings or {}))))

    async def changed_environment(
        self, info: EnvironmentInfo, change: Callable[[EnvironmentInfo], EnvironmentInfo]
    ) -> tuple[EnvironmentInfo, Batch]:
        """The row of an environment as it is now, changed, and what has to be committed for it; see
        `changed_settings`. Raises RecordNotFound.
        """
        found = [each for each in await self._rows() if each.environment_id == info.id]
        if not found:
            raise RecordNotFound(f"There is no environment {info.name} any more.")
        row = found[0]
        info = change(await self._open_row(row))
        (key_row,) = await self._backend.keys.newest(Kind.ENVIRONMENT, [info.id])
        key = self._keyring.open_scope(key_row)
        version = row.row_version + 1
        record = key.seal(key.place(Purpose.ENVIRONMENT, info.id), 0, version, _packed(info))
        changed = EnvironmentRow(info.id, row.name_index, version, row.created_ms, record)
        return info, Batch(control=ControlChanges(changed_environments=[changed]))

    async def _rows(self) -> Sequence[EnvironmentRow]:
        return await self.audit.head.fresh(Kind.ENVIRONMENT, self._backend.control.environments)

    async def _list(self, info: EnvironmentInfo, made_by: str) -> None:
        index = self._keyring.name_index(Index.ENVIRONMENT_NAME, info.name)
        key, key_row = self._keyring.new_scope(Kind.ENVIRONMENT, info.id)
        record = key.seal(key.place(Purpose.ENVIRONMENT, info.id), 0, 1, _packed(info))
        row = EnvironmentRow(info.id, index, 1, info.created_ms, record)
        batch = Batch(keys=KeyChanges(inserts=[key_row]), control=ControlChanges(environments=[row]))
        try:
            detail = None if info.location is None else {"location": info.location}
            await self.audit.record(made_by, CREATE, info.name, SUCCEEDED, detail, batch)
        except Conflict as error:  # somebody else was faster
            await self._places.remove(info)
            raise AlreadyThere(f"There is an environment {info.name} already.") from error

    async def environments(self) -> list[EnvironmentInfo]:
        """All environments, oldest first."""
        scopes = set(await self._backend.consistency.environment_scopes())  # first: row and key come in one commit
        rows = await self._rows()
        for missing in scopes - {row.environment_id for row in rows}:
            raise IntegrityError(f"The row of environment {missing.hex()} is missing.")
        return [await self._open_row(row) for row in rows]

    async def environment(self, name: str) -> EnvironmentInfo:
        """An environment by name, in any case. Raises RecordNotFound."""
        found = await self._find(name)
        if found is None:
            raise RecordNotFound(f"There is no environment {name}.", hint="`sealflow env list` shows the environments.")
        return found

    async def _find(self, name: str) -> EnvironmentInfo | None:
        index = self._keyring.name_index(Index.ENVIRONMENT_NAME, name)

        async def one() -> list[EnvironmentRow]:
            row = await self._backend.control.environment(index)
            return [] if row is None else [row]

        for row in await self.audit.head.fresh(Kind.ENVIRONMENT, one, whole=False):
            return await self._open_row(row)
        # Not found by its index: the names themselves know better, should an index have been changed.
        await self.environments()
        return None

    async def open_vault(self, name: str) -> Vault:
        """The vault of an environment. Raises RecordNotFound, KeyMissing, WrongKey, StoreCorrupt, StoreRolledBack and
        the store's errors.
        """
        return await self._wherever(name, self._open_vault)

    async def _wherever(self, name: str, work: Callable[[EnvironmentInfo], Awaitable[T]]) -> T:
        """Does it where the environment is, and again there if it has moved in the meantime."""
        info = await self.environment(name)
        while True:
            try:
                return await work(info)
            except StorageError:
                before, info = info, await self.environment(name)
                if info.database == before.database:
                    raise

    async def _open_vault(self, info: EnvironmentInfo) -> Vault:
        backend, source = await self.open_backend(info)
        try:
            keyring = await source.load()
            if keyring.locked or source.state.lock is not None:
                raise locked(info.name, source.state)
            await self._reconcile(info, source.state)
            await source.calls.tell()
        except BaseException:
            await source.aclose()
            await backend.close()
            raise
        return self.vault(info, backend, keyring, source)

    async def _reconcile(self, info: EnvironmentInfo, state: KeyState) -> None:
        """Puts on record what an act has done whose process died before it could say so. Raises IntegrityError where
        the record names another policy than the state of the same epochs.
        """
        detail = {"policy": None if state.cover is None else state.cover.name}
        keys = Assignment.of(state).keys_in(info.id)
        try:
            for attempt in range(_ATTEMPTS):
                batch = await self.policies.following(info.id, state)
                if batch is None:
                    return
                try:
                    await self.audit.record(SERVICE_ACTOR, REPAIR, info.name, SUCCEEDED, detail, batch, keys=keys)
                    return
                except Conflict:  # another process may have put the same state on record first
                    if attempt == _ATTEMPTS - 1:
                        raise
        except IntegrityError:
            raise
        except StorageError as error:  # the next one who opens it does
            log.warning("the state of an environment's keys could not be put on record: %s", error.code)

    def vault(self, info: EnvironmentInfo, backend: Backend, keyring: Keyring, source: KeySource) -> Vault:
        """The vault of rows and keys that were opened by `open_backend`; it closes them."""
        until = partial(Registry(self).until_ms, info.id)
        return Vault(
            info, backend, keyring, source, now_ms=self._now_ms, backups_until=until,
            max_value_bytes=self.max_value_bytes,
        )  # fmt: skip

    def key_source(self, environment: bytes, backend: Backend, floor: Floor = Floor()) -> KeySource:  # noqa: B008
        """Where the keys of these rows come from, whose state is not below `floor`."""
        asked = self._asked(environment)
        calls = KeyCalls(partial(self._record_call, environment), self._now_ms, service=asked)
        service = asked.watched(self._keystore.provider(environment))
        return KeySource(environment, backend, service, self.customers, floor, calls)

    def _asked(self, environment: bytes) -> KeyCalls:
        """What this process asks the service's keystore for an environment."""
        if environment not in self._service_calls:
            record = partial(self._record_call, environment)
            self._service_calls[environment] = KeyCalls(record, self._now_ms, sums=True)
        return self._service_calls[environment]

    async def _record_call(
        self, environment: bytes, actor: str, kind: str, code: str | None, detail: dict[str, Any]
    ) -> None:
        info = next((each for each in await self.environments() if each.id == environment), None)
        subject = environment.hex() if info is None else info.name
        status, more = (SUCCEEDED, {}) if code is None else (FAILED, {"code": code})
        await self.audit.record(actor, kind, subject, status, {**detail, **more})

    async def sealed_inbox(self, name: str) -> SealedInbox:
        """Where a locked or suspended environment takes something in; the service's keys are enough. Raises as
        `open_vault`.
        """
        return await self._wherever(name, self._sealed_inbox)

    async def _sealed_inbox(self, info: EnvironmentInfo) -> SealedInbox:
        backend, source = await self.open_backend(info)
        try:
            keyring = await source.load(locked=True)
        except BaseException:
            await source.aclose()
            await backend.close()
            raise
        return SealedInbox(backend, source, keyring, self._now_ms)

    async def open_backend(self, info: EnvironmentInfo, *, unidentified: bool = False) -> tuple[Backend, KeySource]:
        """An environment's rows and where its keys come from; the caller closes both. One that is `unidentified` is
        empty as yet. Raises StoreCorrupt, IntegrityError and the store's errors.
        """
        # First: an act that comes in between is in the store before it is in the assignment.
        assignment = await self.policies.assignment(info.id)
        backend = await self._places.open(info)
        try:
            if not unidentified and await backend.identity() != info.id:
                raise IntegrityError(f"{self._places.name(info)} is not the store of environment {info.name}.")
        except BaseException:
            await backend.close()
            raise
        return backend, self.key_source(info.id, backend, Floor() if assignment is None else assignment.floor)

    async def new_service_key(self, environment: bytes) -> None:
        """A new version of the service's key of an environment: it wraps from now on, the earlier ones still open."""
        await asyncio.to_thread(self._keystore.add_version, environment)

    async def _create_environment_store(self, info: EnvironmentInfo) -> None:
        backend = await self._places.create(info)
        try:
            self._keystore.add(info.id, Role.ENVIRONMENT)
            provider = self._asked(info.id).watched(self._keystore.provider(info.id))
            await _create(backend, provider, info.id, Role.ENVIRONMENT, info.created_ms)
        finally:
            await backend.close()

    async def _open_row(self, row: EnvironmentRow) -> EnvironmentInfo:
        keys = await self._backend.keys.newest(Kind.ENVIRONMENT, [row.environment_id])
        if not keys:
            raise IntegrityError(f"The key of environment {row.environment_id.hex()} is missing.")
        key = self._keyring.open_scope(keys[0])
        place = key.place(Purpose.ENVIRONMENT, row.environment_id)
        # Address, location, settings and the other place came later: records of before have none.
        with named(f"Environment {row.environment_id.hex()}"):
            name, created_ms, *later = unpack(key.open(place, 0, row.row_version, row.record))
        if len(later) > _OTHER and later[_OTHER] is not None:
            later[_OTHER] = OtherPlace(*later[_OTHER])
        index = self._keyring.name_index(Index.ENVIRONMENT_NAME, name)
        if created_ms != row.created_ms or not same(index, row.name_index):
            raise IntegrityError(f"Environment {row.environment_id.hex()}: its row says otherwise than its record.")
        return EnvironmentInfo(row.environment_id, name, created_ms, *later)


def _packed(info: EnvironmentInfo) -> bytes:
    fields = [info.name, info.created_ms]
    other = None if info.other is None else [info.other.database, info.other.left, info.other.attempt]
    later = [info.database, info.location, None if info.settings is None else dict(info.settings), other]
    while later and later[-1] is None:
        later.pop()
    return pack([*fields, *later])


def locked(name: str, state: KeyState) -> EnvironmentLocked:
    """The error of an environment that is locked, with what is known of why."""
    if state.lock is not None and state.lock.reason == MOVING:
        return EnvironmentLocked(
            f"The environment {name} is being moved to another place.",
            hint=f"It opens by itself when it is there. If nobody moves it any more: sealflow env move {name}, again.",
        )
    if state.lock is not None and state.lock.reason == "denied":
        reason, first = "its key was revoked", "Restore the key, then"
    else:
        reason, first = "by an administrator", "An administrator unlocks it"
    return EnvironmentLocked(
        f"The environment {name} is locked ({reason}).", hint=f"{first}: sealflow env unlock {name}"
    )


def _control(home: Path) -> tuple[Path, Path]:
    home = Path(home).absolute()
    return home, home / "control.db"


def _lost_control(path: Path) -> StoreCorrupt:
    """Environments without a control store: a fresh one would look as if they had never been."""
    return StoreCorrupt(
        f"The control store {path} is missing or empty, but there are environments beside it.",
        hint="Restore it from a backup, or choose another folder.",
    )


async def _open_or_create(home: Path, backend: Backend, keystore: Keystore, now_ms: int) -> Keyring:
    """The keyring of the control store; a new identity and key if it has none yet."""
    identity = await backend.identity()
    if identity is None and has_environments(home):
        identity = await backend.identity()  # another process may have made it in the meantime
        if identity is None:
            raise _lost_control(home / "control.db")
    if identity is None:
        try:
            made = random_id()
            keystore.add(made, Role.CONTROL)
            return await _create(backend, keystore.provider(made, Role.CONTROL), made, Role.CONTROL, now_ms)
        except Conflict:  # another process was faster
            identity = await backend.identity()
            if identity is None:
                raise
    provider = keystore.provider(identity, Role.CONTROL)
    return await Keyring.open(identity, Role.CONTROL, {Domain.SERVICE: provider}, await backend.keys.environment_keys())


async def _create(backend: Backend, provider: KeyProvider, identity: bytes, role: Role, now_ms: int) -> Keyring:
    """The key of `provider` is safe in its keystore before anything is sealed under it."""
    keyring, rows = await Keyring.create(identity, role, provider, now_ms)
    await backend.commit(Batch(identity=identity, keys=KeyChanges(environment_keys=rows)))
    return keyring
