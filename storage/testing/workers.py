"""The suites for workers and claims."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..port import (
    FOR_EVENTS,
    Batch,
    ClaimChanges,
    KeyChanges,
    QueueRow,
    RunChanges,
    RunUpdate,
    WaitRow,
)
from .rows import (
    OpenBackend,
    initialised,
    key_row,
    opened,
    page_row,
    run_row,
)


class WorkerConformance:
    """The promises of `port.WorkerStore`."""

    async def test_one_executor(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as two:
            async with opened(open_backend) as one:
                assert await one.workers.executor_pid() is None
                assert await one.workers.try_become_executor()
                assert await one.workers.try_become_executor()
                assert not await two.workers.try_become_executor()
                assert await two.workers.executor_pid() == os.getpid()
            assert await two.workers.executor_pid() is None
            assert await two.workers.try_become_executor()

    async def test_whoever_has_a_store_for_itself_shares_it_with_nobody(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as one, opened(open_backend) as two:
            assert await one.workers.try_become_executor()
            assert one.workers.leads
            assert not one.workers.shared
            assert not await two.workers.join()
            await one.close()
            assert await two.workers.join()
            async with opened(open_backend) as three:
                assert not await three.workers.try_become_executor()


class ClaimConformance:
    """The promises of `port.ClaimStore` and `ClaimChanges`."""

    async def test_a_worker_is_given_each_run_once(self, open_backend: OpenBackend) -> None:
        runs = [os.urandom(16) for _ in range(5)]
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(run) for run in runs]),
                    runs=RunChanges(inserts=[run_row(run) for run in runs]),
                )
            )
            await backend.commit(Batch(runs=RunChanges(updates=[RunUpdate(runs[1], 2, 9, 2, b"head", 1, None)])))
        async with opened(open_backend) as backend:
            assert await backend.workers.join()
            assert await backend.workers.join()
            assert backend.workers.leads
            assert await backend.claims.claim(2, 0) == [runs[0], runs[2]]
            assert await backend.claims.claim(10, 0) == runs[3:]
            assert await backend.claims.claim(10, 0) == []
            own = os.urandom(16)
            await backend.commit(
                Batch(
                    owned={own: 1},
                    keys=KeyChanges(inserts=[key_row(own)]),
                    runs=RunChanges(inserts=[run_row(own)], pages=[page_row(own, 1)]),
                )
            )
            assert await backend.claims.claim(10, 0) == []
            assert await backend.claims.claim_run(own)
            assert await backend.runs.unfinished_of(b"F" * 16) == [runs[0], *runs[2:], own]
            assert await backend.runs.unfinished_of(b"G" * 16) == []

    async def test_runs_that_wait_are_given_when_they_are_due(self, open_backend: OpenBackend) -> None:
        early, late, event, gone = (os.urandom(16) for _ in range(4))
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            assert await backend.claims.next_wake() is None
            await backend.commit(Batch(keys=KeyChanges(inserts=[key_row(each) for each in (early, late, event, gone)])))
            await backend.commit(Batch(runs=RunChanges(inserts=[run_row(each) for each in (early, late, event, gone)])))
            waits = [WaitRow(late, 20, True), WaitRow(early, 10, True), WaitRow(event, FOR_EVENTS, True)]
            await backend.commit(
                Batch(owned={gone: 1}, runs=RunChanges(updates=[RunUpdate(gone, 2, 9, 2, b"head", 1, None)]))
            )
            await backend.commit(Batch(claims=ClaimChanges(waits=[*waits, WaitRow(gone, 1, True)])))
            assert await backend.claims.next_wake() == 10
            assert await backend.claims.claim(10, 9) == []
            assert await backend.claims.claim(10, 10) == [early]
            assert await backend.claims.claim(10, 10) == []
            assert await backend.claims.next_wake() == 20
            await backend.commit(Batch(claims=ClaimChanges(wakes=[event, gone, b"x" * 16])))
            assert await backend.claims.claim(10, 30) in ([event, late], [late, event])
        async with opened(open_backend) as backend:  # what was claimed and not done is ready for the next
            assert await backend.workers.join()
            assert sorted(await backend.claims.claim(10, 0)) == sorted([early, late, event])

    async def test_a_run_falls_asleep_with_the_commit_that_changes_its_key(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            await backend.commit(
                Batch(owned={run: 1}, keys=KeyChanges(inserts=[key_row(run)]), runs=RunChanges(inserts=[run_row(run)]))
            )
            await backend.commit(
                Batch(
                    owned={run: 1},
                    runs=RunChanges(updates=[RunUpdate(run, 1, None, 2, b"head", 1, None)], domains=[(run, 2)]),
                    claims=ClaimChanges(waits=[WaitRow(run, 50, True)]),
                )
            )
            row = await backend.runs.get(run)
            assert row is not None
            assert (row.domain, row.head_version) == (2, 2)
            assert await backend.claims.claim(10, 50) == [run]

    async def test_what_a_run_is_told_while_it_goes_on_is_not_slept_over(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            await backend.commit(
                Batch(keys=KeyChanges(inserts=[key_row(run)]), runs=RunChanges(inserts=[run_row(run)]))
            )
            await backend.commit(Batch(claims=ClaimChanges(wakes=[run])))
            await backend.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, 50, True)])))
            assert run in await backend.claims.claim(10, 0)
            await backend.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, 50, True)])))
            assert await backend.claims.claim(10, 49) == []
            assert await backend.claims.claim(10, 50) == [run]
            await backend.commit(Batch(claims=ClaimChanges(wakes=[run])))
            await backend.commit(Batch(claims=ClaimChanges(waits=[WaitRow(run, 60, True)])))
            assert run in await backend.claims.claim(10, 0)

    async def test_what_a_run_has_heard_is_not_slept_over_when_its_process_dies(
        self, open_backend: OpenBackend
    ) -> None:
        """Between the look that takes the word and the run's next step, or where it was just falling asleep."""
        asleep, awake = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            both = [asleep, awake]
            await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=[key_row(run) for run in both]),
                    runs=RunChanges(inserts=[run_row(run) for run in both]),
                )
            )
            await backend.commit(Batch(claims=ClaimChanges(wakes=both)))
            assert await backend.claims.claim(10, 0, here=both) == []
            await backend.claims.signalled()
            await backend.commit(
                Batch(claims=ClaimChanges(waits=[WaitRow(asleep, 50, True), WaitRow(awake, 0, False)]))
            )
            await backend.commit(Batch(claims=ClaimChanges(waits=[WaitRow(awake, 40, True)])))
        async with opened(open_backend) as backend:
            assert await backend.workers.join()
            assert await backend.claims.claim(10, 39) == [asleep]
            assert await backend.claims.claim(10, 40) == [awake]  # which had gone on after it

    async def test_runs_of_a_queue_are_for_whoever_serves_it(self, open_backend: OpenBackend) -> None:
        one, two, other, free = (os.urandom(16) for _ in range(4))
        queue, another = b"Q" * 16, b"R" * 16
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            await backend.commit(Batch(keys=KeyChanges(inserts=[key_row(each) for each in (one, two, other, free)])))
            await backend.commit(
                Batch(
                    runs=RunChanges(inserts=[run_row(each) for each in (one, two, other, free)]),
                    claims=ClaimChanges(
                        queues=[QueueRow(one, queue, 1), QueueRow(two, queue, 0), QueueRow(other, another, 1)],
                        waits=[
                            WaitRow(one, FOR_EVENTS, True),
                            WaitRow(two, 40, True),
                            WaitRow(other, FOR_EVENTS, True),
                        ],
                    ),
                )
            )
            assert [await backend.claims.queue_of(each) for each in (one, other, free)] == [queue, another, None]
            assert [row.run_id for row in await backend.claims.queued([queue], 10)] == [two, one]
            assert await backend.claims.claim(10, 39) in ([], [free])
            assert await backend.claims.next_wake() == 40
            assert await backend.claims.claim_queued([queue], 1, 0) == [two]
            assert await backend.claims.claim_queued([queue], 10, 0, here=[two]) == [one]
            assert [row.rank for row in await backend.claims.queued([queue, another], 10)] == [-2, -1, 1]
            await backend.commit(
                Batch(claims=ClaimChanges(waits=[WaitRow(one, 50, True)]))
            )  # it sleeps, and is still theirs
            assert await backend.claims.claim(10, 60) == []
            assert await backend.claims.next_wake([queue], alone=True) == 50
            assert await backend.claims.claim_queued([queue], 10, 49, here=[two]) == []
            assert await backend.claims.claim_queued([queue], 10, 50, here=[two]) == [one]

    async def test_a_run_that_waits_too_long_in_its_queue_is_looked_at(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            await backend.commit(Batch(keys=KeyChanges(inserts=[key_row(run)])))
            queued = QueueRow(run, b"Q" * 16, 1)
            await backend.commit(
                Batch(
                    runs=RunChanges(inserts=[run_row(run)]),
                    claims=ClaimChanges(queues=[queued], waits=[WaitRow(run, 40, True)]),
                )
            )
            assert await backend.claims.claim(10, 39) == []
            assert await backend.claims.claim(10, 40) == [run]
