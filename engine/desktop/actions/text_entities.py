"""The pure action "Recognize entities in text": what rules can tell, in English.

Found are e-mail addresses, URLs, telephone numbers, IP addresses, GUIDs, hashtags, mentions, quoted texts, numbers,
percentages, amounts of money, and dates and times that are written out. What needs a model of the language (ranges,
dimensions, temperatures, "next Tuesday") is not guessed at: those modes, and other languages, are refused by name.

The table's columns are decided here: the text as it stands, its value, its unit (currencies), its position from 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from ...datatypes import DataTable, Datum
from ..expressions.errors import ARGUMENT, ActionError
from ..expressions.numbers import Number, read
from .port import Given, Outputs, PureAction, table_of

COLUMNS: Final = ("Text", "Value", "Unit", "Position")

Found: TypeAlias = tuple[re.Match[str], Datum, Datum]
Finder: TypeAlias = Callable[[str, Given], Iterator[Found]]


def _pattern(expression: str, flags: re.RegexFlag = re.IGNORECASE, group: int | str = 0) -> Finder:
    compiled = re.compile(expression, flags)

    def find(text: str, given: Given) -> Iterator[Found]:
        return ((match, match[group], None) for match in compiled.finditer(text))

    return find


_EMAIL: Final = _pattern(r"(?<![\w.+-])[\w+-]{1,64}(?:\.[\w+-]{1,64}){0,8}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b")
_URL: Final = _pattern(r"\b(?:https?://|ftp://|www\.)[^\s<>\"']{0,2000}[^\s<>\"'.,;:!?)\]}]")
_GUID: Final = _pattern(r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])")
_HASHTAG: Final = _pattern(r"(?<![\w#&])#(?=\w*[^\W\d])\w+")
_MENTION: Final = _pattern(r"(?<![\w@.])@\w+(?:[.-]\w+){0,8}\b")
_QUOTED: Final = re.compile(
    r"\"([^\"\n]{1,2000})\"|“([^”\n]{1,2000})”|«([^»\n]{1,2000})»"
    r"|(?<!\w)'([^'\n]{1,2000})'(?!\w)|‘([^’\n]{1,2000})’"
)
_PHONE: Final = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{1,5}\)[\s.-]?)?\d{1,5}(?:[\s.-]?\d{2,5}){1,5}(?![\w-])"
)
_ADDRESS: Final = re.compile(
    r"(?<![\w:.])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:])", re.I
)


def _quoted(text: str, given: Given) -> Iterator[Found]:
    return ((match, next(filter(None, match.groups())), None) for match in _QUOTED.finditer(text))


def _phones(text: str, given: Given) -> Iterator[Found]:
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if 7 <= len(digits) <= 15 and not _ISO_DATE.fullmatch(match[0]):
            yield match, match[0].strip(), None


def _addresses(text: str, given: Given) -> Iterator[Found]:
    for match in _ADDRESS.finditer(text):
        try:
            yield match, str(ip_address(match[0])), None
        except ValueError:
            continue


# --- numbers

_UNITS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES: Final = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD: Final = "|".join((*_UNITS, *_TENS, *_SCALES))
_SPELT: Final = rf"\b(?:{_WORD})(?:(?:-|\s+(?:and\s+)?)(?:{_WORD}))*\b"
_DIGITS: Final = r"(?<![\w.,])[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d{1,3})?(?![\w])(?!\.\d)"
_AMOUNT: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_NUMBER: Final = re.compile(f"{_DIGITS}|{_SPELT}", re.IGNORECASE)
_PERCENT: Final = re.compile(
    rf"(?P<n>{_DIGITS}|{_SPELT})\s?(?:%|percent\b|per\s+cent\b)".replace(r"(?![\w])", ""), re.I
)


def _value(text: str) -> Number | None:
    """The number that digits or words spell; None beyond the range of numbers."""
    if text[:1].isdigit() or text[:1] in "+-":
        return read(text.replace(",", ""))
    total = group = 0
    for word in re.split(r"[\s-]+", text.lower()):
        if word in _SCALES:
            group = max(group, 1) * _SCALES[word]
            if group > 10**30:
                return None
            if word != "hundred":
                total, group = total + group, 0
        elif word != "and":
            group += _UNITS[word] if word in _UNITS else _TENS[word]
    return read(str(total + group))


def _valued(matches: Iterable[re.Match[str]], number: int | str, unit: str | None = None) -> Iterator[Found]:
    for match in matches:
        value = _value(match[number])
        if value is not None:
            yield match, value, unit


def _numbers(text: str, given: Given) -> Iterator[Found]:
    return _valued(_NUMBER.finditer(text), 0)


def _percentages(text: str, given: Given) -> Iterator[Found]:
    return _valued(_PERCENT.finditer(text), "n", "%")


_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_NAMES: Final = {
    "dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR", "pound": "GBP", "pounds": "GBP", "yen": "JPY",
    "rupee": "INR", "rupees": "INR",
}  # fmt: skip
_CODES: Final = ("USD", "EUR", "GBP", "JPY", "INR", "CHF", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "CNY", "BRL")
_MONEY: Final = re.compile(
    rf"(?P<before>[$€£¥₹]|\b(?:{'|'.join(_CODES)}))\s?(?P<first>{_AMOUNT})(?!\w)"
    rf"|(?<![\w.,])(?P<second>{_AMOUNT})\s?(?P<after>[$€£¥₹]|(?:{'|'.join((*_CODES, *_NAMES))})\b)",
    re.IGNORECASE,
)


def _money(text: str, given: Given) -> Iterator[Found]:
    for match in _MONEY.finditer(text):
        unit = match["before"] or match["after"]
        name = _SIGNS.get(unit) or _NAMES.get(unit.lower(), unit.upper())
        yield from _valued((match,), "first" if match["first"] else "second", name)


# --- dates and times

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_ISO_DATE: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_DATE: Final = re.compile(
    r"\b(?:(?P<iso>\d{4}-\d{1,2}-\d{1,2})|(?P<short>\d{1,2}[/.]\d{1,2}[/.]\d{4})"
    rf"|{_MONTH.format('m1')}\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y1>\d{{4}})"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH.format('m2')},?\s+(?P<y2>\d{{4}})"
    r"|(?P<near>today|tomorrow|yesterday))(?=\b|T\d)"
    r"(?:(?:T|,?\s+(?:at\s+)?)(?P<time>\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?))?",
    re.IGNORECASE,
)
_TIME: Final = re.compile(r"(?<![\d:.])\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?(?![\d:])", re.IGNORECASE)
_DAYS: Final = {"today": 0, "tomorrow": 1, "yesterday": -1}


def _moments(text: str, given: Given) -> Iterator[Found]:
    """Dates, with the time where one follows, as datetimes; times that stand alone as texts, HH:MM:SS."""
    covered = 0
    for match in _DATE.finditer(text):
        for time in _TIME.finditer(text, covered, match.start()):
            yield from _time(time)
        covered = match.end()
        day = _day(match, given)
        clock = _clock(match["time"]) if match["time"] else timedelta()
        if day is not None and clock is not None:
            yield match, day + clock, None
    for time in _TIME.finditer(text, covered):
        yield from _time(time)


def _time(match: re.Match[str]) -> Iterator[Found]:
    clock = _clock(match[0])
    if clock is not None:
        yield match, f"{datetime(1, 1, 1) + clock:%H:%M:%S}", None


def _day(match: re.Match[str], given: Given) -> datetime | None:
    if match["near"]:
        today = given.now.replace(tzinfo=UTC).astimezone(ZoneInfo(given.zone)).replace(tzinfo=None)
        return datetime(today.year, today.month, today.day) + timedelta(days=_DAYS[match["near"].lower()])
    if match["iso"] or match["short"]:
        return given.culture.read_moment(match["iso"] or match["short"])
    which = "1" if match["m1"] else "2"
    month = _MONTHS.index(match[f"m{which}"][:3].lower()) + 1
    try:
        return datetime(int(match[f"y{which}"]), month, int(match[f"d{which}"]))
    except ValueError:
        return None


def _clock(text: str) -> timedelta | None:
    hour, minute, second = (*map(int, re.findall(r"\d+", text)), 0)[:3]
    half = re.search(r"[ap]", text, re.IGNORECASE)
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0].lower() == "p" else 0)
    return timedelta(hours=hour, minutes=minute, seconds=second) if hour < 24 and minute < 60 and second < 60 else None


_FINDERS: Final[dict[str, Finder]] = {
    "datetime": _moments,
    "currency": _money,
    "number": _numbers,
    "percentage": _percentages,
    "phonenumber": _phones,
    "email": _EMAIL,
    "ipaddress": _addresses,
    "mention": _MENTION,
    "hashtag": _HASHTAG,
    "url": _URL,
    "guid": _GUID,
    "quotedtext": _quoted,
}
_REFUSED: Final = ("dimension", "temperature", "numberrange", "ordinal")


def _recognize(given: Given) -> Outputs:
    language = given.choice("Language", "English")
    mode = given.choice("Mode", "DateTime", among=(*_FINDERS, *_REFUSED))
    if language != "english":
        raise ActionError(ARGUMENT, f"Entities are recognized in English here, not in '{language}'.")
    if mode in _REFUSED:
        raise ActionError(ARGUMENT, f"Entities of the kind '{mode}' are not recognized here.")
    text = given.text("Text", "")
    rows = [(match[0], value, unit, match.start()) for match, value, unit in _FINDERS[mode](text, given)]
    return {"RecognizedEntities": DataTable(COLUMNS, tuple(rows))}


ACTIONS: Final = table_of((PureAction("Text.RecognizeEntitiesInText", _recognize),))
