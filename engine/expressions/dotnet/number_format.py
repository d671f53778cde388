"""Writing numbers by .NET's standard numeric patterns (C, D, E, F, G, N, P, R, X, B); other patterns are custom.

Source: .NET documentation, "Standard numeric format strings". Where .NET versions differ, the newer one is followed:
all digits of a double are exact, negative zero keeps its sign. C, F, N and P without a precision have the digits of
.NET's documentation (two, or the currency's).
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from .cultures import Culture, NumberRules
from .faults import FormatError
from .number_custom import format_custom

Number = int | float | Decimal

STANDARD = re.compile(r"([A-Za-z])([0-9]{0,9})")
# .NET allows a precision of 999,999,999; a text that long is never meant.
MAXIMUM_PATTERN = 8_192
MAXIMUM_PRECISION = 100_000
EXACT = Context(prec=110_000, Emax=999_999, Emin=-999_999)


def format_number(number: Number, pattern: str, culture: Culture) -> str:
    """The number by a standard or custom pattern; an empty pattern is "G".

    Raises FormatError for a letter that is no standard format, and for D and X with a number that is no integer.
    """
    rules = culture.numbers
    if isinstance(number, float) and (number != number or number in (float("inf"), float("-inf"))):
        return _special(number, rules)
    standard = STANDARD.fullmatch(pattern or "G")
    if len(pattern) > MAXIMUM_PATTERN:
        raise FormatError(f"it is longer than {MAXIMUM_PATTERN:,} characters")
    if standard is None:
        return format_custom(number, pattern, rules)
    precision = int(standard[2]) if standard[2] else None
    if precision is not None and precision > MAXIMUM_PRECISION:
        raise FormatError(f"the precision may be at most {MAXIMUM_PRECISION:,}")
    return _standard(number, standard[1], precision, rules)


def _special(number: float, rules: NumberRules) -> str:
    if number != number:
        return rules.nan
    return rules.infinity if number > 0 else rules.minus + rules.infinity


def _standard(number: Number, letter: str, precision: int | None, rules: NumberRules) -> str:
    match letter.upper():
        case "D" | "X" | "B":
            return _integer(number, letter, precision or 0, rules)
        case "C":
            digits = rules.currency_digits if precision is None else precision
            text, negative = fixed(number, digits, rules.currency_decimal, rules.currency_group, rules.groups)
            return _shaped(rules.currency_shapes[negative], text, rules.currency, rules)
        case "F":
            text, negative = fixed(number, 2 if precision is None else precision, rules.decimal, "", ())
            return rules.minus + text if negative else text
        case "N":
            text, negative = fixed(
                number, 2 if precision is None else precision, rules.decimal, rules.group, rules.groups
            )
            return rules.minus + text if negative else text
        case "P":
            hundredfold = EXACT.multiply(exact(number), Decimal(100))
            text, negative = fixed(
                hundredfold, 2 if precision is None else precision, rules.decimal, rules.group, rules.groups
            )
            return _shaped(rules.percent_shapes[negative], text, rules.percent, rules)
        case "E":
            return scientific(number, 6 if precision is None else precision, letter, rules, exponent_digits=3)
        case "G":
            return general(number, precision, "E" if letter == "G" else "e", rules)
        case "R":
            if isinstance(number, int):
                raise FormatError("the format 'R' is for floating-point numbers")
            return general(number, None, "E", rules)
    raise FormatError(f"'{letter}' is not a standard number format")


def _shaped(shape: str, text: str, symbol: str, rules: NumberRules) -> str:
    parts = {"#": text, "$": symbol, "%": symbol, "-": rules.minus}
    return "".join([parts.get(char, char) for char in shape])


def _integer(number: Number, letter: str, digits: int, rules: NumberRules) -> str:
    if not isinstance(number, int):
        raise FormatError(f"the format '{letter}' is for integers")
    if letter in "Dd":
        text = str(abs(number)).zfill(digits)
        return rules.minus + text if number < 0 else text
    # JSON integers are of 64 bits on the host (JValue), so negative ones are written as their two's complement.
    if number < 0:
        number += 1 << 64
    text = format(number, {"x": "x", "X": "X", "b": "b", "B": "b"}[letter])
    return text.zfill(digits)


def exact(number: Number) -> Decimal:
    """The number without loss."""
    return Decimal(number)


def round_to(number: Decimal, digits: int) -> Decimal:
    """Rounded to so many digits behind the point, halves away from zero."""
    return number.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=EXACT)


def fixed(number: Number, digits: int, point: str, group: str, sizes: tuple[int, ...]) -> tuple[str, bool]:
    """The digits with `digits` decimals and grouped integers, and whether a sign belongs to them."""
    value = round_to(exact(number), digits)
    text = format(value.copy_abs(), "f")
    whole, _, decimals = text.partition(".")
    negative = value.is_signed() and (value != 0 or isinstance(number, float))
    return grouped(whole, group, sizes) + (point + decimals if decimals else ""), negative


def grouped(whole: str, group: str, sizes: tuple[int, ...]) -> str:
    """The digits with `group` between groups of the given sizes, the last of which repeats (0: no more groups)."""
    if not group or not sizes:
        return whole
    parts: list[str] = []
    index = 0
    while sizes[index] and len(whole) > sizes[index]:
        parts.append(whole[-sizes[index] :])
        whole = whole[: -sizes[index]]
        index = min(index + 1, len(sizes) - 1)
    return group.join([whole, *reversed(parts)])


def scientific(number: Number, digits: int, symbol: str, rules: NumberRules, *, exponent_digits: int) -> str:
    """`d.ddde+xxx`, with so many digits behind the point."""
    value = exact(number)
    negative = value.is_signed() and (value != 0 or isinstance(number, float))
    mantissa, exponent = significant(value.copy_abs(), digits + 1)
    text = mantissa[0] + (rules.decimal + mantissa[1:] if digits else "")
    sign = rules.minus if exponent < 0 else "+"
    return f"{rules.minus if negative else ''}{text}{symbol}{sign}{str(abs(exponent)).zfill(exponent_digits)}"


def significant(value: Decimal, digits: int) -> tuple[str, int]:
    """The first `digits` significant digits of a number, rounded, and the power of ten of the first."""
    if value == 0:
        return "0" * digits, 0
    rounded = Context(prec=digits, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999).plus(value)
    found = "".join(map(str, rounded.as_tuple().digits))
    return found.ljust(digits, "0")[:digits], rounded.adjusted()


def general(number: Number, precision: int | None, symbol: str, rules: NumberRules) -> str:
    """The shorter of fixed and scientific notation (G); without a precision every digit that matters."""
    if isinstance(number, float):
        # repr gives the shortest text that reads back as the same double, as .NET does since version 3.
        value, limit = Decimal(repr(number)), 15
        if precision:
            value, limit = exact(number), precision
    elif isinstance(number, int):
        if not precision:
            return rules.minus + str(-number) if number < 0 else str(number)
        value, limit = Decimal(number), precision
    else:
        if not precision:
            # A decimal keeps its trailing zeros and is never written with an exponent.
            text = format(number.copy_abs(), "f").replace(".", rules.decimal)
            return rules.minus + text if number.is_signed() and number != 0 else text
        value, limit = number, precision
    negative = value.is_signed() and (value != 0 or isinstance(number, float))
    value = value.copy_abs()
    if precision:
        value = Context(prec=precision, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999).plus(value)
    text = _shortest(value, limit, symbol, rules)
    return rules.minus + text if negative else text


def _shortest(value: Decimal, limit: int, symbol: str, rules: NumberRules) -> str:
    if value == 0:
        return "0"
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0")
    exponent = value.adjusted()
    if -5 < exponent < limit:
        text = format(value, "f")
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.replace(".", rules.decimal)
    sign = rules.minus if exponent < 0 else "+"
    mantissa = digits[0] + (rules.decimal + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}{symbol}{sign}{abs(exponent):02d}"
