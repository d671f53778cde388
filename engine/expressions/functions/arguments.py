"""Reading arguments: each gives the value in the type a function expects, or the error the host would word.

`fn` is the function's name as documented; `n` is the 1-based number of the argument, 0 where a function has only one.
No function lives here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

from ...errors import ExpressionError
from ...values import LONGEST_TEXT, Value, type_name

MAXIMUM_TEXT = LONGEST_TEXT
# The documented bound of `range`.
MAXIMUM_RANGE = 100_000
# No document bounds the arrays that split, chunk and the like create; memory does.
MAXIMUM_ITEMS = 2_000_000

_ORDINALS = ("", "first ", "second ", "third ", "fourth ", "fifth ", "sixth ")


def mismatch(fn: str, n: int, expected: str, value: Value) -> ExpressionError:
    """The error for an argument of the wrong type; `expected` reads like `a string`."""
    ordinal = _ORDINALS[n] if n < len(_ORDINALS) else f"{n}th "
    return ExpressionError(
        f"The template language function '{fn}' expects its {ordinal}parameter to be {expected}. "
        f"The provided value is of type '{type_name(value)}'.",
        hint=f"Please see https://aka.ms/logicexpressions#{fn} for usage details.",
    )


def wrong(fn: str, n: int, expected: str, value: Value) -> NoReturn:
    """Raise the error for an argument of the wrong type."""
    raise mismatch(fn, n, expected, value)


def fault(fn: str, reason: str) -> ExpressionError:
    """The error for arguments of the right type that cannot be used; `reason` continues the sentence."""
    return ExpressionError(
        f"The template language function '{fn}' {reason}",
        hint=f"Please see https://aka.ms/logicexpressions#{fn} for usage details.",
    )


def text(value: Value, fn: str, n: int = 0) -> str:
    """A text. Content objects are not texts: `toLower(binary('A'))` is an error on the host too."""
    if type(value) is str:
        return value
    raise mismatch(fn, n, "a string", value)


def integer(value: Value, fn: str, n: int = 0) -> int:
    """An integer (never a boolean); a float or decimal without a fraction counts."""
    if type(value) is int:
        return value
    if isinstance(value, (float, Decimal)) and -(2**63) <= value < 2**63 and value == int(value):
        return int(value)
    raise mismatch(fn, n, "an integer", value)


def number(value: Value, fn: str, n: int = 0) -> int | float | Decimal:
    """An integer, float or decimal (never a boolean)."""
    if type(value) is int or type(value) is float or type(value) is Decimal:
        return value
    raise mismatch(fn, n, "a number", value)


def array(value: Value, fn: str, n: int = 0) -> list[Any]:
    """An array."""
    if type(value) is list:
        return value
    raise mismatch(fn, n, "an array", value)


def record(value: Value, fn: str, n: int = 0) -> dict[str, Any]:
    """An object."""
    if type(value) is dict:
        return value
    raise mismatch(fn, n, "an object", value)


def bounded(result: str, fn: str) -> str:
    """The text itself, unless it is longer than a result may be."""
    if len(result) > MAXIMUM_TEXT:
        bounded_length(len(result), fn)
    return result


def bounded_length(length: int, fn: str) -> None:
    """Raise unless a text of this many characters may be built. Asked before it is built."""
    if length > MAXIMUM_TEXT:
        raise fault(fn, f"gives a result longer than the limit of {MAXIMUM_TEXT:,} characters.")


def bounded_items(count: int, fn: str) -> None:
    """Raise unless an array of this many items may be built. Asked before it is built."""
    if count > MAXIMUM_ITEMS:
        raise fault(fn, f"gives an array longer than the limit of {MAXIMUM_ITEMS:,} items.")


# A source of random bytes: how many are wanted -> that many.
RandomSource = Callable[[int], bytes]
