"""Variables: what their actions check and change. Records keep the change, not the value that it led to.

Source: Logic Apps, "Create and manage variables": types, and that a value must fit the variable's type.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ....cloud import Action
from ....errors import ExpressionError
from ....expressions import compile_value
from ....values import Value, to_text, type_name
from ...contract.status import SUCCEEDED
from ..plan.names import ActionScope
from ..plan.plan import Node, Outcome, Work
from ..state import Frame, State, Variable

_EMPTY: Final[dict[str, Value]] = {
    "integer": None,
    "float": None,
    "boolean": None,
    "string": None,
    "array": None,
    "object": None,
}
_INT64: Final = 1 << 63


def initialize(node: Node, action: Action, scope: ActionScope) -> Work:
    """InitializeVariable: one variable, or several in newer definitions.

    The outcome is a list of [name, type, value].
    """
    given = action.inputs.get("variables") if isinstance(action.inputs, dict) else None
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise ExpressionError(f"The inputs of '{node.name}' must have a list 'variables'.")
    declared = [
        (each.get("name"), str(each.get("type", "")).lower(), compile_value(each.get("value"), scope).evaluate)
        for each in given
    ]

    def work(frame: Frame) -> Outcome:
        made = []
        for name, kind, evaluate in declared:
            if not isinstance(name, str) or kind not in _EMPTY:
                raise ExpressionError(
                    f"'{node.name}' must give each variable a name and a type, not '{name}' and '{kind}'."
                )
            if name.lower() in frame.state.vars:
                raise ExpressionError(
                    f"The variable '{name}' is initialized twice.", code="InvalidVariableInitialization"
                )
            value = evaluate(frame)
            made.append([name, kind, None if value is None else _fit(name, kind, value)])
        return SUCCEEDED, "OK", None, made, None

    return work


def set_value(node: Node, action: Action, scope: ActionScope) -> Work:
    evaluate = _value(node, action, scope)

    def work(frame: Frame) -> Outcome:
        variable = _declared(frame, node)
        value = evaluate(frame)
        return SUCCEEDED, "OK", None, _fit(variable.name, variable.type, value), None

    return work


def add(sign: int) -> Any:
    """IncrementVariable (`sign` 1) and DecrementVariable (-1): the outcome is the new value."""

    def build(node: Node, action: Action, scope: ActionScope) -> Work:
        _value(node, action, scope)
        inputs: Any = action.inputs
        evaluate = compile_value(inputs.get("value", 1), scope).evaluate

        def work(frame: Frame) -> Outcome:
            variable = _declared(frame, node, "integer", "float")
            step = evaluate(frame)
            if step is None:
                step = 1
            if isinstance(step, bool) or not isinstance(step, int | float):
                raise _misfit(variable.name, variable.type, step)
            if variable.value is None:
                raise ExpressionError(
                    f"The variable '{variable.name}' has no value yet.", code="InvalidVariableOperation"
                )
            return SUCCEEDED, "OK", None, _fit(variable.name, variable.type, variable.value + sign * step), None

        return work

    return build


def append_text(node: Node, action: Action, scope: ActionScope) -> Work:
    """AppendToStringVariable: any value, as text. The outcome is the piece."""
    evaluate = _value(node, action, scope)

    def work(frame: Frame) -> Outcome:
        variable = _declared(frame, node, "string")
        piece = to_text(evaluate(frame))
        if len(variable.value or "") + len(piece) > 104_857_600:
            raise ExpressionError(f"The variable '{variable.name}' would grow over 104,857,600 characters.")
        return SUCCEEDED, "OK", None, piece, None

    return work


def append_item(node: Node, action: Action, scope: ActionScope) -> Work:
    """AppendToArrayVariable: any value. The outcome is the item."""
    evaluate = _value(node, action, scope)

    def work(frame: Frame) -> Outcome:
        _declared(frame, node, "array")
        return SUCCEEDED, "OK", None, evaluate(frame), None

    return work


def change(state: State, node: Node, outcome: Any) -> None:
    """Carry out the change that an outcome above describes."""
    if node.type == "initializevariable":
        for name, kind, value in outcome:
            state.vars[name.lower()] = Variable(name, kind, value)
        return
    variable = state.vars[node.variable]
    if node.type == "appendtoarrayvariable":
        if variable.shared:
            variable.value = list(variable.value or ())
            variable.shared = False
        variable.value.append(outcome)
    elif node.type == "appendtostringvariable":
        variable.value = (variable.value or "") + outcome
    else:
        variable.value = outcome
        variable.shared = True


def told(state: State, node: Node, outcome: Any) -> tuple[Any, Any]:
    """Inputs and outputs as the history shows them."""
    if node.type == "initializevariable":
        return {"variables": [{"name": name, "type": kind, "value": value} for name, kind, value in outcome]}, None
    name = state.vars[node.variable].name
    pair = {"name": name, "value": outcome}
    if node.type in ("appendtoarrayvariable", "appendtostringvariable"):
        return pair, None
    return pair, {"body": pair}


def _value(node: Node, action: Action, scope: ActionScope) -> Any:
    inputs = action.inputs
    name = inputs.get("name") if isinstance(inputs, dict) else None
    if not isinstance(name, str):
        raise ExpressionError(f"The inputs of '{node.name}' must name a variable.")
    node.variable = name.lower()
    return compile_value(inputs.get("value"), scope).evaluate if isinstance(inputs, dict) else None


def _declared(frame: Frame, node: Node, *types: str) -> Variable:
    variable = frame.state.vars.get(node.variable)
    if variable is None:
        raise ExpressionError(
            f"The variable '{node.variable}' is not initialized.", hint="Add an Initialize variable action before it."
        )
    if types and variable.type not in types:
        raise ExpressionError(
            f"'{node.name}' needs a variable of type {' or '.join(types)}; "
            f"'{variable.name}' is of type {variable.type}.",
            code="InvalidVariableOperation",
        )
    return variable


def _fit(name: str, kind: str, value: Value) -> Value:
    """The value as the variable holds it; raises ExpressionError where it does not fit the type.

    Null fits every type.
    """
    if value is None:
        return None
    if kind == "float" and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, float),
        "boolean": isinstance(value, bool),
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]
    if not fits:
        raise _misfit(name, kind, value)
    if kind == "integer" and isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise ExpressionError(
            f"The variable '{name}' would leave the range of 64-bit integers.", code="InvalidVariableOperation"
        )
    return value


def _misfit(name: str, kind: str, value: Value) -> ExpressionError:
    return ExpressionError(
        f"The variable '{name}' of type {kind} cannot take a value of type {type_name(value)}.",
        code="InvalidVariableOperation",
        hint="Convert the value, e.g. with int(), string() or json().",
    )
