"""Runs as they are stored, read back: the state by folding the records, and the result that interfaces show."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....storage import RecordNotFound, RunInfo, RunLog, TamperedHistory, Vault
from ...errors import NotFound
from ...kernel import Entry, History, Large, Record, State, from_stored
from ...kernel.cloud.reply import failed_reply
from ...kernel.contract.status import NAMES, RUNNING, SUCCEEDED, WAITING
from ...kernel.machines import machine_of
from ...revocable import Revocable
from ..flows.library import Library
from ..flows.start import run_name
from .queue_context import shown_pins


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(Revocable):
    """A run with all its actions, finished or so far. `actions` are in the order of their start.

    `tracking` is its client tracking id: what the caller or the trigger gave, else the run's own id. `outputs` are
    those of a desktop flow by the names that callers know, without the sensitive ones; None of a cloud flow.
    """

    run: str
    flow: str
    version: int
    environment: str
    status: str
    code: str | None
    error: dict[str, Any] | None
    response: dict[str, Any] | None
    tracking: str
    actions: list[dict[str, Any]]
    outputs: dict[str, Any] | None = None
    desktop: dict[str, Any] | None = None
    """Of a desktop flow that was called: `runMode`, `machineGroup` and `priority`, as far as they were said."""

    def to_json(self) -> dict[str, Any]:
        """The object that `sealflow run --json` prints; with `tracking` only where that says more than the run's id."""
        names = ("run", "flow", "version", "environment", "status", "code", "error", "response", "tracking")
        return {**shown_head(self, names), "actions": self.actions}


def shown_head(told: Any, names: Sequence[str]) -> dict[str, Any]:
    """These fields of a run as it is shown: `tracking` where it is not the run's id, `outputs` where it has any."""
    found = {name: getattr(told, name) for name in names if name != "tracking" or told.tracking != told.run}
    more = {"outputs": told.outputs, "desktop": told.desktop}
    return found | {name: value for name, value in more.items() if value is not None}


async def stored_pages(vault: Vault, run_id: bytes) -> AsyncIterator[Iterator[Record]]:
    """The stored records of a run, verified, page by page.

    Raises NotFound, and storage errors for a tampered history.
    """
    try:
        async for page in vault.read_run(run_id):
            yield map(from_stored, page.records)
    except RecordNotFound:
        raise NotFound(f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs.") from None


async def stored_records(vault: Vault, run_id: bytes) -> AsyncIterator[Record]:
    """Every stored record of a run, a page in memory at a time. Raises as `stored_pages`."""
    async for page in stored_pages(vault, run_id):
        for record in page:
            yield record


async def read_records(vault: Vault, run_id: bytes) -> list[Record]:
    """All of `stored_records`."""
    return [record async for record in stored_records(vault, run_id)]


async def load(log: RunLog, wanted: Sequence[Large]) -> dict[tuple[int, int], Any]:
    """Large values by their names, out of durable records."""
    return {large.at: await log.whole(await load_part(log, large)) for large in wanted}


async def load_part(log: RunLog, large: Large) -> Any:
    """What the record itself holds of a large value; the log counts from 1."""
    return from_stored(await log.record(large.seq + 1))[large.field]


async def read_state(
    vault: Vault,
    library: Library,
    run_id: bytes,
    changed: Callable[[Entry], None] | None = None,
    *,
    keep: int | None = None,
) -> tuple[State, History]:
    """The state and history of a stored run; `keep` as for `History`."""
    info = await run_info(vault, run_id)
    plan = await library.plan(info.flow_id, info.version, info.definition_digest)
    machine = machine_of(plan)
    history = machine.history(plan, changed, keep=keep)
    state = machine.state(plan, history)
    async for record in stored_records(vault, run_id):
        machine.apply(plan, state, record)
    if state.end is not None and info.ended_ms is None and (await run_info(vault, run_id)).ended_ms is None:
        raise row_put_back(run_id)  # it has not ended while it was read
    return state, history


def row_put_back(run_id: bytes) -> TamperedHistory:
    """The error of a run whose end is in its history and not in its row: both are written in one commit."""
    return TamperedHistory("its row is an earlier one: it says that the run goes on.", run=run_id.hex(), seq=0)


async def run_info(vault: Vault, run_id: bytes) -> RunInfo:
    """The run's row. Raises NotFound."""
    try:
        return await vault.run(run_id)
    except RecordNotFound:
        raise NotFound(f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs.") from None


def is_held(state: State) -> bool:
    """Whether the run has not begun yet: its flow's trigger limits how many go on at once."""
    return state.seq == 1 and bool(state.pins.get("held"))


def head_of(
    state: State, history: History, *, run_id: bytes, flow: str, environment: str, version: int
) -> dict[str, Any]:
    """What reports and results have in common, by the names of their fields."""
    secured = history.secured
    end = state.end
    code, error = secured.end(end.code, end.error) if end is not None else (None, None)
    return {
        "run": run_name(run_id),
        "flow": flow,
        "version": version,
        "environment": environment,
        "status": NAMES[end.status if end is not None else WAITING if is_held(state) else RUNNING],
        "code": code,
        "error": error if end is not None and end.status != SUCCEEDED else None,
        "response": secured.response(state.response) if state.response is not None else failed_reply(state),
        "tracking": str(state.pins.get("tracking") or run_name(run_id)),
        "outputs": machine_of(state.plan).outputs(state),
        "desktop": shown_pins(state.pins),
    }


def result_of(state: State, history: History, *, run_id: bytes, flow: str, environment: str, version: int) -> RunResult:
    """What the interfaces show of a state and its history."""
    head = head_of(state, history, run_id=run_id, flow=flow, environment=environment, version=version)
    return RunResult(**head, actions=[entry.to_json(history.secured) for entry in history.entries])
