"""The functions of the language that need no run: one module for each family, and one table of all functions.

Functions that need a run (`outputs`, `variables`, ...) belong to the scope.
"""

from __future__ import annotations

from typing import Final

from ... import lazy
from ..table import FunctionTable, LateFamily
from . import logic


def _late(name: str, *functions: str) -> LateFamily:
    return LateFamily(functions, lambda: lazy.load(f".{name}:FAMILY", __name__))


# The module of a family is loaded with the first expression that names one of its functions.
_FAMILIES: Final = (
    logic.FAMILY,
    _late("chance", "guid", "rand"),
    _late(
        "collections",
        *("length", "empty", "contains", "first", "last", "take", "skip", "chunk", "join", "reverse", "sort"),
        *("union", "intersection"),
    ),
    _late(
        "conversion",
        *("string", "int", "decimal", "bool", "json", "array", "createArray", "base64", "encodeBase64"),
        *("base64ToString", "decodeBase64", "base64ToBinary", "binary"),
    ),
    _late("manipulation", "addProperty", "setProperty", "removeProperty", "coalesce", "mergeObjects"),
    _late("math", "add", "sub", "mul", "div", "mod", "max", "min", "range"),
    _late(
        "strings",
        *("concat", "toLower", "toUpper", "trim", "replace", "split", "substring", "slice", "startsWith", "endsWith"),
        *("indexOf", "lastIndexOf", "nthIndexOf", "trimByteOrderMark"),
    ),
    _late(
        "uri",
        *("uriScheme", "uriHost", "uriPort", "uriPath", "uriQuery", "uriPathAndQuery", "uriComponent"),
        *("encodeUriComponent", "uriComponentToString", "decodeUriComponent", "uriComponentToBinary", "dataUri"),
        *("encodeDataUri", "dataUriToBinary", "decodeDataUri", "dataUriToString"),
    ),
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
