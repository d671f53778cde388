"""The part of the published suite about workers: which runs they are given, and when. Subclass it beside
`BackendConformance`.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from .conformance import OpenBackend, initialised, key_row, opened, page_row, run_row
from .rows import FOR_EVENTS, Batch, RunUpdate, WaitRow


class WorkerConformance:
    """What `port.Backend` promises to those who execute runs."""

    async def test_a_worker_is_given_each_run_once(self, open_backend: OpenBackend) -> None:
        runs = [os.urandom(16) for _ in range(5)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=[key_row(run) for run in runs], runs=[run_row(run) for run in runs]))
            await backend.commit(Batch(run_updates=[RunUpdate(runs[1], 2, 9, 2, b"head", 1, None)]))
        async with opened(open_backend) as backend:
            assert await backend.join()
            assert await backend.join()
            assert backend.leads
            assert await backend.claim(2, 0) == [runs[0], runs[2]]
            assert await backend.claim(10, 0) == runs[3:]
            assert await backend.claim(10, 0) == []
            own = os.urandom(16)
            await backend.commit(Batch(keys=[key_row(own)], runs=[run_row(own)], pages=[page_row(own, 1)]))
            assert await backend.claim(10, 0) == []
            assert await backend.claim_run(own)
            assert await backend.unfinished_of(b"F" * 16) == [runs[0], *runs[2:], own]
            assert await backend.unfinished_of(b"G" * 16) == []

    async def test_runs_that_wait_are_given_when_they_are_due(self, open_backend: OpenBackend) -> None:
        early, late, event, gone = (os.urandom(16) for _ in range(4))
        async with initialised(open_backend) as backend:
            assert await backend.join()
            assert await backend.next_wake() is None
            await backend.commit(Batch(keys=[key_row(each) for each in (early, late, event, gone)]))
            await backend.commit(Batch(runs=[run_row(each) for each in (early, late, event, gone)]))
            waits = [WaitRow(late, 20, True), WaitRow(early, 10, True), WaitRow(event, FOR_EVENTS, True)]
            await backend.commit(Batch(run_updates=[RunUpdate(gone, 2, 9, 2, b"head", 1, None)]))
            await backend.commit(Batch(waits=[*waits, WaitRow(gone, 1, True)]))
            assert await backend.next_wake() == 10
            assert await backend.claim(10, 9) == []
            assert await backend.claim(10, 10) == [early]
            assert await backend.claim(10, 10) == []
            assert await backend.next_wake() == 20
            await backend.commit(Batch(wakes=[event, gone, b"x" * 16]))
            assert await backend.claim(10, 30) in ([event, late], [late, event])
        async with opened(open_backend) as backend:  # what was claimed and not done is ready for the next
            assert await backend.join()
            assert sorted(await backend.claim(10, 0)) == sorted([early, late, event])

    async def test_what_a_run_is_told_while_it_goes_on_is_not_slept_over(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.join()
            await backend.commit(Batch(keys=[key_row(run)], runs=[run_row(run)]))
            await backend.commit(Batch(wakes=[run]))
            await backend.commit(Batch(waits=[WaitRow(run, 50, True)]))
            assert run in await backend.claim(10, 0)
            await backend.commit(Batch(waits=[WaitRow(run, 50, True)]))
            assert await backend.claim(10, 49) == []
            assert await backend.claim(10, 50) == [run]
            await backend.commit(Batch(wakes=[run]))
            assert run in [*await backend.told(), *await backend.claim(10, 0)]

    async def test_whoever_has_a_store_for_itself_shares_it_with_nobody(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as one, opened(open_backend) as two:
            assert await one.try_become_executor()
            assert one.leads
            assert not one.shared
            assert not await two.join()
            await one.close()
            assert await two.join()
            async with opened(open_backend) as three:
                assert not await three.try_become_executor()
