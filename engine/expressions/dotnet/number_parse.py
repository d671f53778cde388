"""Reading numbers: the styles that the language's `float`, `isFloat` and `isInt` accept.

Source: .NET's NumberStyles Number and AllowExponent (white space, sign on either side, thousands, point, exponent).
"""

from __future__ import annotations

from functools import lru_cache

from .cultures import Culture
from .faults import FormatError

MAXIMUM_LENGTH = 5_000
WHITE = "\t\n\v\f\r "


def parse_float(text: str, culture: Culture) -> float:
    """The double that a text stands for; a number too large is infinite. Raises FormatError when it is none."""
    if len(text) > MAXIMUM_LENGTH:
        raise FormatError(f"a number of more than {MAXIMUM_LENGTH:,} characters is not read")
    trimmed = text.strip(WHITE).rstrip("\0")
    special = _special(trimmed, culture)
    if special is not None:
        return special
    plain = _plain(trimmed, culture)
    if plain is None:
        raise FormatError(f"'{text}' is not a floating-point number")
    return float(plain)


def is_integer(text: str) -> bool:
    """Whether a text is an integer of 64 bits: white space around it and a leading sign are allowed."""
    trimmed = text.strip(WHITE).rstrip("\0")
    digits = trimmed[1:] if trimmed[:1] in ("+", "-") else trimmed
    if not digits or not digits.isascii() or not digits.isdigit() or len(digits.lstrip("0")) > 19:
        return False
    return -(2**63) <= int(trimmed) < 2**63


def _special(text: str, culture: Culture) -> float | None:
    rules = culture.numbers
    folded = text.casefold()
    nan, infinity = rules.nan.casefold(), rules.infinity.casefold()
    if folded in (nan, f"+{nan}", f"-{nan}", "nan", "+nan", "-nan"):
        return float("nan")
    if folded in (infinity, f"+{infinity}"):
        return float("inf")
    if folded in (f"-{infinity}", f"{rules.minus}{infinity}"):
        return float("-inf")
    return None


@lru_cache(maxsize=64)
def _marks(decimal: str, group: str, minus: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # A group separator that is a no-break space may be typed as any space; a culture's minus as the hyphen.
    groups = (group, " ", "\u00a0", "\u202f") if group in "\u00a0\u202f" else (group,)
    return groups, tuple(dict.fromkeys((minus, "-", "\u2212")))


def _plain(text: str, culture: Culture) -> str | None:
    """The text in the spelling of Python's float, or None when it is no number."""
    rules = culture.numbers
    groups, minuses = _marks(rules.decimal, rules.group, rules.minus)
    sign = ""
    for mark in (*minuses, "+"):
        if text.startswith(mark):
            sign, text = ("+" if mark == "+" else "-"), text[len(mark) :].lstrip(WHITE)
            break
    digits, rest, pointed, seen = "", text, False, False
    while rest:
        if rest[0] in "0123456789":
            digits += rest[0]
            seen = True
            rest = rest[1:]
        elif not pointed and rest.startswith(rules.decimal):
            digits += "."
            pointed = True
            rest = rest[len(rules.decimal) :]
        elif not pointed and seen and any(rest.startswith(mark) for mark in groups):
            rest = rest[1:]
        else:
            break
    if not seen:
        return None
    exponent, rest = _exponent(rest, minuses)
    rest = rest.lstrip(WHITE)
    if rest and not sign:
        for mark in (*minuses, "+"):
            if rest == mark:
                sign, rest = ("+" if mark == "+" else "-"), ""
                break
    if rest:
        return None
    return sign + digits + exponent


def _exponent(rest: str, minuses: tuple[str, ...]) -> tuple[str, str]:
    if rest[:1] not in ("e", "E"):
        return "", rest
    tail, sign = rest[1:], ""
    for mark in (*minuses, "+"):
        if tail.startswith(mark):
            sign, tail = ("+" if mark == "+" else "-"), tail[len(mark) :]
            break
    count = 0
    while count < len(tail) and tail[count] in "0123456789":
        count += 1
    if not count:
        return "", rest
    return f"e{sign}{tail[:count][:9]}", tail[count:]
