"""What control actions evaluate:

the condition of an If, the value of a Switch, the items of a Foreach, the limits of an Until.

How they move the run is in `control`. Source: Logic Apps, "Schema reference for trigger and action types", control
actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....cloud import Action
from ....errors import ExpressionError
from ....expressions import compile_condition, compile_value
from ....values import to_text, type_name
from ...contract.status import NAMES, SKIPPED, SUCCEEDED
from ...contract.timing import duration, whole
from ..action_views import CONDITION
from ..plan.names import ActionScope
from ..plan.plan import Guard, Node, Outcome, Plan, Work
from ..state import Frame

DEFAULT_CONCURRENCY: Final = {"logic-apps": 20, "power-automate": 1}
"""Iterations of a Foreach that run at once where the definition does not say. Source: limits of both products."""

UNTIL_COUNT: Final = 60
UNTIL_TIMEOUT: Final = "PT1H"
MOST_ITEMS: Final = 100_000
MOST_REPETITIONS: Final = 50


def scope(frame: Frame) -> Outcome:
    """A scope with a limit or conditions starts: there is nothing to evaluate."""
    return SUCCEEDED, "OK", None, None, None


def guard(node: Node, action: Action, scope: ActionScope) -> Guard:
    """An action's `conditions` of the schema of 2015: where one is false the action is skipped."""
    conditions = [compile_condition(each, scope).evaluate for each in action.conditions]
    error = {"code": CONDITION, "message": f"A condition of '{node.name}' is not true."}

    def check(frame: Frame) -> Outcome | None:
        for holds in conditions:
            if holds(frame) is not True:
                return SKIPPED, "ActionSkipped", None, None, error
        return None

    return check


def condition(node: Node, action: Action, scope: ActionScope) -> Work:
    """If: the outcome is the boolean."""
    evaluate = compile_condition(action.raw.get("expression"), scope).evaluate
    return lambda frame: (SUCCEEDED, "OK", None, evaluate(frame), None)


def switch(node: Node, action: Action, scope: ActionScope) -> Work:
    """Switch: the outcome is [value, number of the chosen branch]; -1 where no case fits and there is no default."""
    evaluate = compile_value(action.raw.get("expression"), scope).evaluate
    cases = [
        (number, compile_value(branch.case, scope).evaluate)
        for number, branch in enumerate(action.branches)
        if number < len(action.branches) - 1 or branch.label != "default"
    ]
    default = len(action.branches) - 1 if action.branches and action.branches[-1].label == "default" else -1

    def work(frame: Frame) -> Outcome:
        value = evaluate(frame)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ExpressionError(
                f"The expression of '{node.name}' must give a string or a number, not {type_name(value)}."
            )
        for number, case in cases:
            wanted = case(frame)
            if isinstance(wanted, str) == isinstance(value, str) and not isinstance(wanted, bool) and wanted == value:
                return SUCCEEDED, "OK", None, [value, number], None
        return SUCCEEDED, "OK", None, [value, default], None

    return work


def foreach(node: Node, action: Action, scope: ActionScope) -> Work:
    """Foreach: the outcome is the array; its inputs are {"repetitions"} where their number is computed."""
    evaluate = compile_value(action.raw.get("foreach"), scope).evaluate
    repetitions = _computed_repetitions(node, action, scope)

    def work(frame: Frame) -> Outcome:
        items = evaluate(frame)
        if not isinstance(items, list):
            raise ExpressionError(
                f"The loop '{node.name}' needs an array, not {type_name(items)}.",
                hint="Check what the expression in 'foreach' gives.",
            )
        if len(items) > MOST_ITEMS:
            raise ExpressionError(f"The loop '{node.name}' has {len(items):,} items; the most are {MOST_ITEMS:,}.")
        return SUCCEEDED, "OK", None if repetitions is None else {"repetitions": repetitions(frame)}, items, None

    return work


def _computed_repetitions(node: Node, action: Action, scope: ActionScope) -> Callable[[Frame], int] | None:
    """Evaluates how many iterations run at once, where an expression says so and it counts."""
    given = action.runtime.get("concurrency")
    written = compile_value(given, scope)
    if _sequential(node, action) or written.constant:
        return None

    def repetitions(frame: Frame) -> int:
        limits = written.evaluate(frame)
        number = limits.get("repetitions") if isinstance(limits, dict) else None
        said = whole(number)
        if said is None or not 1 <= said <= MOST_REPETITIONS:
            raise ExpressionError(
                f"The repetitions of '{node.name}' must be an integer from 1 to {MOST_REPETITIONS}, "
                f"not '{to_text(number)[:80]}'.",
                hint="Check what the expression in 'runtimeConfiguration.concurrency.repetitions' gives.",
            )
        return said

    return repetitions


def _sequential(node: Node, action: Action) -> bool:
    """A loop in a loop runs one iteration at a time, and so does one that says Sequential."""
    return any(loop.type == "foreach" for loop in node.loops) or "sequential" in action.options


def concurrency(plan: Plan, node: Node, action: Action) -> int:
    """How many iterations run at once where that is not computed: what is said, else the default."""
    if _sequential(node, action):
        return 1
    limits = action.runtime.get("concurrency")
    said = whole(limits.get("repetitions")) if isinstance(limits, dict) else None
    if said is not None:
        return max(1, min(said, MOST_REPETITIONS))
    return DEFAULT_CONCURRENCY[plan.definition.dialect]


def until_limits(node: Node, action: Action, scope: ActionScope) -> Work:
    """Until, at its start: the outcome is [most iterations, most ticks]."""
    given = action.raw.get("limit")
    limit = given if isinstance(given, dict) else {}
    count = compile_value(limit.get("count"), scope).evaluate
    timeout = compile_value(limit.get("timeout"), scope).evaluate

    def work(frame: Frame) -> Outcome:
        given_count, given_timeout = count(frame), timeout(frame)
        most = UNTIL_COUNT if given_count is None else whole(given_count)
        if most is None or most < 1:
            raise ExpressionError(
                f"The limit 'count' of '{node.name}' must be a positive integer, not '{to_text(given_count)}'."
            )
        return SUCCEEDED, "OK", None, [most, duration(given_timeout or UNTIL_TIMEOUT)], None

    return work


def until_condition(node: Node, action: Action, scope: ActionScope) -> Work:
    """Until, after each iteration: the outcome is the boolean."""
    evaluate = compile_condition(action.raw.get("expression"), scope).evaluate
    return lambda frame: (SUCCEEDED, "OK", None, evaluate(frame), None)


def terminate(node: Node, action: Action, scope: ActionScope) -> Work:
    """Terminate: the outcome is {"runStatus", "runError"?}."""
    evaluate = compile_value(action.inputs, scope).evaluate

    def work(frame: Frame) -> Outcome:
        inputs: Any = evaluate(frame)
        status = inputs.get("runStatus") if isinstance(inputs, dict) else None
        name = next((name for name in NAMES[1:6] if isinstance(status, str) and name.lower() == status.lower()), None)
        if name not in ("Succeeded", "Failed", "Cancelled"):
            raise ExpressionError(f"The 'runStatus' of '{node.name}' must be Succeeded, Failed or Cancelled.")
        error = inputs.get("runError")
        outcome: dict[str, Any] = {"runStatus": name}
        if name == "Failed" and isinstance(error, dict):
            code = to_text(error.get("code")) or "Terminated"
            outcome["runError"] = {"code": code, "message": to_text(error.get("message"))}
        return SUCCEEDED, "OK", None, outcome, None

    return work
