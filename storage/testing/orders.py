"""The suite for the order in which a commit writes the rows of one batch: each test is one pair that depends on it."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import (
    FOR_EVENTS,
    AssignmentRow,
    BackupChanges,
    BackupRow,
    Batch,
    CallbackChanges,
    ControlChanges,
    EnvironmentRow,
    FlowChanges,
    FlowRow,
    Guard,
    InboxChanges,
    KeyChanges,
    KeyStateRow,
    MessageChanges,
    RunChanges,
    RunUpdate,
    SealedInboxChanges,
    SnapshotRow,
    TokenRow,
    TriggerChanges,
    ValueChanges,
    VersionRow,
    WaitRow,
)
from .rows import (
    ALL,
    ENVIRONMENT_KEY,
    FIRST,
    SECOND,
    OpenBackend,
    chunk,
    ended,
    inbox_key_row,
    inbox_row,
    initialised,
    item_row,
    key_row,
    message_row,
    page_row,
    refused,
    run_row,
    trigger_row,
    value_row,
)

LATER_KEY = ENVIRONMENT_KEY._replace(version=2)
FLOW = FlowRow(b"f" * 16, b"n" * 16, 1, 1, 1, 5, 5, b"one")


class KeyOrderConformance:
    """Keys come before what they seal, and go after it."""

    async def test_the_guard_is_compared_before_the_state_changes(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            row = KeyStateRow(1, 0, b"state")
            await backend.commit(Batch(guard=Guard(0, 0), keys=KeyChanges(state=row)))
            assert await backend.keys.state() == row

    async def test_an_environment_key_before_the_scope_keys_that_it_wraps(self, open_backend: OpenBackend) -> None:
        scope = key_row(os.urandom(16))._replace(key_version=2)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(environment_keys=[LATER_KEY], inserts=[scope])))
            assert await backend.keys.newest(Kind.RUN, [scope.scope]) == [scope]

    async def test_scope_keys_are_wrapped_anew_before_the_environment_key_retires(
        self, open_backend: OpenBackend
    ) -> None:
        scope = key_row(os.urandom(16))
        moved = scope._replace(key_version=2, wrapped=b"anew")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(inserts=[scope])))
            changes = KeyChanges(environment_keys=[LATER_KEY], rewrapped=[moved], retired=[(1, 1)])
            await backend.commit(Batch(keys=changes))
            assert await backend.keys.environment_keys() == [LATER_KEY]
            assert await backend.keys.newest(Kind.RUN, [scope.scope]) == [moved]

    async def test_what_is_consumed_goes_before_the_environment_key_of_its_keys(
        self, open_backend: OpenBackend
    ) -> None:
        item, message = inbox_row(), message_row(FLOW.flow_id)
        keys = [key_row(item.item_id, kind=Kind.INBOX), key_row(message.message_id, kind=Kind.MESSAGE)]
        async with initialised(open_backend) as backend:
            numbers = await backend.commit(
                Batch(
                    keys=KeyChanges(inserts=keys),
                    inbox=InboxChanges(inserts=[item]),
                    messages=MessageChanges(inserts=[message]),
                )
            )
            batch = Batch(keys=KeyChanges(environment_keys=[LATER_KEY], retired=[(1, 1)]))
            batch.inbox.consumed = numbers[:1]
            batch.messages.consumed = [(FLOW.flow_id, numbers[1])]
            await backend.commit(batch)
            assert await backend.keys.environment_keys() == [LATER_KEY]

    async def test_a_generation_before_those_below_it_go(self, open_backend: OpenBackend) -> None:
        first = key_row(os.urandom(16))
        second = key_row(first.scope, generation=2)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(inserts=[first])))
            dropped = [(int(Kind.RUN), first.scope, 2)]
            await backend.commit(Batch(keys=KeyChanges(inserts=[second], dropped_generations=dropped)))
            assert await backend.keys.generations(Kind.RUN, first.scope) == [second]

    async def test_a_key_before_the_repetition_that_is_not_added(self, open_backend: OpenBackend) -> None:
        items = [inbox_row(dedupe=b"d" * 16) for _ in range(2)]
        messages = [message_row(FLOW.flow_id, dedupe=b"d" * 16) for _ in range(2)]
        keys = [key_row(item.item_id, kind=Kind.INBOX) for item in items]
        keys += [key_row(message.message_id, kind=Kind.MESSAGE) for message in messages]
        async with initialised(open_backend) as backend:
            batch = Batch(keys=KeyChanges(inserts=keys))
            batch.inbox.inserts, batch.messages.inserts = items, messages
            first, again, message, repeated = await backend.commit(batch)
            assert (first, message) == (again, repeated)
            assert await backend.keys.newest(Kind.INBOX, [item.item_id for item in items]) == keys[:1]
            assert await backend.keys.newest(Kind.MESSAGE, [row.message_id for row in messages]) == keys[2:3]


class RunOrderConformance:
    """A run comes before its rows, and goes after all that is written for it."""

    async def test_a_run_before_its_history_and_its_next_head(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        page, snapshot, value = page_row(run, 1), SnapshotRow(run, 1, b"state"), value_row(run)
        async with initialised(open_backend) as backend:
            batch = Batch(keys=KeyChanges(inserts=[key_row(run)]))
            batch.runs.inserts, batch.runs.pages, batch.runs.snapshots = [run_row(run)], [page], {run: snapshot}
            batch.runs.updates, batch.runs.domains = [RunUpdate(run, 1, None, 2, b"head", 2, b"summary")], [(run, 2)]
            batch.values.inserts, batch.values.chunks = [value], [chunk(value, 1)]
            batch.values.settled, batch.values.dropped = [value.value_id], [value.value_id]  # settled first: it stays
            await backend.commit(batch)
            assert await backend.runs.pages(run, 1, 10, ALL) == [page]
            assert await backend.runs.snapshot(run) == snapshot
            assert await backend.values.chunks(value.value_id, 0, 10) == batch.values.chunks
            row = await backend.runs.get(run)
            assert row is not None
            assert (row.head_version, row.head, row.domain) == (2, b"head", 2)

    async def test_a_run_before_its_wait_and_its_wait_before_its_signal(self, open_backend: OpenBackend) -> None:
        waits, signalled = os.urandom(16), os.urandom(16)
        async with initialised(open_backend) as backend:
            assert await backend.workers.join()
            batch = Batch(owned={waits: 1, signalled: 1}, runs=RunChanges(inserts=[run_row(waits), run_row(signalled)]))
            batch.claims.waits = [WaitRow(waits, 50, True), WaitRow(signalled, FOR_EVENTS, True)]
            batch.claims.wakes = [signalled]
            await backend.commit(batch)
            assert await backend.claims.claim(10, 49) == [signalled]
            assert await backend.claims.claim(10, 50) == [waits]

    async def test_waiting_rows_go_before_others_wait_and_are_exchanged_after_that(
        self, open_backend: OpenBackend
    ) -> None:
        run = os.urandom(16)
        value = value_row(run, settled=1)
        async with initialised(open_backend) as backend:
            batch = Batch(runs=RunChanges(inserts=[run_row(run)._replace(ended_ms=9)], pages=[page_row(run, 1)]))
            batch.values.inserts, batch.values.chunks = [value], [chunk(value, 1)]
            await backend.commit(batch)
            stale = Batch(runs=RunChanges(pages=[page_row(run, -1), page_row(run, -2)]))
            stale.values.chunks = [chunk(value, -1), chunk(value, -2)]
            await backend.commit(stale)
            page, piece = page_row(run, -1), chunk(value, -1)
            changes = RunChanges(dropped_pages=[run], pages=[page], exchanged=[run])
            await backend.commit(Batch(runs=changes, values=ValueChanges(chunks=[piece])))
            assert await backend.runs.pages(run, 1, 10, ALL) == [page._replace(seq=1)]
            assert await backend.values.chunks(value.value_id, 0, 10) == [piece._replace(number=1)]

    async def test_a_run_ends_before_it_goes_and_goes_before_its_flow(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        keys = [key_row(run), key_row(FLOW.flow_id, kind=Kind.FLOW)]
        async with initialised(open_backend) as backend:
            inserts = [run_row(run, flow_id=FLOW.flow_id)]
            batch = Batch(keys=KeyChanges(inserts=keys), runs=RunChanges(inserts=inserts))
            batch.flows.upserts = [FLOW]
            await backend.commit(batch)
            await refused(backend.commit(Batch(flows=FlowChanges(removed=[FLOW.flow_id]))), Conflict)
            gone = Batch(flows=FlowChanges(removed=[FLOW.flow_id]))
            gone.runs.updates, gone.runs.pages, gone.runs.removed = [ended(run)], [page_row(run, 1)], [run]
            await backend.commit(gone)
            assert await backend.runs.get(run) is None
            assert await backend.flows.all() == []
            assert await backend.keys.newest(Kind.RUN, [run]) == []
            assert await backend.keys.newest(Kind.FLOW, [FLOW.flow_id]) == []
            assert await backend.consistency.orphaned_rows() == {}


class StoreOrderConformance:
    """What exists is replaced, consumed and removed after the rows that depend on it."""

    async def test_a_flow_before_what_belongs_to_it_and_gone_after_it(self, open_backend: OpenBackend) -> None:
        version, trigger = VersionRow(FLOW.flow_id, 1, 5, b"one"), trigger_row(FLOW.flow_id, 7)
        anew = version._replace(record=b"anew")
        message = message_row(FLOW.flow_id)
        async with initialised(open_backend) as backend:
            flows = FlowChanges(upserts=[FLOW], versions=[version], replaced_versions=[anew])
            await backend.commit(
                Batch(
                    flows=flows,
                    triggers=TriggerChanges(upserts=[trigger]),
                    messages=MessageChanges(inserts=[message]),
                )
            )
            assert await backend.flows.version(FLOW.flow_id, 1) == anew
            gone = Batch(flows=FlowChanges(removed=[FLOW.flow_id]))
            gone.triggers.upserts = [trigger._replace(row_version=2)]
            gone.messages.inserts = [message_row(FLOW.flow_id)]
            gone.flows.versions = [version._replace(number=2)]
            await backend.commit(gone)
            assert await backend.triggers.all() == []
            assert await backend.messages.waiting(FLOW.flow_id, None, 10, 0) == []
            assert await backend.flows.version(FLOW.flow_id, 2) is None
            assert await backend.consistency.orphaned_rows() == {}

    async def test_a_trigger_is_sealed_anew_before_its_next_row(self, open_backend: OpenBackend) -> None:
        first = trigger_row(FLOW.flow_id, 7)
        following = first._replace(row_version=2, record=b"next")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(triggers=TriggerChanges(upserts=[first])))
            replaced = [first._replace(record=b"anew")]
            await backend.commit(Batch(triggers=TriggerChanges(replaced=replaced, upserts=[following])))
            assert await backend.triggers.get(FLOW.flow_id) == following

    async def test_a_repetition_is_found_before_what_it_repeats_is_consumed(self, open_backend: OpenBackend) -> None:
        """Who asks again while the request is carried out has asked once."""
        items = [inbox_row(dedupe=b"d" * 16) for _ in range(2)]
        messages = [message_row(FLOW.flow_id, dedupe=b"d" * 16) for _ in range(2)]
        async with initialised(open_backend) as backend:
            batch = Batch(inbox=InboxChanges(inserts=items[:1]), messages=MessageChanges(inserts=messages[:1]))
            numbers = await backend.commit(batch)
            again = Batch(inbox=InboxChanges(inserts=items[1:], consumed=numbers[:1]))
            again.messages.inserts, again.messages.consumed = messages[1:], [(FLOW.flow_id, numbers[1])]
            assert await backend.commit(again) == numbers
            assert await backend.inbox.waiting(10) == []
            assert await backend.messages.waiting(FLOW.flow_id, None, 10, 0) == []

    async def test_what_is_added_is_found_by_what_is_sealed_anew(self, open_backend: OpenBackend) -> None:
        item, added = inbox_row(dedupe=b"o" * 16), inbox_row(dedupe=b"n" * 16)
        message = message_row(FLOW.flow_id, dedupe=b"o" * 16)
        repeated = message_row(FLOW.flow_id, dedupe=b"n" * 16)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(inbox=InboxChanges(inserts=[item]), messages=MessageChanges(inserts=[message])))
            batch = Batch(inbox=InboxChanges(inserts=[added], resealed=[(item.item_id, b"n" * 16, b"anew")]))
            batch.messages.inserts = [repeated]
            batch.messages.resealed = [(FLOW.flow_id, message.message_id, b"q" * 16, b"n" * 16, b"anew")]
            await backend.commit(batch)
            assert [stored.row.item_id for stored in await backend.inbox.waiting(10)] == [item.item_id]
            waiting = await backend.messages.waiting(FLOW.flow_id, None, 10, 0)
            assert [stored.row.message_id for stored in waiting] == [message.message_id]

    async def test_sealed_items_before_their_key_is_exchanged(self, open_backend: OpenBackend) -> None:
        first, second = inbox_key_row(FIRST), inbox_key_row(SECOND)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(key=first)))
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(inserts=[item_row(FIRST, 1)])))
            for early in (item_row(FIRST, 2), item_row(SECOND, 1)):  # it would wait for a key that is gone or not there
                changes = SealedInboxChanges(drained=[(FIRST, 1)], inserts=[early], key=second)
                await refused(backend.commit(Batch(sealed_inbox=changes)), Conflict)
            await backend.commit(Batch(sealed_inbox=SealedInboxChanges(drained=[(FIRST, 1)], key=second)))
            assert await backend.sealed_inbox.key() == second

    async def test_a_token_is_expected_claimed_reopened_and_forgotten(self, open_backend: OpenBackend) -> None:
        token, other = TokenRow(os.urandom(32), FIRST), TokenRow(os.urandom(32), SECOND)
        async with initialised(open_backend) as backend:
            claimed = [token.token_hash, other.token_hash]
            changes = CallbackChanges(expected=[token, other], claimed=claimed, reopened=[FIRST], forgotten=[SECOND])
            await backend.commit(Batch(callbacks=changes))
            assert await backend.callbacks.scope(other.token_hash) is None
            await backend.commit(Batch(callbacks=CallbackChanges(claimed=[token.token_hash])))

    async def test_an_environment_is_added_changed_and_removed(self, open_backend: OpenBackend) -> None:
        row = EnvironmentRow(os.urandom(16), os.urandom(16), 1, 5, b"one")
        changed, assignment = row._replace(row_version=2, record=b"two"), AssignmentRow(row.environment_id, 1, 5, b"a")
        backup = BackupRow(os.urandom(16), row.environment_id, 5, b"record")
        keys = [
            key_row(row.environment_id, kind=Kind.ENVIRONMENT),
            key_row(backup.backup_id, kind=Kind.BACKUP),
        ]
        async with initialised(open_backend) as backend:
            control = ControlChanges(environments=[row], changed_environments=[changed], assignments=[assignment])
            control.removed_environments = [row.environment_id]
            backups = BackupChanges(inserts=[backup], removed=[backup.backup_id])
            await backend.commit(Batch(keys=KeyChanges(inserts=keys), control=control, backups=backups))
            assert await backend.control.environments() == []
            assert await backend.backups.all() == []
            assert await backend.control.assignments() == [assignment]
            assert await backend.consistency.environment_scopes() == []
            assert await backend.keys.newest(Kind.BACKUP, [backup.backup_id]) == []


class OrderConformance(KeyOrderConformance, RunOrderConformance, StoreOrderConformance):
    """Whatever order a backend chooses, these pairs are written in theirs."""
