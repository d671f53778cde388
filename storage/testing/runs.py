"""The suite for runs."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import RecordNotFound
from ..port import (
    Batch,
    PageRow,
    RunChanges,
    RunUpdate,
    SnapshotRow,
)
from .rows import (
    ALL,
    OpenBackend,
    initialised,
    page_row,
    refused,
    run_row,
)


class RunConformance:
    """The promises of `port.RunStore` and `RunChanges`."""

    async def test_nothing_is_written_for_a_run_that_is_not_there(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            await refused(backend.commit(Batch(runs=RunChanges(pages=[page_row(b"r" * 16, 1)]))), RecordNotFound)
            update = RunUpdate(b"r" * 16, 2, 9, 2, b"head", 1, None)
            await refused(backend.commit(Batch(runs=RunChanges(updates=[update]))), RecordNotFound)
            await refused(
                backend.commit(Batch(runs=RunChanges(snapshots={b"r" * 16: SnapshotRow(b"r" * 16, 1, b"")}))),
                RecordNotFound,
            )

    async def test_runs_change(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            row = run_row(run)
            await backend.commit(Batch(runs=RunChanges(inserts=[row])))
            await backend.commit(Batch(runs=RunChanges(updates=[RunUpdate(run, 1, None, 2, b"head 2", 1, None)])))
            assert await backend.runs.get(run) == row._replace(head_version=2, head=b"head 2")
            await backend.commit(Batch(runs=RunChanges(updates=[RunUpdate(run, 3, 9, 3, b"head 3", 2, b"summary 2")])))
            assert await backend.runs.get(run) == row._replace(
                status=3, ended_ms=9, head_version=3, head=b"head 3", summary_version=2, summary=b"summary 2"
            )
            assert await backend.runs.unfinished() == []

    async def test_runs_are_listed_newest_first(self, open_backend: OpenBackend) -> None:
        flows, parents = (b"f" * 16, b"g" * 16), (None, b"p" * 16)
        rows = [
            run_row(os.urandom(16), flow_id=flows[n % 2], status=n % 3, parent=parents[n % 5 == 0]) for n in range(20)
        ]

        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=RunChanges(inserts=rows[:12])))
            await backend.commit(Batch(runs=RunChanges(inserts=rows[12:])))

            async def listed(
                flow_id: bytes | None = None,
                statuses: list[int] | None = None,
                parent: bytes | None = None,
                limit: int = 100,
                before: bytes | None = None,
            ) -> list[int]:
                found = await backend.runs.find(
                    flow_id=flow_id, statuses=statuses, parent=parent, limit=limit, before=before
                )
                return [rows.index(row) for row in found]

            newest = list(range(19, -1, -1))
            assert await listed() == newest
            assert await listed(limit=3) == [19, 18, 17]
            assert await listed(limit=3, before=rows[17].run_id) == [16, 15, 14]
            assert await listed(flow_id=flows[1]) == [n for n in newest if n % 2]
            assert await listed(statuses=[0, 2]) == [n for n in newest if n % 3 != 1]
            assert await listed(statuses=[]) == []
            assert await listed(parent=b"p" * 16) == [15, 10, 5, 0]
            assert await listed(flow_id=flows[1], statuses=[0], parent=b"p" * 16) == [15]
            assert await backend.runs.unfinished() == [row.run_id for row in rows]

    async def test_pages_come_in_order(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        mine = [page_row(run, seq) for seq in range(1, 600, 2)]
        theirs = [page_row(other, seq) for seq in range(1, 600, 2)]
        mixed = [page for pair in zip(mine, theirs, strict=True) for page in pair]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run), run_row(other)], pages=mixed[:101])))
            await backend.commit(Batch(runs=RunChanges(pages=mixed[101:])))
            assert await backend.runs.pages(run, 1, 1000, ALL) == mine
            assert await backend.runs.pages(run, 4, 2, ALL) == mine[2:4]
            assert await backend.runs.pages(run, 600, 10, ALL) == []

    async def test_pages_are_read_up_to_a_number_of_bytes(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        pages = [page_row(run, seq, 1000) for seq in range(1, 8)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)], pages=pages)))
            assert await backend.runs.pages(run, 1, 10, 2500) == pages[:3]
            assert await backend.runs.pages(run, 4, 10, 1) == pages[3:4]

    async def test_large_and_empty_records(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        pages = [page_row(run, 1, 20_000_000), page_row(run, 2, 0)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)], pages=pages)))
            assert await backend.runs.pages(run, 1, 10, ALL) == pages

    async def test_a_snapshot_replaces_the_one_before(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(runs=RunChanges(inserts=[run_row(run)], snapshots={run: SnapshotRow(run, 1, b"one")}))
            )
            await backend.commit(Batch(runs=RunChanges(snapshots={run: SnapshotRow(run, 2, b"two")})))
            assert await backend.runs.snapshot(run) == SnapshotRow(run, 2, b"two")

    async def test_a_history_is_written_beside_and_exchanged_at_once(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(run)._replace(ended_ms=9), run_row(other)])))
            there = [page_row(run, 1), page_row(run, 3)]
            kept = [page_row(other, 1)]
            await backend.commit(Batch(runs=RunChanges(pages=[*there, *kept])))

            def beside(*pages: PageRow) -> list[PageRow]:
                return [page._replace(seq=-page.seq) for page in pages]

            anew = [page_row(run, 1), page_row(run, 2), page_row(run, 3)]
            await backend.commit(
                Batch(runs=RunChanges(pages=beside(page_row(run, 1), page_row(run, 9), *kept)))
            )  # of a crash
            await backend.commit(Batch(runs=RunChanges(dropped_pages=[run], pages=beside(*anew[:2]))))
            assert await backend.runs.pages(run, 1, 10, ALL) == there
            await backend.commit(Batch(runs=RunChanges(pages=beside(anew[2]), exchanged=[run])))
            assert await backend.runs.pages(run, 1, 10, ALL) == anew
            assert await backend.runs.pages(other, 1, 10, ALL) == kept
            await backend.commit(Batch(runs=RunChanges(pages=beside(*anew))))
            await backend.commit(Batch(runs=RunChanges(removed=[run])))
            assert await backend.consistency.orphaned_rows() == {}
