"""Flows and runs of an environment as lists: read page by page from the store, with what does not open told apart."""

from __future__ import annotations

from ....storage import CorruptRecord, IntegrityError, Vault
from ....storage.stores.listings import split
from ...errors import SealflowError
from ...kernel.contract.status import NAMES, code_of
from .summaries import FlowSummary, RunSummary, summary_of

_PAGE = 30


async def list_flows(vault: Vault, damaged: list[CorruptRecord] | None) -> list[FlowSummary]:
    """See `Environment.flows`."""
    disabled: set[bytes] = set()
    flows = split(await vault.listings.flows(), damaged)
    try:
        disabled = {state.flow_id for state in await vault.triggers() if not state.value["enabled"]}
    except IntegrityError:
        if damaged is None:
            raise
        states = await vault.listings.triggers([flow.flow_id for flow in flows])
        disabled = {each.id for each in states if isinstance(each, CorruptRecord)}
        disabled |= {state.flow_id for state in split(states, damaged) if not state.value["enabled"]}
    return [
        FlowSummary(
            flow.name,
            flow.flow_id.hex(),
            flow.version,
            flow.created_ms,
            flow.updated_ms,
            flow.flow_id not in disabled,
        )
        for flow in flows
    ]


async def list_runs(
    vault: Vault,
    flow_id: bytes | None,
    status: str | None,
    since_ms: int | None,
    until_ms: int | None,
    limit: int,
    damaged: list[CorruptRecord] | None,
) -> list[RunSummary]:
    """See `Environment.runs`."""
    statuses = None if status is None else [_status(status)]
    nameless: list[CorruptRecord] = []
    names = {each.flow_id: each.name for each in split(await vault.listings.flows(), nameless)}
    lost = {each.id: each for each in nameless}
    found: list[RunSummary] = []
    before: bytes | None = None
    size = max(limit, _PAGE)
    while len(found) < limit:
        page = await vault.listings.runs(flow_id=flow_id, statuses=statuses, limit=size, before=before)
        for info in split(page, damaged):
            if (flow_damage := lost.pop(info.flow_id, None)) is not None:
                split([flow_damage], damaged)  # whose runs are shown without its name
            if since_ms is not None and info.started_ms < since_ms:
                return found
            if (until_ms is None or info.started_ms <= until_ms) and len(found) < limit:
                found.append(summary_of(info, names))
        if len(page) < size:
            break
        last = page[-1]
        before = last.id if isinstance(last, CorruptRecord) else last.run_id
    return found


def _status(name: str) -> int:
    code = code_of(name)
    if code < 0:
        raise SealflowError(f"'{name}' is not a status of a run.", code="InvalidStatus", hint=", ".join(NAMES))
    return code
