"""Writing moments by .NET's standard and custom date patterns (System.DateTime.ToString).

Source: .NET documentation, "Standard date and time format strings" and "Custom date and time format strings".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from .cultures import INVARIANT, Culture, FormatError
from .moment import HOUR, MINUTE, SECOND, Moment

Piece = Callable[[Moment, Culture], str]

# Patterns that do not depend on the culture.
FIXED = {
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
}
FIXED |= {"O": FIXED["o"], "R": FIXED["r"]}


def format_moment(moment: Moment, pattern: str, culture: Culture) -> str:
    """The moment by a standard (one character) or custom pattern; an empty pattern is "G".

    Raises FormatError for a pattern that .NET refuses.
    """
    if pattern == "o" or pattern == "O":
        return round_trip(moment)
    if len(pattern) <= 1:
        if pattern in FIXED:
            culture = INVARIANT
        pattern = standard_pattern(pattern or "G", culture)
    return "".join([piece(moment, culture) for piece in _compile(pattern, culture.genitive)])


def round_trip(moment: Moment) -> str:
    """The moment by "o": seven digits of fraction, `Z` when it is UTC."""
    seconds, fraction = divmod(moment.time, SECOND)
    return (
        f"{moment.date.isoformat()}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        f".{fraction:07d}{'Z' if moment.utc else ''}"
    )


def standard_pattern(letter: str, culture: Culture) -> str:
    """The custom pattern that a standard letter stands for. Raises FormatError for any other letter."""
    if letter in FIXED:
        return FIXED[letter]
    match letter:
        case "d":
            return culture.short_date
        case "D":
            return culture.long_date
        case "t":
            return culture.short_time
        case "T":
            return culture.long_time
        case "f":
            return f"{culture.long_date} {culture.short_time}"
        case "F" | "U":  # U is F in UTC; a time of no known zone is taken for UTC, the host's zone
            return f"{culture.long_date} {culture.long_time}"
        case "g":
            return f"{culture.short_date} {culture.short_time}"
        case "G":
            return f"{culture.short_date} {culture.long_time}"
        case "m" | "M":
            return culture.month_day
        case "y" | "Y":
            return culture.year_month
    raise FormatError(f"'{letter}' is not a standard date format")


@lru_cache(maxsize=512)
def _compile(pattern: str, genitive: bool) -> tuple[Piece, ...]:
    beside_day = genitive and _has_day(pattern)
    pieces: list[Piece] = []
    for kind, value in tokens(pattern):
        if kind == "literal":
            pieces.append(_literal(value))
        elif kind == "F" and pieces and getattr(pieces[-1], "text", "").endswith("."):
            # A point before an optional fraction goes with it (DateTimeFormat: "F" removes the point).
            before: str = pieces.pop().text  # type: ignore[attr-defined]
            pieces.append(_literal(before[:-1]))
            pieces.append(_optional_fraction(len(value), "."))
        else:
            pieces.append(_piece(kind, len(value), beside_day))
    return tuple(pieces)


def tokens(pattern: str) -> list[tuple[str, str]]:
    """The parts of a custom pattern: (specifier letter, its run) or ("literal", text).

    Raises FormatError for an open quote, a trailing `%` or backslash, or more than seven digits of a fraction.
    """
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char in "dfFghHKmMstyz":
            end = at + 1
            while end < len(pattern) and pattern[end] == char and char != "K":
                end += 1
            if char in "fF" and end - at > 7:
                raise FormatError("a fraction of a second has at most seven digits")
            found.append((char, pattern[at:end]))
            at = end
        elif char in ":/":
            found.append((char, char))
            at += 1
        elif char in "'\"":
            text, at = quoted(pattern, at)
            found.append(("literal", text))
        elif char == "%":
            if at + 1 >= len(pattern) or pattern[at + 1] == "%":
                raise FormatError("'%' must be followed by a format specifier")
            at += 1
        elif char == "\\":
            if at + 1 >= len(pattern):
                raise FormatError("a format may not end with a backslash")
            found.append(("literal", pattern[at + 1]))
            at += 2
        else:
            found.append(("literal", char))
            at += 1
    return found


def quoted(pattern: str, at: int) -> tuple[str, int]:
    """The text between the quotes that open at `at`, and the offset behind them. Raises FormatError if left open."""
    quote = pattern[at]
    text = ""
    at += 1
    while at < len(pattern):
        char = pattern[at]
        if char == quote:
            return text, at + 1
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            char = pattern[at]
        text += char
        at += 1
    raise FormatError("a quote in the format is not closed")


def _has_day(pattern: str) -> bool:
    return any(kind == "d" and len(run) <= 2 for kind, run in tokens(pattern))


class _literal:  # noqa: N801 - a piece like the functions beside it, but its text can be looked at
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, moment: Moment, culture: Culture) -> str:
        return self.text


def _optional_fraction(digits: int, lead: str) -> Piece:
    def write(moment: Moment, culture: Culture) -> str:
        text = f"{moment.ticks % SECOND:07d}"[:digits].rstrip("0")
        return lead + text if text else ""

    return write


def _piece(kind: str, count: int, beside_day: bool) -> Piece:
    if kind == "y":
        return _year(count)
    if kind == "M":
        return _month(count, beside_day)
    if kind == "d":
        return _day(count)
    if kind == "f":
        return lambda moment, culture: f"{moment.ticks % SECOND:07d}"[:count]
    if kind == "F":
        return _optional_fraction(count, "")
    if kind == "z":
        return _literal(("+0", "+00", "+00:00")[min(count, 3) - 1])
    if kind == "t":
        return _designator(count)
    return _simple(kind, min(count, 2))


def _simple(kind: str, width: int) -> Piece:
    match kind:
        case "H":
            return lambda moment, culture: str(moment.time // HOUR).zfill(width)
        case "h":
            return lambda moment, culture: str(moment.time // HOUR % 12 or 12).zfill(width)
        case "m":
            return lambda moment, culture: str(moment.time // MINUTE % 60).zfill(width)
        case "s":
            return lambda moment, culture: str(moment.time // SECOND % 60).zfill(width)
        case "K":
            return lambda moment, culture: "Z" if moment.utc else ""
        case ":":
            return lambda moment, culture: culture.time_separator
        case "/":
            return lambda moment, culture: culture.date_separator
        case _:  # "g": every Gregorian moment is of this era
            return _literal("A.D.")


def _year(count: int) -> Piece:
    if count <= 2:
        return lambda moment, culture: str(moment.date.year % 100).zfill(count)
    return lambda moment, culture: str(moment.date.year).zfill(count)


def _month(count: int, beside_day: bool) -> Piece:
    if count <= 2:
        return lambda moment, culture: str(moment.date.month).zfill(count)
    if count == 3:
        if beside_day:
            return lambda moment, culture: culture.short_genitive_months[moment.date.month - 1]
        return lambda moment, culture: culture.short_months[moment.date.month - 1]
    if beside_day:
        return lambda moment, culture: culture.genitive_months[moment.date.month - 1]
    return lambda moment, culture: culture.months[moment.date.month - 1]


def _day(count: int) -> Piece:
    if count <= 2:
        return lambda moment, culture: str(moment.date.day).zfill(count)
    if count == 3:
        return lambda moment, culture: culture.short_days[moment.weekday]
    return lambda moment, culture: culture.days[moment.weekday]


def _designator(count: int) -> Piece:
    def write(moment: Moment, culture: Culture) -> str:
        text = culture.am if moment.time < 12 * HOUR else culture.pm
        return text[:1] if count == 1 else text

    return write
