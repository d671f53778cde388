"""Rules about conditions: an expression, or an object of nested operators; of If, Until, triggers, and actions.

Source: Logic Apps, "workflow actions and triggers" reference, If action and trigger conditions.
"""

from __future__ import annotations

from typing import Any

from ...errors import ExpressionError
from ...expressions import FUNCTIONS
from ..literal import is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.pointer import join

_LOGICAL = frozenset({"and", "or", "not"})


def check_conditions(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    for trigger in outline.definition.triggers:
        _listed(trigger.raw, trigger.pointer, f"trigger '{trigger.name}'", problems)
    for place in outline.places:
        action = place.action
        if place.built:
            _listed(action.raw, action.pointer, f"'{action.name}'", problems)
        if not place.built or action.type not in ("if", "until"):
            continue
        expression = action.raw.get("expression")
        if expression is None or expression == "":
            problems.error("InvalidCondition", action.pointer, f"'{action.name}' has no 'expression' to test.")
        else:
            _condition(expression, join(action.pointer, "expression"), f"'{action.name}'", problems)


def _listed(raw: dict[str, Any], pointer: str, what: str, problems: Problems) -> None:
    """The expressions under `conditions`."""
    written = raw.get("conditions")
    for index, condition in enumerate(written if isinstance(written, list) else ()):
        if isinstance(condition, dict) and "expression" in condition:
            _condition(condition["expression"], join(pointer, "conditions", index, "expression"), what, problems)


def _condition(expression: Any, at: str, what: str, problems: Problems) -> None:
    waiting: list[tuple[Any, str]] = [(expression, at)]
    while waiting:
        current, here = waiting.pop()
        if isinstance(current, str):
            if not is_dynamic(current):
                problems.error(
                    "InvalidCondition",
                    here,
                    f"The condition of {what} is the plain text {shown(current)}, never true or false.",
                    "Expressions begin with '@'.",
                )
        elif isinstance(current, dict):
            waiting += _operation(current, here, what, problems)
        elif not isinstance(current, bool):
            message = f"The condition of {what} must be an expression or an object, not {shown(current)}."
            problems.error("InvalidCondition", here, message)


def _operation(condition: dict[str, Any], at: str, what: str, problems: Problems) -> list[tuple[Any, str]]:
    """Check one `{"operator": [operands]}`; its operands that are conditions themselves are returned."""
    if len(condition) != 1:
        message = f"A condition of {what} must have one operator, not {len(condition)}."
        problems.error("InvalidCondition", at, message, 'Combine several with {"and": […]} or {"or": […]}.')
        return []
    ((operator, operands),) = condition.items()
    at = join(at, operator)
    listed = isinstance(operands, list)
    values = operands if listed else [operands]
    function = FUNCTIONS.get(operator.lower())
    if function is None:
        unknown = FUNCTIONS.unknown(operator[:80])
        problems.error("UnknownFunction", at, unknown.message, unknown.hint)
        return []
    try:
        function.check_count(len(values))
    except ExpressionError as error:
        problems.error("WrongArgumentCount", at, error.message, error.hint)
    if operator.lower() not in _LOGICAL:
        return []
    return [(each, join(at, index) if listed else at) for index, each in enumerate(values)]
