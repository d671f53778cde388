"""Pure actions on datetimes: now, adding, the time between two.

Source: desktop flows, "Date time actions". The time is the run's, recorded with the action; it is never read here.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from ..catalog import error_id
from ..faults import ARGUMENT, ActionError
from ..numbers import divide, fitted
from .port import Given, Outputs, PureAction, table_of

_NO_PLACE: Final = error_id("Specified country/region not found")

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}


def _now(given: Given) -> Outputs:
    name = given.text("TimeZone", given.text("Country", "")) if given.has("Country") or given.has("TimeZone") else ""
    try:
        zone = ZoneInfo(name or given.zone)
    except (KeyError, ValueError, OSError):
        raise ActionError(_NO_PLACE, f"There is no time zone '{name}' here.") from None
    now = given.now.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    if given.choice("DateTimeFormat", "DateAndTime", among=("DateAndTime", "DateOnly")) == "dateonly":
        now = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"CurrentDateTime": now}


def _add(given: Given) -> Outputs:
    value, count = given.moment("DateTime"), given.number("TimeToAdd")
    unit = given.choice("TimeUnit", "Seconds", among=(*_SECONDS, "months", "years"))
    try:
        if unit in _SECONDS:
            return {"ResultedDate": value + timedelta(microseconds=int(Decimal(count) * _SECONDS[unit] * 1_000_000))}
        if count != int(count):
            raise ActionError(ARGUMENT, "Only whole months and years can be added.")
        months = value.month - 1 + int(count) * (12 if unit == "years" else 1)
        year, month = value.year + months // 12, months % 12 + 1
        # The last day of a month that is too short, as .NET has it.
        for day in range(value.day, 27, -1):
            try:
                return {"ResultedDate": value.replace(year=year, month=month, day=day)}
            except ValueError:
                if not 1 <= year <= 9999:
                    raise
        return {"ResultedDate": value.replace(year=year, month=month)}
    except (ValueError, OverflowError):
        raise ActionError(ARGUMENT, "The datetime would be outside of the years 1 to 9999.") from None


def _subtract(given: Given) -> Outputs:
    unit = given.choice("TimeUnit", "Days", among=_SECONDS)
    # The name of the argument is misspelt in the language itself.
    earlier = given.moment("SubstractDate" if given.has("SubstractDate") else "SubtractDate")
    apart = given.moment("FromDate") - earlier
    seconds = Decimal(apart // timedelta(microseconds=1)) / 1_000_000
    return {"TimeDifference": divide(fitted(seconds), _SECONDS[unit])}


ACTIONS: Final = table_of(
    [
        PureAction("DateTime.GetCurrentDateTime.Local", _now),
        PureAction("DateTime.GetCurrentDateTime.Current", _now),
        PureAction("DateTime.Add", _add),
        PureAction("DateTime.Subtract", _subtract),
    ]
)
