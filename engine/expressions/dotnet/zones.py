"""Time zones by Windows or IANA id, and the conversions between a zone and UTC as System.TimeZoneInfo makes them.

The rules come from the `tzdata` package alone, never from the machine, so that an evaluation is the same everywhere.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from . import cldr
from .faults import FormatError
from .moment import DAY, LAST_TICK, SECOND, Moment

# An IANA id: what may be opened inside the tzdata package, and nothing else.
IANA_ID = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+){0,2}")
# Ids that TimeZoneInfo takes for UTC without looking at its rules.
UTC_IDS = frozenset({"utc", "etc/utc", "coordinated universal time"})


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of a Windows id (in any case) or an IANA id. Raises FormatError when there is none."""
    key = name.strip()
    if key.lower() in UTC_IDS:
        return _load("Etc/UTC")
    known = cldr.load().windows_zones.get(key.lower())
    if known is not None:
        return _load(known)
    if IANA_ID.fullmatch(key):
        try:
            return _load(key)
        except (OSError, ValueError):
            pass
    raise FormatError(f"'{name}' is not a time zone id")


def is_utc(where: ZoneInfo) -> bool:
    """Whether the zone is UTC itself, not only a zone without an offset."""
    return where.key == "Etc/UTC"


def _load(key: str) -> ZoneInfo:
    found = resources.files("tzdata").joinpath("zoneinfo", *key.split("/"))
    with found.open("rb") as rules:
        return ZoneInfo.from_file(rules, key)


def from_utc(moment: Moment, where: ZoneInfo) -> Moment:
    """The wall-clock time in `where` of a UTC moment; it is UTC only when `where` is."""
    if is_utc(where):
        return Moment(moment.ticks, utc=True)
    # zoneinfo needs room on both sides of its datetimes, so the ends of the calendar are looked up a day inside.
    inside = min(max(moment.ticks // SECOND, DAY // SECOND), 3_652_058 * (DAY // SECOND))
    there = (datetime.min + timedelta(seconds=inside)).replace(tzinfo=where)
    offset = where.fromutc(there).utcoffset()
    return Moment(_within(moment.ticks + _ticks(offset)))


def to_utc(moment: Moment, where: ZoneInfo) -> Moment:
    """The UTC moment of a wall-clock time in `where`.

    A time that occurs twice is taken for standard time; one that a change of the clocks leaves out raises FormatError
    (TimeZoneInfo.ConvertTimeToUtc). So does a moment already known to be UTC in a zone that is not.
    """
    if is_utc(where):
        return Moment(moment.ticks, utc=True)
    if moment.utc:
        raise FormatError(
            "the conversion could not be completed because the time is already in UTC, "
            "while the source time zone is another one"
        )
    inside = min(max(moment.ticks // SECOND, DAY // SECOND), 3_652_057 * (DAY // SECOND))
    wall = datetime.min + timedelta(seconds=inside)
    earlier, later = (wall.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    first, second = _ticks(earlier.utcoffset()), _ticks(later.utcoffset())
    if first < second:
        raise FormatError("the time is invalid: the clocks of the source time zone skip it")
    # Twice on the clock: the offset of standard time is the smaller one.
    return Moment(_within(moment.ticks - min(first, second)), utc=True)


def _within(ticks: int) -> int:
    """The ticks, or the nearest end of the calendar: conversions stop there instead of failing."""
    return min(max(ticks, 0), LAST_TICK)


def _ticks(offset: timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND
