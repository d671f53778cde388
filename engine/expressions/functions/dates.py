"""Date and time functions: their arguments and results. Reading, writing and zones are `..dotnet`.

Times are written by en-US where no locale is given. A timestamp with an offset counts as the UTC time it names, one
without any zone keeps none (Logic Apps, expression functions reference: date and time functions).
"""

from __future__ import annotations

from ...values import Value
from ..dotnet import (
    Culture,
    FormatError,
    Moment,
    culture,
    format_moment,
    format_time_span,
    from_utc,
    parse_exact,
    parse_moment,
    to_utc,
    zone,
)
from ..dotnet.moment import DAY, HOUR, MINUTE, SECOND
from ..table import Family
from .arguments import fault, integer, text

FAMILY = Family("dates")

DEFAULT_FORMAT = "o"
DEFAULT_LOCALE = "en-US"

SPANS = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY}
MONTHS = {"month": 1, "year": 12}


def _time(value: Value, fn: str, n: int = 1) -> Moment:
    given = text(value, fn, n)
    try:
        return parse_moment(given, culture(DEFAULT_LOCALE))
    except FormatError as error:
        ordinal = ("first", "second", "third")[n - 1]
        raise fault(
            fn,
            f"expects its {ordinal} parameter to be a string that contains the time. "
            f"The provided value '{given[:100]}' is not valid: {error}.",
        ) from None


def _locale(value: Value, fn: str, n: int) -> Culture:
    if value is None:
        return culture(DEFAULT_LOCALE)
    try:
        return culture(text(value, fn, n))
    except FormatError as error:
        raise fault(fn, f"expects a locale: {error}.") from None


def _written(moment: Moment, format_: Value, fn: str, n: int, locale: Culture | None = None) -> str:
    pattern = DEFAULT_FORMAT if format_ is None else text(format_, fn, n)
    try:
        return format_moment(moment, pattern, locale or culture(DEFAULT_LOCALE))
    except FormatError as error:
        raise fault(fn, f"was given the format '{pattern[:100]}', which is not valid: {error}.") from None


def _moved(moment: Moment, interval: int, unit: str, fn: str) -> Moment:
    span = SPANS.get(unit.lower())
    months = MONTHS.get(unit.lower())
    try:
        if span is not None:
            return moment.plus(interval * span)
        if months is not None:
            return moment.plus_months(interval * months)
    except FormatError as error:
        raise fault(fn, f"cannot add {interval} of the unit '{unit}': {error}.") from None
    known = "'Second', 'Minute', 'Hour', 'Day', 'Week', 'Month' or 'Year'"
    raise fault(fn, f"expects a time unit: {known}. The provided value is '{unit[:100]}'.")


@FAMILY.function("utcNow", 0, 1, clock=True)
def utc_now(now: str, format_: Value = None) -> str:
    """The time of the evaluation."""
    if format_ is None:
        return now
    return _written(_time(now, "utcNow"), format_, "utcNow", 1)


@FAMILY.function("addDays", 2, 3)
def add_days(timestamp: Value, days: Value, format_: Value = None) -> str:
    """The time so many days later."""
    return _added("addDays", timestamp, days, "Day", format_)


@FAMILY.function("addHours", 2, 3)
def add_hours(timestamp: Value, hours: Value, format_: Value = None) -> str:
    """The time so many hours later."""
    return _added("addHours", timestamp, hours, "Hour", format_)


@FAMILY.function("addMinutes", 2, 3)
def add_minutes(timestamp: Value, minutes: Value, format_: Value = None) -> str:
    """The time so many minutes later."""
    return _added("addMinutes", timestamp, minutes, "Minute", format_)


@FAMILY.function("addSeconds", 2, 3)
def add_seconds(timestamp: Value, seconds: Value, format_: Value = None) -> str:
    """The time so many seconds later."""
    return _added("addSeconds", timestamp, seconds, "Second", format_)


def _added(fn: str, timestamp: Value, interval: Value, unit: str, format_: Value) -> str:
    moved = _moved(_time(timestamp, fn), integer(interval, fn, 2), unit, fn)
    return _written(moved, format_, fn, 3)


@FAMILY.function("addToTime", 3, 4)
def add_to_time(timestamp: Value, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time so many units later; a month too short for the day gives its last day."""
    fn = "addToTime"
    moved = _moved(_time(timestamp, fn), integer(interval, fn, 2), text(unit, fn, 3), fn)
    return _written(moved, format_, fn, 4)


@FAMILY.function("subtractFromTime", 3, 4)
def subtract_from_time(timestamp: Value, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time so many units earlier."""
    fn = "subtractFromTime"
    moved = _moved(_time(timestamp, fn), -integer(interval, fn, 2), text(unit, fn, 3), fn)
    return _written(moved, format_, fn, 4)


@FAMILY.function("getFutureTime", 2, 3, clock=True)
def get_future_time(now: str, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time of the evaluation plus so many units."""
    fn = "getFutureTime"
    return _written(_moved(_time(now, fn), integer(interval, fn, 1), text(unit, fn, 2), fn), format_, fn, 3)


@FAMILY.function("getPastTime", 2, 3, clock=True)
def get_past_time(now: str, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time of the evaluation minus so many units."""
    fn = "getPastTime"
    return _written(_moved(_time(now, fn), -integer(interval, fn, 1), text(unit, fn, 2), fn), format_, fn, 3)


@FAMILY.function("startOfDay", 1, 2)
def start_of_day(timestamp: Value, format_: Value = None) -> str:
    """Midnight at the start of the day."""
    moment = _time(timestamp, "startOfDay")
    return _written(moment.plus(-moment.time), format_, "startOfDay", 2)


@FAMILY.function("startOfHour", 1, 2)
def start_of_hour(timestamp: Value, format_: Value = None) -> str:
    """The start of the hour."""
    moment = _time(timestamp, "startOfHour")
    return _written(moment.plus(-(moment.time % HOUR)), format_, "startOfHour", 2)


@FAMILY.function("startOfMonth", 1, 2)
def start_of_month(timestamp: Value, format_: Value = None) -> str:
    """Midnight at the start of the month."""
    moment = _time(timestamp, "startOfMonth")
    start = moment.plus(-moment.time - (moment.date.day - 1) * DAY)
    return _written(start, format_, "startOfMonth", 2)


@FAMILY.function("dayOfMonth", 1)
def day_of_month(timestamp: Value) -> int:
    """The day of the month, from 1."""
    return _time(timestamp, "dayOfMonth").date.day


@FAMILY.function("dayOfWeek", 1)
def day_of_week(timestamp: Value) -> int:
    """The day of the week; Sunday is 0."""
    return _time(timestamp, "dayOfWeek").weekday


@FAMILY.function("dayOfYear", 1)
def day_of_year(timestamp: Value) -> int:
    """The day of the year, from 1."""
    return _time(timestamp, "dayOfYear").day_of_year


@FAMILY.function("ticks", 1)
def ticks(timestamp: Value) -> int:
    """Intervals of 100 ns since 0001-01-01T00:00."""
    return _time(timestamp, "ticks").ticks


@FAMILY.function("dateDifference", 2)
def date_difference(start: Value, end: Value) -> str:
    """The span from `start` to `end`: `[-][d.]hh:mm:ss[.fffffff]`."""
    fn = "dateDifference"
    return format_time_span(_time(end, fn, 2).ticks - _time(start, fn).ticks)


@FAMILY.function("formatDateTime", 1, 3)
def format_date_time(timestamp: Value, format_: Value = None, locale: Value = None) -> str:
    """The time by a .NET pattern in a locale's names and marks."""
    fn = "formatDateTime"
    return _written(_time(timestamp, fn), format_, fn, 2, _locale(locale, fn, 3))


@FAMILY.function("parseDateTime", 1, 3)
def parse_date_time(timestamp: Value, locale: Value = None, format_: Value = None) -> str:
    """The time that a text stands for in a locale; with a format only when it fits that exactly."""
    fn = "parseDateTime"
    given = text(timestamp, fn, 1)
    used = _locale(locale, fn, 2)
    try:
        pattern = None if format_ is None else text(format_, fn, 3)
        moment = parse_moment(given, used) if pattern is None else parse_exact(given, pattern, used)
    except FormatError as error:
        raise fault(fn, f"was not able to parse the timestamp '{given[:100]}': {error}.") from None
    return format_moment(moment, DEFAULT_FORMAT, used)


@FAMILY.function("convertFromUtc", 2, 3)
def convert_from_utc(timestamp: Value, destination: Value, format_: Value = None) -> str:
    """The wall-clock time in a zone; without any offset unless the zone is UTC."""
    fn = "convertFromUtc"
    moment = _time(timestamp, fn)
    try:
        there = from_utc(moment, zone(text(destination, fn, 2)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None
    return _written(there, format_, fn, 3)


@FAMILY.function("convertToUtc", 2, 3)
def convert_to_utc(timestamp: Value, source: Value, format_: Value = None) -> str:
    """The UTC time of a wall-clock time in a zone."""
    fn = "convertToUtc"
    moment = _time(timestamp, fn)
    try:
        utc = to_utc(moment, zone(text(source, fn, 2)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None
    return _written(utc, format_, fn, 3)


@FAMILY.function("convertTimeZone", 3, 4)
def convert_time_zone(timestamp: Value, source: Value, destination: Value, format_: Value = None) -> str:
    """The wall-clock time in one zone of a wall-clock time in another."""
    fn = "convertTimeZone"
    moment = _time(timestamp, fn)
    try:
        utc = to_utc(moment, zone(text(source, fn, 2)))
        there = from_utc(utc, zone(text(destination, fn, 3)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None
    return _written(there, format_, fn, 4)
