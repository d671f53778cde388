"""Where statements may stand: loops, subflows, recursion."""

from __future__ import annotations

from collections.abc import Sequence

from ..syntax.problem import Problems
from ..syntax.tree import CallSubflow, ExitLoop, ExitSubflow, NextLoop, Place, Script
from .walk import Visit, rules_of, subflows


def check_flow(script: Script, active: Sequence[Visit], problems: Problems) -> None:
    for visit in active:
        statement = visit.statement
        if isinstance(statement, ExitLoop | NextLoop) and not visit.loop:
            word = "EXIT" if isinstance(statement, ExitLoop) else "NEXT"
            problems.error("NotInLoop", statement.place, f"{word} LOOP stands outside of a loop.", "Move it into one.")
        elif isinstance(statement, ExitSubflow) and visit.subflow == "Main" and script.kind != "clipboard":
            problems.error(
                "ExitInMain",
                statement.place,
                "EXIT FUNCTION leaves a subflow, and Main is none.",
                "Write EXIT Code: 0.",
            )
    _check_recursion(script, active, problems)


def _check_recursion(script: Script, active: Sequence[Visit], problems: Problems) -> None:
    """A warning at each CALL by which a subflow can come to call itself."""
    calls: dict[str, list[tuple[str, Place]]] = {}
    for visit in active:
        own = calls.setdefault(visit.subflow.lower(), [])
        if isinstance(visit.statement, CallSubflow):
            own.append((visit.statement.name.lower(), visit.statement.place))
        own += [(rule.name.lower(), rule.place) for rule in rules_of(visit.statement) if rule.kind == "call"]
    reached = {name: _reached(name, calls) for name in calls}
    spelled = {subflow.name.lower(): subflow.name for subflow in subflows(script)}
    for name, targets in calls.items():
        for target, place in targets:
            if target == name or name in reached.get(target, ()):
                problems.warning(
                    "RecursiveSubflow",
                    place,
                    f"By this CALL the subflow '{spelled[name]}' calls itself.",
                    "See that it ends: a subflow that calls itself for ever fails.",
                )


def _reached(start: str, calls: dict[str, list[tuple[str, Place]]]) -> set[str]:
    found: set[str] = set()
    waiting = [target for target, _ in calls[start]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [target for target, _ in calls.get(name, ())]
    return found
