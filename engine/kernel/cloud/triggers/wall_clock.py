"""Between instants (ticks, see `timing`) and the clock on the wall of a time zone.

Unlike `convertToUtc`, which refuses a time that a change of the clocks leaves out, schedules have an answer for every
time. Source: Logic Apps, "Schedules for recurring triggers": recurrence for daylight saving time and standard time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from ...contract.timing import SECOND

DAY: Final = 86_400 * SECOND
_EPOCH: Final = date(1970, 1, 1).toordinal()


def local(instant: int, zone: tzinfo) -> tuple[date, int]:
    """The day and the ticks since midnight that the zone's clock shows."""
    offset = datetime.fromtimestamp(instant // SECOND, zone).utcoffset()
    days, clock = divmod(instant + _ticks(offset), DAY)
    return date.fromordinal(_EPOCH + days), clock


def instant_of(day: date, clock: int, zone: tzinfo) -> int:
    """The instant at which the clock shows `clock` ticks since midnight.

    A time that is left out goes by the offset before the change (2:30 becomes 3:30), one that comes twice is the first.
    """
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(seconds=clock // SECOND)
    return (day.toordinal() - _EPOCH) * DAY + clock - _ticks(wall.utcoffset())


def _ticks(offset: timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND
