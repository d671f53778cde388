"""Whether an environment has closed the service's domain: everything that steers it is under the policy's key.

A row says so, sealed under the customer's key. From then on a run, flow, trigger, message or request whose scope key
the service's key wraps is refused: the holder of the service's keystore could have made it. The row is written when a
policy comes to an environment that has none of these, and at the end of a migration. The keys that connections belong
to are checked on their own, see `connections`.
"""

from __future__ import annotations

from typing import Final

from .codec import pack
from .errors import IntegrityError, NotARecord
from .keyring import STEERING, Keyring
from .naming import named
from .port import Backend
from .purposes import Kind, Purpose
from .rows import Batch, KeyRow, OperationRow

_ALL: Final = (1 << 63) - 1
_CONTENT: Final = pack(["service domain closed"])


async def closed_version(backend: Backend, keyring: Keyring) -> int:
    """The version of the row that closes the service's domain, 0 where it is open.

    Raises IntegrityError for a row that was altered or removed.
    """
    for attempt in range(2):
        key_row, row = await _stored(backend, keyring), await _row(backend, keyring)
        if key_row is None:
            return 0
        try:
            if row is None:
                raise IntegrityError("The row that closes the service's domain is missing.")
            key = keyring.open_scope(key_row)
            with named("The row that closes the service's domain"):
                content = key.open(key.place(Purpose.CLOSING, keyring.environment), 0, row.row_version, row.record)
            if content != _CONTENT:
                raise NotARecord("The row that closes the service's domain has another content.")
            return row.row_version
        except IntegrityError:  # it was written between the two looks
            if attempt:
                raise
    raise AssertionError("unreachable")


async def close(backend: Backend, keyring: Keyring, batch: Batch) -> bool:
    """Put the row into the batch, if there is nothing left that the service's key could steer by."""
    if keyring.domain not in keyring.covered or await closed_version(backend, keyring):
        return False
    for count in await backend.key_counts():
        if count.kind in STEERING and count.domain not in keyring.covered and count.scopes:
            return False
    generations = await backend.key_generations(Kind.CLOSING, keyring.environment)
    before = await _row(backend, keyring)
    generation = max((row.generation for row in generations), default=0) + 1
    version = 1 if before is None else before.row_version + 1
    key, key_row = keyring.new_scope(Kind.CLOSING, keyring.environment, keyring.domain, generation=generation)
    record = key.seal(key.place(Purpose.CLOSING, keyring.environment), 0, version, _CONTENT)
    batch.keys.append(key_row)
    batch.dropped_generations.append((Kind.CLOSING, keyring.environment, generation))
    batch.operations.append(OperationRow(keyring.environment, version, 0, None, record))
    return True


def reopen(environment: bytes, batch: Batch) -> None:
    """Put it into the batch that the row closes nothing any more: the policy is taken away."""
    batch.dropped_generations.append((Kind.CLOSING, environment, _ALL))


async def _stored(backend: Backend, keyring: Keyring) -> KeyRow | None:
    """The latest key of the row in the domain of what is new. One in another domain closes nothing."""
    rows = await backend.key_generations(Kind.CLOSING, keyring.environment)
    return max((row for row in rows if row.domain == keyring.domain), key=lambda row: row.generation, default=None)


async def _row(backend: Backend, keyring: Keyring) -> OperationRow | None:
    rows = await backend.operations()
    return next((row for row in rows if row.operation_id == keyring.environment), None)
