"""A moment as .NET's DateTime has it: 100-nanosecond ticks since 0001-01-01, and whether it is known to be UTC.

Calendar arithmetic only; reading and writing are `date_parse` and `date_format`. The host's local zone is UTC, so the
third kind of DateTime (local) does not occur: a text with an offset is adjusted to UTC when it is read.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .faults import FormatError

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_TICK = 3_155_378_975_999_999_999

EPOCH = datetime(1, 1, 1)
MICROSECOND = timedelta(microseconds=1)


# Never changed, but not frozen either: that would double the time to make one, and every evaluation makes some.
@dataclass(slots=True)
class Moment:
    """`ticks` of 100 ns since 0001-01-01T00:00; `utc` False is a wall-clock time of no known zone."""

    ticks: int
    utc: bool = False

    @classmethod
    def of(
        cls,
        year: int,
        month: int,
        day: int,
        hour: int = 0,
        minute: int = 0,
        second: int = 0,
        fraction: int = 0,
        *,
        utc: bool = False,
    ) -> Moment:
        """The moment of a Gregorian date and time, `fraction` in ticks. Raises FormatError when there is none."""
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
            raise FormatError("the time does not exist")
        try:
            days = date(year, month, day).toordinal() - 1
        except ValueError:
            raise FormatError("the date does not exist in the calendar") from None
        return cls(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND + fraction, utc)

    @property
    def date(self) -> date:
        """The Gregorian date."""
        return date.fromordinal(self.ticks // DAY + 1)

    @property
    def clock(self) -> datetime:
        """The Gregorian date and time, without the last digit of the fraction."""
        return EPOCH + MICROSECOND * (self.ticks // 10)

    @property
    def time(self) -> int:
        """Ticks since midnight."""
        return self.ticks % DAY

    @property
    def weekday(self) -> int:
        """0 is Sunday."""
        return (self.ticks // DAY + 1) % 7

    @property
    def day_of_year(self) -> int:
        """1 is 1 January."""
        return self.date.timetuple().tm_yday

    def plus(self, ticks: int) -> Moment:
        """The moment `ticks` later. Raises FormatError outside the years 1 to 9999."""
        moved = self.ticks + ticks
        if not 0 <= moved <= LAST_TICK:
            raise FormatError("the resulting time is outside of the years 1 to 9999")
        return Moment(moved, self.utc)

    def plus_months(self, months: int) -> Moment:
        """The same day so many months later, or the last of its month (DateTime.AddMonths)."""
        today = self.date
        index = today.year * 12 + today.month - 1 + months
        year, month = divmod(index, 12)
        if not 1 <= year <= 9999:
            raise FormatError("the resulting time is outside of the years 1 to 9999")
        day = min(today.day, calendar.monthrange(year, month + 1)[1])
        return Moment((date(year, month + 1, day).toordinal() - 1) * DAY + self.time, self.utc)
