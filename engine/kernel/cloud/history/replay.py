"""Strict replay: feed a run's recorded events to the kernel again and compare what it decides, record by record.

With another definition than the one that ran, actions are matched by their paths. The first difference ends the
replay: what comes after it would only repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ....values import same
from ...contract.records import (
    CALLBACK,
    DEADLINE,
    DONE,
    EVENTS,
    KIND_NAMES,
    LIMIT,
    RESULT,
    SCHEDULED,
    STOP,
    TIMER,
    Record,
    event_of,
)
from ...contract.status import FAILED, NAMES
from ..decide import Given, decide
from ..external_evaluation import CRASHED, TIME_LIMIT
from ..plan.plan import Node, Plan
from ..state import State
from .secured import Secured

REWORDED: Final = 3
"""The first revision in which messages of failed actions have to be the same to the letter."""

_ABOUT_ACTION: Final = frozenset({SCHEDULED, RESULT, DONE, TIMER, DEADLINE, CALLBACK, LIMIT})


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay parts from the history: `missing` (recorded, not decided), `unexpected` or `changed`;

    `at` is the record's number.
    """

    path: str
    kind: str
    expected: dict[str, Any] | None
    actual: dict[str, Any] | None
    at: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found: how many actions it went through and the first difference, if any."""

    actions: int
    difference: Difference | None


def replay(records: Sequence[Record], plan: Plan, recorded: Plan | None = None) -> Replayed:
    """Replay the whole history of one run against `plan`;

    `recorded` is the plan that wrote it, where that is another one.
    """
    source = recorded if recorded is not None else plan
    target = _Match(source, plan)
    state = State(plan)
    state.forced = _given_up(target, records)
    actions = 0
    place = 0
    while place < len(records):
        end = place + 1
        while end < len(records) and records[end][1] not in EVENTS:
            end += 1
        expected = list(records[place:end])
        actions += sum(1 for record in expected if record[1] in (DONE, RESULT))
        event = target.translate(expected[0])
        if event is None:
            return Replayed(actions, _difference(source, "missing", expected[0], None, place))
        actual, _ = decide(plan, state, event_of(event))
        found = _compare(source, plan, target, expected, actual, place, state.revision)
        if found is not None:
            return Replayed(actions, found)
        place = end
    return Replayed(actions, None)


def _given_up(target: _Match, records: Sequence[Record]) -> dict[Any, Given] | None:
    """The outcomes of actions whose evaluation was given up: a matter of time, which no replay would come to."""
    found: dict[Any, Given] = {}
    for record in records:
        if record[1] == DONE and record[4] == FAILED and record[5] in (TIME_LIMIT, CRASHED):
            translated = target.translate(record)
            if translated is not None:
                found[(translated[2], translated[3])] = tuple(translated[4:]), None, None
    return found or None


def _compare(
    source: Plan,
    plan: Plan,
    target: _Match,
    expected: list[Record],
    actual: list[Record],
    place: int,
    revision: int,
) -> Difference | None:
    for number in range(max(len(expected), len(actual))):
        if number >= len(actual):
            return _difference(source, "missing", expected[number], None, place + number)
        if number >= len(expected):
            return _difference(plan, "unexpected", None, actual[number], place + number)
        wanted = target.translate(expected[number])
        got = actual[number]
        if wanted is None or wanted[1:4] != got[1:4]:
            # Another action, or none, stands where the recorded one stood.
            missing = wanted is None or not any(wanted[1:4] == other[1:4] for other in actual[number:])
            if missing:
                return _difference(source, "missing", expected[number], got, place + number, plan)
            return _difference(plan, "unexpected", None, got, place + number)
        alike = [_alike(a, b) for a, b in zip(wanted[4:], got[4:], strict=True)] if len(wanted) == len(got) else [False]
        if got[1] == DONE and revision < REWORDED and not alike[-1]:
            alike[-1] = _reworded(wanted[-1], got[-1])
        if not all(alike):
            return _difference(source, "changed", expected[number], got, place + number, plan)
    return None


def _reworded(wanted: Any, got: Any) -> bool:
    """Whether two errors differ in their messages only."""
    both = isinstance(wanted, dict) and isinstance(got, dict)
    return both and same({**wanted, "message": None}, {**got, "message": None})


def _alike(left: Any, right: Any) -> bool:
    if isinstance(left, bytes) or isinstance(right, bytes):
        return bool(left == right)
    return same(left, right)


class _Match:
    """Node numbers of the plan that wrote the history, in those of the plan it is replayed against: by path."""

    def __init__(self, source: Plan, plan: Plan) -> None:
        self._same = source is plan
        by_path = {_names(node): node.index for node in plan.nodes}
        self._numbers = {node.index: by_path.get(_names(node)) for node in source.nodes}

    def translate(self, record: Record) -> Record | None:
        """The record with the other plan's node number; None where that plan has no such action."""
        if self._same or record[1] not in _ABOUT_ACTION:
            return record
        number = self._numbers.get(record[2])
        return None if number is None else (record[0], record[1], number, *record[3:])


def _names(node: Node) -> tuple[str, ...]:
    return tuple(name.lower() for name, _ in node.segments)


def _difference(
    plan: Plan, kind: str, expected: Record | None, actual: Record | None, at: int, actual_plan: Plan | None = None
) -> Difference:
    subject = expected if expected is not None else actual
    return Difference(
        path=_path(plan, subject),
        kind=kind,
        expected=_shown(plan, expected),
        actual=_shown(actual_plan or plan, actual),
        at=at,
    )


def _path(plan: Plan, record: Record | None) -> str:
    if record is None or record[1] not in _ABOUT_ACTION:
        return ""
    return plan.path(plan.nodes[record[2]], record[3])


def _shown(plan: Plan, record: Record | None) -> dict[str, Any] | None:
    """A record as a difference shows it."""
    if record is None:
        return None
    kind = record[1]
    shown: dict[str, Any] = {"record": KIND_NAMES[kind]}
    if kind in _ABOUT_ACTION:
        shown["path"] = _path(plan, record)
    if kind == DONE:
        shown.update(status=NAMES[record[4]], code=record[5], inputs=record[6], outputs=record[7], error=record[8])
    elif kind == RESULT:
        shown.update(
            status=NAMES[record[6]], code=record[7], outputs=record[8], error=record[9], retry=record[10] is not None
        )
    elif kind == CALLBACK:
        shown.update(status=NAMES[record[6]], code=record[7], outputs=record[8], error=record[9])
    elif kind == SCHEDULED:
        shown.update(attempt=record[4], inputs=record[5], due=record[6], deadline=record[7], retryPolicy=record[8])
    elif kind == LIMIT:
        shown.update(due=record[4])
    elif kind == STOP:
        shown.update(status=NAMES[record[3]], code=record[4])
    return Secured(plan.definition).hide(shown, plan.nodes[record[2]]) if kind in _ABOUT_ACTION else shown
