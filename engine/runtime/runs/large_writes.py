"""What is written in commits of its own, before the records that name it: large values of a turn, or of a start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ....storage.format.stored_values import CHUNK_BYTES
from ...kernel import Plan, Record, State
from ...kernel.cloud.memory import name_parts
from ...kernel.contract import records as event
from ...kernel.contract.large_values import rough_size

if TYPE_CHECKING:
    from ....storage.stores.runs.runs import Prepared
    from ..flows.start import Start
    from .protocols import RunsInMemory


def is_heavy(state: State, records: Sequence[Record], packed: bytes | None) -> bool:
    """Whether values are to be stored apart before the records of a turn are written, or those behind the run's start.

    `packed` is the first record, where that is known.
    """
    if packed is not None and len(packed) > CHUNK_BYTES and records[0][1] != event.START:
        return True
    if state.produced > CHUNK_BYTES:
        return any(rough_size([*r], CHUNK_BYTES) > CHUNK_BYTES for r in records if r[1] != event.START)
    last = records[-1]
    body = last[5].get("body") if last[1] == event.SCHEDULED and last[5].__class__ is dict else None
    return body.__class__ is str and len(body) > CHUNK_BYTES


def told_of(state: Any, seq: int, records: Sequence[Sequence[Any]]) -> None:
    """Records were stored as these, the first of them as number `seq` of the log, which counts from 1."""
    if isinstance(state, State):  # a script keeps its values
        for number, record in enumerate(records, seq - 1):
            name_parts(state, number, record)


async def prepared(runs: RunsInMemory, start: Start, plan: Plan) -> Prepared | None:
    """What is large of a run's trigger, stored before the run is made; None where nothing is. Raises NotStorable."""
    if rough_size([start.trigger], CHUNK_BYTES) <= CHUNK_BYTES:
        return None
    parent = runs.live.get(start.parent) if start.parent is not None else None
    return await runs.vault.prepare_run(
        start.run_id,
        start.flow_id,
        start.trigger,
        zips=not plan.secretive,
        parent_domain=parent.log.domain if parent is not None else None,
    )
