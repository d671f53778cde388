"""Date and time functions: their arguments and results. Reading, writing and zones are `..dotnet`.

Times are written by en-US where no locale is given. A timestamp with an offset counts as the UTC time it names, one
without any zone keeps none (Logic Apps, expression functions reference: date and time functions).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ...errors import ExpressionError
from ...values import Value
from ..dotnet.cultures import Culture, culture
from ..dotnet.date_format import round_trip, writer
from ..dotnet.date_parse import parse_moment
from ..dotnet.date_parse_exact import parse_exact
from ..dotnet.faults import FormatError
from ..dotnet.moment import DAY, HOUR, LAST_TICK, MINUTE, SECOND, Moment
from ..dotnet.time_span import format_time_span, parse_time_span
from ..dotnet.zones import from_utc, to_utc, zone
from ..table import DESIGNER, Family
from .arguments import fault, integer, mismatch, text

FAMILY = Family("dates", "Logic Apps, expression functions reference: date and time functions")

DEFAULT_LOCALE = "en-US"

SPANS = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY}
MONTHS = {"month": 1, "year": 12}


@lru_cache(maxsize=1)
def _english() -> Culture:
    return culture(DEFAULT_LOCALE)


def _time(value: Value | Moment, fn: str, n: int = 1) -> Moment:
    # A call inside of another gives its moment as it is, without a detour by text.
    if type(value) is Moment:
        return value
    if type(value) is not str:
        raise mismatch(fn, n, "a string", value)  # type: ignore[arg-type]
    try:
        return parse_moment(value, _english())
    except FormatError as error:
        ordinal = ("first", "second", "third")[n - 1]
        raise fault(
            fn,
            f"expects its {ordinal} parameter to be a string that contains the time. "
            f"The provided value '{value[:100]}' is not valid: {error}.",
        ) from None


def _locale(value: Value, fn: str, n: int) -> Culture:
    if value is None:
        return _english()
    try:
        return culture(text(value, fn, n))
    except FormatError as error:
        raise fault(fn, f"expects a locale: {error}.") from None


def _written(moment: Moment, format_: Value, fn: str, n: int, locale: Culture | None = None) -> str:
    if format_ is None:
        return round_trip(moment)
    pattern = text(format_, fn, n)
    try:
        return writer(pattern, locale or _english())(moment)
    except FormatError as error:
        raise fault(fn, f"was given the format '{pattern[:100]}', which is not valid: {error}.") from None


def moment_of(timestamp: Value) -> Moment:
    """The moment that the timestamp of formatDateTime stands for."""
    return _time(timestamp, "formatDateTime")


def fixed_writer(format_: Value, locale: Value = None) -> Callable[[Moment], str] | None:
    """What writes by a format and a locale that never change; None where formatDateTime has to refuse them."""
    try:
        used = _locale(locale, "formatDateTime", 3)
        return round_trip if format_ is None else writer(text(format_, "formatDateTime", 2), used)
    except (ExpressionError, FormatError):
        return None


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


def _later(fn: str, span: int, unit: str) -> Callable[[Value, Value], Moment]:
    def later(timestamp: Value, interval: Value) -> Moment:
        moment = _time(timestamp, fn)
        count = interval if type(interval) is int else integer(interval, fn, 2)
        ticks = moment.ticks + count * span
        if 0 <= ticks <= LAST_TICK:
            return Moment(ticks, moment.utc)
        return _moved(moment, count, unit, fn)  # knows the error

    return later


_days_later = _later("addDays", DAY, "Day")


@FAMILY.function("addDays", 2, 3, times=1, moment=_days_later)
def add_days(timestamp: Value, days: Value, format_: Value = None) -> str:
    """The time so many days later."""
    return _written(_days_later(timestamp, days), format_, "addDays", 3)


_hours_later = _later("addHours", HOUR, "Hour")


@FAMILY.function("addHours", 2, 3, times=1, moment=_hours_later)
def add_hours(timestamp: Value, hours: Value, format_: Value = None) -> str:
    """The time so many hours later."""
    return _written(_hours_later(timestamp, hours), format_, "addHours", 3)


_minutes_later = _later("addMinutes", MINUTE, "Minute")


@FAMILY.function("addMinutes", 2, 3, times=1, moment=_minutes_later)
def add_minutes(timestamp: Value, minutes: Value, format_: Value = None) -> str:
    """The time so many minutes later."""
    return _written(_minutes_later(timestamp, minutes), format_, "addMinutes", 3)


_seconds_later = _later("addSeconds", SECOND, "Second")


@FAMILY.function("addSeconds", 2, 3, times=1, moment=_seconds_later)
def add_seconds(timestamp: Value, seconds: Value, format_: Value = None) -> str:
    """The time so many seconds later."""
    return _written(_seconds_later(timestamp, seconds), format_, "addSeconds", 3)


def _sum(timestamp: Value, interval: Value, unit: Value) -> Moment:
    fn = "addToTime"
    return _moved(_time(timestamp, fn), integer(interval, fn, 2), text(unit, fn, 3), fn)


@FAMILY.function("addToTime", 3, 4, times=1, moment=_sum)
def add_to_time(timestamp: Value, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time so many units later; a month too short for the day gives its last day."""
    return _written(_sum(timestamp, interval, unit), format_, "addToTime", 4)


def _difference(timestamp: Value, interval: Value, unit: Value) -> Moment:
    fn = "subtractFromTime"
    return _moved(_time(timestamp, fn), -integer(interval, fn, 2), text(unit, fn, 3), fn)


@FAMILY.function("subtractFromTime", 3, 4, times=1, moment=_difference)
def subtract_from_time(timestamp: Value, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time so many units earlier; a month too short for the day gives its last day."""
    return _written(_difference(timestamp, interval, unit), format_, "subtractFromTime", 4)


def _future(now: str, interval: Value, unit: Value) -> Moment:
    fn = "getFutureTime"
    return _moved(_time(now, fn), integer(interval, fn, 1), text(unit, fn, 2), fn)


@FAMILY.function("getFutureTime", 2, 3, clock=True, moment=_future)
def get_future_time(now: str, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time of the evaluation plus so many units."""
    return _written(_future(now, interval, unit), format_, "getFutureTime", 3)


def _past(now: str, interval: Value, unit: Value) -> Moment:
    fn = "getPastTime"
    return _moved(_time(now, fn), -integer(interval, fn, 1), text(unit, fn, 2), fn)


@FAMILY.function("getPastTime", 2, 3, clock=True, moment=_past)
def get_past_time(now: str, interval: Value, unit: Value, format_: Value = None) -> str:
    """The time of the evaluation minus so many units."""
    return _written(_past(now, interval, unit), format_, "getPastTime", 3)


def _day_start(timestamp: Value) -> Moment:
    moment = _time(timestamp, "startOfDay")
    return Moment(moment.ticks - moment.ticks % DAY, moment.utc)


@FAMILY.function("startOfDay", 1, 2, times=1, moment=_day_start)
def start_of_day(timestamp: Value, format_: Value = None) -> str:
    """Midnight at the start of the day."""
    return _written(_day_start(timestamp), format_, "startOfDay", 2)


def _hour_start(timestamp: Value) -> Moment:
    moment = _time(timestamp, "startOfHour")
    return Moment(moment.ticks - moment.ticks % HOUR, moment.utc)


@FAMILY.function("startOfHour", 1, 2, times=1, moment=_hour_start)
def start_of_hour(timestamp: Value, format_: Value = None) -> str:
    """The start of the hour."""
    return _written(_hour_start(timestamp), format_, "startOfHour", 2)


def _month_start(timestamp: Value) -> Moment:
    moment = _time(timestamp, "startOfMonth")
    return Moment(moment.ticks - moment.time - (moment.date.day - 1) * DAY, moment.utc)


@FAMILY.function("startOfMonth", 1, 2, times=1, moment=_month_start)
def start_of_month(timestamp: Value, format_: Value = None) -> str:
    """Midnight at the start of the month."""
    return _written(_month_start(timestamp), format_, "startOfMonth", 2)


@FAMILY.function("dayOfMonth", 1, times=1)
def day_of_month(timestamp: Value) -> int:
    """The day of the month, from 1."""
    return _time(timestamp, "dayOfMonth").date.day


@FAMILY.function("dayOfWeek", 1, times=1)
def day_of_week(timestamp: Value) -> int:
    """The day of the week; Sunday is 0."""
    return _time(timestamp, "dayOfWeek").weekday


@FAMILY.function("dayOfYear", 1, times=1)
def day_of_year(timestamp: Value) -> int:
    """The day of the year, from 1."""
    return _time(timestamp, "dayOfYear").day_of_year


@FAMILY.function("ticks", 1, times=1)
def ticks(timestamp: Value) -> int:
    """Intervals of 100 ns since 0001-01-01T00:00."""
    return _time(timestamp, "ticks").ticks


@FAMILY.function("dateDifference", 2, times=2)
def date_difference(start: Value, end: Value) -> str:
    """The span from `start` to `end`: `[-][d.]hh:mm:ss[.fffffff]`."""
    fn = "dateDifference"
    return format_time_span(_time(end, fn, 2).ticks - _time(start, fn).ticks)


@FAMILY.function("formatDateTime", 1, 3, times=1)
def format_date_time(timestamp: Value, format_: Value = None, locale: Value = None) -> str:
    """The time by a .NET pattern in a locale's names and marks."""
    fn = "formatDateTime"
    used = None if locale is None else _locale(locale, fn, 3)
    return _written(_time(timestamp, fn), format_, fn, 2, used)


@FAMILY.function("parseDateTime", 1, 3)
def parse_date_time(timestamp: Value, locale: Value = None, format_: Value = None) -> str:
    """The time that a text represents in a locale. With a format, the text must match it exactly."""
    fn = "parseDateTime"
    given = text(timestamp, fn, 1)
    used = _locale(locale, fn, 2)
    try:
        pattern = None if format_ is None else text(format_, fn, 3)
        moment = parse_moment(given, used) if pattern is None else parse_exact(given, pattern, used)
    except FormatError as error:
        raise fault(fn, f"was not able to parse the timestamp '{given[:100]}': {error}.") from None
    return round_trip(moment)


def _from_utc(timestamp: Value, destination: Value) -> Moment:
    fn = "convertFromUtc"
    moment = _time(timestamp, fn)
    try:
        return from_utc(moment, zone(text(destination, fn, 2)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None


@FAMILY.function("convertFromUtc", 2, 3, times=1, moment=_from_utc)
def convert_from_utc(timestamp: Value, destination: Value, format_: Value = None) -> str:
    """The wall-clock time in a zone (Windows or IANA id); without any offset unless the zone is UTC."""
    return _written(_from_utc(timestamp, destination), format_, "convertFromUtc", 3)


def _to_utc(timestamp: Value, source: Value) -> Moment:
    fn = "convertToUtc"
    moment = _time(timestamp, fn)
    try:
        return to_utc(moment, zone(text(source, fn, 2)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None


@FAMILY.function("convertToUtc", 2, 3, times=1, moment=_to_utc)
def convert_to_utc(timestamp: Value, source: Value, format_: Value = None) -> str:
    """The UTC time of a wall-clock time in a zone. A time that is UTC already is an error unless the zone is UTC."""
    return _written(_to_utc(timestamp, source), format_, "convertToUtc", 3)


def _between_zones(timestamp: Value, source: Value, destination: Value) -> Moment:
    fn = "convertTimeZone"
    moment = _time(timestamp, fn)
    try:
        utc = to_utc(moment, zone(text(source, fn, 2)))
        return from_utc(utc, zone(text(destination, fn, 3)))
    except FormatError as error:
        raise fault(fn, f"cannot convert the time: {error}.") from None


@FAMILY.function("convertTimeZone", 3, 4, times=1, moment=_between_zones)
def convert_time_zone(timestamp: Value, source: Value, destination: Value, format_: Value = None) -> str:
    """The wall-clock time in one zone of a wall-clock time in another."""
    return _written(_between_zones(timestamp, source, destination), format_, "convertTimeZone", 4)


@FAMILY.function("formatTimeSpan", 2, 3, source=DESIGNER)
def format_time_span_(time_span: Value, format_: Value, locale: Value = None) -> str:
    """A span such as `1.02:03:04` by a .NET pattern: `c`, `g`, `G` or a custom one."""
    fn = "formatTimeSpan"
    given, pattern, used = text(time_span, fn, 1), text(format_, fn, 2), _locale(locale, fn, 3)
    try:
        return format_time_span(parse_time_span(given), pattern, used)
    except FormatError as error:
        raise fault(fn, f"cannot write '{given[:100]}' by the format '{pattern[:100]}': {error}.") from None
