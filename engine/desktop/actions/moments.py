"""Pure actions on datetimes: now, adding, the time between two.

Source: desktop flows, "Date time actions". The time is the run's, recorded with the action; it is never read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final

from ...errors import error_name
from ...expressions.dotnet import cldr
from ...expressions.dotnet.faults import FormatError
from ...expressions.dotnet.zones import zone
from ..expressions.errors import ARGUMENT, ActionError
from ..expressions.numbers import divide, fitted
from .port import Given, Outputs, PureAction, table_of

_NO_PLACE: Final = error_name("Specified country/region not found")

_ZONES: Final = ("TimeZoneLocation", "CustomTimeZone", "Offset", "TimeZone", "Country")
_NOW: Final = ("Local", "Current", "Windows", "CustomOffset", "CustomTimeZone")

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}


def _now(given: Given) -> Outputs:
    now = given.now.replace(tzinfo=UTC).astimezone(_zone(given)).replace(tzinfo=None)
    if given.choice("DateTimeFormat", "DateAndTime", among=("DateAndTime", "DateOnly")) == "dateonly":
        now = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"CurrentDateTime": now}


def _zone(given: Given) -> tzinfo:
    if given.has("CustomOffset"):
        try:
            return timezone(timedelta(hours=float(given.number("CustomOffset"))))
        except (ValueError, OverflowError):
            raise ActionError(_NO_PLACE, "There is no time zone with that offset.") from None
    named = next((given.text(name) for name in _ZONES if given.has(name)), "")
    name = named.rpartition(".")[2] if "TimeZoneLocation." in named else named
    try:
        return zone(_windows_zones().get(_letters(name), name) if name else given.zone)
    except FormatError:
        raise ActionError(_NO_PLACE, f"There is no time zone '{named}' here.") from None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


@lru_cache(maxsize=1)
def _windows_zones() -> Mapping[str, str]:
    """The zones of Windows by their names without blanks and signs, as the enumeration writes them."""
    return {_letters(known): known for known in cldr.load().windows_zones}


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
        *(PureAction(f"DateTime.GetCurrentDateTime.{name}", _now) for name in _NOW),
        PureAction("DateTime.Add", _add),
        PureAction("DateTime.Subtract", _subtract),
    ]
)
