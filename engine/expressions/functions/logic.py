"""Logical functions: and, or, not, if, equals and the comparisons.

`and`, `or`, `if` and `coalesce` are lazy: the compiler evaluates them by its own forms, and what stands here is their
meaning on values. Source throughout: "Logic Apps, expression functions reference: logical comparison functions".
"""

from __future__ import annotations

from ...errors import ExpressionError
from ...values import Value, compare, equal, type_name
from ..table import Family
from .arguments import mismatch

FAMILY = Family("logic", "Logic Apps, expression functions reference: logical comparison functions")


def _boolean(value: Value, fn: str, n: int = 0) -> bool:
    if value is True or value is False:
        return value
    raise mismatch(fn, n, "a boolean", value)


@FAMILY.function("and", 1, None)
def and_(*values: Value) -> bool:
    """Whether all are true. Only booleans are accepted; evaluation stops at the first false."""
    return all(_boolean(value, "and", n) for n, value in enumerate(values, 1))


@FAMILY.function("or", 1, None)
def or_(*values: Value) -> bool:
    """Whether any is true. Only booleans are accepted; evaluation stops at the first true."""
    return any(_boolean(value, "or", n) for n, value in enumerate(values, 1))


@FAMILY.function("not", 1)
def not_(value: Value) -> bool:
    """The opposite of a boolean."""
    return not _boolean(value, "not")


@FAMILY.function("if", 3)
def if_(condition: Value, yes: Value, no: Value) -> Value:
    """The second or the third value, by the first, which must be a boolean. Only the chosen one is evaluated."""
    return yes if _boolean(condition, "if", 1) else no


@FAMILY.function("equals", 2)
def equals(left: Value, right: Value) -> bool:
    """Whether two values are equal: texts with their case, numbers by value, a boolean also with its name and 1 or 0.

    null equals an empty text; arrays and objects are compared member by member, names in any order.
    """
    return equal(left, right)


def _order(left: Value, right: Value, fn: str) -> int:
    result = compare(left, right)
    if result is None:
        raise ExpressionError(
            f"The template language function '{fn}' expects two parameters of matching types. The function was invoked "
            f"with values of type '{type_name(left)}' and '{type_name(right)}' that do not match.",
            hint="Compare numbers with numbers and texts with texts: int(), float() and string() convert.",
        )
    return result


@FAMILY.function("greater", 2)
def greater(left: Value, right: Value) -> bool:
    """Whether the first is more than the second: numbers by value, texts by code unit."""
    return _order(left, right, "greater") > 0 and not _nan(left, right)


@FAMILY.function("greaterOrEquals", 2)
def greater_or_equals(left: Value, right: Value) -> bool:
    """Whether the first is more than or equal to the second."""
    return _order(left, right, "greaterOrEquals") >= 0 and not _nan(left, right)


@FAMILY.function("less", 2)
def less(left: Value, right: Value) -> bool:
    """Whether the first is less than the second."""
    return _order(left, right, "less") < 0 and not _nan(left, right)


@FAMILY.function("lessOrEquals", 2)
def less_or_equals(left: Value, right: Value) -> bool:
    """Whether the first is less than or equal to the second."""
    return _order(left, right, "lessOrEquals") <= 0 and not _nan(left, right)


def _nan(left: Value, right: Value) -> bool:
    # NaN compares with nothing, not even with itself; a three-way comparison cannot say so.
    return left != left or right != right
