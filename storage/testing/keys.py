"""The suite for keys."""

# ruff: noqa: S101 (these are tests)

from __future__ import annotations

import os

from ..errors import Conflict
from ..format.purposes import Kind
from ..port import (
    Batch,
    KeyChanges,
    KeyCount,
    KeyStateRow,
)
from .rows import (
    CUSTOMER_KEY,
    ENVIRONMENT_KEY,
    OpenBackend,
    initialised,
    key_row,
    opened,
    refused,
    state,
)


class KeyConformance:
    """The promises of `port.KeyStore` and `KeyChanges`."""

    async def test_the_newest_generation_of_a_key_counts(self, open_backend: OpenBackend) -> None:
        run = os.urandom(16)
        async with initialised(open_backend) as backend:
            rows = [key_row(run, generation=generation) for generation in (1, 3, 2)]
            await backend.commit(Batch(keys=KeyChanges(inserts=rows)))
            assert await backend.keys.newest(1, [run]) == [rows[1]]

    async def test_keys_of_many_scopes(self, open_backend: OpenBackend) -> None:
        rows = [key_row(os.urandom(16)) for _ in range(1500)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(inserts=rows)))
            found = await backend.keys.newest(1, [row.scope for row in rows])
            assert sorted(found) == sorted(rows)

    async def test_the_state_is_followed_by_its_next_only(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            for first in ((0, 0), (1, 1), (2, 0), (0, 2)):
                await refused(backend.commit(Batch(keys=KeyChanges(state=KeyStateRow(*first, b"")))), Conflict)
            row = await state(backend, 1)
            assert await backend.keys.state() == row
            for stale in ((1, 0), (2, 1), (3, 0), (0, 1), (1, 2)):
                await refused(backend.commit(Batch(keys=KeyChanges(state=KeyStateRow(*stale, b"")))), Conflict)
            assert await backend.keys.state() == row
            assert await backend.keys.state() == row
            await state(backend, 1, 1)
            row = await state(backend, 2, 1)
        async with opened(open_backend) as backend:
            assert await backend.keys.state() == row

    async def test_environment_keys_are_replaced(self, open_backend: OpenBackend) -> None:
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(environment_keys=[CUSTOMER_KEY])))
            other = CUSTOMER_KEY._replace(kek=b"new", wrapped=b"again", policy_epoch=2, mac=b"m", predecessor_mac=b"p")
            await backend.commit(Batch(keys=KeyChanges(replaced=[other])))
            assert await backend.keys.environment_keys() == [ENVIRONMENT_KEY, other]
            missing = other._replace(version=2)
            await refused(backend.commit(Batch(keys=KeyChanges(replaced=[other, missing]))), Conflict)

    async def test_an_environment_key_is_retired_once_nothing_needs_it(self, open_backend: OpenBackend) -> None:
        scope = key_row(os.urandom(16))
        later = ENVIRONMENT_KEY._replace(version=2)
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(environment_keys=[later], inserts=[scope])))
            await refused(backend.commit(Batch(keys=KeyChanges(retired=[(1, 1)]))), Conflict)
            await backend.commit(Batch(keys=KeyChanges(rewrapped=[scope._replace(key_version=2)])))
            await backend.commit(Batch(keys=KeyChanges(retired=[(1, 1)])))
            assert await backend.keys.environment_keys() == [later]
            await refused(backend.commit(Batch(keys=KeyChanges(retired=[(1, 1)]))), Conflict)
            await refused(backend.commit(Batch(keys=KeyChanges(inserts=[key_row(os.urandom(16))]))), Conflict)

    async def test_scope_keys_are_wrapped_anew(self, open_backend: OpenBackend) -> None:
        rows = [key_row(os.urandom(16)) for _ in range(5)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(environment_keys=[CUSTOMER_KEY], inserts=rows)))
            moved = [row._replace(domain=2, wrapped=b"anew") for row in rows[:2]]
            await backend.commit(Batch(keys=KeyChanges(rewrapped=moved)))
            assert sorted(await backend.keys.newest(Kind.RUN, [row.scope for row in rows])) == sorted(
                [*moved, *rows[2:]]
            )
            assert [row for _, row in await backend.keys.wrapped_by(1, 1, 10)] == rows[2:]
            assert [row for _, row in await backend.keys.wrapped_by(2, None, 10)] == moved
            another = rows[2]._replace(domain=2, kid=os.urandom(32))
            await refused(
                backend.commit(Batch(keys=KeyChanges(rewrapped=[rows[3]._replace(domain=2), another]))), Conflict
            )
            assert [row for _, row in await backend.keys.wrapped_by(1, 1, 10)] == rows[2:]
            ((number, first),) = await backend.keys.wrapped_by(1, 1, 1)
            assert first == rows[2]
            assert [row for _, row in await backend.keys.wrapped_by(1, 1, 10, number)] == rows[3:]
            assert await backend.keys.counts() == [KeyCount(1, 1, 1, 3), KeyCount(1, 2, 1, 2)]

    async def test_generations(self, open_backend: OpenBackend) -> None:
        scope, other = os.urandom(16), os.urandom(16)
        rows = [key_row(scope, generation=generation) for generation in (1, 2, 3)]
        more = [key_row(other), key_row(scope, kind=Kind.FLOW)]
        async with initialised(open_backend) as backend:
            await backend.commit(Batch(keys=KeyChanges(inserts=[rows[2], *rows[:2], *more])))
            assert await backend.keys.generations(Kind.RUN, scope) == rows
            assert await backend.consistency.mixed_scopes(Kind.RUN) == [scope]
            assert await backend.consistency.mixed_scopes(Kind.FLOW) == []
            await backend.commit(
                Batch(keys=KeyChanges(dropped_generations=[(Kind.RUN, scope, 3), (Kind.RUN, os.urandom(16), 9)]))
            )
            assert await backend.keys.generations(Kind.RUN, scope) == rows[2:]
            assert await backend.keys.newest(Kind.RUN, [other]) == more[:1]
            assert await backend.keys.newest(Kind.FLOW, [scope]) == more[1:]
