"""Strict replay of a desktop flow: its recorded events are decided again, and every record is compared.

With another version of the script than the one that ran, rows are matched by subflow, row and what they do. The first
difference ends the replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...desktop.catalog.secret_arguments import is_secret
from ...values import same
from ..cloud.history.replay import Difference, Replayed
from ..contract.records import DEADLINE, DONE, EVENTS, KIND_NAMES, RESULT, SCHEDULED, STOP, TIMER, Record, event_of
from ..contract.status import NAMES
from .decide import decide
from .plan import HIDDEN_MESSAGE, Instruction, ScriptPlan
from .state import ScriptState

_ABOUT_ROW: Final = frozenset({SCHEDULED, RESULT, DONE, TIMER, DEADLINE})


def replay_script(records: Sequence[Record], plan: ScriptPlan, recorded: ScriptPlan | None = None) -> Replayed:
    """Replay the whole history of one run against `plan`;

    `recorded` is the plan that wrote it, where that is another one.
    """
    source = recorded if recorded is not None else plan
    numbers = _numbers(source, plan)
    state = ScriptState(plan)
    rows = place = 0
    while place < len(records):
        end = place + 1
        while end < len(records) and records[end][1] not in EVENTS:
            end += 1
        expected = records[place:end]
        rows += sum(1 for record in expected if record[1] in (DONE, RESULT))
        event = _translated(expected[0], numbers)
        if event is None:
            return Replayed(rows, _difference("missing", source, expected[0], plan, None, place))
        actual, _ = decide(plan, state, event_of(event))
        for number in range(max(len(expected), len(actual))):
            wanted = expected[number] if number < len(expected) else None
            got = actual[number] if number < len(actual) else None
            translated = _translated(wanted, numbers) if wanted is not None else None
            if translated is None or got is None or not same(list(translated), list(got)):
                kind = "unexpected" if wanted is None else "missing" if got is None or translated is None else "changed"
                if kind == "changed" and translated is not None and got is not None and translated[1:4] != got[1:4]:
                    kind = "missing"
                return Replayed(rows, _difference(kind, source, wanted, plan, got, place + number))
        place = end
    return Replayed(rows, None)


def _names(node: Instruction) -> tuple[str, int, int, str]:
    return node.subflow.lower(), node.row, node.op, node.word.lower()


def _numbers(source: ScriptPlan, plan: ScriptPlan) -> dict[int, int] | None:
    if source is plan:
        return None
    found = {_names(node): node.pc for node in plan.nodes}
    return {node.pc: found[_names(node)] for node in source.nodes if _names(node) in found}


def _translated(record: Record, numbers: dict[int, int] | None) -> Record | None:
    """The record with the other plan's number of its row; None where that plan has no such row."""
    if numbers is None or record[1] not in _ABOUT_ROW:
        return record
    number = numbers.get(record[2])
    return None if number is None else (record[0], record[1], number, *record[3:])


def _difference(
    kind: str, source: ScriptPlan, expected: Record | None, plan: ScriptPlan, actual: Record | None, at: int
) -> Difference:
    shown_plan, subject = (source, expected) if expected is not None else (plan, actual)
    path = ""
    if subject is not None and subject[1] in _ABOUT_ROW:
        path = shown_plan.path(shown_plan.nodes[subject[2]], subject[3])
    return Difference(path, kind, _shown(source, expected), _shown(plan, actual), at)


def _shown(plan: ScriptPlan, record: Record | None) -> dict[str, Any] | None:
    """A record as a difference shows it, without sensitive values."""
    if record is None:
        return None
    kind = record[1]
    shown: dict[str, Any] = {"record": KIND_NAMES[kind]}
    if kind == STOP:
        shown.update(status=NAMES[record[3]], code=record[4])
    if kind not in _ABOUT_ROW:
        return shown
    node = plan.nodes[record[2]]
    shown["path"] = plan.path(node, record[3])
    if kind == DONE:
        shown.update(status=NAMES[record[4]], code=record[5], inputs=record[6], outputs=record[7], error=record[8])
    elif kind == RESULT:
        shown.update(
            status=NAMES[record[6]], code=record[7], outputs=record[8], error=record[9], retry=record[10] is not None
        )
    elif kind == SCHEDULED:
        shown.update(attempt=record[4], inputs=record[5], due=record[6], deadline=record[7], retryPolicy=record[8])
    return _masked(plan, node, shown)


def _masked(plan: ScriptPlan, node: Instruction, shown: dict[str, Any]) -> dict[str, Any]:
    if isinstance(shown.get("inputs"), dict):
        shown["inputs"] = {name: None if is_secret(name) else value for name, value in shown["inputs"].items()}
    if not plan.hides(node):
        return shown
    masked = {name: None if name in ("inputs", "outputs") else value for name, value in shown.items()}
    error = masked.get("error")
    if error is not None:
        masked["error"] = {"code": error.get("code"), "message": HIDDEN_MESSAGE}
    return masked
