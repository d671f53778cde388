"""Generate the locale data of `engine/expressions/dotnet/cldr/data.json` from the Unicode CLDR, which Babel carries.

    ./dev sh python tools/generate_cultures.py           write the file
    ./dev sh python tools/generate_cultures.py --check   compare; exit 1 where the file differs

A culture becomes what `System.Globalization` makes of it: short dates with four-digit years, month names with and
without a day, numbered shapes of currency and percent. A row that equals the one of the language's first
culture (`like`) is left out. `culture_overrides.json` holds the list of cultures, their aliases, and the rows in which
.NET differs from the CLDR.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from babel import Locale, localedata
from babel.core import get_cldr_version, get_global
from babel.numbers import get_currency_precision, get_territory_currencies

HERE: Final = Path(__file__).parent
DATA: Final = HERE.parent / "engine/expressions/dotnet/cldr/data.json"
OVERRIDES: Final = HERE / "culture_overrides.json"

CURRENCY: Final = ("$#", "#$", "$ #", "# $")
CURRENCY_NEGATIVE: Final = {"$#": 1, "#$": 5, "$ #": 9, "# $": 8}
PERCENT: Final = ("# %", "#%", "%#", "% #")
"""The patterns of NumberFormatInfo that a culture's own patterns are numbered by."""


def generate() -> dict[str, Any]:
    """The whole content of the data file."""
    overrides = json.loads(OVERRIDES.read_text("utf-8"))
    full = {}
    for name in overrides["cultures"]:
        full[name] = {**rows_of(name), **overrides["rows"].get(name, {})}
    cultures: dict[str, dict[str, str]] = {}
    first: dict[str, str] = {}
    for name, rows in full.items():
        main = first.setdefault(name.split("-")[0], name)
        like = full[main]
        if main == name or like.keys() - rows.keys():
            cultures[name] = rows
        else:
            cultures[name] = {"like": main, **{key: value for key, value in rows.items() if value != like.get(key)}}
    zones = {name.lower(): zone for name, zone in get_global("windows_zone_mapping").items()}
    return {
        "version": get_cldr_version(),
        "aliases": overrides["aliases"],
        "cultures": cultures,
        "windows_zones": dict(sorted({**zones, **overrides["windows_zones"]}.items())),
    }


def rows_of(name: str) -> dict[str, str]:
    """The rows of one culture as the CLDR has them, in .NET's shapes."""
    localedata._cache.clear()  # Babel 2.18 lets one locale's names leak into the next one's (mended in 2.19)
    locale = Locale.parse(name, sep="-")
    months, short = _months(locale, "stand-alone", "wide"), _months(locale, "stand-alone", "abbreviated")
    genitive, short_genitive = _months(locale, "format", "wide"), _months(locale, "format", "abbreviated")
    symbols = locale.number_symbols["latn"]
    currency = get_territory_currencies(str(locale.territory))[0]
    digits = get_currency_precision(currency)
    currency_shape = CURRENCY.index(_shape(locale.currency_formats["standard"].pattern, "¤", "$"))
    percent_shape = PERCENT.index(_shape(locale.percent_formats[None].pattern, "%", "%"))
    rows = {
        "days": _days(locale, "wide"),
        "days3": _days(locale, "abbreviated"),
        "months": months,
        "months3": short,
        "genitive": genitive,
        "genitive3": short_genitive,
        "am": _period(locale, "am"),
        "pm": _period(locale, "pm"),
        "shortdate": _year(_pattern(locale.date_formats["short"].pattern)),
        "longdate": _pattern(locale.date_formats["full"].pattern),
        "shorttime": _pattern(locale.time_formats["short"].pattern),
        "longtime": _pattern(locale.time_formats["medium"].pattern),
        "yearmonth": _pattern(locale.datetime_skeletons["yMMMM"].pattern),
        "monthday": _pattern(locale.datetime_skeletons["MMMMd"].pattern),
        "decimal": symbols["decimal"],
        "group": symbols["group"],
        "minus": _unmarked(symbols["minusSign"]),
        "percent": _unmarked(symbols["percentSign"]),
        "nan": symbols["nan"],
        "currency": _unmarked(locale.currency_symbols.get(currency, currency)),
        "currencydecimal": symbols.get("currencyDecimal", symbols["decimal"]),
        "currencygroup": symbols.get("currencyGroup", symbols["group"]),
        "currencydigits": str(digits),
        "groups": _groups(locale.decimal_formats[None].pattern),
        "currencyshape": f"{currency_shape} {CURRENCY_NEGATIVE[CURRENCY[currency_shape]]}",
        "percentshape": f"{percent_shape} {percent_shape}",
    }
    if genitive == months:
        del rows["genitive"]
    if short_genitive == short:
        del rows["genitive3"]
    return rows


def _days(locale: Locale, width: str) -> str:
    names = locale.days["stand-alone"][width]
    return "|".join(names[(day - 1) % 7] for day in range(7))  # Babel begins with Monday, .NET with Sunday


def _months(locale: Locale, context: str, width: str) -> str:
    names = locale.months[context][width]
    return "|".join(names[month] for month in range(1, 13))


def _period(locale: Locale, name: str) -> str:
    periods = locale.day_periods["format"]
    return str(periods["abbreviated"].get(name) or periods["wide"][name])


_FIELD: Final = re.compile(r"'[^']*'|([A-Za-z])\1*|.")


def _pattern(cldr: str) -> str:
    """A date pattern in the letters of .NET; spaces of other widths are plain ones."""
    fields = {
        "E": "ddd",
        "EEE": "ddd",
        "EEEE": "dddd",
        "cccc": "dddd",
        "y": "yyyy",
        "L": "M",
        "LL": "MM",
        "LLLL": "MMMM",
        "a": "tt",
    }
    text = _unmarked(cldr).replace("\u202f", " ").replace("\u00a0", " ")
    return "".join(fields.get(part.group(), part.group()) for part in _FIELD.finditer(text))


def _year(pattern: str) -> str:
    return re.sub(r"(?<!y)yy(?!y)", "yyyy", pattern)


def _shape(pattern: str, sign: str, as_sign: str) -> str:
    positive = pattern.split(";")[0]
    bare = _unmarked(positive).replace("\u00a0", " ").replace("\u202f", " ")
    return re.sub(r"[#0.,]+", "#", bare).replace(sign, as_sign)


def _unmarked(text: str) -> str:
    """Without the marks of writing direction, which .NET's tables do not have either."""
    return re.sub(r"[\u200e\u200f\u061c]", "", text)


def _groups(pattern: str) -> str:
    """`#,##0.###` has groups of three, `#,##,##0.###` of three, then of two."""
    parts = pattern.split(";")[0].split(".")[0].split(",")[1:]
    return ",".join(str(len(part)) for part in reversed(parts)) or "3"


def text() -> str:
    """The data file's text."""
    return json.dumps(generate(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(DATA.read_text("utf-8") != text())
    DATA.write_text(text(), "utf-8")
