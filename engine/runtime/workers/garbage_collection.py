"""How often Python looks for garbage that only cycles keep, while this process drives runs.

Steps leave nothing of the kind behind, but make many small objects, and Python looks whenever some hundred more were
made than were given back. So it looks less often as long as there is an executor: once for 10,000 objects.

A full look visits every object of the process, and nothing else runs meanwhile: with the values of a large JSON body in
memory it takes a fifth of a second. So it is taken when a run has left memory and there are few objects, and by Python
itself only after ten times as many looks. A host that has set thresholds of its own keeps them. For one event loop,
like everything here; keys and runs are not held longer by this, since whoever drops them has a full look taken
(`session`).
"""

from __future__ import annotations

import gc
from typing import Final

USUAL: Final = (700, 10, 10)
"""Python's thresholds where nobody has changed them."""

SELDOM: Final = (10_000, 5, 200)

PENDING: Final = 20
"""Looks at middle-aged objects after which a full one is wanted."""

FEW: Final = 200_000
"""Objects of old age that a full look visits in less than 50 ms."""


class Collecting:
    """Counts who drives runs in this process."""

    def __init__(self) -> None:
        self._drivers = 0
        self._changed = False
        self._wanted = PENDING

    def begin(self) -> None:
        """Somebody drives runs from now on."""
        self._drivers += 1
        if gc.get_threshold() == USUAL:
            gc.set_threshold(*SELDOM)
            self._changed = True

    def left(self) -> None:
        """A run has left memory: take a full look if one is wanted and there are few objects."""
        pending = gc.get_count()[2]
        if pending < self._wanted or not self._changed:
            if pending < PENDING:
                self._wanted = PENDING
        elif len(gc.get_objects(generation=2)) <= FEW:
            gc.collect()
        else:
            self._wanted = pending + PENDING  # counting them takes a millisecond

    def end(self) -> None:
        """Somebody does no more; the last one puts back what the first one found."""
        self._drivers -= 1
        if not self._drivers and self._changed:
            self._changed = False
            if gc.get_threshold() == SELDOM:
                gc.set_threshold(*USUAL)


COLLECTING: Final = Collecting()
"""Python has one collector for the whole process."""
