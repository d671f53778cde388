"""An honest history of an environment, moment by moment, and what is served at each: for an attacker who mixes rows of
all of them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attacked_store import AttackedControl, AttackedStore
from chaos_observer import another_database
from customer_keys import ENVIRONMENT, Customer, customer
from random_attack import COORDINATION, Moment, Tables
from sealflow.storage import (
    RecordNotFound,
    Retention,
    StorageError,
    Store,
    Vault,
    create_backup,
    move_environment,
    restore_backup,
)
from sealflow.storage.administration.administration import Actor, Administration
from sealflow.storage.keys.key_state import KeyState
from sealflow.storage.keys.provider_calls import CALLS
from sealflow.storage.stores.ledger import Ledger

Served = dict[tuple[str, ...], Any]
"""What is served of each thing: a value, or `Refused`. The first part of a place is its kind."""


_ACTOR: Final = Actor("ada")


@dataclass(frozen=True, slots=True)
class Refused:
    """Something was asked for and is not given."""

    code: str = field(compare=False)


class SteadyStore(AttackedStore):
    """Knows its schema from the start: the control store may be damaged later."""

    schema = ""

    async def _schema(self) -> str:
        return self.schema

    async def copy(self, *tables: str) -> Tables:
        """As of every store, by one connection."""
        if self.url is None:
            return await super().copy(*tables)
        import asyncpg

        connection = await asyncpg.connect(self.url, server_settings={"search_path": self.schema})
        try:
            names = tables or [
                row[0]
                for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
            ]
            return {
                name: [dict(row) for row in await connection.fetch(f"SELECT * FROM {name}")] for name in sorted(names)
            }
        finally:
            await connection.close()


@dataclass(slots=True)
class History:
    """The moments of an environment, oldest first, and what each of them serves."""

    keys: Customer
    environment: SteadyStore
    control: AttackedControl
    moments: list[Moment] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    flows: set[bytes] = field(default_factory=set)
    runs: set[bytes] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)

    async def put(self, moment: Moment) -> None:
        """Writes all rows of both stores. Raises what the database refuses."""
        for store, tables in zip((self.environment, self.control), moment, strict=True):
            there = await store.copy()
            await store.put_back(
                {name: rows for name, rows in tables.items() if name not in COORDINATION and rows != there[name]}
            )

    async def look(self) -> Served:
        """What a process that is started now serves. Whatever it writes is for the caller to take away."""
        served: Served = {}
        try:
            store = await self.keys.store()
        except StorageError as error:
            return {("store",): Refused(error.code)}
        try:
            await _Look(self, store, served).everything()
        finally:
            await store.close()
        return served


class _Look:
    def __init__(self, history: History, store: Store, served: Served) -> None:
        self._history = history
        self._store = store
        self._served = served
        self._administration = Administration(store, _ACTOR)

    async def _serve(self, place: tuple[str, ...], look: Callable[[], Awaitable[Any]]) -> None:
        try:
            found = await look()
        except RecordNotFound:
            found = None  # as where it never was
        except StorageError as error:
            found = Refused(error.code)
        if found is not None:
            self._served[place] = found

    async def everything(self) -> None:
        acts, policies = self._administration, self._administration.policies
        await self._serve(("audit",), self._audit)
        await self._serve(("settings",), self._settings)
        await self._serve(
            ("policies",), lambda: _of(policies.all(), lambda each: (each.name, each.uri, each.readers, each.approvals))
        )
        await self._serve(("requests",), lambda: _of(acts.requests.all(), lambda each: (each.id, each.status)))
        await self._serve(("state",), self._state)
        try:
            vault = await self._store.open_vault(ENVIRONMENT)
        except StorageError as error:
            self._served["open",] = Refused(error.code)
            return
        self._served["open",] = True
        try:
            await self._inside(vault)
        finally:
            await vault.close()

    async def _audit(self) -> Any:
        return tuple(
            [(each.kind, each.status) async for each in self._administration.audit.acts() if each.kind not in CALLS]
        )

    async def _settings(self) -> Any:
        info = await self._store.environment(ENVIRONMENT)
        return (dict(info.settings or {}), info.database)

    async def _state(self) -> Any:
        async with self._administration.opened(ENVIRONMENT, locked=True) as opened:
            return state_of(opened.state)

    async def _inside(self, vault: Vault) -> None:
        history = self._history
        ledger = Ledger(vault._backend, vault._keyring, self._store.now_ms)

        async def tombstones() -> Any:
            return tuple([(each.kind, each.subject) async for each in ledger.statements()])

        await self._serve(("ledger",), tombstones)
        await self._serve(("flows",), lambda: _of(vault.flows(), lambda flow: flow.flow_id))
        await self._serve(("runs",), lambda: _of(vault.runs(limit=1000), lambda run: run.run_id))
        await self._serve(("connections",), lambda: _of(vault.connections(), lambda each: each.name))
        for flow_id in history.flows | set(_ids(self._served["flows",])):
            await self._flow(vault, flow_id)
        for run_id in history.runs | set(_ids(self._served["runs",])):
            await self._run(vault, run_id)
        for name in history.connections:
            await self._serve(("connection", name), lambda: vault.connection_values(name))  # noqa: B023 (called at once)
        await self._serve(
            ("inbox",), lambda: _of(vault.inbox(1000), lambda each: (each.id, each.kind, each.run_id, repr(each.value)))
        )
        await self._serve(("sealed inbox",), lambda: _of(vault.inbox_items(1000), lambda each: repr(each.value)))
        await self._serve(
            ("operations",), lambda: _of(vault.operations(), lambda each: (each.id, each.kind, each.status))
        )
        await self._serve(("domain of a new flow",), lambda: self._new_flow(vault))

    async def _flow(self, vault: Vault, flow_id: bytes) -> None:
        name = flow_id.hex()

        async def info() -> Any:
            found = await vault.flow(flow_id)
            return (found.name, found.version, int(found.domain))

        async def trigger() -> Any:
            found = await vault.trigger(flow_id)
            return None if found is None else (found.due_ms, repr(found.value))

        await self._serve(("flow", name), info)
        for number in range(1, 5):
            await self._serve(("version", name, str(number)), lambda: _document(vault, flow_id, number))  # noqa: B023
        await self._serve(("trigger", name), trigger)
        await self._serve(("messages", name), lambda: _of(vault.messages(flow_id), lambda each: repr(each.value)))
        await self._serve(("retention", name), lambda: _to_value(vault, flow_id))

    async def _run(self, vault: Vault, run_id: bytes) -> None:
        name = run_id.hex()

        async def row() -> Any:
            found = await vault.run(run_id)
            return (found.flow_id, found.version, found.status, found.ended_ms, repr(found.summary))

        async def records() -> Any:
            return tuple([repr(record) async for page in vault.read_run(run_id) for record in page.records])

        async def going_on() -> Any:
            log = await vault.open_run(run_id, from_snapshot=True)
            return (log.seq, log.status)

        await self._serve(("run", name), row)
        await self._serve(("history", name), records)
        await self._serve(("resumed", name), going_on)

    async def _new_flow(self, vault: Vault) -> Any:
        made = await vault.put_flow(f"new {os.urandom(4).hex()}", {"v": "new"})
        return vault.keys.domain_name((await vault.flow(made.flow_id)).domain)


def state_of(state: KeyState) -> Any:
    """What counts of a state of keys."""
    cover = None if state.cover is None else (state.cover.name, state.cover.uri)
    return (state.epoch, state.lock_epoch, cover, None if state.lock is None else state.lock.reason)


async def _document(vault: Vault, flow_id: bytes, number: int) -> Any:
    return repr((await vault.version(flow_id, number)).document)


async def _to_value(vault: Vault, flow_id: bytes) -> Any:
    return tuple((await vault.retention(flow_id)).to_value())


async def _of(found: Awaitable[Any], what: Callable[[Any], Any]) -> Any:
    return tuple(sorted((what(each) for each in await found), key=repr))


def _ids(found: Any) -> tuple[bytes, ...]:
    return () if isinstance(found, Refused) else found


async def honest_history(folder: Path, url: str | None = None, *, every: int = 1) -> History:
    """One with everything in it: deployments, runs, callbacks, triggers, a policy, a swap, rotations, migrations,
    locks, a backup that is put back, a move (PostgreSQL), permissions, approvals, deletions.

    `every` 4 keeps each fourth moment, and the last one.
    """
    keys = await customer(folder, url)
    environment = SteadyStore(keys, url)
    environment.schema = await AttackedStore._schema(environment) if url is not None else ""
    history = History(keys, environment, environment.control)
    builder = _Builder(history)
    steps = builder.steps()
    for number, step in enumerate(steps, 1):
        await step()
        if number % every == 0 or number == len(steps):
            history.moments.append((await environment.copy(), await history.control.copy()))
    for moment in history.moments:
        await history.put(moment)
        history.served.append(await history.look())
    return history


class _Builder:
    def __init__(self, history: History) -> None:
        self._history = history
        self._keys = history.keys
        self._going_on: list[bytes] = []

    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._deploy, self._run, self._deploy_again, self._allow, self._apply, self._run, self._go_on,
            self._deploy_customers, self._rotate, self._lock, self._unlock, self._allow_less, self._data_keys,
            self._migrate, self._swap, self._migrate_in_full, self._run, self._shred, self._go_on, self._back_up,
            self._run, self._restore, self._deploy_again, self._callbacks, self._drain, self._move, self._remove,
            self._approve, self._approved, self._end, self._lock,
        ]  # fmt: skip

    async def _administer(self, act: Callable[[Administration], Awaitable[object]], who: str = "ada") -> None:
        async with self._keys.administration(Actor(who)) as administration:
            await act(administration)

    async def _put(self, vault: Vault, name: str, document: object) -> bytes:
        flow_id = (await vault.put_flow(name, document)).flow_id
        self._history.flows.add(flow_id)
        return flow_id

    async def _deploy(self) -> None:
        async with self._keys.vault() as vault:
            await vault.try_become_executor()
            await vault.renew_inbox()
            for name in ("first", "second"):
                flow_id = await self._put(vault, name, {"name": name, "v": 1})
                assert await vault.trigger(flow_id) is None
                vault.set_trigger(flow_id, {"next": 1}, due_ms=7, expected=0)
                await vault.add_message(flow_id, "p", {"m": 1}, dedupe=b"d")
            await vault.set_retention(flow_id, Retention(days=90))
            for name, oauth in (("sql", False), ("office", True)):
                await vault.create_connection(name, "c", oauth=oauth, parameter_set=None, values={"password": "one"})
                self._history.connections.add(name)
            await vault.inbox_add(1, {"q": 1}, dedupe=b"q")
            await vault.flush()

    async def _run(self) -> None:
        async with self._keys.vault() as vault:
            for flow in await vault.flows():
                digest = (await vault.version(flow.flow_id, flow.version)).digest
                for ended in (True, False):
                    log = vault.create_run(
                        os.urandom(16), flow.flow_id, flow.version, 5, {"s": 1}, status=1, definition_digest=digest
                    )
                    log.append([[1, "x"], [2, "y"]])
                    log.snapshot({"at": 2})
                    log.append([[3, "z"]], **({"status": 2, "ended_ms": 9} if ended else {"head": True}))
                    self._history.runs.add(log.run_id)
                    if not ended:
                        self._going_on.append(log.run_id)
            await vault.flush()

    async def _go_on(self) -> None:
        async with self._keys.vault() as vault:
            for run_id in self._going_on[:2]:
                log = await vault.open_run(run_id)
                log.append([[log.seq, "more"]], head=True)
                log.snapshot({"at": log.seq})
            for flow in await vault.flows():
                state = await vault.trigger(flow.flow_id)
                if state is not None:
                    vault.set_trigger(flow.flow_id, {"next": 2}, due_ms=8, expected=state.row_version)
            await vault.flush()

    async def _deploy_again(self) -> None:
        async with self._keys.vault() as vault:
            for flow in await vault.flows():
                await self._put(vault, flow.name, {"name": flow.name, "v": flow.version + 1})

    async def _deploy_customers(self) -> None:
        async with self._keys.vault() as vault:
            flow_id = await self._put(vault, "third", {"name": "third", "v": 1})
            await vault.add_message(flow_id, "p", {"m": 2})
            await vault.delete_connection("sql")
            await vault.create_connection("sql", "c", oauth=False, parameter_set=None, values={"password": "two"})
            await vault.flush()

    async def _allow(self) -> None:
        await self._administer(lambda acts: acts.allow(ENVIRONMENT, lambda now: {**now, "folders": ["/a", "/b"]}))

    async def _allow_less(self) -> None:
        await self._administer(lambda acts: acts.allow(ENVIRONMENT, lambda now: {**now, "folders": ["/a"]}))

    async def _apply(self) -> None:
        await self._administer(lambda acts: acts.apply("one", ENVIRONMENT))

    async def _swap(self) -> None:
        await self._administer(lambda acts: acts.apply("two", ENVIRONMENT))

    async def _rotate(self) -> None:
        await self._administer(lambda acts: acts.rotate(ENVIRONMENT))

    async def _data_keys(self) -> None:
        await self._administer(lambda acts: acts.rotate(ENVIRONMENT, data_keys=True))

    async def _lock(self) -> None:
        await self._administer(lambda acts: acts.lock(ENVIRONMENT))

    async def _unlock(self) -> None:
        await self._administer(lambda acts: acts.unlock(ENVIRONMENT))

    async def _migrate(self) -> None:
        async with self._keys.vault() as vault:
            await vault.try_become_executor()
            await vault.begin_migration(full=False)
            await vault.migrate()

    async def _migrate_in_full(self) -> None:
        """Histories are sealed anew. It would wait for runs in flight: these end first."""
        async with self._keys.vault() as vault:
            await vault.try_become_executor()
            for run_id in self._going_on:
                log = await vault.open_run(run_id)
                log.append([[log.seq, "end"]], status=2, ended_ms=12)
            self._going_on.clear()
            await vault.flush()
            await vault.begin_migration(full=True)
            await vault.migrate()

    async def _back_up(self) -> None:
        file = self._keys.folder / "backup"
        await self._administer(lambda acts: create_backup(acts, ENVIRONMENT, file, expires_days=None))

    async def _restore(self) -> None:
        await self._administer(lambda acts: restore_backup(acts, self._keys.folder / "backup"))

    async def _move(self) -> None:
        """To another database of the server and back; a file stays where it is."""
        url = self._history.environment.url
        if url is None:
            return
        for place in (await another_database(url), url):
            await self._administer(lambda acts: move_environment(acts, ENVIRONMENT, place))  # noqa: B023 (called at once)

    async def _approve(self) -> None:
        async with self._keys.administration() as ada:
            await ada.create_policy("strict", self._keys.uri("two"), approvals=2)
            try:
                await ada.apply("strict", ENVIRONMENT)
            except StorageError:
                (request,) = await ada.requests.all()
        await self._administer(lambda bob: bob.approve(request.id.hex()), "bob")

    async def _approved(self) -> None:
        await self._administer(lambda acts: acts.apply("strict", ENVIRONMENT))

    async def _shred(self) -> None:
        async with self._keys.vault() as vault:
            await vault.try_become_executor()
            ended = [run.run_id for run in await vault.runs() if run.ended_ms is not None]
            await vault.shred_runs(ended[:1])

    async def _callbacks(self) -> None:
        await self._lock()
        store = await self._keys.store()
        try:
            async with await store.sealed_inbox(ENVIRONMENT) as inbox:
                await inbox.accept(1, self._going_on[0], {"callback": 1})
        finally:
            await store.close()
        await self._unlock()

    async def _drain(self) -> None:
        async with self._keys.vault() as vault:
            await vault.try_become_executor()
            items = await vault.inbox_items(100)
            for item in items:
                vault.sealed_items.consume(item.place)
            await vault.flush()
            await vault.renew_inbox(drained=bool(items))

    async def _remove(self) -> None:
        await self._administer(lambda acts: acts.remove(ENVIRONMENT))

    async def _end(self) -> None:
        async with self._keys.vault() as vault:
            for run_id in self._going_on[:1]:
                log = await vault.open_run(run_id)
                log.append([[log.seq, "end"]], status=2, ended_ms=12)
            await vault.flush()
