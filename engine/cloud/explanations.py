"""What each code of a problem means, for people: the texts of the reference and of SARIF rules, from one table.

The table is `explanations.tsv` beside this file, a line for each code. Nothing here reports problems.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code: `group` is its heading in the reference, `severities` what it can have, gravest first.

    `meaning`, `example` and `remedy` are Markdown; an example may be empty.
    """

    group: str
    code: str
    severities: tuple[str, ...]
    meaning: str
    example: str
    remedy: str


@lru_cache(maxsize=1)
def explanations() -> Mapping[str, Explanation]:
    """The explanations by code, in the order of the reference."""
    text = resources.files(__package__).joinpath("explanations.tsv").read_text("utf-8")
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return {
        code: Explanation(group, code, tuple(severity.split(", ")), meaning, example, remedy)
        for group, code, severity, meaning, example, remedy in rows
    }
