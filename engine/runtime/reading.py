"""Runs as they are stored, read back: the state by folding the records, and the result that interfaces show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ...storage import RecordNotFound, RunInfo, Vault
from ..errors import NotFound
from ..kernel import Entry, History, Plan, Record, Secured, State, apply, from_stored
from ..kernel.status import NAMES, RUNNING, SUCCEEDED
from .library import Library
from .start import run_name

NO_RESPONSE: Final = {
    "statusCode": 502,
    "headers": {"Content-Type": "application/json; charset=utf-8"},
    "body": {"error": {"code": "NoResponse", "message": "The flow ended without an answer: no Response action ran."}},
}
"""What a caller gets when all Response actions were skipped. Source: Logic Apps, request and response."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run with all its actions, finished or so far. `actions` are in the order of their start."""

    run: str
    flow: str
    version: int
    environment: str
    status: str
    code: str | None
    error: dict[str, Any] | None
    response: dict[str, Any] | None
    actions: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The object that `sealflow run --json` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


async def read_records(vault: Vault, run_id: bytes) -> list[Record]:
    """Every stored record of a run, verified. Raises NotFound, and storage errors for a tampered history."""
    records: list[Record] = []
    try:
        async for page in vault.read_run(run_id):
            records.extend(from_stored(stored) for stored in page.records)
    except RecordNotFound:
        raise NotFound(f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs.") from None
    return records


async def read_state(
    vault: Vault, library: Library, run_id: bytes, changed: Callable[[Entry], None] | None = None
) -> tuple[State, History]:
    """The state and history of a stored run."""
    info = await run_info(vault, run_id)
    plan = await library.plan(info.flow_id, info.version, info.definition_digest)
    return fold(plan, await read_records(vault, run_id), changed)


def fold(plan: Plan, records: list[Record], changed: Callable[[Entry], None] | None = None) -> tuple[State, History]:
    """The state and history that a run's records lead to."""
    history = History(plan, changed)
    state = State(plan, history)
    for record in records:
        apply(plan, state, record)
    return state, history


async def run_info(vault: Vault, run_id: bytes) -> RunInfo:
    """The run's row. Raises NotFound."""
    try:
        return await vault.run(run_id)
    except RecordNotFound:
        raise NotFound(f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs.") from None


def result_of(state: State, history: History, *, run_id: bytes, flow: str, environment: str, version: int) -> RunResult:
    """What the interfaces show of a state and its history."""
    secured = Secured(state.plan.definition)
    end = state.end
    response = state.response
    if response is None and end is not None and state.pins.get("caller") and end.status != RUNNING:
        response = NO_RESPONSE
    return RunResult(
        run=run_name(run_id),
        flow=flow,
        version=version,
        environment=environment,
        status=NAMES[end.status if end is not None else RUNNING],
        code=end.code if end is not None else None,
        error=end.error if end is not None and end.status != SUCCEEDED else None,
        response=response,
        actions=[entry.to_json(secured) for entry in history.entries],
    )
