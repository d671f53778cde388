"""What a locked environment takes in: sealed to a public key whose private half lies under the customer's key, so that
nothing can be read before the key is given again, and certified by the service, so that a writer of the database can
plant nothing.

`SealedInbox` is the accepting side and has the service's keys only; `SealedItems` is the side that opens, in the vault.
Each item is bound to its number: one that was altered, moved, exchanged or put in twice is refused. After it was
emptied the key is exchanged, and what was copied before opens no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from ...errors import AlreadyAnswered, Conflict, EnvironmentLocked, InboxFull, IntegrityError
from ...format.codec import pack, unpack
from ...format.envelope import InboxKey, digest, lp, number, random_id, same, seal_to
from ...format.purposes import Kind, Purpose
from ...keys.key_source import KeySource
from ...keys.key_state import MOVING
from ...keys.keyring import Keyring
from ...models import Value
from ...port import (
    Backend,
    Batch,
    CallbackChanges,
    InboxKeyRow,
    KeyChanges,
    SealedInboxChanges,
    SealedItemRow,
    TokenRow,
)
from ..runs.journal import Journal

MOST_ITEMS: Final = 10_000
"""Items that one environment takes in while it is locked."""

MOST_BYTES: Final = 64 << 20
"""Bytes of them together, sealed."""

_ATTEMPTS: Final = 20
_AT_ONCE: Final = 50

log = logging.getLogger("sealflow")


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item, opened. `scope` is the run or the flow it is for."""

    kind: int
    scope: bytes
    value: Value = field(repr=False)
    place: tuple[bytes, int] = field(repr=False)
    created_ms: int


def token_hash(scope: bytes, token: bytes) -> bytes:
    """What is stored of a callback's token: it is random, so its hash tells nothing of it."""
    return digest(lp(b"callback token", scope, token))


def start_token(flow_id: bytes) -> TokenRow:
    """What lets a flow be started while the environment is locked: a token that is no secret, as flows' ids are not."""
    scope = _start_scope(flow_id)
    return TokenRow(token_hash(scope, flow_id), scope)


def _start_scope(flow_id: bytes) -> bytes:
    # Not the flow's own id: callbacks of its trigger come and go by that.
    return digest(lp(b"started unheard", flow_id))[:16]


class SealedInbox:
    """The accepting side of one environment's inbox, made by `Store.sealed_inbox`. Use it with `async with`."""

    def __init__(self, backend: Backend, source: KeySource, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._source = source
        self._keyring = keyring
        self._now_ms = now_ms

    async def __aenter__(self) -> SealedInbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keyring.forget()
        await self._source.aclose()
        await self._backend.close()

    @property
    def moving(self) -> bool:
        """Whether the environment is locked for a move: it takes nothing in until it is there."""
        lock = self._source.state.lock
        return lock is not None and lock.reason == MOVING

    async def knows(self, scope: bytes, token: bytes) -> bool:
        """Whether a callback with this token was asked for by that run or flow."""
        found = await self._backend.callbacks.scope(token_hash(scope, token))
        return found is not None and same(found, scope)

    async def may_start(self, flow_id: bytes) -> bool:
        """Whether this is a flow whose newest version was deployed as one that nobody waits for who starts it."""
        return await self.knows(_start_scope(flow_id), flow_id)

    async def accept(self, kind: int, scope: bytes, value: Value, token: bytes | None = None) -> None:
        """Take something in; durable on return. With a `token` it is a callback, of which the first one counts.

        Raises AlreadyAnswered where a callback with this token was accepted before, InboxFull, NotStorable,
        IntegrityError for a public key that was planted, and EnvironmentLocked where there is none.
        """
        data = pack([kind, scope, value])
        claims = [] if token is None else [token_hash(scope, token)]
        for _ in range(_ATTEMPTS):
            key = await self._backend.sealed_inbox.key()
            if key is None:
                raise EnvironmentLocked("The environment is locked, and has no key to seal to.")
            if not self._keyring.certified(key.mac, *_key_fields(key)):
                raise IntegrityError("The public key of the inbox was altered or planted.")
            size = await self._backend.sealed_inbox.size()
            if size.items >= MOST_ITEMS or size.bytes + len(data) > MOST_BYTES:
                raise InboxFull("The locked environment has taken in as much as it may.")
            sealed = seal_to(key.public, data, b"sealed inbox", self._keyring.environment, key.key_id)
            row = SealedItemRow(key.key_id, size.last + 1, kind, scope, self._now_ms(), b"", sealed)
            row = row._replace(mac=self._keyring.certify(*_item_fields(row)))
            try:
                await self._backend.commit(
                    Batch(sealed_inbox=SealedInboxChanges(inserts=[row]), callbacks=CallbackChanges(claimed=claims))
                )
            except AlreadyAnswered:
                raise
            except Conflict:  # another process was faster, or the key was exchanged
                continue
            return
        raise InboxFull("Too many processes give something to the locked environment at the same moment.")


class SealedItems:
    """The opening side, `Vault.sealed_items`: what has come in, and who may send it. For the executor only.

    Methods that read may raise StaleKeys, for the caller to try again once keys were loaded anew.
    """

    def __init__(self, backend: Backend, keyring: Keyring, journal: Journal, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._journal = journal
        self._now_ms = now_ms
        self._consumed: set[tuple[bytes, int]] = set()
        self._checked: int | None = None

    @property
    def lacks_key(self) -> bool:
        """Whether there may be no key to seal to, or one of another domain: call `renew` then."""
        return self._checked != self._keyring.epoch

    def expect(self, scope: bytes, token: bytes) -> None:
        """Let a callback be known while the environment is locked: in the next commit."""
        self._journal.wake()
        self._journal.batch.callbacks.expected.append(TokenRow(token_hash(scope, token), scope))

    def forget(self, scope: bytes) -> None:
        """Let no callback of a run or flow be known any more: in the next commit."""
        self._journal.wake()
        self._journal.batch.callbacks.forgotten.append(scope)

    def reopen(self, scope: object) -> None:
        """Let callbacks be accepted again for what a refused item says it is for: in the next commit. What a run has
        recorded stays.
        """
        if isinstance(scope, bytes):
            self._journal.wake()
            self._journal.batch.callbacks.reopened.append(scope)

    async def items(self, limit: int = 100) -> list[SealedItem]:
        """The oldest items, in order. What does not verify is logged and removed with the next commit."""
        rows = await self._backend.sealed_inbox.items(limit + len(self._consumed))
        rows = [row for row in rows if (row.key_id, row.sequence) not in self._consumed]
        if not rows:
            return []
        key_row = await self._backend.sealed_inbox.key()
        key = await self._key(key_row) if key_row is not None else None
        opened: list[SealedItem] = []
        before: object = None
        for row in rows[:limit]:
            try:
                if key is None or key_row is None or row.key_id != key_row.key_id:
                    raise IntegrityError("It was sealed to another key.")
                opened.append(self._open(row, key))
            except IntegrityError as error:
                log.error("an item of the sealed inbox was refused: %s", error.message)
                self.consume((row.key_id, row.sequence))
                self.reopen(row.scope)
                continue
            if before is not None and row.sequence != before:
                log.error("items of the sealed inbox are missing before number %d", row.sequence)
            before = row.sequence + 1
        return opened

    async def kept(self, kind: int) -> list[SealedItem]:
        """All items of one kind that verify, in order; nothing is removed."""
        rows = [row for row in await self._backend.sealed_inbox.items(MOST_ITEMS) if row.kind == kind]
        key_row = await self._backend.sealed_inbox.key() if rows else None
        if key_row is None:
            return []
        found = []
        with suppress(IntegrityError):  # of the key: nothing opens then
            key = await self._key(key_row)
            for count, row in enumerate(rows):
                with suppress(IntegrityError):  # told of when it is to be carried out
                    if row.key_id == key_row.key_id:
                        found.append(self._open(row, key))
                if count % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        return found

    async def refused(self) -> list[tuple[str, bytes | None]]:
        """What does not verify of the inbox, by what it is, and the run or flow that an item says it is for; nothing is
        removed.
        """
        key_row = await self._backend.sealed_inbox.key()
        try:
            key = await self._key(key_row) if key_row is not None else None
        except IntegrityError:
            return [("key", None)]
        found: list[tuple[str, bytes | None]] = []
        for row in await self._backend.sealed_inbox.items(MOST_ITEMS):
            try:
                if key is None or key_row is None or row.key_id != key_row.key_id:
                    raise IntegrityError("It was sealed to another key.")
                self._open(row, key)
            except IntegrityError:
                found.append((f"item {row.sequence}", row.scope))
        return found

    def _open(self, row: SealedItemRow, key: InboxKey) -> SealedItem:
        clear = (row.sequence, row.kind, row.created_ms)
        if any(type(each) is not int or not 0 <= each < 1 << 63 for each in clear) or type(row.scope) is not bytes:
            raise IntegrityError("Its row was damaged.")
        if not self._keyring.certified(row.mac, *_item_fields(row)):
            raise IntegrityError("Its row was altered, moved or planted.")
        data = key.open(row.sealed, b"sealed inbox", self._keyring.environment, row.key_id)
        kind, scope, value = unpack(data)
        if kind != row.kind or scope != row.scope:
            raise IntegrityError("Its row says otherwise than the item.")
        return SealedItem(kind, scope, value, (row.key_id, row.sequence), row.created_ms)

    async def _key(self, row: InboxKeyRow) -> InboxKey:
        """The private key. Raises IntegrityError for one that was altered or planted."""
        key_rows = await self._backend.keys.newest(Kind.INBOX_KEY, [row.key_id])
        if not key_rows or not self._keyring.certified(row.mac, *_key_fields(row)):
            raise IntegrityError("The key of the sealed inbox was altered or planted.")
        scope_key = self._keyring.open_scope(key_rows[0])
        key = InboxKey(unpack(scope_key.open(scope_key.place(Purpose.INBOX_KEY, row.key_id), 0, 1, row.record)))
        if not same(key.public, row.public):
            raise IntegrityError("The key of the sealed inbox was exchanged.")
        return key

    def consume(self, place: tuple[bytes, int], scope: bytes | None = None) -> None:
        """Removes an item with the next commit: in the same one as whatever is queued before control returns to the
        event loop. An item for a run (`scope`) stays if the commit cannot write the run.
        """
        self._journal.wake()
        self._consumed.add(place)
        batch = self._journal.batch
        batch.sealed_inbox.drained.append(place)
        if scope is not None:
            batch.tied.append((scope, batch.sealed_inbox.drained, place))
        # After the commit it stays refused until the key is exchanged; one whose commit is lost is there again.
        self._journal.after_commit(lambda: None, lambda: self._consumed.discard(place), scope)

    async def renew(self, *, drained: bool = False) -> None:
        """A key for what comes next: another one after something was `drained`, else where there is none that belongs
        to the domain of what is new.
        """
        epoch = self._keyring.epoch
        if not drained and await self._fits():
            self._checked = epoch
            return
        key, key_id = InboxKey(), random_id()
        scope_key, key_row = self._keyring.new_scope(Kind.INBOX_KEY, key_id, self._keyring.domain)
        record = scope_key.seal(scope_key.place(Purpose.INBOX_KEY, key_id), 0, 1, pack(key.private_bytes()))
        row = InboxKeyRow(key_id, self._now_ms(), key.public, b"", record)
        row = row._replace(mac=self._keyring.certify(*_key_fields(row)))
        try:
            await self._backend.commit(
                Batch(
                    guard=self._keyring.deciding,
                    keys=KeyChanges(inserts=[key_row]),
                    sealed_inbox=SealedInboxChanges(key=row),
                )
            )
        except Conflict:  # something has come in meanwhile: after that
            return
        self._consumed.clear()
        self._checked = epoch

    async def _fits(self) -> bool:
        row = await self._backend.sealed_inbox.key()
        if row is None or not same(row.mac, self._keyring.certify(*_key_fields(row))):
            return False
        key_rows = await self._backend.keys.newest(Kind.INBOX_KEY, [row.key_id])
        return bool(key_rows) and key_rows[0].domain == self._keyring.domain


def _key_fields(row: InboxKeyRow) -> tuple[bytes, ...]:
    return b"sealed inbox key", row.key_id, number(row.created_ms), row.public


def _item_fields(row: SealedItemRow) -> tuple[bytes, ...]:
    numbers = (number(row.sequence), number(row.kind), number(row.created_ms))
    return b"sealed inbox item", row.key_id, *numbers, row.scope, digest(row.sealed)
