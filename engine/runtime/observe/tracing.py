"""Traces of stored runs: what the expressions of one of their actions evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....storage import Vault
from ...kernel import Large, from_stored, relieve, supply
from ...kernel.cloud.history.tracing import Tracing
from ...kernel.contract.large_values import NeedValues
from ...kernel.contract.status import NAMES
from ...revocable import Revocable
from ..flows.library import Library
from ..flows.start import run_name
from ..history.reading import stored_records
from .report import RESIDENT, find_action


@dataclass(frozen=True, slots=True, repr=False)
class Trace(Revocable):
    """What the expressions of one action evaluated.

    Each of `expressions` has `pointer` (JSON pointer within the action), `text`, `evaluated`, `value` or `error` or
    `secured`, and `parts`: {"expression", "value" | "error" | "secured"} in the order of evaluation. The condition of
    an Until has `iteration`. `left_out` counts the evaluations beyond a hundred of one expression.
    """

    run: str
    path: str
    type: str
    status: str
    code: str | None
    expressions: list[dict[str, Any]]
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """The object that `sealflow runs show --trace --json` prints."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        left_out = shown.pop("left_out")
        return {**shown, "leftOut": left_out}


async def trace(vault: Vault, library: Library, run_id: bytes, wanted: str) -> Trace:
    """The trace of one action of a stored run, as far as it is durable.

    Raises NotFound and AmbiguousActionError, and storage errors for a tampered history.
    """
    plan, entry = await find_action(vault, library, run_id, wanted)
    tracing = Tracing(plan.definition, entry.node.key, entry.it)
    async for record in stored_records(vault, run_id):
        while True:
            try:
                tracing.take(record)
            except NeedValues:
                supply(tracing.state, await _load(vault, run_id, tracing.state.need))
            else:
                break
        if tracing.state.resident > RESIDENT:
            relieve(tracing.state, RESIDENT // 2)
    return Trace(
        run=run_name(run_id),
        path=entry.path,
        type=entry.node.written_type,
        status=NAMES[entry.status],
        code=entry.code,
        expressions=tracing.to_json(),
        left_out=tracing.left_out,
    )


async def _load(vault: Vault, run_id: bytes, wanted: Sequence[Large]) -> dict[tuple[int, int], Any]:
    """Large values by their names, each read out of the verified history; the store counts records from 1."""
    found: dict[tuple[int, int], Any] = {}
    for large in wanted:
        async for page in vault.read_run(run_id, after_seq=large.seq):
            found[large.at] = from_stored(page.records[0])[large.field]
            break
    return found
