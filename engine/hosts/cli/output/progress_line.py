"""One line of progress on stderr that is drawn over itself, where that is a terminal; elsewhere nothing."""

from __future__ import annotations

import sys
import time
from typing import Final

from .writing import coloured, redraw

_PERIOD: Final = 0.2
"""Seconds between two drawings."""


class RedrawnLine:
    """Shows how far something is, from the first `show` to `end`."""

    def __init__(self) -> None:
        self._shown = coloured(sys.stderr)
        self._last = 0.0

    def show(self, text: str) -> None:
        """Draw this, unless something was drawn just now."""
        now = time.monotonic()
        if self._shown and now - self._last >= _PERIOD:
            self._last = now
            redraw(sys.stderr, text)
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._last:
            redraw(sys.stderr)
