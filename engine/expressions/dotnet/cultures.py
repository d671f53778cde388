"""Cultures: the names, patterns and symbols by which dates and numbers are written and read.

The invariant culture and en-US, the language's default, are at hand; the others are read from the CLDR's data when
first asked for. Cultures whose default calendar is not Gregorian (ar-SA, fa-IR, th-TH) are not offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from . import cldr
from .faults import FormatError


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How numbers are written (NumberFormatInfo); in shapes `#` is the number, `$` or `%` the symbol, `-` the sign."""

    decimal: str
    group: str
    groups: tuple[int, ...]
    minus: str
    percent: str
    nan: str
    infinity: str
    currency: str
    currency_decimal: str
    currency_group: str
    currency_digits: int
    currency_shapes: tuple[str, str]
    percent_shapes: tuple[str, str]


# One object for each culture (`culture` keeps them), compared by identity: cultures are keys of caches.
@dataclass(frozen=True, slots=True, eq=False)
class Culture:
    """How dates (System.Globalization.DateTimeFormatInfo) and numbers are written. Days start with Sunday."""

    name: str
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    genitive_months: tuple[str, ...]
    short_genitive_months: tuple[str, ...]
    am: str
    pm: str
    short_date: str
    long_date: str
    short_time: str
    long_time: str
    year_month: str
    month_day: str
    date_separator: str
    time_separator: str
    numbers: NumberRules

    @property
    def genitive(self) -> bool:
        """Whether a month is named differently beside a day."""
        return self.genitive_months != self.months or self.short_genitive_months != self.short_months


# The numbered shapes of NumberFormatInfo.CurrencyPositivePattern, CurrencyNegativePattern and the two for percent.
CURRENCY_SHAPES = ("$#", "#$", "$ #", "# $")
CURRENCY_NEGATIVE_SHAPES = (
    *("($#)", "-$#", "$-#", "$#-", "(#$)", "-#$", "#-$", "#$-", "-# $"),
    *("-$ #", "# $-", "$ #-", "$ -#", "#- $", "($ #)", "(# $)", "$- #"),
)
PERCENT_SHAPES = ("# %", "#%", "%#", "% #")
PERCENT_NEGATIVE_SHAPES = ("-# %", "-#%", "-%#", "%-#", "%#-", "#-%", "#%-", "-% #", "# %-", "% #-", "% -#", "#- %")

# The default calendars of these count other years; writing Gregorian ones would be wrong.
REFUSED = frozenset({"ar", "ar-sa", "fa", "fa-ir", "ps", "ps-af", "th", "th-th"})

_INVARIANT_ROWS = {
    "days": "Sunday|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday",
    "days3": "Sun|Mon|Tue|Wed|Thu|Fri|Sat",
    "months": "January|February|March|April|May|June|July|August|September|October|November|December",
    "months3": "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec",
    "am": "AM",
    "pm": "PM",
    "shortdate": "MM/dd/yyyy",
    "longdate": "dddd, dd MMMM yyyy",
    "shorttime": "HH:mm",
    "longtime": "HH:mm:ss",
    "yearmonth": "yyyy MMMM",
    "monthday": "MMMM dd",
    "decimal": ".",
    "group": ",",
    "minus": "-",
    "percent": "%",
    "nan": "NaN",
    "infinity": "Infinity",
    "currency": "\u00a4",
    "currencydecimal": ".",
    "currencygroup": ",",
    "currencydigits": "2",
    "groups": "3",
    "currencyshape": "0 0",
    "percentshape": "0 0",
}


def culture(name: str) -> Culture:
    """The culture of an RFC 4646 name, in any case; a bare language gives its main culture, "" the invariant one.

    Raises FormatError for a name that is not known.
    """
    return _culture(name.strip().lower().replace("_", "-"))


@lru_cache(maxsize=128)
def _culture(key: str) -> Culture:
    if key == "":
        return INVARIANT
    if key in REFUSED:
        raise FormatError(f"'{key}' is not a supported culture: its calendar is not the Gregorian one")
    names = _names()
    # A variant of a known language (de-LI, en-KE): the language's main culture stands in for it.
    name = names.get(key) or names.get(key.split("-")[0])
    if name is None:
        raise FormatError(f"'{key}' is not a supported culture")
    return _read(name, cldr.load().rows(name))


@cache
def _names() -> dict[str, str]:
    """The cultures' names by their lower-case spellings, bare languages among them."""
    data = cldr.load()
    names: dict[str, str] = {}
    for name in data.cultures:
        names[name.lower()] = name
        names.setdefault(name.lower().split("-")[0], name)
    return {**names, **data.aliases}


def _read(name: str, rows: dict[str, str]) -> Culture:
    def names(key: str, otherwise: str = "") -> tuple[str, ...]:
        return tuple((rows.get(key) or rows[otherwise]).split("|"))

    positive, negative = (int(part) for part in rows["currencyshape"].split())
    percent, negative_percent = (int(part) for part in rows["percentshape"].split())
    return Culture(
        name=name,
        days=names("days"),
        short_days=names("days3"),
        months=names("months"),
        short_months=names("months3"),
        genitive_months=names("genitive", "months"),
        short_genitive_months=names("genitive3", "months3"),
        am=rows["am"],
        pm=rows["pm"],
        short_date=rows["shortdate"],
        long_date=rows["longdate"],
        short_time=rows["shorttime"],
        long_time=rows["longtime"],
        year_month=rows["yearmonth"],
        month_day=rows["monthday"],
        date_separator=_separator(rows["shortdate"], "dMy", "/"),
        time_separator=_separator(rows["longtime"], "Hhms", ":"),
        numbers=NumberRules(
            decimal=rows["decimal"],
            group=rows["group"],
            groups=tuple(int(size) for size in rows["groups"].split(",")),
            minus=rows["minus"],
            percent=rows["percent"],
            nan=rows["nan"],
            infinity=rows.get("infinity", "∞"),
            currency=rows["currency"],
            currency_decimal=rows["currencydecimal"],
            currency_group=rows["currencygroup"],
            currency_digits=int(rows["currencydigits"]),
            currency_shapes=(CURRENCY_SHAPES[positive], CURRENCY_NEGATIVE_SHAPES[negative]),
            percent_shapes=(PERCENT_SHAPES[percent], PERCENT_NEGATIVE_SHAPES[negative_percent]),
        ),
    )


def _separator(pattern: str, parts: str, otherwise: str) -> str:
    """What stands between the first two parts of a pattern: .NET's own way to find a culture's separators."""
    inside = False
    begun = False
    found = ""
    for char in pattern:
        if char == "'":
            inside = not inside
        elif char in parts and not inside:
            if found:
                return found
            begun = True
        elif begun:
            found += char
    return otherwise


INVARIANT = _read("", _INVARIANT_ROWS)
