"""How values are written and read: the culture of a run, a setting of its start.

A desktop flow follows the settings of the machine it runs on; a headless engine has none, so that a run names its
culture, and every machine does the same. Marks and patterns are those of the tables that expressions use too.

Source: .NET's general format "G" for the order of date and time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Final

from ...errors import DefinitionError
from ...expressions.dotnet import cultures as dotnet
from ...expressions.dotnet.date_format import format_moment
from ...expressions.dotnet.faults import FormatError
from ...expressions.dotnet.moment import EPOCH, MICROSECOND, Moment
from .numbers import Number, plain_text, read

DEFAULT: Final = "en-US"
_TICKS: Final = 10
"""In a microsecond."""


def moment_of(value: datetime) -> Moment:
    """A datetime of a flow as formats take it."""
    return Moment((value - EPOCH) // MICROSECOND * _TICKS)


@dataclass(frozen=True)
class Culture:
    """`rules` are its marks, patterns and names."""

    rules: dotnet.Culture

    @property
    def name(self) -> str:
        return self.rules.name

    def number(self, value: Number) -> str:
        """A number as text: no groups, no exponent."""
        text, mark = plain_text(value), self.rules.numbers.decimal
        return text if mark == "." else text.replace(".", mark)

    def read_number(self, text: str) -> Number | None:
        """The number that a text spells here (groups are allowed), None where it spells none."""
        bare = text.strip()
        match = self._number.fullmatch(bare)
        if match is None:
            return None
        group, mark = self.rules.numbers.group, self.rules.numbers.decimal
        for each in (group, "\u00a0", "\u202f") if group else ():
            bare = bare.replace(each, "")
        if mark != ".":
            bare = bare.replace(mark, ".")
        return read(bare)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        group = self.rules.numbers.group
        groups = f"{re.escape(group)}\u00a0\u202f" if group else ""
        mark = re.escape(self.rules.numbers.decimal)
        return re.compile(rf"[+-]?(?:[0-9][0-9{groups}]*(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?")

    def moment(self, value: datetime) -> str:
        """A datetime as text: short date and long time."""
        return format_moment(moment_of(value), "G", self.rules)

    def read_moment(self, text: str) -> datetime | None:
        """The datetime that a text spells: ISO 8601, or a short date of this culture with or without a time."""
        bare = text.strip()
        for pattern in (_ISO, *self._moments):
            if (match := pattern.fullmatch(bare)) is not None:
                return self._read({name: part for name, part in match.groupdict().items() if part is not None})
        return None

    def _read(self, found: dict[str, str]) -> datetime | None:
        hour = int(found.get("H", 0))
        if half := found.get("half") or found.get("before"):
            if not 1 <= hour <= 12:
                return None
            word, morning = half.casefold(), self.rules.am.casefold()
            afternoon = word != morning and (word == self.rules.pm.casefold() or word.startswith("p"))
            hour = hour % 12 + (12 if afternoon else 0)
        micro = int(found.get("f", "0")[:6].ljust(6, "0"))
        year = int(found["y"])
        if len(found["y"]) == 2:
            year += 2000 if year < 50 else 1900
        try:
            return datetime(
                year, int(found["m"]), int(found["d"]), hour, int(found.get("M", 0)), int(found.get("S", 0)), micro
            )
        except ValueError:
            return None

    @cached_property
    def _moments(self) -> tuple[re.Pattern[str], ...]:
        """A short date as it is written here, and one with the usual marks in this order; each perhaps with a time."""
        halves = "|".join(re.escape(each) for each in (self.rules.am, self.rules.pm) if each)
        time = _time(re.escape(self.rules.time_separator), halves)
        own = "".join(_PARTS.get(part[0], re.escape(part.strip("'"))) for part in _TOKEN.findall(self.rules.short_date))
        order = dict.fromkeys(letter for letter in self.rules.short_date if letter in "dMy")
        usual = r"[-/.]\s?".join(_PARTS[letter] for letter in order) + r"\.?"
        flags = re.ASCII | re.IGNORECASE
        return tuple(re.compile(rf"{date}(?:,?\s+{time})?", flags) for date in (own, usual))


_PARTS: Final = {"y": r"(?P<y>\d{4}|\d{2})", "M": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})"}
_TOKEN: Final = re.compile(r"'[^']*'|d+|M+|y+|.", re.DOTALL)


def _time(mark: str = ":", halves: str = "") -> str:
    """The pattern of a time; `halves` are the words for the halves of the day, beside AM and PM."""
    half = rf"[ap]\.?\s?m\.?{'|' if halves else ''}{halves}"
    return (
        rf"(?:(?P<before>{half})\s*)?(?P<H>\d{{1,2}})(?::|{mark})(?P<M>\d{{2}})"
        rf"(?:(?::|{mark})(?P<S>\d{{2}})(?:[.,](?P<f>\d+))?)?(?:\s*(?P<half>{half}))?"
    )


_ISO: Final = re.compile(
    rf"(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})(?:(?:T|\s+){_time()}(?:\s*(?:Z|[+-]\d\d:?\d\d))?)?",
    re.ASCII | re.IGNORECASE,
)

INVARIANT: Final = Culture(dotnet.INVARIANT)


def culture_of(name: str) -> Culture:
    """The culture of this name in any case; "" is the invariant one. Raises DefinitionError for an unknown one."""
    if not name:
        return INVARIANT
    try:
        return _of(dotnet.culture(name))
    except FormatError:
        raise DefinitionError(
            f"There is no culture '{name}' here.",
            code="UnknownCulture",
            hint="They are named by language and country: en-US, de-DE. Those with a calendar of their own are none.",
        ) from None


@lru_cache(maxsize=128)
def _of(rules: dotnet.Culture) -> Culture:
    return Culture(rules)
