"""ISO 8601 durations as definitions write them: `PT1H`, `P1DT12H`, `PT0.5S`."""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"(?P<sign>-)?P(?!$)(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?!$)(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?",
    re.ASCII,
)

# A year is 365 days and a month 30, as where .NET turns XML durations into time spans (XmlConvert.ToTimeSpan).
_SECONDS = {
    "years": 365 * 86400,
    "months": 30 * 86400,
    "weeks": 7 * 86400,
    "days": 86400,
    "hours": 3600,
    "minutes": 60,
    "seconds": 1,
}


def seconds(text: str) -> float | None:
    """The length of a duration in seconds; None for text that is none."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    total = sum(float(match[part]) * unit for part, unit in _SECONDS.items() if match[part])
    return -total if match["sign"] else total
