"""The part of the published suite about large values: chunks, and which of them are left over. Subclass it beside
`BackendConformance`.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..rows import Batch, ChunkRow, LargeValueRow, RunUpdate
from .backends import ALL, OpenBackend, initialised, key_row, opened, page_row, refused, run_row


def value_row(run_id: bytes, *, created_ms: int = 5, settled: int = 0) -> LargeValueRow:
    return LargeValueRow(os.urandom(16), run_id, created_ms, settled)


def chunk(value: LargeValueRow, number: int, size: int = 100) -> ChunkRow:
    return ChunkRow(value.value_id, number, os.urandom(size))


def ended(run_id: bytes) -> RunUpdate:
    return RunUpdate(run_id, 2, 9, 2, b"head", 1, None)


class LargeValuesConformance:
    """What `port.Backend` promises of large values."""

    async def test_chunks_come_in_order(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        value, other = value_row(run), value_row(run)
        chunks = [chunk(value, number) for number in range(1, 6)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(large_values=[value, other], chunks=[*chunks[:2], chunk(other, 1)]))
            await backend.commit(Batch(keys=[key_row(run)], runs=[run_row(run)], chunks=chunks[2:]))
        async with opened(open_backend) as backend:
            assert await backend.chunks(value.value_id, 0, 10) == chunks
            assert await backend.chunks(value.value_id, 1, 2) == chunks[1:3]
            assert await backend.chunks(value.value_id, 5, 2) == []
            assert await backend.chunks(os.urandom(16), 0, 10) == []
            assert await backend.large_values(run) == [value, other]
            assert await backend.large_values(os.urandom(16)) == []

    async def test_a_chunk_belongs_to_a_value_that_is_there(self, open_backend: OpenBackend) -> None:
        value = value_row(os.urandom(16))
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(chunks=[chunk(value, 1)]))  # of who was given up: it harms nobody
            assert await backend.chunks(value.value_id, 0, 10) == []
            await refused(backend.commit(Batch(settled_values=[value.value_id])), Conflict)
            await backend.commit(Batch(large_values=[value], chunks=[chunk(value, 1)]))
            await refused(backend.commit(Batch(chunks=[chunk(value, 1)])), Conflict)
            await refused(backend.commit(Batch(large_values=[value])), Conflict)
            assert len(await backend.chunks(value.value_id, 0, 10)) == 1

    async def test_what_no_record_names_is_left_over(self, open_backend: OpenBackend) -> None:
        flying, over, nowhere = (os.urandom(16) for _ in range(3))
        lists = {run: [value_row(run, created_ms=at) for at in (5, 6)] for run in (flying, over, nowhere)}
        values = [value for each in lists.values() for value in each]
        async with initialised(open_backend) as backend:
            runs = [run_row(run) for run in (flying, over)]
            await backend.commit(Batch(keys=[key_row(flying), key_row(over)], runs=runs))
            await backend.commit(Batch(large_values=values, chunks=[chunk(value, 1) for value in values]))
            await backend.commit(Batch(settled_values=[lists[over][0].value_id], run_updates=[ended(over)]))
            assert await backend.unsettled_values(6, 10) == lists[nowhere][:1]
            assert await backend.unsettled_values(7, 10) == [lists[over][1], *lists[nowhere]]
            assert await backend.unsettled_values(7, 1) == [lists[over][1]]
            assert await backend.strays() == {}
            dropped = [value.value_id for value in values]
            await backend.commit(Batch(dropped_values=[*dropped, os.urandom(16)]))
            assert await backend.large_values(over) == [lists[over][0]._replace(settled=1)]
            assert await backend.large_values(flying) == await backend.large_values(nowhere) == []
            assert len(await backend.chunks(lists[over][0].value_id, 0, 10)) == 1
            assert await backend.chunks(lists[over][1].value_id, 0, 10) == []
            await refused(backend.commit(Batch(settled_values=[lists[over][1].value_id])), Conflict)

    async def test_a_settled_value_of_no_run_is_astray(self, open_backend: OpenBackend) -> None:
        value = value_row(os.urandom(16), settled=1)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(large_values=[value]))
            assert await backend.strays() == {"large_values": 1}

    async def test_values_go_with_their_run_and_count_for_it(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        values = [value_row(run, settled=1), value_row(run), value_row(other, settled=1)]
        async with initialised(open_backend) as backend:
            batch = Batch(keys=[key_row(run), key_row(other)], runs=[run_row(run), run_row(other)])
            batch.pages = [page_row(run, 1, 50), page_row(other, 1, 60)]
            batch.large_values, batch.chunks = values, [chunk(value, 1, 1000) for value in values]
            await backend.commit(batch)
            assert await backend.run_sizes(b"F" * 16) == {run: 2050, other: 1060}
            await backend.commit(Batch(run_updates=[ended(run)]))
            await backend.commit(Batch(removed_runs=[run]))
            assert await backend.large_values(run) == []
            assert [len(await backend.chunks(value.value_id, 0, 10)) for value in values] == [0, 0, 1]
            assert await backend.strays() == {}

    async def test_chunks_that_wait_take_the_place_of_the_others(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        values = [value_row(run, settled=1), value_row(other, settled=1)]
        async with initialised(open_backend) as backend:
            batch = Batch(keys=[key_row(run), key_row(other)], runs=[run_row(run), run_row(other)])
            batch.large_values = values
            batch.chunks = [chunk(value, number) for value in values for number in (1, 2)]
            batch.pages = [page_row(run, 1)]
            await backend.commit(batch)
            stale, pages = chunk(values[0], -1), [page_row(run, -1)]
            await backend.commit(Batch(chunks=[stale], pages=pages))
            assert await backend.chunks(values[0].value_id, 0, 10) == batch.chunks[:2]
            fresh = [chunk(values[0], -1), chunk(values[0], -2)]
            await backend.commit(Batch(dropped_pages=[run], pages=pages, chunks=fresh[:1]))
            assert await backend.chunks(values[0].value_id, 0, 10) == batch.chunks[:2]
            await backend.commit(Batch(chunks=fresh[1:], exchanged_pages=[run]))
            assert await backend.chunks(values[0].value_id, 0, 10) == [
                each._replace(number=-each.number) for each in fresh
            ]
            assert await backend.chunks(values[1].value_id, 0, 10) == batch.chunks[2:]
            assert len(await backend.pages(run, 1, 10, ALL)) == 1
