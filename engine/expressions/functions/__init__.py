"""The functions of the language that need no run: one module for each family, and one table of all functions.

Functions that need a run (`outputs`, `variables`, ...) belong to the scope.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from ..table import Family, FunctionTable, LateFamily
from . import chance, collections, conversion, logic, manipulation, math, strings, uri


def _late(name: str, *functions: str) -> LateFamily:
    def family() -> Family:
        found: Family = import_module(f".{name}", __name__).FAMILY
        return found

    return LateFamily(functions, family)


# The last three bring much with them - cultures, time zones, XML - and most flows use none of them.
_FAMILIES: Final = (
    *(family.FAMILY for family in (chance, collections, conversion, logic, manipulation, math, strings, uri)),
    _late(
        "dates",
        *("utcNow", "addDays", "addHours", "addMinutes", "addSeconds", "addToTime", "subtractFromTime"),
        *("getFutureTime", "getPastTime", "startOfDay", "startOfHour", "startOfMonth"),
        *("dayOfMonth", "dayOfWeek", "dayOfYear", "ticks", "dateDifference", "formatDateTime", "parseDateTime"),
        *("convertFromUtc", "convertToUtc", "convertTimeZone", "formatTimeSpan"),
    ),
    _late("numbers_format", "formatNumber", "isInt", "isFloat", "float"),
    _late("xml", "xml", "xpath", "encodeXmlValue", "decodeXmlValue", "encodeXmlName", "decodeXmlName"),
)

FUNCTIONS = FunctionTable(_FAMILIES)
