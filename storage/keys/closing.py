"""Whether an environment has closed its earlier keys: everything that steers it is under the environment key of now.

A row says so, sealed in the domain of what is new, with the version of that domain's environment key. From then on a
run, flow, trigger, message or request whose scope key another domain or an earlier version wraps is refused: the holder
of an earlier key could have made it. The row is written at the end of a migration, and when a policy comes to an
environment that has none of these. Connections have a rule of their own, see `connections`.
"""

from __future__ import annotations

from typing import Final

from ..errors import IntegrityError, NotARecord
from ..format.codec import pack, unpack
from ..format.purposes import Kind, Purpose
from ..format.record_names import named
from ..models import Value
from ..port import Backend, Batch, KeyRow, OperationRow
from .keyring import STEERING, Keyring

_ALL: Final = (1 << 63) - 1
_WHAT: Final = "The row that closes earlier keys"


async def closed_at(backend: Backend, keyring: Keyring) -> tuple[int, int]:
    """The version of the environment key from which on scope keys are accepted, and the row's version; 0 and 0 where
    nothing is closed. Raises IntegrityError for a row that was altered or removed.
    """
    for attempt in range(2):
        key_row, row = await _stored(backend, keyring), await _row(backend, keyring)
        if key_row is None:
            return 0, 0
        try:
            if row is None:
                raise IntegrityError(f"{_WHAT} is missing.")
            if (row.created_ms, row.ended_ms) != (0, 0):
                raise IntegrityError(f"{_WHAT} was altered.")
            key = keyring.open_scope(key_row)
            with named(_WHAT):
                place = key.place(Purpose.CLOSING, keyring.environment)
                return _version(unpack(key.open(place, 0, row.row_version, row.record))), row.row_version
        except IntegrityError:  # it was written between the two looks
            if attempt:
                raise
    raise AssertionError("unreachable")


async def close(backend: Backend, keyring: Keyring, batch: Batch) -> int:
    """Put the row into the batch, if no scope key that steers is under an earlier key. The version from which on keys
    are accepted then, 0 if the batch stays as it is.
    """
    domain = keyring.domain
    live = keyring.live_version(domain)
    if (await closed_at(backend, keyring))[0] >= live:
        return 0
    for count in await backend.keys.counts():
        if count.kind in STEERING and (count.domain, count.key_version) != (domain, live) and count.scopes:
            return 0
    generations = await backend.keys.generations(Kind.CLOSING, keyring.environment)
    before = await _row(backend, keyring)
    generation = max((row.generation for row in generations), default=0) + 1
    version = 1 if before is None else before.row_version + 1
    key, key_row = keyring.new_scope(Kind.CLOSING, keyring.environment, domain, generation=generation)
    record = key.seal(key.place(Purpose.CLOSING, keyring.environment), 0, version, pack([live]))
    batch.keys.inserts.append(key_row)
    batch.keys.dropped_generations.append((Kind.CLOSING, keyring.environment, generation))
    # It has ended: an operation that goes on would pause all workers but the one that leads.
    batch.operations.upserts.append(OperationRow(keyring.environment, version, 0, 0, record))
    return live


def reopen(environment: bytes, batch: Batch) -> None:
    """Put it into the batch that nothing is closed any more: the policy is taken away."""
    batch.keys.dropped_generations.append((Kind.CLOSING, environment, _ALL))


async def _stored(backend: Backend, keyring: Keyring) -> KeyRow | None:
    """The latest key of the row in the domain of what is new. One in another domain closes nothing."""
    rows = await backend.keys.generations(Kind.CLOSING, keyring.environment)
    return max((row for row in rows if row.domain == keyring.domain), key=lambda row: row.generation, default=None)


async def _row(backend: Backend, keyring: Keyring) -> OperationRow | None:
    rows = await backend.operations.all()
    return next((row for row in rows if row.operation_id == keyring.environment), None)


def _version(fields: Value) -> int:
    if type(fields) is not list or len(fields) != 1 or type(fields[0]) is not int or fields[0] < 1:
        raise NotARecord("it has other fields than this version writes.")
    return fields[0]
