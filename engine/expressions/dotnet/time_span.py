"""Spans of time as .NET's TimeSpan has them: ticks, read by TimeSpan.Parse and written by its patterns.

Source: .NET documentation, "Standard TimeSpan format strings" and "Custom TimeSpan format strings".
"""

from __future__ import annotations

import re

from .cultures import INVARIANT, Culture
from .date_format import MAXIMUM_PATTERN, quoted
from .faults import FormatError
from .moment import DAY, SECOND

LARGEST = 2**63 - 1
# `d`, `[d.]hh:mm[:ss[.fffffff]]` and `d:hh:mm:ss[.fffffff]`, each perhaps negative.
_SPAN = re.compile(
    r"\s*(?P<sign>-?)(?:(?P<whole>\d{1,8})|(?:(?P<days>\d{1,8})(?:\.(?=\d+:)|:(?=\d+:\d+:\d)))?"
    r"(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?)\s*\Z",
    re.ASCII,
)


def parse_time_span(text: str) -> int:
    """The ticks of a span written as TimeSpan.Parse reads it. Raises FormatError."""
    found = _SPAN.match(text) if len(text) < 200 else None
    if found is None:
        raise FormatError(f"'{text[:100]}' is not a time span")
    if found["whole"]:
        ticks = int(found["whole"]) * DAY
    else:
        hours, minutes, seconds = (int(found[name] or 0) for name in ("hours", "minutes", "seconds"))
        if hours > 23 or minutes > 59 or seconds > 59:
            raise FormatError(f"'{text[:100]}' has a part that is out of range")
        ticks = int(found["days"] or 0) * DAY + (hours * 3600 + minutes * 60 + seconds) * SECOND
        ticks += int((found["fraction"] or "0").ljust(7, "0"))
    if ticks > LARGEST:
        raise FormatError(f"'{text[:100]}' is too long a time span")
    return -ticks if found["sign"] else ticks


def format_time_span(ticks: int, pattern: str = "c", culture: Culture = INVARIANT) -> str:
    """The span by a standard ("c", "g", "G") or custom pattern; custom ones write no sign.

    Raises FormatError for a pattern that .NET refuses.
    """
    sign = "-" if ticks < 0 else ""
    days, rest = divmod(abs(ticks), DAY)
    seconds, fraction = divmod(rest, SECOND)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if len(pattern) <= 1:
        clock = f"{minutes:02d}:{seconds:02d}"
        match pattern:
            case "" | "c" | "t" | "T":
                lead = f"{sign}{f'{days}.' if days else ''}{hours:02d}:"
                return f"{lead}{clock}{f'.{fraction:07d}' if fraction else ''}"
            case "g":
                part = f"{culture.numbers.decimal}{fraction:07d}".rstrip("0") if fraction else ""
                return f"{sign}{f'{days}:' if days else ''}{hours}:{clock}{part}"
            case "G":
                return f"{sign}{days}:{hours:02d}:{clock}{culture.numbers.decimal}{fraction:07d}"
        raise FormatError(f"'{pattern}' is not a standard time span format")
    return _custom(pattern, {"d": days, "h": hours, "m": minutes, "s": seconds}, f"{fraction:07d}")


# How often a letter may stand in a run of its own.
_LONGEST = {"d": 8, "h": 2, "m": 2, "s": 2, "f": 7, "F": 7}


def _custom(pattern: str, parts: dict[str, int], fraction: str) -> str:
    if len(pattern) > MAXIMUM_PATTERN:
        raise FormatError(f"it is longer than {MAXIMUM_PATTERN:,} characters")
    texts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char in _LONGEST:
            end = at
            while end < len(pattern) and pattern[end] == char:
                end += 1
            if end - at > _LONGEST[char]:
                raise FormatError(f"'{char}' may stand at most {_LONGEST[char]} times in a row")
            if char == "f":
                texts.append(fraction[: end - at])
            elif char == "F":
                texts.append(fraction[: end - at].rstrip("0"))
            else:
                texts.append(str(parts[char]).zfill(end - at))
            at = end
        elif char in "'\"":
            text, at = quoted(pattern, at)
            texts.append(text)
        elif char == "%" and pattern[at + 1 : at + 2] not in ("", "%"):
            at += 1
        elif char == "\\" and at + 1 < len(pattern):
            texts.append(pattern[at + 1])
            at += 2
        else:
            raise FormatError(f"'{char}' must be quoted or have a backslash before it in a time span format")
    return "".join(texts)
