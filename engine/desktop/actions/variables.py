"""Pure actions on numbers and single variables: increase, decrease, truncate, random numbers.

Source: desktop flows, "Variables actions".
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Final

from ...errors import error_name
from ..expressions.errors import ActionError
from ..expressions.numbers import Number, add, fitted, rounded, subtract
from .port import Given, Outputs, PureAction, table_of

_RANDOM: Final = error_name("Failed to generate random number")
_MOST: Final = 100_000
"""Random numbers that one action makes at most."""


def _increase(given: Given) -> Outputs:
    return {"Value": add(given.number("Value"), given.number("IncrementValue"))}


def _decrease(given: Given) -> Outputs:
    return {"Value": subtract(given.number("Value"), given.number("DecrementValue"))}


def _integer_part(given: Given) -> Outputs:
    return {"Result": _whole(given.number("Number"))}


def _decimal_part(given: Given) -> Outputs:
    number = given.number("Number")
    return {"Result": subtract(number, _whole(number))}


def _whole(number: Number) -> Number:
    """Without its places, towards zero."""
    return number if isinstance(number, int) else int(number.to_integral_value(ROUND_DOWN))


def _round(given: Given) -> Outputs:
    places = given.integer("DecimalPlaces", 3)
    if not 0 <= places <= 28:
        raise ActionError("InvalidArgumentError", "A number has from 0 to 28 decimal places.")
    return {"Result": rounded(fitted(Decimal(given.number("Number"))), places)}


def _random(given: Given) -> Outputs:
    low, high = _bounds(given)
    return {"RandomNumber": _drawn(given, low, high)}


def _random_list(given: Given) -> Outputs:
    low, high = _bounds(given)
    count = given.integer("NumbersCount", 10)
    if not 0 <= count <= _MOST:
        raise ActionError(_RANDOM, f"From 0 to {_MOST} numbers can be made at once, not {count}.")
    if given.boolean("AllowDuplicates", False):
        return {"RandomNumbers": [_drawn(given, low, high) for _ in range(count)]}
    if count > high - low + 1:
        raise ActionError(_RANDOM, f"There are no {count} different numbers from {low} to {high}.")
    numbers: dict[int, None] = {}
    taken: dict[int, int] = {}
    for place in range(count):  # a shuffle of the whole range, of which only what is drawn is kept
        other = place + _drawn(given, 0, high - low - place)
        numbers[taken.get(other, other) + low] = None
        taken[other] = taken.get(place, place)
    return {"RandomNumbers": list(numbers)}


def _bounds(given: Given) -> tuple[int, int]:
    low, high = given.integer("MinimumValue", 0), given.integer("MaximumValue", 100)
    if low > high:
        raise ActionError(_RANDOM, f"The minimum {low} is greater than the maximum {high}.")
    return low, high


def _drawn(given: Given, low: int, high: int) -> int:
    """A number from `low` to `high`, both included."""
    return low + int.from_bytes(given.draw(16), "big") * (high - low + 1) // (1 << 128)


ACTIONS: Final = table_of(
    (
        PureAction("Variables.IncreaseVariable", _increase, ("Value",)),
        PureAction("Variables.DecreaseVariable", _decrease, ("Value",)),
        PureAction("Variables.TruncateNumber.GetIntegerPart", _integer_part),
        PureAction("Variables.TruncateNumber.GetDecimalPart", _decimal_part),
        PureAction("Variables.TruncateNumber.RoundNumber", _round),
        PureAction("Variables.GenerateRandomNumber.RandomNumber", _random),
        PureAction("Variables.GenerateRandomNumber.ListOfRandomNumbers", _random_list),
    )
)
