"""The suites for requests, sealed items and callbacks."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import AlreadyAnswered, Conflict
from ..format.purposes import Kind
from ..port import (
    Batch,
    CallbackChanges,
    InboxChanges,
    KeyChanges,
    SealedInboxChanges,
    SealedSize,
    TokenRow,
)
from .rows import (
    FIRST,
    SECOND,
    OpenBackend,
    inbox_key_row,
    inbox_row,
    initialised,
    item_row,
    key_row,
    refused,
)


class InboxConformance:
    """The promises of `port.InboxStore` and `InboxChanges`."""

    async def test_the_inbox(self, open_backend: OpenBackend) -> None:
        rows = [inbox_row(dedupe=b"a" * 16), inbox_row(), inbox_row(dedupe=b"b" * 16)]
        keys = [key_row(row.item_id, kind=5) for row in rows]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(keys=KeyChanges(inserts=keys), inbox=InboxChanges(inserts=rows)))
            assert numbers == sorted(numbers)
            assert [(item.number, item.row) for item in await backend.inbox.waiting(2)] == list(
                zip(numbers[:2], rows[:2], strict=True)
            )
            again = inbox_row(dedupe=b"b" * 16)
            assert await backend.commit(
                Batch(keys=KeyChanges(inserts=[key_row(again.item_id, kind=5)]), inbox=InboxChanges(inserts=[again]))
            ) == [numbers[2]]
            assert await backend.keys.newest(5, [again.item_id]) == []
            await backend.commit(Batch(inbox=InboxChanges(consumed=[numbers[0], numbers[2]])))
            await backend.commit(Batch(inbox=InboxChanges(consumed=[numbers[2], 12345])))
            assert [item.number for item in await backend.inbox.waiting(10)] == [numbers[1]]
            assert await backend.keys.newest(5, [row.item_id for row in rows]) == [keys[1]]
            first, second = (await backend.commit(Batch(inbox=InboxChanges(inserts=[inbox_row() for _ in range(2)]))))[
                :2
            ]
            assert [item.number for item in await backend.inbox.waiting(1, after=numbers[1])] == [first]
            assert [item.number for item in await backend.inbox.waiting(10, after=first)] == [second]
            later = await backend.commit(Batch(inbox=InboxChanges(inserts=[again])))
            assert later[0] > numbers[2]

    async def test_consuming_an_item_takes_no_other_key(self, open_backend: OpenBackend) -> None:
        """Whatever an item says it is: here its id is that of a run."""
        row = inbox_row()
        run_key = key_row(row.item_id, kind=1)
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[run_key, key_row(row.item_id, kind=5)]),
                    inbox=InboxChanges(inserts=[row]),
                )
            )
            await backend.commit(Batch(inbox=InboxChanges(consumed=numbers)))
            assert await backend.keys.newest(5, [row.item_id]) == []
            assert await backend.keys.newest(1, [row.item_id]) == [run_key]

    async def test_requests_are_found_by_another_index(self, open_backend: OpenBackend) -> None:
        waiting, again = inbox_row(dedupe=b"old"), inbox_row(dedupe=b"new")
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(inbox=InboxChanges(inserts=[waiting, again])))
            assert await backend.inbox.get(again.item_id) == again
            await refused(
                backend.commit(Batch(inbox=InboxChanges(resealed=[(os.urandom(16), None, b"sealed")]))), Conflict
            )
            for _ in range(2):
                await backend.commit(Batch(inbox=InboxChanges(resealed=[(waiting.item_id, b"new", b"sealed")])))
            ((number, row),) = await backend.inbox.waiting(10)
            assert (number, row) == (numbers[0], waiting._replace(dedupe=b"new", record=b"sealed"))


class SealedInboxConformance:
    """The promises of `port.SealedInboxStore` and `SealedInboxChanges`."""

    async def test_items_are_sealed_to_the_current_key_only(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.sealed_inbox.key() is None
            assert await backend.sealed_inbox.size() == SealedSize(0, 0, 0)
            await refused(
                backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 1)]))), Conflict
            )
            key = inbox_key_row(FIRST)
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(FIRST, kind=Kind.INBOX_KEY)]),
                    sealed_inbox=SealedInboxChanges(key=key),
                )
            )
            assert await backend.sealed_inbox.key() == key
            items = [item_row(FIRST, sequence) for sequence in (1, 2, 3)]
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=items)))
            await refused(
                backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(SECOND, 4)]))), Conflict
            )
            await refused(
                backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 3)]))), Conflict
            )  # the number is taken
            assert await backend.sealed_inbox.items(2) == items[:2]
            assert await backend.sealed_inbox.size() == SealedSize(3, 240, 3)

    async def test_the_key_is_exchanged_when_nothing_waits(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            first, second = inbox_key_row(FIRST), inbox_key_row(SECOND)
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(FIRST, kind=Kind.INBOX_KEY)]),
                    sealed_inbox=SealedInboxChanges(key=first),
                )
            )
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 1)])))
            exchange = Batch(
                keys=KeyChanges(inserts=[key_row(SECOND, kind=Kind.INBOX_KEY)]),
                sealed_inbox=SealedInboxChanges(key=second),
            )
            await refused(backend.commit(exchange), Conflict)
            assert await backend.sealed_inbox.key() == first
            await backend.commit(
                Batch(sealed_inbox=SealedInboxChanges(drained=[(FIRST, 1), (FIRST, 7)]))
            )  # one that is gone is no error
            await backend.commit(exchange)
            assert await backend.sealed_inbox.key() == second
            assert await backend.keys.newest(Kind.INBOX_KEY, [FIRST]) == []
            assert [row.scope for row in await backend.keys.newest(Kind.INBOX_KEY, [SECOND])] == [SECOND]
            assert await backend.consistency.orphaned_keys(Kind.INBOX_KEY) == []

    async def test_it_is_closed_when_nothing_waits(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            key = Batch(
                keys=KeyChanges(inserts=[key_row(FIRST, kind=Kind.INBOX_KEY)]),
                sealed_inbox=SealedInboxChanges(key=inbox_key_row(FIRST)),
            )
            await backend.commit(key)
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 1)])))
            await refused(backend.commit(Batch(sealed_inbox=SealedInboxChanges(closed=True))), Conflict)
            assert await backend.sealed_inbox.key() is not None
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(drained=[(FIRST, 1)], closed=True)))
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(closed=True)))  # it is already
            assert await backend.sealed_inbox.key() is None
            assert await backend.keys.newest(Kind.INBOX_KEY, [FIRST]) == []
            await refused(
                backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 2)]))), Conflict
            )
            await backend.commit(key)
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 1)])))


class CallbackConformance:
    """The promises of `port.CallbackStore` and `CallbackChanges`."""

    async def test_tokens(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            tokens = [TokenRow(os.urandom(32), scope) for scope in (FIRST, FIRST, SECOND)]
            await backend.commit(Batch(callbacks=CallbackChanges(expected=[*tokens, tokens[0]])))
            assert [await backend.callbacks.scope(each.token_hash) for each in tokens] == [FIRST, FIRST, SECOND]
            assert await backend.callbacks.scope(bytes(32)) is None
            first, second, third = [each.token_hash for each in tokens]
            await backend.commit(Batch(callbacks=CallbackChanges(claimed=[first])))
            await backend.commit(Batch(callbacks=CallbackChanges(expected=[tokens[0]])))  # it stays claimed
            for claims in ([first], [second, first], [bytes(32)]):
                await refused(backend.commit(Batch(callbacks=CallbackChanges(claimed=claims))), AlreadyAnswered)
            await backend.commit(Batch(callbacks=CallbackChanges(reopened=[FIRST])))
            await backend.commit(Batch(callbacks=CallbackChanges(claimed=[first, second, third])))
            await backend.commit(Batch(callbacks=CallbackChanges(forgotten=[FIRST, b"3" * 16])))
            assert [await backend.callbacks.scope(each.token_hash) for each in tokens] == [None, None, SECOND]
