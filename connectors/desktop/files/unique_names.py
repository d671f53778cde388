"""A name for a file where the one that was wanted is taken."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable


def free(name: str, taken: Iterable[str]) -> str:
    """The name itself, or with a number before its ending where it is `taken`: `a.txt`, `a_2.txt`..."""
    stem, suffix = posixpath.splitext(name)
    known, number, candidate = set(taken), 1, name
    while candidate in known:
        number += 1
        candidate = f"{stem}_{number}{suffix}"
    return candidate
