"""Conditions of If, Until and triggers: an expression, or an object of nested operators; always true or false.

    {"and": [{"equals": ["@variables('x')", 1]}, {"not": {"contains": ["@body('y')", "z"]}}]}

"Schema reference for trigger and action types: If action". Any function can be an operator, ignoring case.
"""

from __future__ import annotations

from typing import Any

from ..errors import ExpressionError
from ..values import Value, type_name
from .compile import Compiled, Compiler
from .functions import FUNCTIONS
from .observe import observed_string
from .scope import Scope
from .table import FunctionTable
from .template import MAXIMUM_JSON_NESTING

_LOGICAL = frozenset({"and", "or", "not"})


def compile_condition(expression: Value, scope: Scope, table: FunctionTable = FUNCTIONS) -> Compiled:
    """Compile a condition; evaluating it gives true or false and raises ExpressionError for any other value.

    Raises ExpressionError where the condition cannot be read or the scope refuses a name.
    """
    compiled = _condition(expression, Compiler(scope, table), 0)
    evaluate = compiled.evaluate

    def decide(frame: Any) -> Value:
        value = evaluate(frame)
        if value is True or value is False:
            return value
        raise ExpressionError(
            f"The result of a condition must be a boolean. The provided value is of type '{type_name(value)}'.",
            hint="Compare it, for example with equals().",
            expression=expression if isinstance(expression, str) else None,
        )

    return compiled if compiled.constant and isinstance(compiled.value, bool) else Compiled(decide)


def _condition(expression: Value, compiler: Compiler, depth: int) -> Compiled:
    if not isinstance(expression, dict):
        return compiler.value(expression)
    if len(expression) != 1:
        raise ExpressionError(
            f"A condition is an object with one operator; this one has {len(expression)}.",
            hint='Write {"and": [...]} or {"or": [...]} around several conditions.',
        )
    operator, operands = next(iter(expression.items()))
    return _operator(operator, operands, compiler, depth)


def _operator(operator: str, operands: Value, compiler: Compiler, depth: int) -> Compiled:
    if depth > MAXIMUM_JSON_NESTING:
        raise ExpressionError(f"The condition is nested more than {MAXIMUM_JSON_NESTING} levels deep.")
    values: list[Any] = operands if isinstance(operands, list) else [operands]
    if operator.lower() in _LOGICAL:
        arguments = [_condition(value, compiler, depth + 1) for value in values]
    else:
        arguments = [_operand(value, compiler, depth + 1) for value in values]
    compiler.source = None
    compiled = compiler.apply(operator, arguments)
    return compiled if compiler.observe is None else observed_string(operator, compiled, compiler.observe)


def _operand(value: Value, compiler: Compiler, depth: int) -> Compiled:
    # An object with one known operator is a nested call; any other is the value itself.
    if isinstance(value, dict) and len(value) == 1:
        operator, operands = next(iter(value.items()))
        if operator.lower() in compiler.table:
            return _operator(operator, operands, compiler, depth)
    return compiler.value(value)
