"""Traces of stored runs: which action is meant, and what its expressions evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...storage import Vault
from ..cloud.pointer import split
from ..errors import NotFound, SealflowError
from ..kernel import Large, from_stored, relieve, supply
from ..kernel.large import NeedValues
from ..kernel.status import NAMES
from ..kernel.tracing import Tracing
from .executor import RESIDENT
from .library import Library
from .reading import read_state, stored_records
from .start import run_name

_TOLD: Final = 5
"""How many of the actions that may be meant an error names."""


class AmbiguousActionError(SealflowError):
    """A name that several actions or iterations have."""

    code = "AmbiguousAction"


@dataclass(frozen=True, slots=True)
class Trace:
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


def find_path(paths: Sequence[str], wanted: str, run: str) -> str:
    """The path of the action that is meant: by its path, or by its name where only one has it.

    Raises NotFound, and AmbiguousActionError that names those which may be meant.
    """
    path = wanted if wanted.startswith("/") else f"/{wanted}"
    for each in paths:
        if each.lower() == path.lower():
            return each
    named = [each for each in paths if split(each)[-1].lower() == wanted.lower()]
    if len(named) == 1:
        return named[0]
    if not named:
        raise NotFound(f"There is no action '{wanted}' in this run.", hint=f"sealflow runs show {run}")
    raise AmbiguousActionError(
        f"{len(named):,} actions are called '{wanted}': {', '.join(named[:_TOLD])}"
        + (", …" if len(named) > _TOLD else ""),
        hint="Give the path of one of them.",
    )


async def trace(vault: Vault, library: Library, run_id: bytes, wanted: str) -> Trace:
    """The trace of one action of a stored run, as far as it is durable.

    Raises NotFound and AmbiguousActionError, and storage errors for a tampered history.
    """
    state, history = await read_state(vault, library, run_id)
    known = {entry.path: entry for entry in history.entries}
    entry = known[find_path(list(known), wanted, run_name(run_id))]
    tracing = Tracing(state.plan.definition, entry.node.key, entry.it)
    del state, history, known
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
