"""Decimals as .NET has them: 96 bits of digits, 0 to 28 decimal places, trailing zeros kept.

Python's own decimals are wider; `fit` brings a result back to what the host can hold.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation

from ...errors import ExpressionError

_LARGEST = 2**96 - 1
_WIDE = Context(
    prec=80, rounding=ROUND_HALF_EVEN, Emax=999_999, Emin=-999_999, traps=[InvalidOperation, DivisionByZero]
)
# NumberStyles.Number: white space, a sign at either end, thousands separators, a decimal point; no exponent.
_TEXT = re.compile(r"\s*([+-]?)((?:\d[\d,]*)?(?:\.\d*)?)\s*([+-]?)\s*\Z", re.ASCII)


def fit(value: Decimal, fn: str) -> Decimal:
    """The value within a decimal's precision. Raises ExpressionError when it is too large."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise _too_large(fn)
    if exponent > 0:
        if len(digits) + exponent > 30:
            raise _too_large(fn)
        value = _WIDE.quantize(value, Decimal(1))
        exponent = 0
    places = -exponent
    while places > 28 or _mantissa(value) > _LARGEST:
        excess = max(places - 28, len(value.as_tuple().digits) - 29, 1)
        if places == 0:
            raise _too_large(fn)
        places = max(places - excess, 0)
        value = _WIDE.quantize(value, Decimal((0, (1,), -places)))
    return value


def _mantissa(value: Decimal) -> int:
    return int("".join(map(str, value.as_tuple().digits)))


def _too_large(fn: str) -> ExpressionError:
    return ExpressionError(
        f"The template language function '{fn}': the value was either too large or too small for a decimal."
    )


def from_float(value: float, fn: str) -> Decimal:
    """A float as a decimal: 15 significant digits, no trailing zeros. Raises ExpressionError out of range."""
    if value - value != 0 or abs(value) >= 7.9228162514264338e28:
        raise _too_large(fn)
    result = Decimal(f"{value:.15g}")
    return fit(result.normalize(_WIDE) if result else Decimal(0), fn)


def from_number(value: int | float | Decimal, fn: str) -> Decimal:
    """Any number as a decimal."""
    if isinstance(value, Decimal):
        return value
    return from_float(value, fn) if isinstance(value, float) else Decimal(value)


def from_text(value: str, fn: str) -> Decimal | None:
    """The decimal that a text stands for; None when it stands for none. Raises ExpressionError when it is too large."""
    match = _TEXT.match(value) if len(value) < 200 else None
    if match is None:
        return None
    before, digits, behind = match.groups()
    digits = digits.replace(",", "")
    if digits in ("", ".") or (before and behind):
        return None
    number = Decimal(digits)
    return fit(-number if "-" in (before, behind) else number, fn)


def add(left: Decimal, right: Decimal) -> Decimal:
    """The sum."""
    return fit(_WIDE.add(left, right), "add")


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The difference."""
    return fit(_WIDE.subtract(left, right), "sub")


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The product."""
    return fit(_WIDE.multiply(left, right), "mul")


def divide(left: Decimal, right: Decimal) -> Decimal:
    """The quotient, with no more places than it needs. The divisor is not zero."""
    return fit(_WIDE.divide(left, right), "div")


def remainder(left: Decimal, right: Decimal) -> Decimal:
    """The remainder, with the sign of the dividend. The divisor is not zero."""
    return fit(_WIDE.remainder(left, right), "mod")
