"""The suite for the control store."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import (
    AssignmentRow,
    Batch,
    ControlChanges,
    EnvironmentRow,
    KeyChanges,
    LinkedRow,
    PolicyRow,
)
from .rows import (
    OpenBackend,
    initialised,
    key_row,
    refused,
)


class ControlConformance:
    """The promises of `port.ControlStore` and `ControlChanges`."""

    async def test_an_environment_is_changed_in_step_with_its_version(self, open_backend: OpenBackend) -> None:
        first = EnvironmentRow(b"e" * 16, b"n" * 16, 1, 5, b"record")
        other = EnvironmentRow(b"o" * 16, b"m" * 16, 1, 6, b"other")
        async with initialised(open_backend) as backend:
            await refused(
                backend.commit(Batch(control=ControlChanges(changed_environments=[first._replace(row_version=2)]))),
                Conflict,
            )
            await backend.commit(Batch(control=ControlChanges(environments=[first, other])))
            second = first._replace(row_version=2, record=b"second")
            await backend.commit(Batch(control=ControlChanges(changed_environments=[second])))
            assert await backend.control.environment(first.name_index) == second
            # Whoever read the first version as well comes too late, and nothing else of the batch is kept.
            late = Batch(
                control=ControlChanges(
                    changed_environments=[other._replace(row_version=2), second._replace(record=b"late")]
                )
            )
            await refused(backend.commit(late), Conflict)
            assert await backend.control.environments() == [second, other]
            skipped = second._replace(row_version=4)
            await refused(backend.commit(Batch(control=ControlChanges(changed_environments=[skipped]))), Conflict)
            assert await backend.control.environment(first.name_index) == second

    async def test_policies(self, open_backend: OpenBackend) -> None:
        rows = [PolicyRow(os.urandom(16), os.urandom(16), 1, number, b"one") for number in (2, 1)]
        async with initialised(open_backend) as backend:
            await backend.commit(
                Batch(
                    control=ControlChanges(policies=rows),
                    keys=KeyChanges(inserts=[key_row(rows[0].policy_id, kind=Kind.POLICY)]),
                )
            )
            assert await backend.control.policies() == [rows[1], rows[0]]
            assert await backend.control.policy(rows[0].name_index) == rows[0]
            second = rows[0]._replace(row_version=2, record=b"two")
            await backend.commit(Batch(control=ControlChanges(policies=[second])))
            await refused(backend.commit(Batch(control=ControlChanges(policies=[second]))), Conflict)
            await refused(
                backend.commit(Batch(control=ControlChanges(policies=[rows[1]._replace(policy_id=b"p" * 16)]))),
                Conflict,
            )
            await backend.commit(Batch(control=ControlChanges(removed_policies=[second.policy_id])))
            assert await backend.control.policies() == rows[1:]
            assert await backend.keys.newest(Kind.POLICY, [second.policy_id]) == []

    async def test_assignments(self, open_backend: OpenBackend) -> None:
        row = AssignmentRow(b"e" * 16, 1, 5, b"one")
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(control=ControlChanges(assignments=[row])))
            second = row._replace(row_version=2, updated_ms=6, record=b"two")
            await backend.commit(Batch(control=ControlChanges(assignments=[second])))
            assert await backend.control.assignments() == [second]
            for stale in (row, second, second._replace(row_version=4)):
                await refused(backend.commit(Batch(control=ControlChanges(assignments=[stale]))), Conflict)

    async def test_acts_on_record(self, open_backend: OpenBackend) -> None:
        rows = [LinkedRow(number, 5, os.urandom(32), os.urandom(80)) for number in range(1, 6)]
        async with initialised(open_backend) as backend:
            for row in rows:
                await backend.commit(Batch(control=ControlChanges(audit=[row])))
            assert await backend.control.audit(0, 100) == rows
            assert await backend.control.audit(2, 2) == rows[2:4]
            assert await backend.control.last_audit() == rows[-1]
            policy = PolicyRow(os.urandom(16), os.urandom(16), 1, 1, b"one")
            await refused(backend.commit(Batch(control=ControlChanges(audit=[rows[-1]], policies=[policy]))), Conflict)
            assert await backend.control.policies() == []
