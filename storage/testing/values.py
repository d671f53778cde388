"""The suite for large values."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..port import (
    Batch,
    KeyChanges,
    RunChanges,
    ValueChanges,
)
from .rows import (
    ALL,
    OpenBackend,
    chunk,
    ended,
    initialised,
    key_row,
    opened,
    page_row,
    refused,
    run_row,
    value_row,
)


class ValueConformance:
    """The promises of `port.ValueStore` and `ValueChanges`."""

    async def test_chunks_come_in_order(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        value, other = value_row(run), value_row(run)
        chunks = [chunk(value, number) for number in range(1, 6)]
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(values=ValueChanges(inserts=[value, other], chunks=[*chunks[:2], chunk(other, 1)]))
            )
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(run)]),
                    runs=RunChanges(inserts=[run_row(run)]),
                    values=ValueChanges(chunks=chunks[2:]),
                )
            )
        async with opened(open_backend) as backend:
            assert await backend.values.chunks(value.value_id, 0, 10) == chunks
            assert await backend.values.chunks(value.value_id, 1, 2) == chunks[1:3]
            assert await backend.values.chunks(value.value_id, 5, 2) == []
            assert await backend.values.chunks(os.urandom(16), 0, 10) == []
            assert await backend.values.of_run(run) == [value, other]
            assert await backend.values.of_run(os.urandom(16)) == []

    async def test_a_chunk_belongs_to_a_value_that_is_there(self, open_backend: OpenBackend) -> None:
        value = value_row(os.urandom(16))
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(values=ValueChanges(chunks=[chunk(value, 1)]))
            )  # of who was given up: it harms nobody
            assert await backend.values.chunks(value.value_id, 0, 10) == []
            await refused(backend.commit(Batch(values=ValueChanges(settled=[value.value_id]))), Conflict)
            await backend.commit(Batch(values=ValueChanges(inserts=[value], chunks=[chunk(value, 1)])))
            await refused(backend.commit(Batch(values=ValueChanges(chunks=[chunk(value, 1)]))), Conflict)
            await refused(backend.commit(Batch(values=ValueChanges(inserts=[value]))), Conflict)
            assert len(await backend.values.chunks(value.value_id, 0, 10)) == 1

    async def test_what_no_record_names_is_left_over(self, open_backend: OpenBackend) -> None:
        flying, over, nowhere = (os.urandom(16) for _ in range(3))
        lists = {run: [value_row(run, created_ms=at) for at in (5, 6)] for run in (flying, over, nowhere)}
        values = [value for each in lists.values() for value in each]
        async with initialised(open_backend) as backend:
            runs = [run_row(run) for run in (flying, over)]
            await backend.commit(
                Batch(keys=KeyChanges(inserts=[key_row(flying), key_row(over)]), runs=RunChanges(inserts=runs))
            )
            await backend.commit(
                Batch(values=ValueChanges(inserts=values, chunks=[chunk(value, 1) for value in values]))
            )
            await backend.commit(
                Batch(values=ValueChanges(settled=[lists[over][0].value_id]), runs=RunChanges(updates=[ended(over)]))
            )
            assert await backend.values.unsettled(6, 10) == lists[nowhere][:1]
            assert await backend.values.unsettled(7, 10) == [lists[over][1], *lists[nowhere]]
            assert await backend.values.unsettled(7, 1) == [lists[over][1]]
            assert await backend.consistency.orphaned_rows() == {}
            dropped = [value.value_id for value in values]
            await backend.commit(Batch(values=ValueChanges(dropped=[*dropped, os.urandom(16)])))
            assert await backend.values.of_run(over) == [lists[over][0]._replace(settled=1)]
            assert await backend.values.of_run(flying) == await backend.values.of_run(nowhere) == []
            assert len(await backend.values.chunks(lists[over][0].value_id, 0, 10)) == 1
            assert await backend.values.chunks(lists[over][1].value_id, 0, 10) == []
            await refused(backend.commit(Batch(values=ValueChanges(settled=[lists[over][1].value_id]))), Conflict)

    async def test_a_settled_value_of_no_run_is_astray(self, open_backend: OpenBackend) -> None:
        value = value_row(os.urandom(16), settled=1)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(values=ValueChanges(inserts=[value])))
            assert await backend.consistency.orphaned_rows() == {"large_values": 1}

    async def test_values_go_with_their_run_and_count_for_it(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        values = [value_row(run, settled=1), value_row(run), value_row(other, settled=1)]
        async with initialised(open_backend) as backend:
            batch = Batch(
                keys=KeyChanges(inserts=[key_row(run), key_row(other)]),
                runs=RunChanges(inserts=[run_row(run), run_row(other)]),
            )
            batch.runs.pages = [page_row(run, 1, 50), page_row(other, 1, 60)]
            batch.values.inserts, batch.values.chunks = values, [chunk(value, 1, 1000) for value in values]
            await backend.commit(batch)
            assert await backend.runs.sizes(b"F" * 16) == {run: 2050, other: 1060}
            await backend.commit(Batch(runs=RunChanges(updates=[ended(run)])))
            await backend.commit(Batch(runs=RunChanges(removed=[run])))
            assert await backend.values.of_run(run) == []
            assert [len(await backend.values.chunks(value.value_id, 0, 10)) for value in values] == [0, 0, 1]
            assert await backend.consistency.orphaned_rows() == {}

    async def test_chunks_that_wait_take_the_place_of_the_others(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        values = [value_row(run, settled=1), value_row(other, settled=1)]
        async with initialised(open_backend) as backend:
            batch = Batch(
                keys=KeyChanges(inserts=[key_row(run), key_row(other)]),
                runs=RunChanges(inserts=[run_row(run), run_row(other)]),
            )
            batch.values.inserts = values
            batch.values.chunks = [chunk(value, number) for value in values for number in (1, 2)]
            batch.runs.pages = [page_row(run, 1)]
            await backend.commit(batch)
            stale, pages = chunk(values[0], -1), [page_row(run, -1)]
            await backend.commit(Batch(values=ValueChanges(chunks=[stale]), runs=RunChanges(pages=pages)))
            assert await backend.values.chunks(values[0].value_id, 0, 10) == batch.values.chunks[:2]
            fresh = [chunk(values[0], -1), chunk(values[0], -2)]
            await backend.commit(
                Batch(runs=RunChanges(dropped_pages=[run], pages=pages), values=ValueChanges(chunks=fresh[:1]))
            )
            assert await backend.values.chunks(values[0].value_id, 0, 10) == batch.values.chunks[:2]
            await backend.commit(Batch(values=ValueChanges(chunks=fresh[1:]), runs=RunChanges(exchanged=[run])))
            assert await backend.values.chunks(values[0].value_id, 0, 10) == [
                each._replace(number=-each.number) for each in fresh
            ]
            assert await backend.values.chunks(values[1].value_id, 0, 10) == batch.values.chunks[2:]
            assert len(await backend.runs.pages(run, 1, 10, ALL)) == 1
