"""Time as the kernel counts it: ticks of 100 nanoseconds since 1970-01-01T00:00Z, and ISO 8601 text.

Nothing here reads a clock. Text has seven fractional digits, as .NET's "o" format has.
Source: ISO 8601 durations as Logic Apps accepts them (limits and configuration: PT5S … P1D); Delay action units.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from ...errors import ExpressionError

SECOND: Final = 10_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DURATION: Final = re.compile(
    r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE | re.ASCII,
)
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII
)
_HTTP_DATE: Final = re.compile(r"[A-Za-z]{3}, (\d\d) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LATEST: Final = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND


@lru_cache(maxsize=256)  # whatever happens in one turn happens at one time
def iso(at: int) -> str:
    """`2026-01-02T03:04:05.0000000Z` for a time in ticks."""
    seconds, fraction = divmod(at, SECOND)
    return f"{_to_the_second(seconds)}.{fraction:07d}Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def duration(text: Any) -> int:
    """Ticks in an ISO 8601 duration such as `PT1H` or `P1DT30M`.

    Years count 365 days and months 30, as .NET's XmlConvert does.

    Raises ExpressionError for anything else.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) and len(text) <= 40 else None
    if match is None or not any(match.groupdict().values()) or text[-1:] in "Tt":
        raise ExpressionError(f"'{str(text)[:80]}' is not an ISO 8601 duration such as 'PT30S' or 'P1D'")
    part = {name: float(value) if value else 0.0 for name, value in match.groupdict().items()}
    days = part["Y"] * 365 + part["M"] * 30 + part["W"] * 7 + part["D"]
    return round((days * 86_400 + part["h"] * 3600 + part["m"] * 60 + part["s"]) * SECOND)


def later(at: int, count: Any, unit: Any) -> int:
    """`at` plus `count` units (Second, Minute, Hour, Day, Week, Month; any case), in ticks. Raises ExpressionError."""
    number = whole(count)
    if number is None:
        raise ExpressionError(f"the interval's count must be an integer, not '{str(count)[:80]}'")
    count = number
    name = unit.lower() if isinstance(unit, str) else ""
    if name == "month":
        due = _add_months(at, count)
    elif name in _UNITS:
        due = at + count * _UNITS[name] * SECOND
    else:
        raise ExpressionError(f"the interval's unit must be Second, Minute, Hour, Day, Week or Month, not '{unit}'")
    if not 0 <= due <= _LATEST:
        raise ExpressionError(f"an interval of {count} {unit} leaves the calendar")
    return due


def _add_months(at: int, count: int) -> int:
    seconds, fraction = divmod(at, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not 1 <= year <= 9999:
        raise ExpressionError(f"an interval of {count} months leaves the calendar")
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int((moment.replace(year=year, month=month + 1, day=day) - _EPOCH).total_seconds()) * SECOND + fraction


def from_iso(text: Any) -> int:
    """Ticks of an ISO 8601 time or day; without an offset it counts as UTC. Raises ExpressionError."""
    match = _ISO.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 80 else None
    try:
        if match is None:
            raise ValueError(text)
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}{(match[4] or 'Z').upper()}")
    except ValueError:
        raise ExpressionError(f"'{str(text)[:80]}' is not a timestamp such as '2026-01-31T08:00:00Z'") from None
    return _ticks(moment) + int((match[3] or "0")[:7].ljust(7, "0"))


def from_http_date(text: Any) -> int:
    """Ticks of a time as HTTP writes it, `Fri, 31 Dec 2038 23:59:59 GMT`, or in ISO 8601. Raises ExpressionError."""
    match = _HTTP_DATE.fullmatch(text.strip()) if isinstance(text, str) and len(text) < 80 else None
    if match is None:
        return from_iso(text)
    day, month, year, hour, minute, second = match.groups()
    try:
        return _ticks(
            datetime(int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        )
    except (KeyError, ValueError):
        raise ExpressionError(f"'{text}' is not a time") from None


def whole(value: Any) -> int | None:
    """The integer that a value is or spells, None where it is something else: `5`, `5.0`, `" 5 "`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    text = value.strip() if isinstance(value, str) else ""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _ticks(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds()) * SECOND
