"""Names of columns that are all different: what a table made from other things is given."""

from __future__ import annotations

from collections.abc import Iterable


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names in their order; one that was there before, in any case, gets a number: `Id`, `Id2`."""
    columns: list[str] = []
    taken: set[str] = set()
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}{number}"
        taken.add(candidate.casefold())
        columns.append(candidate)
    return tuple(columns)
