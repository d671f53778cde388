"""Writing moments by .NET's standard and custom date patterns (System.DateTime.ToString).

Source: .NET documentation, "Standard date and time format strings" and "Custom date and time format strings".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter

from .cultures import INVARIANT, Culture
from .faults import FormatError
from .moment import DAY, EPOCH, MICROSECOND, SECOND, Moment

# A part of a pattern: of a moment, and the same as a date and time.
Piece = Callable[[Moment, datetime], str]
Writer = Callable[[Moment], str]

MAXIMUM_PATTERN = 8_192
# Every number of two digits as text: much faster than formatting one.
DIGITS = tuple(f"{number:02d}" for number in range(100))

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

    Raises FormatError for a pattern that .NET refuses, and for one of more than 8,192 characters.
    """
    return writer(pattern, culture)(moment)


@lru_cache(maxsize=512)
def writer(pattern: str, culture: Culture) -> Writer:
    """What writes moments by a pattern. The pattern is read once; nothing of what is written is kept."""
    if pattern == "o" or pattern == "O":
        return round_trip
    if len(pattern) > MAXIMUM_PATTERN:
        raise FormatError(f"it is longer than {MAXIMUM_PATTERN:,} characters")
    if len(pattern) <= 1:
        if pattern in FIXED:
            culture = INVARIANT
        pattern = standard_pattern(pattern or "G", culture)
    parts = tokens(pattern)
    return _numbers(parts, culture) or _pieces(parts, culture)


def round_trip(moment: Moment) -> str:
    """The moment by "o": seven digits of fraction, `Z` when it is UTC."""
    days, rest = divmod(moment.ticks, DAY)
    today = date.fromordinal(days + 1)
    seconds, fraction = divmod(rest, SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    year = today.year
    return (
        f"{DIGITS[year // 100]}{DIGITS[year % 100]}-{DIGITS[today.month]}-{DIGITS[today.day]}"
        f"T{DIGITS[hours]}:{DIGITS[minutes]}:{DIGITS[seconds]}.{str(fraction).zfill(7)}{'Z' if moment.utc else ''}"
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


# Parts that are numbers of a date and time as they stand.
_NUMBERS = {"y": "year", "M": "month", "d": "day", "H": "hour", "m": "minute", "s": "second"}


def _numbers(parts: list[tuple[str, str]], culture: Culture) -> Writer | None:
    """A writer for a pattern of nothing but numbers and fixed text, such as `yyyy-MM-dd HH:mm`; None for any other."""
    template, fields = "", []
    for kind, run in parts:
        count = len(run)
        if kind == "literal":
            template += run.replace("%", "%%")
        elif kind in ":/":
            template += (culture.time_separator if kind == ":" else culture.date_separator).replace("%", "%%")
        elif kind not in _NUMBERS or (kind in "Md" and count > 2) or (kind == "y" and count < 3):
            return None
        else:
            template += f"%0{count if kind == 'y' else min(count, 2)}d"
            fields.append(_NUMBERS[kind])
    if not fields:
        return None
    if template == "%04d-%02d-%02d" and fields == ["year", "month", "day"]:
        return lambda moment: date.fromordinal(moment.ticks // DAY + 1).isoformat()
    read = attrgetter(*fields)
    if set(fields) <= {"year", "month", "day"}:
        return lambda moment: template % read(date.fromordinal(moment.ticks // DAY + 1))
    return lambda moment: template % read(EPOCH + MICROSECOND * (moment.ticks // 10))


def _pieces(parts: list[tuple[str, str]], culture: Culture) -> Writer:
    """A writer for any pattern."""
    beside_day = culture.genitive and any(kind == "d" and len(run) <= 2 for kind, run in parts)
    pieces: list[Piece] = []
    for kind, value in parts:
        if kind == "literal":
            if pieces and isinstance(pieces[-1], _literal):
                pieces[-1] = _literal(pieces[-1].text + value)
            else:
                pieces.append(_literal(value))
        elif kind == "F" and pieces and isinstance(pieces[-1], _literal) and pieces[-1].text.endswith("."):
            # A point before an optional fraction goes with it (DateTimeFormat: "F" removes the point).
            pieces[-1] = _literal(pieces[-1].text[:-1])
            pieces.append(_optional_fraction(len(value), "."))
        else:
            pieces.append(_piece(kind, len(value), beside_day, culture))

    def write(moment: Moment) -> str:
        clock = EPOCH + MICROSECOND * (moment.ticks // 10)
        return "".join([piece(moment, clock) for piece in pieces])

    return write


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


class _literal:  # noqa: N801 - a piece like the functions beside it, but its text can be looked at
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, moment: Moment, clock: datetime) -> str:
        return self.text


def _optional_fraction(digits: int, lead: str) -> Piece:
    def write(moment: Moment, clock: datetime) -> str:
        text = f"{moment.ticks % SECOND:07d}"[:digits].rstrip("0")
        return lead + text if text else ""

    return write


def _piece(kind: str, count: int, beside_day: bool, culture: Culture) -> Piece:
    match kind:
        case "y":
            return _year(count)
        case "M":
            return _month(count, beside_day, culture)
        case "d":
            return _day(count, culture)
        case "f":
            return lambda moment, clock: str(moment.ticks % SECOND).zfill(7)[:count]
        case "F":
            return _optional_fraction(count, "")
        case "z":
            return _literal(("+0", "+00", "+00:00")[min(count, 3) - 1])
        case "t":
            am, pm = (culture.am[:1], culture.pm[:1]) if count == 1 else (culture.am, culture.pm)
            return lambda moment, clock: am if clock.hour < 12 else pm
        case "K":
            return lambda moment, clock: "Z" if moment.utc else ""
        case ":":
            return _literal(culture.time_separator)
        case "/":
            return _literal(culture.date_separator)
        case "g":  # every Gregorian moment is of this era
            return _literal("A.D.")
    return _time(kind, min(count, 2))


def _time(kind: str, width: int) -> Piece:
    match kind:
        case "H":
            return lambda moment, clock: str(clock.hour).zfill(width)
        case "h":
            return lambda moment, clock: str(clock.hour % 12 or 12).zfill(width)
        case "m":
            return lambda moment, clock: str(clock.minute).zfill(width)
    return lambda moment, clock: str(clock.second).zfill(width)


def _year(count: int) -> Piece:
    if count <= 2:
        return lambda moment, clock: str(clock.year % 100).zfill(count)
    return lambda moment, clock: str(clock.year).zfill(count)


def _month(count: int, beside_day: bool, culture: Culture) -> Piece:
    if count <= 2:
        return lambda moment, clock: str(clock.month).zfill(count)
    if count == 3:
        names = culture.short_genitive_months if beside_day else culture.short_months
    else:
        names = culture.genitive_months if beside_day else culture.months
    return lambda moment, clock: names[clock.month - 1]


def _day(count: int, culture: Culture) -> Piece:
    if count <= 2:
        return lambda moment, clock: str(clock.day).zfill(count)
    names = culture.short_days if count == 3 else culture.days
    return lambda moment, clock: names[clock.isoweekday() % 7]
