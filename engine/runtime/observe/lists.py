"""Flows and runs of an environment: lists, read page by page from the store, and the run that a text names."""

from __future__ import annotations

from ....storage import CorruptRecord, IntegrityError, RunInfo, Vault
from ....storage.stores.listings import split
from ...errors import NotFound, SealflowError
from ...kernel.contract.status import NAMES, code_of
from ..history.reading import run_info
from .summaries import FlowSummary, RunSummary, summary_of

_PAGE = 30
_HINT = "`sealflow runs list` shows the runs."


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


async def find_run(vault: Vault, name: str) -> RunInfo:
    """The run of an id (with or without hyphens), of an unambiguous beginning of one, or `latest`. Raises NotFound."""
    if name == "latest":
        return await _latest(vault)
    text = name.replace("-", "").lower()
    if not text or any(digit not in "0123456789abcdef" for digit in text) or len(text) > 32:
        raise NotFound(f"'{name}' is not the id of a run.", hint=_HINT)
    if len(text) == 32:
        return await run_info(vault, bytes.fromhex(text))
    before: bytes | None = None
    matches: list[RunInfo | CorruptRecord] = []
    while page := await vault.listings.runs(limit=200, before=before):
        matches += [each for each in page if _id(each).hex().startswith(text)]
        before = _id(page[-1])
    if len(matches) != 1:
        reason = f"{len(matches)} runs begin with" if matches else "There is no run that begins with"
        raise NotFound(f"{reason} '{name}'.", hint=_HINT)
    return split(matches, None)[0]


async def _latest(vault: Vault) -> RunInfo:
    """The run that was started last, not counting those that flows start. Raises the error of a later one that does not
    open: it may be that.
    """
    before: bytes | None = None
    while page := await vault.listings.runs(limit=30, before=before):
        for each in page:
            (info,) = split([each], None)
            if info.parent is None:
                return info
        before = _id(page[-1])
    raise NotFound("There are no runs in this environment yet.")


def _id(each: RunInfo | CorruptRecord) -> bytes:
    return each.id if isinstance(each, CorruptRecord) else each.run_id
