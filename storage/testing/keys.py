"""The part of the suite for backends that is about administrators' acts: guards, the state of keys, rows that are
replaced, wrapped anew and retired, and what the control store keeps. Use it as conformance.py says.
"""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict, EnvironmentLocked, StaleKeys
from ..format.purposes import Kind
from ..port import Backend
from ..rows import (
    AssignmentRow,
    Batch,
    ConnectionRow,
    Guard,
    KeyCount,
    KeyStateRow,
    LinkedRow,
    OperationRow,
    PageRow,
    PolicyRow,
    SnapshotRow,
    VersionRow,
)
from .backends import (
    ALL,
    ENVIRONMENT_KEY,
    OpenBackend,
    inbox_row,
    initialised,
    key_row,
    message_row,
    opened,
    page_row,
    refused,
    run_row,
    trigger_row,
)

CUSTOMER_KEY = ENVIRONMENT_KEY._replace(domain=2, policy_epoch=1)


async def state(backend: Backend, epoch: int, lock_epoch: int = 0) -> KeyStateRow:
    """The state with these epochs, written."""
    row = KeyStateRow(epoch, lock_epoch, os.urandom(80))
    await backend.commit(Batch(key_state=row))
    return row


class KeyRowsConformance:
    """The promises of `port.Backend` about keys and those who administer them."""

    async def test_a_new_store_has_none_of_it(self, open_backend: OpenBackend) -> None:
        async with opened(open_backend) as backend:
            assert await backend.key_state() is None
            assert await backend.policies() == []
            assert await backend.assignments() == []
            assert await backend.audit(0, 10) == []
            assert await backend.last_audit() is None
            assert await backend.policy(b"n" * 16) is None
            assert await backend.connections() == []
            assert await backend.operations() == []
            assert await backend.connection([b"n" * 16]) is await backend.connection([]) is None
            assert await backend.key_counts() == []
            assert await backend.run_counts() == []
            assert await backend.keys_of(1, None, 10) == []
            assert await backend.mixed_scopes(Kind.RUN) == []
            assert await backend.key_generations(Kind.RUN, b"r" * 16) == []
            assert await backend.message(b"m" * 16) is None
            assert await backend.inbox_item(b"i" * 16) is None

    # --- state and guards

    async def test_the_state_is_followed_by_its_next_only(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            for first in ((0, 0), (1, 1), (2, 0), (0, 2)):
                await refused(backend.commit(Batch(key_state=KeyStateRow(*first, b""))), Conflict)
            row = await state(backend, 1)
            assert await backend.key_state() == row
            for stale in ((1, 0), (2, 1), (3, 0), (0, 1), (1, 2)):
                await refused(backend.commit(Batch(key_state=KeyStateRow(*stale, b""))), Conflict)
            assert await backend.key_state() == row
            assert await backend.key_state() == row
            await state(backend, 1, 1)
            row = await state(backend, 2, 1)
        async with opened(open_backend) as backend:
            assert await backend.key_state() == row

    async def test_a_guard_holds_or_refuses_the_whole_batch(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)

        def guarded(guard: Guard) -> Batch:
            return Batch(guard=guard, keys=[key_row(run)], runs=[run_row(run)])

        async with initialised(open_backend) as backend:
            for wrong in (Guard(1), Guard(0, 1), Guard(2)):
                await refused(backend.commit(guarded(wrong)), StaleKeys)
            await state(backend, 1)
            await refused(backend.commit(guarded(Guard(0, 0))), StaleKeys)
            await state(backend, 1, 1)
            for locked in (Guard(0), Guard(0, 1), Guard(1), Guard(1, 1)):
                await refused(backend.commit(guarded(locked)), EnvironmentLocked)
            await refused(
                backend.commit(Batch(guard=Guard(0, 1), key_state=KeyStateRow(1, 2, b""))), StaleKeys, Conflict
            )
            await backend.commit(Batch(guard=Guard(1, 1), key_state=KeyStateRow(1, 2, b"")))
            await refused(backend.commit(guarded(Guard(0))), StaleKeys)
            assert await backend.run(run) is None
            assert await backend.keys(Kind.RUN, [run]) == []
            await backend.commit(guarded(Guard(2)))
            await backend.commit(Batch(guard=Guard(2, 1)))

    # --- environment keys

    async def test_environment_keys_are_replaced(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(environment_keys=[CUSTOMER_KEY]))
            other = CUSTOMER_KEY._replace(kek=b"new", wrapped=b"again", policy_epoch=2, mac=b"m", predecessor_mac=b"p")
            await backend.commit(Batch(replaced_environment_keys=[other]))
            assert await backend.environment_keys() == [ENVIRONMENT_KEY, other]
            missing = other._replace(version=2)
            await refused(backend.commit(Batch(replaced_environment_keys=[other, missing])), Conflict)

    async def test_an_environment_key_is_retired_once_nothing_needs_it(self, open_backend: OpenBackend) -> None:
        scope = key_row(os.urandom(16))
        later = ENVIRONMENT_KEY._replace(version=2)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(environment_keys=[later], keys=[scope]))
            await refused(backend.commit(Batch(retired_environment_keys=[(1, 1)])), Conflict)
            await backend.commit(Batch(rewrapped_keys=[scope._replace(key_version=2)]))
            await backend.commit(Batch(retired_environment_keys=[(1, 1)]))
            assert await backend.environment_keys() == [later]
            await refused(backend.commit(Batch(retired_environment_keys=[(1, 1)])), Conflict)
            await refused(backend.commit(Batch(keys=[key_row(os.urandom(16))])), Conflict)

    # --- scope keys

    async def test_scope_keys_are_wrapped_anew(self, open_backend: OpenBackend) -> None:
        rows = [key_row(os.urandom(16)) for _ in range(5)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(environment_keys=[CUSTOMER_KEY], keys=rows))
            moved = [row._replace(domain=2, wrapped=b"anew") for row in rows[:2]]
            await backend.commit(Batch(rewrapped_keys=moved))
            assert sorted(await backend.keys(Kind.RUN, [row.scope for row in rows])) == sorted([*moved, *rows[2:]])
            assert [row for _, row in await backend.keys_of(1, 1, 10)] == rows[2:]
            assert [row for _, row in await backend.keys_of(2, None, 10)] == moved
            another = rows[2]._replace(domain=2, kid=os.urandom(32))
            await refused(backend.commit(Batch(rewrapped_keys=[rows[3]._replace(domain=2), another])), Conflict)
            assert [row for _, row in await backend.keys_of(1, 1, 10)] == rows[2:]
            ((number, first),) = await backend.keys_of(1, 1, 1)
            assert first == rows[2]
            assert [row for _, row in await backend.keys_of(1, 1, 10, number)] == rows[3:]
            assert await backend.key_counts() == [KeyCount(1, 1, 1, 3), KeyCount(1, 2, 1, 2)]

    async def test_generations(self, open_backend: OpenBackend) -> None:
        scope, other = os.urandom(16), os.urandom(16)
        rows = [key_row(scope, generation=generation) for generation in (1, 2, 3)]
        more = [key_row(other), key_row(scope, kind=Kind.FLOW)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=[rows[2], *rows[:2], *more]))
            assert await backend.key_generations(Kind.RUN, scope) == rows
            assert await backend.mixed_scopes(Kind.RUN) == [scope]
            assert await backend.mixed_scopes(Kind.FLOW) == []
            await backend.commit(Batch(dropped_generations=[(Kind.RUN, scope, 3), (Kind.RUN, os.urandom(16), 9)]))
            assert await backend.key_generations(Kind.RUN, scope) == rows[2:]
            assert await backend.keys(Kind.RUN, [other]) == more[:1]
            assert await backend.keys(Kind.FLOW, [scope]) == more[1:]

    # --- what they seal

    async def test_rows_are_sealed_anew(self, open_backend: OpenBackend) -> None:
        run, other, flow = os.urandom(16), os.urandom(16), os.urandom(16)
        version, trigger = VersionRow(flow, 1, 5, b"one"), trigger_row(flow, 7)
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(
                    runs=[run_row(run), run_row(other)],
                    pages=[page_row(run, 1), page_row(run, 2), page_row(other, 1)],
                    snapshots={run: SnapshotRow(run, 1, b""), other: SnapshotRow(other, 1, b"")},
                    triggers=[trigger],
                )
            )
            anew = [page_row(run, 1), page_row(run, 2)]
            sealed = trigger._replace(record=b"anew")
            await backend.commit(
                Batch(replaced_pages=anew, replaced_triggers=[sealed], removed_snapshots=[run], run_domains=[(run, 2)])
            )
            assert await backend.pages(run, 1, 10, ALL) == anew
            assert await backend.trigger(flow) == sealed
            following = sealed._replace(row_version=2, record=b"next")
            await backend.commit(Batch(replaced_triggers=[sealed._replace(record=b"again")], triggers=[following]))
            assert await backend.trigger(flow) == following
            assert await backend.snapshot(run) is None
            assert await backend.snapshot(other) is not None
            assert sorted(await backend.run_counts()) == [(1, 1), (2, 1)]
            moved = await backend.run(run)
            assert moved is not None
            assert moved.domain == 2
            for missing in (
                Batch(replaced_pages=[page_row(run, 3)]),
                Batch(replaced_triggers=[sealed]),
                Batch(replaced_versions=[version]),
                Batch(run_domains=[(os.urandom(16), 2)]),
            ):
                missing.replaced_pages.append(page_row(other, 1))
                await refused(backend.commit(missing), Conflict)
            assert await backend.pages(other, 1, 10, ALL) != [missing.replaced_pages[-1]]

    async def test_a_history_is_written_beside_and_exchanged_at_once(self, open_backend: OpenBackend) -> None:
        run, other = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(runs=[run_row(run)._replace(ended_ms=9), run_row(other)]))
            there = [page_row(run, 1), page_row(run, 3)]
            kept = [page_row(other, 1)]
            await backend.commit(Batch(pages=[*there, *kept]))

            def beside(*pages: PageRow) -> list[PageRow]:
                return [page._replace(seq=-page.seq) for page in pages]

            anew = [page_row(run, 1), page_row(run, 2), page_row(run, 3)]
            await backend.commit(Batch(pages=beside(page_row(run, 1), page_row(run, 9), *kept)))  # of a crash
            await backend.commit(Batch(dropped_pages=[run], pages=beside(*anew[:2])))
            assert await backend.pages(run, 1, 10, ALL) == there
            await backend.commit(Batch(pages=beside(anew[2]), exchanged_pages=[run]))
            assert await backend.pages(run, 1, 10, ALL) == anew
            assert await backend.pages(other, 1, 10, ALL) == kept
            await backend.commit(Batch(pages=beside(*anew)))
            await backend.commit(Batch(removed_runs=[run]))
            assert await backend.strays() == {}

    async def test_messages_are_found_by_other_indexes(self, open_backend: OpenBackend) -> None:
        flow = os.urandom(16)
        waiting, again = message_row(flow, dedupe=b"old"), message_row(flow, dedupe=b"new")
        keys = [key_row(row.message_id, kind=Kind.MESSAGE) for row in (waiting, again)]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(keys=keys, messages=[waiting, again]))
            assert await backend.message(waiting.message_id) == waiting
            moved = (flow, waiting.message_id, b"q" * 16, b"new", b"sealed")
            gone = (flow, os.urandom(16), b"q", None, b"sealed")
            await refused(backend.commit(Batch(resealed_messages=[moved, gone])), Conflict)
            for _ in range(2):  # the second time it has these indexes already
                await backend.commit(Batch(resealed_messages=[moved]))
            ((number, row),) = await backend.messages(flow, [b"q" * 16], 10, 0)
            assert (number, row) == (
                numbers[0],
                waiting._replace(partition_index=b"q" * 16, dedupe=b"new", record=b"sealed"),
            )
            assert await backend.message(again.message_id) is None
            assert await backend.keys(Kind.MESSAGE, [waiting.message_id, again.message_id]) == keys[:1]

    async def test_requests_are_found_by_another_index(self, open_backend: OpenBackend) -> None:
        waiting, again = inbox_row(dedupe=b"old"), inbox_row(dedupe=b"new")
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(Batch(inbox=[waiting, again]))
            assert await backend.inbox_item(again.item_id) == again
            await refused(backend.commit(Batch(resealed_items=[(os.urandom(16), None, b"sealed")])), Conflict)
            for _ in range(2):
                await backend.commit(Batch(resealed_items=[(waiting.item_id, b"new", b"sealed")]))
            ((number, row),) = await backend.inbox(10)
            assert (number, row) == (numbers[0], waiting._replace(dedupe=b"new", record=b"sealed"))

    # --- connections and operations

    async def test_connections(self, open_backend: OpenBackend) -> None:
        rows = [ConnectionRow(os.urandom(16), os.urandom(16), 1, 1, number, 5, b"one") for number in (2, 1)]
        keys = [key_row(row.connection_id, kind=Kind.CONNECTION) for row in rows]
        run_key = key_row(rows[0].connection_id)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=[*keys, run_key], connections=rows))
            assert await backend.connections() == [rows[1], rows[0]]
            assert await backend.connection([b"x", rows[0].name_index]) == rows[0]
            second = rows[0]._replace(name_index=b"n" * 16, domain=2, row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(connections=[second]))
            for stale in (rows[0], second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(connections=[stale])), Conflict)
            twin = rows[1]._replace(connection_id=os.urandom(16))
            await refused(backend.commit(Batch(connections=[twin])), Conflict)
            assert await backend.connection([b"n" * 16]) == second
            await backend.commit(Batch(removed_connections=[second.connection_id, os.urandom(16)]))
            assert await backend.connections() == rows[1:]
            assert await backend.keys(Kind.CONNECTION, [row.connection_id for row in rows]) == keys[1:]
            assert await backend.keys(Kind.RUN, [second.connection_id]) == [run_key]

    async def test_operations(self, open_backend: OpenBackend) -> None:
        rows = [OperationRow(os.urandom(16), 1, number, None, b"one") for number in (2, 1)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(operations=rows))
            ended = rows[0]._replace(row_version=2, ended_ms=9, record=b"two")
            await backend.commit(Batch(operations=[ended]))
            assert await backend.operations() == [rows[1], ended]
            await refused(backend.commit(Batch(operations=[ended])), Conflict)

    # --- the control store

    async def test_policies(self, open_backend: OpenBackend) -> None:
        rows = [PolicyRow(os.urandom(16), os.urandom(16), 1, number, b"one") for number in (2, 1)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(policies=rows, keys=[key_row(rows[0].policy_id, kind=Kind.POLICY)]))
            assert await backend.policies() == [rows[1], rows[0]]
            assert await backend.policy(rows[0].name_index) == rows[0]
            second = rows[0]._replace(row_version=2, record=b"two")
            await backend.commit(Batch(policies=[second]))
            await refused(backend.commit(Batch(policies=[second])), Conflict)
            await refused(backend.commit(Batch(policies=[rows[1]._replace(policy_id=b"p" * 16)])), Conflict)
            await backend.commit(Batch(removed_policies=[second.policy_id]))
            assert await backend.policies() == rows[1:]
            assert await backend.keys(Kind.POLICY, [second.policy_id]) == []

    async def test_assignments(self, open_backend: OpenBackend) -> None:
        row = AssignmentRow(b"e" * 16, 1, 5, b"one")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(assignments=[row]))
            second = row._replace(row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(assignments=[second]))
            assert await backend.assignments() == [second]
            for stale in (row, second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(assignments=[stale])), Conflict)

    async def test_acts_on_record(self, open_backend: OpenBackend) -> None:
        rows = [LinkedRow(number, 5, os.urandom(32), os.urandom(80)) for number in range(1, 6)]
        async with initialised(open_backend) as backend:
            for row in rows:
                await backend.commit(Batch(audit=[row]))
            assert await backend.audit(0, 100) == rows
            assert await backend.audit(2, 2) == rows[2:4]
            assert await backend.last_audit() == rows[-1]
            policy = PolicyRow(os.urandom(16), os.urandom(16), 1, 1, b"one")
            await refused(backend.commit(Batch(audit=[rows[-1]], policies=[policy])), Conflict)
            assert await backend.policies() == []
