"""Time as the kernel counts it: ticks of 100 nanoseconds since 1970-01-01T00:00Z, and ISO 8601 text.

Nothing here reads a clock. Text has seven fractional digits, as .NET's "o" format has.
Source: ISO 8601 durations as Logic Apps accepts them (limits and configuration: PT5S … P1D); Delay action units.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..errors import ExpressionError

SECOND: Final = 10_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DURATION: Final = re.compile(
    r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LATEST: Final = int((datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds()) * SECOND


def iso(at: int) -> str:
    """`2026-01-02T03:04:05.0000000Z` for a time in ticks."""
    seconds, fraction = divmod(at, SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:07d}Z"


def duration(text: Any) -> int:
    """Ticks in an ISO 8601 duration such as `PT1H` or `P1DT30M`.

    Years count 365 days and months 30, as .NET's XmlConvert does.

    Raises ExpressionError for anything else.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groupdict().values()) or text[-1:] in "Tt":
        raise ExpressionError(f"'{text}' is not an ISO 8601 duration such as 'PT30S' or 'P1D'")
    part = {name: float(value) if value else 0.0 for name, value in match.groupdict().items()}
    days = part["Y"] * 365 + part["M"] * 30 + part["W"] * 7 + part["D"]
    return round((days * 86_400 + part["h"] * 3600 + part["m"] * 60 + part["s"]) * SECOND)


def later(at: int, count: Any, unit: Any) -> int:
    """`at` plus `count` units (Second, Minute, Hour, Day, Week, Month; any case), in ticks. Raises ExpressionError."""
    if isinstance(count, str) and count.strip().lstrip("-").isdigit():
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int):
        raise ExpressionError(f"the interval's count must be an integer, not '{count}'")
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
    """Ticks of an ISO 8601 time; without an offset it counts as UTC. Raises ExpressionError."""
    match = (
        re.fullmatch(r"(.+?)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?", text.strip(), re.IGNORECASE)
        if isinstance(text, str)
        else None
    )
    try:
        if match is None:
            raise ValueError(text)
        moment = datetime.fromisoformat(match[1] + (match[3] or "Z").upper())
    except ValueError:
        raise ExpressionError(f"'{text}' is not a timestamp such as '2026-01-31T08:00:00Z'") from None
    fraction = int((match[2] or "0")[:7].ljust(7, "0"))
    return int((moment - _EPOCH).total_seconds()) * SECOND + fraction
