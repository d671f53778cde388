"""The variables of a script as places in a list: found by name when it is compiled, by number when it runs.

All variables are of the whole flow (subflows have none of their own), and names have no case. Place 0 of the list that
holds their values is the culture of the run, so that an expression needs nothing but this list.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from .culture import Culture

Slots: TypeAlias = "list[Any]"
"""The culture, then the value of each variable; None (blank) where nothing was assigned yet."""


class Scope:
    """Gives every name its place."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.spelled: dict[str, str] = {}

    def place(self, name: str) -> int:
        """The place of a variable, made at its first mention."""
        key = name.lower()
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = len(self.places) + 1
            self.spelled[key] = name
        return found

    def fresh(self, culture: Culture) -> Slots:
        """The variables of a run that begins."""
        return [culture, *([None] * len(self.places))]
