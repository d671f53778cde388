"""All problems of a script at once: what `sealflow check` prints, and what a deployment refuses.

Rules stand in `check_*.py`, one file for each matter.
"""

from __future__ import annotations

from typing import Any

from ..syntax.parse import Kind, Reading, parse
from ..syntax.problem import Problem, Problems, in_order
from .actions import Built, check_actions
from .elements import check_elements
from .flow import check_flow
from .names import check_names, names_of
from .rules import Rules
from .similar_names import Nearest
from .types import check_types
from .walk import actions_of, visits

__all__ = ["Built", "Rules", "check", "report"]


def check(reading: Reading, rules: Rules | None = None) -> tuple[Problem, ...]:
    """Every problem of a script, in the order of the text; without one of severity `error` it can run. Never raises."""
    rules = rules if rules is not None else Rules()
    problems = Problems()
    problems.found += reading.problems
    script = reading.script
    active = [visit for visit in visits(script) if not visit.disabled]
    names = names_of(script, active, rules)
    nearest = Nearest()
    check_names(script, active, names, nearest, problems)
    check_flow(script, active, problems)
    check_actions(active, names, rules, nearest, problems)
    check_types(script, active, problems)
    check_elements(script, active, problems)
    return in_order(problems.found)


def report(text: str | bytes, file: str, rules: Rules | None = None, *, kind: Kind = "file") -> dict[str, Any]:
    """What `sealflow check --json` prints for a file: `file`, `ok`, `kind`, `actions`, `problems`. Never raises."""
    from ..syntax.recognition import decoded

    reading = parse(decoded(text) if isinstance(text, bytes) else text, kind=kind)
    problems = check(reading, rules)
    return {
        "file": file,
        "ok": not any(problem.severity == "error" for problem in problems),
        "kind": "desktop",
        "actions": sum(1 for visit in visits(reading.script) for _ in actions_of(visit.statement)),
        "problems": [problem.to_json() for problem in problems],
    }
