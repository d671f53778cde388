"""Liquid's Date filter as DotLiquid has it: formats of .NET, or of strftime where there is a per cent sign.

Source: .NET, custom date and time format strings, and of the standard ones d, D, g, s, u, o; in the invariant culture.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from dateutil import parser  # type: ignore[import-untyped]

from .fault import Fault

_STANDARD: Final = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "g": "MM/dd/yyyy HH:mm",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ssZ",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffff",
}
_TOKENS: Final = re.compile(r"yyyy|yyy|yy|y|M{1,4}|d{1,4}|HH?|hh?|mm?|ss?|f{1,7}|tt?|z{1,3}|K|'[^']*'|\"[^\"]*\"|\\.")


def render_date(value: Any, form: Any = "") -> str:
    """The filter. What is no date stays as it is. Raises Fault for a format that is none."""
    moment = _moment(value)
    if moment is None:
        return "" if value is None else str(value)
    pattern = str(form)
    if not pattern:
        return moment.strftime("%m/%d/%Y %H:%M:%S")
    if "%" in pattern:
        try:
            return moment.strftime(pattern)
        except ValueError:
            raise Fault("LiquidTemplateFailed", f"The template has a date format that is none: '{pattern}'.") from None
    return _TOKENS.sub(lambda found: _part(moment, found[0]), _STANDARD.get(pattern, pattern))


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if str(value).lower() in ("now", "today"):
        return datetime.now(UTC)
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        moment: datetime = parser.parse(value)
    except (ValueError, OverflowError, OSError):
        return None
    return moment


def _part(moment: datetime, token: str) -> str:
    if token[0] in "'\"":
        return token[1:-1]
    if token[0] == "\\":
        return token[1]
    if token in _NAMES:
        return moment.strftime(_NAMES[token])
    if token[0] == "f":
        return f"{moment.microsecond:06}0"[: len(token)]
    if token[0] in "zK":
        return _offset(moment, token)
    if token[0] == "t":
        return ("AM" if moment.hour < 12 else "PM")[: len(token)]
    number = {
        "y": moment.year if len(token) > 2 else moment.year % 100,
        "M": moment.month,
        "d": moment.day,
        "H": moment.hour,
        "h": moment.hour % 12 or 12,
        "m": moment.minute,
        "s": moment.second,
    }[token[0]]
    return str(number).zfill(len(token))


_NAMES: Final = {"MMM": "%b", "MMMM": "%B", "ddd": "%a", "dddd": "%A"}


def _offset(moment: datetime, token: str) -> str:
    text = moment.strftime("%z")
    if token == "K":  # noqa: S105 - a format, no secret
        return "Z" if text == "+0000" else f"{text[:3]}:{text[3:5]}" if text else ""
    text = text or "+0000"
    return f"{text[:3]}:{text[3:5]}" if token == "zzz" else text[:3]  # noqa: S105
