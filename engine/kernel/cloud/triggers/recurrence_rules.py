"""A recurrence as a definition writes it, understood: its frequency, bounds, time zone and schedule.

Source: Logic Apps, Recurrence trigger: properties, minimum and maximum intervals; the resource's RecurrenceSchedule
(minutes, hours, weekDays, monthDays, monthlyOccurrences).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final

from ....cloud.catalog import LONGEST_INTERVALS
from ....errors import DefinitionError, ExpressionError
from ...contract.timing import SECOND, from_iso, whole
from .wall_clock import instant_of, local

ELAPSED: Final = {"second": SECOND, "minute": 60 * SECOND, "hour": 3600 * SECOND}
"""Frequencies that count elapsed time, with their unit in ticks."""

_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE | re.ASCII)
_WEEKDAYS: Final = {
    day: number
    for number, day in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
}


@dataclass(frozen=True, slots=True)
class ScheduleRules:
    """`schedule`, sorted; an empty tuple is a part that it does not name.

    Weekdays count from Monday, 0. `month_days` are 1 to 31 or, from a month's end, -1 to -31. `occurrences` are pairs
    of a weekday and its number in the month, which may be negative as well.
    """

    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    occurrences: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """A recurrence. `start` and `end` are ticks; `start_is_utc`: the start time was given in UTC, whatever the zone."""

    frequency: str
    interval: int
    start: int | None
    end: int | None
    zone: tzinfo
    start_is_utc: bool
    schedule: ScheduleRules | None


def read_rules(given: Mapping[str, Any]) -> Rules:
    """The rules of an evaluated `recurrence`. Raises DefinitionError, InvalidRecurrence, for what is none."""
    frequency = given.get("frequency")
    frequency = frequency.strip().lower() if isinstance(frequency, str) else ""
    if frequency not in LONGEST_INTERVALS:
        raise _fault(
            f"the frequency is '{given.get('frequency')}'; it must be Second, Minute, Hour, Day, Week or Month"
        )
    interval = whole(given.get("interval", 1))
    longest = LONGEST_INTERVALS[frequency]
    if interval is None or not 1 <= interval <= longest:
        raise _fault(f"the interval is '{given.get('interval')}'; for {frequency} it must be 1 to {longest:,}")
    if frequency == "year":
        frequency, interval = "month", 12
    zone = _zone(given.get("timeZone"))
    start, start_is_utc = _time(given.get("startTime"), zone, "start time")
    end, _ = _time(given.get("endTime"), zone, "end time")
    schedule = given.get("schedule")
    return Rules(
        frequency, interval, start, end, zone, start_is_utc, _schedule(schedule) if schedule is not None else None
    )


def _schedule(given: Any) -> ScheduleRules | None:
    if not isinstance(given, Mapping):
        raise _fault("the schedule must be an object")
    rules = ScheduleRules(
        hours=_numbers(given.get("hours"), "hours", 0, 23),
        minutes=_numbers(given.get("minutes"), "minutes", 0, 59),
        week_days=tuple(sorted({_weekday(each) for each in _several(given.get("weekDays"))})),
        month_days=_numbers(given.get("monthDays"), "monthDays", -31, 31),
        occurrences=tuple(sorted({_occurrence(each) for each in _several(given.get("monthlyOccurrences"))})),
    )
    if 0 in rules.month_days:
        raise _fault("'monthDays' of the schedule count from 1, or from -1 at a month's end; there is no day 0")
    return rules if rules != ScheduleRules() else None


def _several(given: Any) -> list[Any]:
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _numbers(given: Any, name: str, least: int, most: int) -> tuple[int, ...]:
    numbers = set()
    for each in _several(given):
        number = whole(each)
        if number is None or not least <= number <= most:
            raise _fault(f"'{name}' of the schedule must be {least} to {most}, not '{each}'")
        numbers.add(number)
    return tuple(sorted(numbers))


def _weekday(given: Any) -> int:
    number = _WEEKDAYS.get(given.strip().lower()) if isinstance(given, str) else None
    if number is None:
        raise _fault(f"'{given}' is not a day of the week")
    return number


def _occurrence(given: Any) -> tuple[int, int]:
    if not isinstance(given, Mapping):
        raise _fault("'monthlyOccurrences' must be objects with 'dayOfWeek' and 'occurrence'")
    number = whole(given.get("occurrence"))
    if number is None or not 1 <= abs(number) <= 5:
        raise _fault(f"an 'occurrence' must be 1 to 5 or -1 to -5, not '{given.get('occurrence')}'")
    return _weekday(given.get("dayOfWeek", given.get("day"))), number


def _zone(given: Any) -> tzinfo:
    if given is None or given == "":
        return UTC
    from ....expressions.dotnet.faults import FormatError
    from ....expressions.dotnet.zones import zone

    try:
        return zone(str(given))
    except FormatError:
        raise _fault(f"'{given}' is not a time zone", "Windows ids such as 'W. Europe Standard Time' are.") from None


def _time(given: Any, zone: tzinfo, name: str) -> tuple[int | None, bool]:
    """Ticks, and whether the text is in UTC by itself: one without an offset is on the clock of `zone`."""
    if given is None or given == "":
        return None, False
    try:
        at = from_iso(given)
    except ExpressionError:
        raise _fault(f"the {name} '{str(given)[:80]}' is not a time", "Write it as 2026-01-31T08:00:00Z.") from None
    if _OFFSET.search(given):
        return at, True
    return instant_of(*local(at, UTC), zone), False


def _fault(message: str, hint: str | None = None) -> DefinitionError:
    return DefinitionError(f"The recurrence cannot be followed: {message}.", code="InvalidRecurrence", hint=hint)
