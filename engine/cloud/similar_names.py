"""Which of many names was meant by one that is not there: guesses for the hints of problems.

A definition may be damaged as a whole, with hundreds of names each of which is compared with hundreds of others, so
most of them are set aside by what letters they have before they are compared letter by letter.
"""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

CUTOFF: Final = 0.7
"""How alike two names are at least, from 0 to 1."""

LONGEST: Final = 80
"""Characters of a name that are looked at: names come from untrusted text, and comparing is quadratic in the length."""

_COMPARED: Final = 6
_BITS: Final = 509


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` most like `name`, whatever the case."""
    spelled = {each.lower(): each for each in names}
    wanted = name[:LONGEST].lower()
    likely: Iterable[str] = spelled
    if len(spelled) > _COMPARED:
        mine = _letters(wanted)
        likely = heapq.nlargest(_COMPARED, spelled, key=lambda each: _shared(mine, _letters(each[:LONGEST])))
    found = difflib.get_close_matches(wanted, likely, n=1, cutoff=CUTOFF)
    return spelled[found[0]] if found else None


def _shared(mine: int, others: int) -> float:
    """The share of letters and pairs of letters that two names have in common."""
    return 2 * (mine & others).bit_count() / (mine.bit_count() + others.bit_count() or 1)


@lru_cache(maxsize=4096)
def _letters(name: str) -> int:
    """The letters of a name and the pairs of letters in it, each as a bit; now and then two share one."""
    bits = 0
    before = 0
    for letter in map(ord, name):
        bits |= 1 << letter % _BITS | 1 << (before * 31 + letter) % _BITS
        before = letter
    return bits
