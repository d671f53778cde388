"""When a recurring trigger fires: the next occurrence after an instant. Pure arithmetic on the calendar.

Source: Logic Apps, "Schedule and run recurring workflows with the Recurrence trigger" (properties, ranges of intervals,
start time with and without a time zone), "Schedules for recurring triggers" (patterns of start times, examples,
daylight saving time).

- Second, Minute and Hour count elapsed time from the start time, so a change of the clocks moves them on the clock.
- Day, Week and Month keep the time on the clock of `timeZone`. A time that a change of the clocks leaves out is taken
  by the offset before the change (2:30 becomes 3:30), one that comes twice is taken the first time.
- What `schedule` names finer than the frequency gives several occurrences in each period, what is coarser restricts
  them. What it leaves open is the start time's, or that of the trigger's registration.
- Weeks begin on Monday (ISO 8601). A day that a month does not have is left out; the day of the start time is then the
  month's last (as .NET adds months).
- A start time in UTC (with `Z` or an offset) makes the hosts ignore the time zone, except for the schedule's hours.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final

from ...contract.timing import SECOND
from .recurrence_rules import ELAPSED, Rules, ScheduleRules
from .wall_clock import DAY, instant_of, local

_MINUTE: Final = 60 * SECOND
_HOUR: Final = 3600 * SECOND
_HORIZON: Final = 366 * 60
"""Days after which a rule that has not matched never will: longer than the cycles of leap days, weekdays, intervals."""
_ELAPSED_HORIZON: Final = 366 * 10
"""The same for elapsed time, where seven of the longest intervals (500 days) meet every weekday."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence with the instant that its periods count from: its start time, else `registered` (ticks)."""

    rules: Rules
    registered: int

    @property
    def anchor(self) -> int:
        """The instant that periods are counted from, in ticks."""
        return self.rules.start if self.rules.start is not None else self.registered

    def first(self) -> int | None:
        """The first occurrence, in ticks; None where there is none any more.

        Without a start time and a schedule that is the registration itself. The occurrences of a start time in the past
        are discarded.
        """
        if self.rules.start is None and self.rules.schedule is None:
            return self._bounded(self.registered)
        return self.after(self.registered - 1)

    def after(self, instant: int) -> int | None:
        """The first occurrence later than `instant` and not before the start time, in ticks; None after the end."""
        instant = max(instant, self.anchor - 1)
        rules = self.rules
        if rules.frequency not in ELAPSED:
            return self._bounded(self._on_the_calendar(instant))
        if rules.schedule is None:
            return self._bounded(self._on_the_grid(self.anchor, instant))
        return self._bounded(self._restricted(rules.schedule, instant))

    def _bounded(self, found: int | None) -> int | None:
        end = self.rules.end
        return None if found is None or (end is not None and found > end) else found

    # ---- elapsed time

    def _on_the_grid(self, base: int, instant: int) -> int:
        step = ELAPSED[self.rules.frequency] * self.rules.interval
        return base + max((instant - base) // step + 1, 0) * step

    def _restricted(self, schedule: ScheduleRules, instant: int) -> int | None:
        """The grid's next time at a minute, hour and day that the schedule allows."""
        rules, zone = self.rules, self.rules.zone
        expands = rules.frequency == "hour" and bool(schedule.minutes)
        base = self.anchor
        offsets: tuple[int, ...] = (0,)
        if expands:
            base -= local(base, zone)[1] % _HOUR
            offsets = tuple(minute * _MINUTE for minute in schedule.minutes)
        slot = self._on_the_grid(base, instant - offsets[-1] - 1)
        horizon = instant + _ELAPSED_HORIZON * DAY
        while slot <= horizon:
            day, clock = local(slot, zone)
            if not _allowed(schedule, day):
                slot = self._on_the_grid(base, instant_of(day + timedelta(days=1), 0, zone) - 1)
            elif schedule.hours and clock // _HOUR not in schedule.hours:
                slot = self._on_the_grid(base, slot - clock % _HOUR + _HOUR - 1)
            elif not expands and schedule.minutes and clock % _HOUR // _MINUTE not in schedule.minutes:
                slot = self._on_the_grid(base, slot - clock % _MINUTE + _MINUTE - 1)
            else:
                found = next((slot + offset for offset in offsets if slot + offset > instant), None)
                if found is not None:
                    return found
                slot = self._on_the_grid(base, slot)
        return None

    # ---- the calendar

    def _on_the_calendar(self, instant: int) -> int | None:
        rules, schedule = self.rules, self.rules.schedule
        zone = rules.zone if schedule is not None or not rules.start_is_utc else UTC
        first_day, first_clock = local(self.anchor, zone)
        clocks = _clocks(schedule, first_clock)
        # A day early: near midnight an instant's day may be another one after a change of the clocks.
        today = local(instant, zone)[0] - timedelta(days=1)
        for day in _days(rules, first_day, today):
            if (day - today).days > _HORIZON:
                return None
            later = [each for clock in clocks if (each := instant_of(day, clock, zone)) > instant]
            if later:
                return min(later)
        return None


def _clocks(schedule: ScheduleRules | None, first: int) -> tuple[int, ...]:
    """The times of a day, in ticks since midnight: what the schedule leaves open is that of the first occurrence."""
    if schedule is None or not (schedule.hours or schedule.minutes):
        return (first,)
    hours = schedule.hours or (first // _HOUR,)
    within = tuple(minute * _MINUTE for minute in schedule.minutes) or (first % _HOUR,)
    return tuple(hour * _HOUR + each for hour in hours for each in within)


def _days(rules: Rules, first: date, today: date) -> Iterator[date]:
    """The days of the rule from `today` on, ascending; up to the end of the calendar."""
    schedule = rules.schedule or ScheduleRules()
    today = max(today, first)
    if rules.frequency == "month":
        yield from _days_of_months(rules, schedule, first, today)
        return
    if rules.frequency == "week":
        first_of_period, length = first - timedelta(days=first.weekday()), 7
        inside = schedule.week_days or (first.weekday(),)
    else:
        first_of_period, length = first, 1
        inside = (0,)
    step = length * rules.interval
    passed = (today - first_of_period).days // step
    while True:
        period = first_of_period + timedelta(days=passed * step)
        for number in inside:
            day = period + timedelta(days=number)
            if day >= today and _allowed(schedule, day):
                yield day
        passed += 1
        if (date.max - period).days < step + 7:
            return


def _days_of_months(rules: Rules, schedule: ScheduleRules, first: date, today: date) -> Iterator[date]:
    origin = first.year * 12 + first.month - 1
    passed = (today.year * 12 + today.month - 1 - origin) // rules.interval
    while True:
        year, month = divmod(origin + passed * rules.interval, 12)
        if year > 9998:
            return
        length = calendar.monthrange(year, month + 1)[1]
        if schedule.month_days or schedule.occurrences:
            numbers = [each if each > 0 else length + 1 + each for each in schedule.month_days]
            numbers += [_occurrence(year, month + 1, length, *each) for each in schedule.occurrences]
        elif schedule.week_days:
            numbers = list(range(1, length + 1))
        else:
            numbers = [min(first.day, length)]
        for number in sorted(set(numbers)):
            if 1 <= number <= length:
                day = date(year, month + 1, number)
                if day >= today and (not schedule.week_days or day.weekday() in schedule.week_days):
                    yield day
        passed += 1


def _occurrence(year: int, month: int, length: int, weekday: int, number: int) -> int:
    """The day of the month's `number`th such weekday, from its end where negative; 0 where there is none."""
    earliest = 1 + (weekday - calendar.weekday(year, month, 1)) % 7
    found = list(range(earliest, length + 1, 7))
    index = number - 1 if number > 0 else number
    return found[index] if -len(found) <= index < len(found) else 0


def _allowed(schedule: ScheduleRules, day: date) -> bool:
    """Whether the schedule's days, where it names any, have this one."""
    if schedule.week_days and day.weekday() not in schedule.week_days:
        return False
    if not (schedule.month_days or schedule.occurrences):
        return True
    length = calendar.monthrange(day.year, day.month)[1]
    return (
        day.day in schedule.month_days
        or day.day - length - 1 in schedule.month_days
        or any(_occurrence(day.year, day.month, length, *each) == day.day for each in schedule.occurrences)
    )
