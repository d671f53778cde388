"""Times in the command line: `--since 2h`, and stored times for people and for programs.

What they take from the kernel is loaded when it is used: most commands show no times.
"""

from __future__ import annotations

import re
import time
from typing import Final

from ...errors import ExpressionError
from .errors import UsageError

_AGO: Final = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment_ms(text: str, option: str, *, now: float | None = None) -> int:
    """Unix milliseconds of an ISO time (UTC where it says nothing else), or of `2h` = two hours ago. Raises
    UsageError.
    """
    from ...kernel.contract.timing import from_iso

    ago = _AGO.fullmatch(text.strip())
    if ago:
        return round(((time.time() if now is None else now) - int(ago[1]) * _SECONDS[ago[2]]) * 1_000)
    try:
        return from_iso(f"{text}T00:00:00" if _DATE.fullmatch(text) else text) // 10_000
    except ExpressionError:
        raise UsageError(
            f"{option} needs a time such as 2026-01-31T08:00:00Z, or 30m, 2h, 7d (ago), not '{text}'."
        ) from None


def iso_ms(milliseconds: int | None) -> str | None:
    """A stored time for programs."""
    from ...kernel.contract.timing import iso

    return iso(milliseconds * 10_000) if milliseconds is not None else None


def clock_ms(milliseconds: int) -> str:
    """A stored time for people."""
    from .output.progress import clock_text

    return clock_text(milliseconds * 10_000)
