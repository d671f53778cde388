"""The name that was probably meant, for hints. Looking for it costs more than all the rest, so it is done seldom."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

MOST: Final = 25
"""Names that are looked for in one check; a script with more of them wrong has another problem."""
MOST_KNOWN: Final = 2000


class Nearest:
    """Of one check of one script."""

    def __init__(self) -> None:
        self._left = MOST

    def __call__(self, name: str, known: Mapping[str, str], alike: float = 0.75) -> str | None:
        """The spelling of the known name, by lower-case name, that is most like this one; None without any."""
        if not self._left or len(known) > MOST_KNOWN:
            return None
        self._left -= 1
        found = get_close_matches(name.lower(), known, 1, alike)
        return known[found[0]] if found else None
