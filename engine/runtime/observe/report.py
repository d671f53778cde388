"""A run told without holding it: how it stands and what it came to, and its actions one after the other.

A long history is read from the store as often as it is needed, a page in memory at a time. Which of its actions were
under way for long is known from the reading before, so that they can be told where they stand in the order of starts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ....storage import RunInfo, Vault
from ...cloud.syntax.pointer import split
from ...errors import NotFound, SealflowError
from ...kernel import Entry, History, Plan, State
from ...kernel.cloud.history.counters import Failure, Tally
from ...kernel.cloud.history.history import KEPT
from ...kernel.contract.status import FAILED, NAMES, TIMED_OUT
from ...kernel.contract.timing import iso
from ...kernel.machines import machine_of
from ...revocable import Revocable
from ..flows.library import Library
from ..flows.start import run_name
from ..history.external_payloads import folding_pages, whole_of
from ..history.reading import head_of, run_info, shown_head

RESIDENT: Final = 16 << 20
"""Bytes of large values that a reading holds."""

_TOLD: Final = 5
"""How many of the actions that may be meant an error names."""


Wanted = Callable[[str], bool]
"""Whether the action with a path is."""


class AmbiguousActionError(SealflowError):
    """A name that several actions or iterations have."""

    code = "AmbiguousAction"


@dataclass(frozen=True, slots=True, repr=False)
class RunReport(Revocable):
    """A run but for its actions, finished or so far.

    `counts` is how many actions have which status; `begun` and `ended` are when the first started and the last ended.
    `failed` actions failed by themselves, `failures` are the last of them and `failed_paths` the first of all that did.
    `tracking` is the client tracking id.
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
    counts: dict[str, int]
    begun: str | None
    ended: str | None
    failed: int
    failures: tuple[Failure, ...]
    failed_paths: tuple[str, ...]
    outputs: dict[str, Any] | None
    desktop: dict[str, Any] | None
    _source: Callable[[int, int | None, Wanted | None], AsyncIterator[dict[str, Any]]] = field(
        repr=False, compare=False
    )
    """Actions with names of large values in them, which the other two read."""
    _whole: Callable[[AsyncIterator[dict[str, Any]]], AsyncGenerator[dict[str, Any], None]] = field(
        repr=False, compare=False
    )
    _pieces: Callable[[Any, Callable[[Any], str]], AsyncIterator[str]] = field(repr=False, compare=False)
    _stream: Callable[[AsyncGenerator[Any, None]], AsyncIterator[Any]] = field(repr=False, compare=False)
    """What a host gets of a reading."""

    @property
    def total(self) -> int:
        """How many actions there are, in all iterations."""
        return sum(self.counts.values())

    @property
    def failures_known(self) -> bool:
        """Whether `failed_paths` are all that there are."""
        return sum(self.counts.get(NAMES[status], 0) for status in (FAILED, TIMED_OUT)) <= len(self.failed_paths)

    def actions(
        self, offset: int = 0, limit: int | None = None, *, wanted: Wanted | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The actions in the order of their start, as `RunResult.actions` has them: `limit` of them from `offset` on,
        without those whose path is not `wanted`.

        Read from the store where there are many, with memory for a few thousand of them.
        """
        return self._stream(self._whole(self._source(offset, limit, wanted)))

    def actions_json(
        self, encode: Callable[[Any], str], offset: int = 0, limit: int | None = None
    ) -> AsyncIterator[str]:
        """The same actions as the members of a JSON array, in pieces of its text; large values are never in memory as a
        whole. `encode` writes a value.
        """
        pieces = self._pieces
        return self._stream(_joined(self._source(offset, limit, None), lambda action: pieces(action, encode)))

    def head(self) -> dict[str, Any]:
        """The object that `sealflow run --json` prints, but for `actions`."""
        names = ("run", "flow", "version", "environment", "status", "code", "error", "response", "tracking")
        return shown_head(self, names)


def report_of(
    state: State,
    history: History,
    info: RunInfo,
    *,
    vault: Vault,
    flow: str,
    environment: str,
    stream: Callable[[AsyncGenerator[Any, None]], AsyncIterator[Any]],
) -> RunReport:
    """What a state and its history tell; `vault` is where actions are read from that the history did not keep, and
    `stream` makes of a reading what a host gets.
    """
    head = head_of(state, history, run_id=info.run_id, flow=flow, environment=environment, version=info.version)
    tally = history.tally
    under_way = history.under_way(state)

    def source(offset: int, limit: int | None, wanted: Wanted | None) -> AsyncIterator[dict[str, Any]]:
        if history.complete:
            return _kept(history, offset, limit, wanted)
        known = history.long | {entry.number: entry for entry in under_way}
        return _read(vault, state.plan, info.run_id, known, state.seq, offset, limit, wanted)

    def pieces(value: Any, encode: Callable[[Any], str]) -> AsyncIterator[str]:
        from .streaming import json_pieces

        return json_pieces(vault, info.run_id, value, encode)

    return RunReport(
        **head,
        counts=_counts(tally, under_way),
        begun=iso(tally.begun_at) if tally.begun_at is not None else None,
        ended=iso(tally.ended_at) if tally.ended_at is not None else None,
        failed=tally.failed,
        failures=tuple(tally.failures),
        failed_paths=tuple(tally.failed_paths),
        _source=source,
        _whole=partial(_whole, vault, info.run_id),
        _pieces=pieces,
        _stream=stream,
    )


async def _joined(
    actions: AsyncIterator[dict[str, Any]], pieces: Callable[[Any], AsyncIterator[str]]
) -> AsyncGenerator[str, None]:
    between = ""
    async for action in actions:
        yield between
        async for piece in pieces(action):
            yield piece
        between = ","


async def _whole(
    vault: Vault, run_id: bytes, actions: AsyncIterator[dict[str, Any]]
) -> AsyncGenerator[dict[str, Any], None]:
    async for action in actions:
        yield await whole_of(vault, run_id, action)


async def read_report(
    vault: Vault,
    library: Library,
    run_id: bytes,
    *,
    flow: str,
    environment: str,
    stream: Callable[[AsyncGenerator[Any, None]], AsyncIterator[Any]],
) -> RunReport:
    """The report of a stored run. Raises NotFound, and storage errors for a tampered history."""
    info = await run_info(vault, run_id)
    plan = await library.plan(info.flow_id, info.version, info.definition_digest)
    machine = machine_of(plan)
    history = machine.history(plan, keep=KEPT)
    state = machine.state(plan, history)
    async for _ in fold(vault, run_id, state):
        pass
    state.response = await whole_of(vault, run_id, state.response)
    return report_of(state, history, info, vault=vault, flow=flow, environment=environment, stream=stream)


async def fold(vault: Vault, run_id: bytes, state: State, until: int | None = None) -> AsyncIterator[State]:
    """The state after each page of a run's stored records, up to record `until`; large values are let go."""
    plan = state.plan
    machine = machine_of(plan)
    async for page in folding_pages(vault, plan, run_id):
        for record in page:
            if until is not None and state.seq >= until:
                break
            machine.apply(plan, state, record)
            if state.resident > RESIDENT:
                machine.relieve(state, RESIDENT // 2)
        yield state
        if until is not None and state.seq >= until:
            return


async def find_action(vault: Vault, library: Library, run_id: bytes, wanted: str) -> tuple[Plan, Entry]:
    """The run's plan and the action that is meant: by its path, or by its name where only one has it.

    Paths are in no index, since they are sealed: the history is read up to the end of the action that has the path, and
    whole for a name. Raises NotFound, and AmbiguousActionError that names those which may be meant.
    """
    info = await run_info(vault, run_id)
    plan = await library.plan(info.flow_id, info.version, info.definition_digest)
    path = (wanted if wanted.startswith("/") else f"/{wanted}").lower()
    name = wanted.lower()
    last = split(path)[-1]
    candidates = {node.index for node in plan.nodes if node.name.lower() in (name, last)}
    # A row of a script is called like its action; its path is where it stands, and when it came up.
    row = path.partition("[")[0]
    is_script = machine_of(plan).kind == "desktop"
    rows = {node.index for node in plan.nodes if is_script and node.path.lower() == row}
    candidates |= rows
    certain = any(not node.loops and plan.path(node, None).lower() == path for node in plan.nodes)
    exact: Entry | None = None
    named: dict[int, Entry] = {}

    def changed(entry: Entry) -> None:
        nonlocal exact
        if entry.node.index not in candidates:
            return
        if entry.path.lower() == path:
            exact = entry
        elif (
            exact is None
            and (entry.node.name.lower() == name or (entry.node.index in rows and row == path))
            and (len(named) <= _TOLD or entry.number in named)
        ):
            named[entry.number] = entry

    machine = machine_of(plan)
    state = machine.state(plan, machine.history(plan, changed, keep=0))
    async for _ in fold(vault, run_id, state) if candidates else _nothing():
        if exact is not None and exact.end is not None:
            break
        if len(named) > _TOLD and not certain:
            break
    if exact is not None:
        return plan, exact
    if not named:
        raise NotFound(f"There is no action '{wanted}' in this run.", hint=f"sealflow runs show {run_name(run_id)}")
    if len(named) > 1:
        raise _ambiguous(wanted, [named[number].path for number in sorted(named)])
    return plan, next(iter(named.values()))


def _ambiguous(wanted: str, paths: Sequence[str]) -> AmbiguousActionError:
    more = len(paths) > _TOLD
    number = f"More than {_TOLD}" if more else str(len(paths))
    return AmbiguousActionError(
        f"{number} actions are called '{wanted}': {', '.join(paths[:_TOLD])}{', …' if more else ''}",
        hint="Give the path of one of them.",
    )


async def _nothing() -> AsyncIterator[State]:
    return
    yield


def _counts(tally: Tally, under_way: Sequence[Entry]) -> dict[str, int]:
    counts = list(tally.ended)
    for entry in under_way:
        counts[entry.status] += 1
    return {NAMES[status]: number for status, number in enumerate(counts) if number}


async def _kept(
    history: History, offset: int, limit: int | None, wanted: Wanted | None
) -> AsyncIterator[dict[str, Any]]:
    """Actions of a history that is in memory."""
    for entry in history.entries[offset : None if limit is None else offset + limit]:
        if wanted is None or wanted(entry.path):
            yield entry.to_json(history.secured)


async def _read(
    vault: Vault,
    plan: Plan,
    run_id: bytes,
    known: Mapping[int, Entry],
    until: int,
    offset: int,
    limit: int | None,
    wanted: Wanted | None,
) -> AsyncIterator[dict[str, Any]]:
    """Actions out of the first `until` records; `known` are those that cannot be waited for, as they are then."""
    machine = machine_of(plan)
    history = machine.history(plan)
    state = machine.state(plan, history)
    entries, secured = history.entries, history.secured
    end = None if limit is None else offset + limit
    async for _ in fold(vault, run_id, state, until):
        number = 0
        for entry in entries:
            told = known.get(entry.number, entry)
            if told.end is None and told is entry:
                break
            number += 1
            if end is not None and entry.number >= end:
                return
            if entry.number >= offset and (wanted is None or wanted(entry.path)):
                yield told.to_json(secured)
            entry.inputs = entry.outputs = None  # its frame may hold it for long
        del entries[:number]
