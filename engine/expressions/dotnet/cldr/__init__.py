"""Names, patterns and symbols of cultures, and Windows time-zone ids, from the Unicode CLDR.

`tools/generate_cultures.py` generates `data.json`; nothing here computes. The version is a constant, so that a run can
pin it without loading the data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pkgutil import get_data
from typing import Final

VERSION: Final = "47"
"""Of the CLDR that the data comes from."""


@dataclass(frozen=True, slots=True)
class LocaleData:
    """`cultures` maps a culture's name to its rows, as `cultures.py` reads them.

    A row `like` names the culture that the missing rows come from. The keys of `aliases` and `windows_zones` are
    lower-case.
    """

    version: str
    aliases: dict[str, str]
    cultures: dict[str, dict[str, str]]
    windows_zones: dict[str, str]

    def rows(self, name: str) -> dict[str, str]:
        """All rows of a culture."""
        rows = self.cultures[name]
        like = rows.get("like")
        return rows if like is None else {**self.rows(like), **rows}


@cache
def load() -> LocaleData:
    """Read the data file, once in a process."""
    # Not importlib.resources, which loads zipfile.
    return LocaleData(**json.loads(get_data(__name__, "data.json") or b""))
