"""Math functions: add, sub, mul, div, mod, min, max, range.

Integers are int64 and checked; two integers give an integer, a float beside one gives a float, a decimal beside either
a decimal. Source throughout: "Logic Apps, expression functions reference: math functions".
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, TypeAlias

from ...errors import ExpressionError
from ...values import HIGHEST_INTEGER, LOWEST_INTEGER, Value
from ..table import Family
from . import decimals
from .arguments import MAXIMUM_RANGE, fault, integer, number

FAMILY = Family("math", "Logic Apps, expression functions reference: math functions")

Number: TypeAlias = "int | float | Decimal"


def _checked(result: int, fn: str) -> int:
    if LOWEST_INTEGER <= result <= HIGHEST_INTEGER:
        return result
    raise ExpressionError(
        f"The template language function '{fn}': the result is too large or too small for a 64-bit integer.",
        hint="Use floats (1.0) or decimal('1') where numbers may get this large.",
    )


def _decimals(left: Number, right: Number, fn: str) -> tuple[Decimal, Decimal] | None:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return decimals.from_number(left, fn), decimals.from_number(right, fn)
    return None


@FAMILY.function("add", 2)
def add(left: Value, right: Value) -> Number:
    """The sum of two numbers."""
    if type(left) is int and type(right) is int:
        total = left + right
        return total if LOWEST_INTEGER <= total <= HIGHEST_INTEGER else _checked(total, "add")
    a, b = number(left, "add", 1), number(right, "add", 2)
    if pair := _decimals(a, b, "add"):
        return decimals.add(*pair)
    return float(a) + float(b)


@FAMILY.function("sub", 2)
def sub(left: Value, right: Value) -> Number:
    """The first number minus the second."""
    if type(left) is int and type(right) is int:
        return _checked(left - right, "sub")
    a, b = number(left, "sub", 1), number(right, "sub", 2)
    if pair := _decimals(a, b, "sub"):
        return decimals.subtract(*pair)
    return float(a) - float(b)


@FAMILY.function("mul", 2)
def mul(left: Value, right: Value) -> Number:
    """The product of two numbers."""
    if type(left) is int and type(right) is int:
        return _checked(left * right, "mul")
    a, b = number(left, "mul", 1), number(right, "mul", 2)
    if pair := _decimals(a, b, "mul"):
        return decimals.multiply(*pair)
    return float(a) * float(b)


def _by_zero(fn: str) -> ExpressionError:
    return ExpressionError(
        f"Attempt to divide an integral or decimal value by zero in function '{fn}'.",
        hint="Test the divisor first, for example with if(equals(...), ...).",
    )


@FAMILY.function("div", 2)
def div(left: Value, right: Value) -> Number:
    """The quotient; of two integers without its fraction. Dividing an integer or decimal by zero is an error."""
    if type(left) is int and type(right) is int:
        if not right:
            raise _by_zero("div")
        quotient = abs(left) // abs(right)
        return _checked(quotient if (left < 0) == (right < 0) else -quotient, "div")
    a, b = number(left, "div", 1), number(right, "div", 2)
    if pair := _decimals(a, b, "div"):
        if not pair[1]:
            raise _by_zero("div")
        return decimals.divide(*pair)
    if not b:
        # As .NET divides floats: by zero there is an infinity, and NaN for 0 / 0.
        return math.nan if not a or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return float(a) / float(b)


@FAMILY.function("mod", 2)
def mod(left: Value, right: Value) -> Number:
    """The remainder of a division, with the sign of the dividend."""
    if type(left) is int and type(right) is int:
        if not right:
            raise _by_zero("mod")
        if right == -1 and left == LOWEST_INTEGER:
            return _checked(-left, "mod")  # overflows on the host, although the remainder would fit
        remainder = abs(left) % abs(right)
        return -remainder if left < 0 else remainder
    a, b = number(left, "mod", 1), number(right, "mod", 2)
    if pair := _decimals(a, b, "mod"):
        if not pair[1]:
            raise _by_zero("mod")
        return decimals.remainder(*pair)
    return math.nan if not b or math.isinf(a) else math.fmod(a, b)


def _numbers(values: tuple[Value, ...], fn: str) -> list[Any]:
    given: Any = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    if not given:
        raise fault(fn, "expects at least one number.")
    numbers = [number(value, fn, n) for n, value in enumerate(given, 1)]
    if any(isinstance(value, Decimal) for value in numbers):
        return [decimals.from_number(value, fn) for value in numbers]
    if any(isinstance(value, float) for value in numbers):
        return [float(value) for value in numbers]
    return numbers


@FAMILY.function("max", 1, None)
def max_(*values: Value) -> Number:
    """The highest of several numbers, or of an array of numbers, in the widest of their types."""
    return max(_numbers(values, "max"))  # type: ignore[no-any-return]


@FAMILY.function("min", 1, None)
def min_(*values: Value) -> Number:
    """The lowest of several numbers, or of an array of numbers, in the widest of their types."""
    return min(_numbers(values, "min"))  # type: ignore[no-any-return]


@FAMILY.function("range", 2)
def range_(start: Value, count: Value) -> list[Any]:
    """`count` integers from `start` on; at most 100,000, none above 2,147,483,647."""
    first, size = integer(start, "range", 1), integer(count, "range", 2)
    if size < 0 or size > MAXIMUM_RANGE:
        raise fault("range", f"expects its second parameter to be an integer from 0 to {MAXIMUM_RANGE:,}: got {size}.")
    if first + size > 2_147_483_648 or first < -2_147_483_648:
        raise fault(
            "range", "expects a range within 32-bit integers: the sum of both parameters must not exceed 2,147,483,647."
        )
    return list(range(first, first + size))
