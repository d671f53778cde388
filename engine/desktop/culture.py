"""How values are written and read: the culture of a run, a setting of its start.

A desktop flow follows the settings of the machine it runs on; a headless engine has none, so that a run names its
culture, and every machine does the same. The table is small on purpose; what it does not name is refused.

Source: Unicode CLDR for the separators and short patterns; .NET's general format "G" for the order of date and time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from ..errors import DefinitionError
from .numbers import Number, plain_text, read

DEFAULT: Final = "en-US"


@dataclass(frozen=True)
class Culture:
    """`order` of a short date (`mdy`, `dmy`, `ymd`) with `date_mark` between its parts, `padded` to two digits;

    `half_days`: times have AM and PM.
    """

    name: str
    decimal_mark: str
    group_mark: str
    order: str
    date_mark: str
    padded: bool
    half_days: bool
    list_mark: str = ","

    def number(self, value: Number) -> str:
        """A number as text: no groups, no exponent."""
        text = plain_text(value)
        return text if self.decimal_mark == "." else text.replace(".", self.decimal_mark)

    def read_number(self, text: str) -> Number | None:
        """The number that a text spells here (groups are allowed), None where it spells none."""
        bare = text.strip()
        match = self._number.fullmatch(bare)
        if match is None:
            return None
        for mark in (self.group_mark, "\u00a0", "\u202f") if self.group_mark else ():
            bare = bare.replace(mark, "")
        if self.decimal_mark != ".":
            bare = bare.replace(self.decimal_mark, ".")
        return read(bare)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        groups = f"{re.escape(self.group_mark)}\u00a0\u202f" if self.group_mark else ""
        mark = re.escape(self.decimal_mark)
        return re.compile(rf"[+-]?(?:[0-9][0-9{groups}]*(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?")

    def date(self, value: datetime) -> str:
        """The short date."""
        digits = "02d" if self.padded else "d"
        parts = {"y": f"{value.year:04d}", "m": format(value.month, digits), "d": format(value.day, digits)}
        return self.date_mark.join(parts[part] for part in self.order)

    def time(self, value: datetime) -> str:
        """The long time."""
        if not self.half_days:
            return f"{value:%H:%M:%S}"
        return f"{value.hour % 12 or 12}:{value:%M:%S} {'AM' if value.hour < 12 else 'PM'}"

    def moment(self, value: datetime) -> str:
        """A datetime as text: short date and long time."""
        return f"{self.date(value)} {self.time(value)}"

    def read_moment(self, text: str) -> datetime | None:
        """The datetime that a text spells: ISO 8601, or a short date of this culture with or without a time."""
        bare = text.strip()
        match = _ISO.fullmatch(bare) or self._moment.fullmatch(bare)
        if match is None:
            return None
        found = {name: part for name, part in match.groupdict().items() if part is not None}
        hour = int(found.get("H", 0))
        if "half" in found:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + (12 if found["half"].lower().startswith("p") else 0)
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
    def _moment(self) -> re.Pattern[str]:
        parts = {"y": r"(?P<y>\d{4}|\d{2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})"}
        date = r"[-/.]\s?".join(parts[part] for part in self.order)
        return re.compile(rf"{date}\.?(?:,?\s+{_TIME})?", re.ASCII | re.IGNORECASE)


_TIME: Final = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d+))?)?(?:\s*(?P<half>[ap]\.?m\.?))?"
_ISO: Final = re.compile(
    rf"(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})(?:(?:T|\s+){_TIME}(?:\s*(?:Z|[+-]\d\d:?\d\d))?)?",
    re.ASCII | re.IGNORECASE,
)

_NARROW: Final = "\u202f"
_TABLE: Final = {
    culture.name.lower(): culture
    for culture in (
        Culture("", ".", ",", "mdy", "/", True, False),
        Culture("en-US", ".", ",", "mdy", "/", False, True),
        Culture("en-GB", ".", ",", "dmy", "/", True, False),
        Culture("de-DE", ",", ".", "dmy", ".", True, False, ";"),
        Culture("de-CH", ".", "’", "dmy", ".", True, False, ";"),
        Culture("fr-FR", ",", _NARROW, "dmy", "/", True, False, ";"),
        Culture("es-ES", ",", ".", "dmy", "/", False, False, ";"),
        Culture("it-IT", ",", ".", "dmy", "/", True, False, ";"),
        Culture("nl-NL", ",", ".", "dmy", "-", False, False, ";"),
        Culture("pl-PL", ",", "\u00a0", "dmy", ".", True, False, ";"),
        Culture("pt-BR", ",", ".", "dmy", "/", True, False, ";"),
        Culture("el-GR", ",", ".", "dmy", "/", False, False, ";"),
        Culture("sv-SE", ",", "\u00a0", "ymd", "-", True, False, ";"),
        Culture("ja-JP", ".", ",", "ymd", "/", True, False),
        Culture("zh-CN", ".", ",", "ymd", "/", False, False),
    )
}
INVARIANT: Final = _TABLE[""]


def culture_of(name: str) -> Culture:
    """The culture of this name in any case; "" is the invariant one. Raises DefinitionError for an unknown one."""
    found = _TABLE.get(name.lower().replace("_", "-"))
    if found is None:
        known = ", ".join(sorted(culture.name for culture in _TABLE.values() if culture.name))
        raise DefinitionError(f"There is no culture '{name}' here.", code="UnknownCulture", hint=f"These are: {known}.")
    return found
