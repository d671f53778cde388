"""What each code of a problem means, for people: the texts of the reference and of SARIF rules, from one table.

The table is `explanations.tsv` of a package, a line for each code. Nothing here reports problems.
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


@lru_cache
def explanations(package: str = __package__ or "") -> Mapping[str, Explanation]:
    """The explanations of a package's table by code, in the order of the reference."""
    text = resources.files(package).joinpath("explanations.tsv").read_text("utf-8")
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return {
        code: Explanation(group, code, tuple(severity.split(", ")), meaning, example, remedy)
        for group, code, severity, meaning, example, remedy in rows
    }
