"""What a backend does with the rows of a locked environment's inbox: the part of the published suite that is about
them. Subclass it beside `BackendConformance`.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import AlreadyAnswered, Conflict
from ..format.purposes import Kind
from ..rows import Batch, InboxKeyRow, SealedItemRow, SealedSize, TokenRow
from .backends import OpenBackend, initialised, key_row, refused


def inbox_key_row(key_id: bytes) -> InboxKeyRow:
    return InboxKeyRow(key_id, 5, os.urandom(32), os.urandom(32), os.urandom(96))


def item_row(key_id: bytes, sequence: int, size: int = 80) -> SealedItemRow:
    return SealedItemRow(key_id, sequence, 4, b"R" * 16, 5, os.urandom(32), os.urandom(size))


FIRST, SECOND = b"1" * 16, b"2" * 16


class SealedInboxConformance:
    """Items belong to the current key, and the key stays while items wait."""

    async def test_items_are_sealed_to_the_current_key_only(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            assert await backend.inbox_key() is None
            assert await backend.sealed_size() == SealedSize(0, 0, 0)
            await refused(backend.commit(Batch(sealed_items=[item_row(FIRST, 1)])), Conflict)
            key = inbox_key_row(FIRST)
            await backend.commit(Batch(keys=[key_row(FIRST, kind=Kind.INBOX_KEY)], inbox_key=key))
            assert await backend.inbox_key() == key
            items = [item_row(FIRST, sequence) for sequence in (1, 2, 3)]
            await backend.commit(Batch(sealed_items=items))
            await refused(backend.commit(Batch(sealed_items=[item_row(SECOND, 4)])), Conflict)
            await refused(backend.commit(Batch(sealed_items=[item_row(FIRST, 3)])), Conflict)  # the number is taken
            assert await backend.sealed_items(2) == items[:2]
            assert await backend.sealed_size() == SealedSize(3, 240, 3)

    async def test_the_key_is_exchanged_when_nothing_waits(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            first, second = inbox_key_row(FIRST), inbox_key_row(SECOND)
            await backend.commit(Batch(keys=[key_row(FIRST, kind=Kind.INBOX_KEY)], inbox_key=first))
            await backend.commit(Batch(sealed_items=[item_row(FIRST, 1)]))
            exchange = Batch(keys=[key_row(SECOND, kind=Kind.INBOX_KEY)], inbox_key=second)
            await refused(backend.commit(exchange), Conflict)
            assert await backend.inbox_key() == first
            await backend.commit(Batch(drained=[(FIRST, 1), (FIRST, 7)]))  # one that is gone is no error
            await backend.commit(exchange)
            assert await backend.inbox_key() == second
            assert await backend.keys(Kind.INBOX_KEY, [FIRST]) == []
            assert [row.scope for row in await backend.keys(Kind.INBOX_KEY, [SECOND])] == [SECOND]
            assert await backend.orphaned_keys(Kind.INBOX_KEY) == []

    async def test_it_is_closed_when_nothing_waits(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            key = Batch(keys=[key_row(FIRST, kind=Kind.INBOX_KEY)], inbox_key=inbox_key_row(FIRST))
            await backend.commit(key)
            await backend.commit(Batch(sealed_items=[item_row(FIRST, 1)]))
            await refused(backend.commit(Batch(closed_inbox=True)), Conflict)
            assert await backend.inbox_key() is not None
            await backend.commit(Batch(drained=[(FIRST, 1)], closed_inbox=True))
            await backend.commit(Batch(closed_inbox=True))  # it is already
            assert await backend.inbox_key() is None
            assert await backend.keys(Kind.INBOX_KEY, [FIRST]) == []
            await refused(backend.commit(Batch(sealed_items=[item_row(FIRST, 2)])), Conflict)
            await backend.commit(key)
            await backend.commit(Batch(sealed_items=[item_row(FIRST, 1)]))

    async def test_tokens(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            tokens = [TokenRow(os.urandom(32), scope) for scope in (FIRST, FIRST, SECOND)]
            await backend.commit(Batch(expected_tokens=[*tokens, tokens[0]]))
            assert [await backend.callback_scope(each.token_hash) for each in tokens] == [FIRST, FIRST, SECOND]
            assert await backend.callback_scope(bytes(32)) is None
            first, second, third = [each.token_hash for each in tokens]
            await backend.commit(Batch(claimed_tokens=[first]))
            await backend.commit(Batch(expected_tokens=[tokens[0]]))  # it stays claimed
            for claims in ([first], [second, first], [bytes(32)]):
                await refused(backend.commit(Batch(claimed_tokens=claims)), AlreadyAnswered)
            await backend.commit(Batch(reopened_tokens=[FIRST]))
            await backend.commit(Batch(claimed_tokens=[first, second, third]))
            await backend.commit(Batch(forgotten_tokens=[FIRST, b"3" * 16]))
            assert [await backend.callback_scope(each.token_hash) for each in tokens] == [None, None, SECOND]
