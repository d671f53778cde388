"""A copy of an environment's rows gets environment keys of its own: everything is wrapped by fresh ones, each in the
domain where it is, and the earlier ones go.

Whatever steers gets fresh scope keys: flows, triggers, connections, requests, messages, and head, summary and snapshot
of each run. Pages keep theirs. Nobody else uses the copy meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..format.purposes import Domain, Kind
from ..keys.key_source import KeySource
from ..keys.key_state import KeyState, seal_state
from ..keys.keyring import Keyring
from ..keys.recovery_copies import with_copies
from ..models import EnvironmentInfo
from ..port import Backend, Batch, EnvironmentKeyRow, Guard, KeyChanges
from ..stores.batch_messages import Messages
from ..stores.connections import Connections
from ..stores.flows import Definitions, Moving
from ..stores.inbox.requests import Inbox
from ..stores.inbox.sealed_items import SealedItems
from ..stores.ledger import MOVED, Ledger
from ..stores.runs.journal import Journal
from ..stores.runs.runs import Runs
from ..stores.triggers import Triggers

if TYPE_CHECKING:
    from ..vault.home import Store

_STEP: Final = 256
"""Scope keys that one commit wraps."""


async def rekeyed(store: Store, info: EnvironmentInfo, copy: Backend, actor: str) -> KeyState:
    """Gives the copy its keys, unlocks it, and gives the state that it then is in: a later one than it had.

    Raises KeyDenied, KeyUnavailable and IntegrityError for what was changed from outside.
    """
    source = store.key_source(info.id, copy)
    source.calls.actor = actor
    try:
        keyring = await source.load(unlocked=True)
        work = _Rekeying(store, info, copy, source, keyring)
        await work.everything()
        return source.state
    finally:
        await source.aclose()


class _Rekeying:
    def __init__(self, store: Store, info: EnvironmentInfo, copy: Backend, source: KeySource, keyring: Keyring) -> None:
        self._store = store
        self._info = info
        self._copy = copy
        self._source = source
        self._keyring = keyring

    async def everything(self) -> None:
        if self._source.state.lock is not None:
            await self._write(self._keyring, self._source.state.unlocked(), Batch())
        earlier = [(row.domain, row.version) for row in self._keyring.rows]
        await self._new_keys()
        await self._named()
        # The newest key first: of what waits twice, under the indexes of two keys, that which was there first remains.
        for row in sorted(self._keyring.rows, key=lambda row: (row.created_ms, row.version), reverse=True):
            if (row.domain, row.version) in earlier:
                await self._wrapped_anew(row.domain, row.version)
        await SealedItems(self._copy, self._keyring, Journal(self._copy), self._store.now_ms).renew()
        keyring = self._keyring
        for place in earlier:
            keyring = keyring.without(*place)
        batch = Batch(keys=KeyChanges(retired=earlier, replaced=self._changed(keyring)))
        await self._write(keyring, self._source.state.next(), batch)
        ledger = Ledger(self._copy, self._keyring, self._store.now_ms)
        await ledger.say([(MOVED, self._info.id)], self._keyring.guard)

    async def _new_keys(self) -> None:
        """One more environment key in each domain that seals anything, or will."""
        state, keyring = self._source.state.next(), self._keyring
        sealed = {count.domain for count in await self._copy.keys.counts()}
        made = []
        for domain in sorted({int(Domain.SERVICE), *state.covers, *sealed}):  # the service's first: it certifies all
            provider = self._source.provider(domain)
            keyring, row = await keyring.with_new_key(domain, provider, self._store.now_ms(), policy_epoch=state.epoch)
            made.append((row.domain, row.version))
        batch = Batch(keys=KeyChanges(replaced=self._changed(keyring)))
        batch.keys.environment_keys = [row for row in keyring.rows if (row.domain, row.version) in made]
        await self._write(keyring, state, batch)

    def _changed(self, keyring: Keyring) -> list[EnvironmentKeyRow]:
        """The rows that are there already, and are certified anew."""
        before = {(row.domain, row.version): row for row in self._keyring.rows}
        return [row for row in keyring.rows if before.get((row.domain, row.version), row) != row]

    async def _write(self, keyring: Keyring, state: KeyState, batch: Batch) -> None:
        """The next state, and the keys that go with it."""
        before = self._source.state
        batch.guard = Guard(before.lock_epoch, before.epoch)
        state = await with_copies(self._source, keyring, state, anew=True)
        rows = await self._copy.keys.newest(Kind.KEY_STATE, [self._info.id])
        batch.keys.state, key_row = seal_state(keyring, state, rows[0] if rows else None)
        if key_row is not None:
            batch.keys.inserts.append(key_row)
        await self._copy.commit(batch)
        keyring.domain, keyring.covered = state.domain, frozenset(state.covers)
        keyring.epoch, keyring.lock_epoch = state.epoch, state.lock_epoch
        self._keyring, self._source.state = keyring, state

    async def _named(self) -> None:
        """Flows, their triggers, and connections."""
        now_ms, keyring = self._store.now_ms, self._keyring
        definitions = Definitions(self._copy, keyring, now_ms, _unchanged)
        journal = Journal(self._copy)
        triggers = Triggers(self._copy, keyring, journal)
        for row in await self._copy.flows.all():
            batch = Batch(guard=keyring.deciding)
            await definitions.move(Moving(row.flow_id, row.domain), batch)
            await self._copy.commit(batch)
            await triggers.move(row.flow_id, row.domain)
        await journal.close()
        state = self._source.state
        batch = Batch(guard=keyring.deciding)
        await Connections(self._copy, keyring, now_ms, lambda: state, _unchanged).resealed(state, batch)
        await self._copy.commit(batch)

    async def _wrapped_anew(self, domain: int, version: int) -> None:
        """Everything else that an environment key wraps."""
        journal, after = Journal(self._copy), 0
        messages = Messages(self._copy, self._keyring, journal, self._store.now_ms)
        inbox = Inbox(self._copy, self._keyring, self._store.now_ms)
        runs = Runs(self._copy, self._keyring, journal)
        while rows := await self._copy.keys.wrapped_by(domain, version, _STEP, after):
            batch = Batch(guard=self._keyring.guard)
            for _, row in rows:
                if row.kind == Kind.RUN:
                    if (await self._copy.keys.newest(Kind.RUN, [row.scope]))[0].generation == row.generation:
                        await runs.renew_row(row.scope, domain, batch)
                elif (row.kind == Kind.MESSAGE and await messages.reseal(row, domain, batch)) or (
                    row.kind == Kind.INBOX and await inbox.reseal(row, domain, batch)
                ):
                    continue
                batch.keys.rewrapped.append(self._keyring.rewrap_scope(row, domain))
            await self._copy.commit(batch)
            after = rows[-1][0]


async def _unchanged() -> None:
    """Nobody else changes the keys of a copy."""
