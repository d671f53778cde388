"""What the language inherits from .NET: moments, date and number patterns, cultures and time zones.

Pure functions over plain values; nothing here knows an expression function, a flow or the clock. Everything refuses
with `FormatError`, which the functions word for their users.
"""

from __future__ import annotations

from .cultures import INVARIANT, Culture, FormatError, culture
from .date_format import format_moment, round_trip, writer
from .date_parse import parse_moment
from .date_parse_exact import parse_exact
from .moment import Moment
from .number_format import format_number
from .number_parse import is_integer, parse_float
from .time_span import format_time_span, parse_time_span
from .zones import from_utc, to_utc, zone

__all__ = [
    "INVARIANT",
    "Culture",
    "FormatError",
    "Moment",
    "culture",
    "format_moment",
    "format_number",
    "format_time_span",
    "from_utc",
    "is_integer",
    "parse_exact",
    "parse_float",
    "parse_moment",
    "parse_time_span",
    "round_trip",
    "to_utc",
    "writer",
    "zone",
]
