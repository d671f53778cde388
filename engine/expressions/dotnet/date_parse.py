"""Reading moments without a pattern, as System.DateTime.Parse does (styles AdjustToUniversal and AllowWhiteSpaces).

ISO texts take a short way; everything else is split into numbers, names and marks and understood by the culture's
order of day, month and year. A text with an offset becomes UTC, one with `Z` or `GMT` is UTC, any other stays without
a zone. What names no date at all is refused: a pure evaluation has no "today".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

from .cultures import INVARIANT, Culture
from .faults import FormatError
from .moment import DAY, EPOCH, HOUR, MICROSECOND, MINUTE, SECOND, Moment

ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,16}))?)?)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
TWO_DIGIT_YEAR_MAXIMUM = 2049  # the Gregorian calendar's TwoDigitYearMax in .NET

TOKEN = re.compile(
    r"\s+|(?P<number>\d+)|(?P<word>[^\W\d_][^\W\d_'’.]*(?:[.’'][^\W\d_]+)*\.?)|(?P<mark>.)",
    re.DOTALL,
)
_HOUR = re.compile(r"(\d{1,2})\s*")
_UTC = re.compile(r"(?:GMT|UTC|Z)(?![A-Za-z])", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?(?!\d)")
_ORDINAL = re.compile(r"(?:er|ª|º|ème|e|a)(?![^\W\d_])", re.IGNORECASE)
# What stands behind years, months and days in Chinese, Japanese and Korean.
COUNTERS = "年月日년월일"
# Little words between the parts of a written-out date.
NOISE = frozenset({"de", "del", "den", "di", "of", "г", "г.", "р", "р.", "год", "the"})


def parse_moment(text: str, culture: Culture) -> Moment:
    """The moment that a text stands for. Raises FormatError when it is none."""
    quick = _quick(text)
    if quick is not None:
        return quick
    iso = ISO.fullmatch(text)
    if iso is not None:
        return _iso(iso)
    trimmed = text.strip().rstrip("\0")
    if not trimmed:
        raise FormatError("the text is empty")
    if len(trimmed) > 200:
        raise FormatError("the text is too long for a date and time")
    reading = _Reading(trimmed, culture)
    return reading.moment()


def _quick(text: str) -> Moment | None:
    """The moment of `yyyy-MM-dd[THH:mm:ss[.fffffff][Z]]`, nearly all texts there are; None for any other.

    A shorter way to what `_iso` gives. Python's parser reads more (weeks, no hyphens), so the marks are looked at here.
    """
    marks = text[4:17:3]
    try:
        if marks == "--T::" or marks == "-- ::":
            if not text.isascii():
                return None
            utc = text[-1] == "Z"
            plain = text[:-1] if utc else text
            size = len(plain)
            if size == 19 or (20 < size < 27 and plain[19] == "."):
                passed = datetime.fromisoformat(plain) - EPOCH
                return Moment(passed.days * DAY + passed.seconds * SECOND + passed.microseconds * 10, utc)
            if size == 27 and plain[19] == "." and plain[26].isdigit():  # one digit more than Python's times have
                return Moment((datetime.fromisoformat(plain[:26]) - EPOCH) // MICROSECOND * 10 + int(plain[26]), utc)
        elif marks == "--" and len(text) == 10 and text.isascii():
            return Moment((date.fromisoformat(text).toordinal() - 1) * DAY)
    except (ValueError, TypeError):
        pass  # no such text, no such day, or with an offset: the pattern knows which
    return None


def offset_ticks(text: str) -> int:
    """An offset `+hh:mm` as ticks. Raises FormatError past 14 hours."""
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        raise FormatError("the offset must be within 14 hours")
    return (-1 if text[0] == "-" else 1) * (hours * HOUR + minutes * MINUTE)


def fraction_ticks(digits: str) -> int:
    """Digits of a fraction of a second as ticks, rounded to the nearest."""
    if len(digits) <= 7:
        return int(digits.ljust(7, "0"))
    return int(digits[:7]) + (digits[7] >= "5")


def full_year(year: int) -> int:
    """A year of two digits in the century that .NET gives it: 0 to 49 are 2000 to 2049."""
    return year + (2000 if year <= TWO_DIGIT_YEAR_MAXIMUM - 2000 else 1900)


def finish(moment: Moment, zone: str | None) -> Moment:
    """The moment with what stood behind it: `Z` marks it as UTC, an offset is taken off."""
    if zone is None:
        return moment
    if zone in "Zz":
        return Moment(moment.ticks, utc=True)
    return Moment(moment.plus(-offset_ticks(zone)).ticks, utc=True)


def end_of_day(moment: Moment, hour: int) -> Moment:
    """24:00:00 is midnight of the next day."""
    if hour != 24:
        return moment
    if moment.time:
        raise FormatError("the time does not exist")
    return moment.plus(24 * HOUR)


def _iso(found: re.Match[str]) -> Moment:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    hours = int(hour or 0)
    moment = Moment.of(
        int(year), int(month), int(day), hours % 24 if hours == 24 else hours, int(minute or 0), int(second or 0)
    )
    if fraction:
        moment = moment.plus(fraction_ticks(fraction))
    return finish(end_of_day(moment, hours), zone)


@dataclass(slots=True)
class _Reading:
    """One text being understood: tokens are walked once, times are taken as they come, dates at the end."""

    text: str
    culture: Culture
    numbers: list[str] = field(default_factory=list)
    month: int | None = None
    month_at: int = 0
    weekday: int | None = None
    time: list[int] | None = None
    fraction: int = 0
    afternoon: bool | None = None
    zone: str | None = None

    def moment(self) -> Moment:
        self._walk()
        hour, minute, second = (self.time or [0]) + [0] * (3 - len(self.time or [0]))
        if self.afternoon is not None:
            if self.time is None or not 0 <= hour <= 12:
                self._refuse()
            hour = hour % 12 + (12 if self.afternoon else 0)
        year, month, day = self._date()
        moment = Moment.of(year, month, day, 0 if hour == 24 else hour, minute, second).plus(self.fraction)
        if self.weekday is not None and moment.weekday != self.weekday:
            raise FormatError("the day of the week does not fit the date")
        return finish(end_of_day(moment, hour), self.zone)

    def _refuse(self) -> None:
        raise FormatError(f"'{self.text}' is not a date and time")

    def _walk(self) -> None:
        text, at = self.text, 0
        words = _words(self.culture)
        while at < len(text):
            taken = self._time(at) or self._zone(at) or self._designator(at)
            if taken:
                at += taken
                continue
            token = TOKEN.match(text, at)
            assert token is not None  # noqa: S101 - the pattern matches any character
            if token["number"]:
                at = self._number(token)
                continue
            if token["word"]:
                at = self._word(at, words)
                continue
            mark = token["mark"]
            if mark and mark not in ",./-'’":
                self._refuse()
            at = token.end()

    def _time(self, at: int) -> int:
        """A time of day: `hh:mm[:ss[.fffffff]]` or an hour before a designator. Gives the characters taken."""
        own = self.culture.time_separator.strip() or ":"
        # Where hours are marked by a letter (17 h 03 min 09 s), the other units may be written too.
        marks = {":", own, "min"} if own.isalpha() else {":", own}
        # Where times are written with points, a text of three numbers is still a date.
        if self.time is not None or (len(self.numbers) < 3 and self.month is None):
            marks.discard(".")
        between = "|".join(re.escape(mark) for mark in marks)
        clock = _clock(between).match(self.text, at)
        alone = _HOUR.match(self.text, at) if clock is None else None
        if clock is not None:
            hour, minute, second, fraction = clock.groups()
            time, end = [int(part) for part in (hour, minute, second) if part], clock.end()
            self.fraction = fraction_ticks(fraction) if fraction else 0
        elif alone is not None and self._is_hour(alone.end()):
            time, end = [int(alone[1])], alone.end()
        else:
            return 0
        if self.time is not None:
            self._refuse()
        self.time = time
        return end - at

    def _is_hour(self, end: int) -> bool:
        """Whether the number before `end` is an hour: a designator follows it, and not the hour of that designator."""
        found = self._designated(end)
        return found is not None and not self.text[end + found[0] :].lstrip()[:1].isdigit()

    def _designated(self, at: int) -> tuple[int, bool] | None:
        """The length of a designator (AM, PM) at `at`, and whether it means the afternoon."""
        for word, afternoon in _designator_words(self.culture):
            if self.text[at : at + len(word)].casefold() == word:
                behind = self.text[at + len(word) : at + len(word) + 1]
                if not (behind.isalpha() and word[-1].isascii()):
                    return len(word), afternoon
        return None

    def _designator(self, at: int) -> int:
        found = self._designated(at) if self.afternoon is None else None
        if found is None:
            return 0
        self.afternoon = found[1]
        return found[0]

    def _zone(self, at: int) -> int:
        """`Z`, `GMT`, `UTC` or an offset behind the time. Gives the characters taken."""
        if self.time is None and not self.numbers:
            return 0
        found = _UTC.match(self.text, at)
        if found is not None:
            if self.zone is None:
                self.zone = "Z"
            return found.end() - at
        if self.time is None or self.zone not in (None, "Z"):
            return 0
        offset = _OFFSET.match(self.text, at)
        if offset is None:
            return 0
        self.zone = f"{offset[1]}{int(offset[2]):02d}:{offset[3] or '00'}"
        return offset.end() - at

    def _number(self, token: re.Match[str]) -> int:
        digits = token["number"]
        if len(digits) > 9:
            self._refuse()
        self.numbers.append(digits)
        end = token.end()
        # Ordinals and counters directly behind a number carry nothing: 1er, 3º, 5日.
        suffix = _ORDINAL.match(self.text, end)
        return suffix.end() if suffix else end

    def _word(self, at: int, words: list[tuple[str, str, int]]) -> int:
        if self.text[at] in COUNTERS:
            return at + 1
        rest = self.text[at:].casefold()
        for word, kind, value in words:
            if rest.startswith(word) and not (rest[len(word) : len(word) + 1].isalpha() and word[-1].isalpha()):
                if kind == "month":
                    if self.month is not None:
                        self._refuse()
                    self.month, self.month_at = value, len(self.numbers)
                elif kind == "day":
                    if self.weekday is not None:
                        self._refuse()
                    self.weekday = value
                return at + len(word)
        if rest[0] == "t" and not rest[1:2].isalpha():
            return at + 1
        self._refuse()
        return at

    def _date(self) -> tuple[int, int, int]:
        numbers = [int(number) for number in self.numbers]
        wide = [len(number) >= 3 for number in self.numbers]
        if self.month is not None:
            return self._named(numbers, wide)
        if len(numbers) == 3:
            order = _order(self.culture)
            if wide[0]:
                order = "ydm" if order == "ydm" else "ymd"
            elif wide[2] and order[0] == "y":
                order = "mdy" if order == "ymd" else "dmy"
            elif wide[1]:
                self._refuse()
            parts = dict(zip(order, numbers, strict=True))
            year = parts["y"] if wide[order.index("y")] else full_year(parts["y"])
            return year, parts["m"], parts["d"]
        if len(numbers) == 2 and any(wide):
            year, month = (numbers[0], numbers[1]) if wide[0] else (numbers[1], numbers[0])
            return year, month, 1
        if len(numbers) == 1 and len(self.numbers[0]) == 8:
            raise FormatError(f"'{self.text}' needs a format to be read as a date")
        raise FormatError(f"'{self.text}' is not a date and time")

    def _named(self, numbers: list[int], wide: list[bool]) -> tuple[int, int, int]:
        month = self.month or 1
        if len(numbers) == 1:
            if wide[0]:
                return numbers[0], month, 1
            raise FormatError(f"'{self.text}' names no year")
        if len(numbers) != 2:
            self._refuse()
        first, second = numbers
        if wide[0]:
            return first, month, second
        if wide[1]:
            return second, month, first
        if _order(self.culture)[0] == "y" and self.month_at == 1:
            return full_year(first), month, second
        return full_year(second), month, first


@lru_cache(maxsize=64)
def _clock(between: str) -> re.Pattern[str]:
    """The pattern of a time of day with the given separators."""
    return re.compile(
        rf"(\d{{1,2}})\s*(?:{between})\s*(\d{{1,2}})(?:\s*(?:{between})\s*(\d{{1,2}})(?:[.,](\d{{1,16}}))?)?(?!\d)(?:\s*s\b)?"
    )


@lru_cache(maxsize=64)
def _order(culture: Culture) -> str:
    """The order of day, month and year in a culture's short dates."""
    found = dict.fromkeys(char.lower() for char in culture.short_date if char in "dMy")
    return "".join(found)


@lru_cache(maxsize=64)
def _designator_words(culture: Culture) -> list[tuple[str, bool]]:
    words = [(culture.am, False), (culture.pm, True), ("AM", False), ("PM", True), ("a.m.", False), ("p.m.", True)]
    words += [("A", False), ("P", True)]
    return sorted({(word.casefold(), after) for word, after in words if word}, key=lambda pair: -len(pair[0]))


@lru_cache(maxsize=64)
def _words(culture: Culture) -> list[tuple[str, str, int]]:
    """Names of months and days, longest first; the invariant (English) names are always understood."""
    words: dict[str, tuple[str, int]] = {}
    for source in (culture, INVARIANT):
        for names in (source.genitive_months, source.months, source.short_genitive_months, source.short_months):
            for index, name in enumerate(names):
                for spelling in {name.casefold(), name.casefold().rstrip(".")}:
                    words.setdefault(spelling, ("month", index + 1))
        for names in (source.days, source.short_days):
            for index, name in enumerate(names):
                for spelling in {name.casefold(), name.casefold().rstrip(".")}:
                    words.setdefault(spelling, ("day", index))
    for noise in NOISE:
        words.setdefault(noise, ("noise", 0))
    return sorted(
        ((word, kind, value) for word, (kind, value) in words.items() if not word[:1].isdigit()),
        key=lambda entry: -len(entry[0]),
    )
