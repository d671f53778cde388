"""Numbers as desktop flows count: one type, .NET's Decimal, with 28 to 29 digits and nothing binary about it.

Whole numbers are ints, all others Decimals; results that happen to be whole become ints again, so that the two never
need telling apart. Nothing here converts other types.

Source: .NET, System.Decimal: 96 bits of digits, 0 to 28 of them behind the point, halves rounded to even.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from typing import Final, TypeAlias

from .errors import DIVISION, OVERFLOW, LogicError

Number: TypeAlias = "int | Decimal"

HIGHEST: Final = 2**96 - 1
"""The largest number, and with a minus the smallest."""

_MOST_PLACES: Final = 28
_WIDE: Final = Context(prec=100, rounding=ROUND_HALF_EVEN)
"""Enough digits for the exact product, and the exact sum, of any two numbers of the type."""


def fitted(value: Decimal) -> Number:
    """The number of the type that is nearest; an int where it is whole. Raises LogicError beyond the range."""
    if not value.is_finite():
        raise _overflow()
    digits, places = value.adjusted() + 1, -int(value.as_tuple().exponent)
    if places <= 0:
        return ranged(int(value))
    keep = min(places, _MOST_PLACES, max(0, 29 - max(digits, 0)))
    if keep < places:
        value = value.quantize(Decimal(1).scaleb(-keep), context=_WIDE)
    while keep and abs(int(value.scaleb(keep, context=_WIDE))) > HIGHEST:
        keep -= 1
        value = value.quantize(Decimal(1).scaleb(-keep), context=_WIDE)
    if value == value.to_integral_value():
        return ranged(int(value))
    return value.normalize(_WIDE)


def ranged(value: int) -> int:
    """The int itself. Raises LogicError beyond the range."""
    if -HIGHEST <= value <= HIGHEST:
        return value
    raise _overflow()


def add(left: Number, right: Number) -> Number:
    if type(left) is int and type(right) is int:
        return ranged(left + right)
    return fitted(_WIDE.add(Decimal(left), Decimal(right)))


def subtract(left: Number, right: Number) -> Number:
    if type(left) is int and type(right) is int:
        return ranged(left - right)
    return fitted(_WIDE.subtract(Decimal(left), Decimal(right)))


def multiply(left: Number, right: Number) -> Number:
    if type(left) is int and type(right) is int:
        return ranged(left * right)
    return fitted(_WIDE.multiply(Decimal(left), Decimal(right)))


def divide(left: Number, right: Number) -> Number:
    """Raises LogicError for a division by zero."""
    if right == 0:
        raise LogicError(DIVISION, "A number cannot be divided by zero.")
    if type(left) is int and type(right) is int and left % right == 0:
        return left // right
    return fitted(_WIDE.divide(Decimal(left), Decimal(right)))


def remainder(left: Number, right: Number) -> Number:
    """`mod`: what is left has the sign of `left`, as in .NET. Raises LogicError for a division by zero."""
    if right == 0:
        raise LogicError(DIVISION, "A number cannot be divided by zero.")
    if type(left) is int and type(right) is int:
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return fitted(_WIDE.remainder(Decimal(left), Decimal(right)))


def rounded(value: Number, places: int) -> Number:
    """To so many places, halves to even. `places` from 0 to 28."""
    if isinstance(value, int):
        return value
    return fitted(value.quantize(Decimal(1).scaleb(-places), context=_WIDE))


def plain_text(value: Number) -> str:
    """Digits, a point where there are places, never an exponent: 1.5, -0.001, 10000000000."""
    if isinstance(value, int):
        return str(value)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read(text: str) -> Number | None:
    """The number that a text in the language's own notation spells, None where it is none; out of range is None too."""
    if len(text) > 400 or "_" in text:
        return None
    try:
        with localcontext(_WIDE):
            value = Decimal(text)
        return fitted(value) if abs(value.adjusted()) < 1_000 else (0 if value == 0 else None)
    except (InvalidOperation, ValueError, LogicError):
        return None


def _overflow() -> LogicError:
    return LogicError(OVERFLOW, "The result is too large for a number: it has 28 to 29 digits.")
