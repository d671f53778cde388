"""Reading moments by a given pattern, as System.DateTime.ParseExact does (style AdjustToUniversal).

White space around the text is refused unless the pattern has it; names are compared without regard to case.
"""

from __future__ import annotations

from dataclasses import dataclass

from .cultures import INVARIANT, Culture
from .date_format import FIXED, MAXIMUM_PATTERN, standard_pattern, tokens
from .date_parse import end_of_day, finish, full_year
from .faults import FormatError
from .moment import Moment


def parse_exact(text: str, pattern: str, culture: Culture) -> Moment:
    """The moment that `text` stands for by a standard or custom pattern.

    Raises FormatError when it does not fit, and for a pattern that leaves no date.
    """
    if len(pattern) > MAXIMUM_PATTERN:
        raise FormatError(f"the format is longer than {MAXIMUM_PATTERN:,} characters")
    if len(pattern) == 1:
        if pattern in FIXED:
            culture = INVARIANT
        utc = pattern in "rRuU"
        reading = _Reading(text, culture)
        moment = reading.read(standard_pattern(pattern, culture))
        return Moment(moment.ticks, utc=True) if utc else moment
    if not pattern:
        raise FormatError("the format is empty")
    return _Reading(text, culture).read(pattern)


@dataclass(slots=True)
class _Reading:
    """One text being read by one pattern; `at` is the next character."""

    text: str
    culture: Culture
    at: int = 0
    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    half: int | None = None
    minute: int = 0
    second: int = 0
    fraction: int = 0
    afternoon: bool | None = None
    weekday: int | None = None
    zone: str | None = None

    def read(self, pattern: str) -> Moment:
        parts = tokens(pattern)
        for index, (kind, value) in enumerate(parts):
            if kind == "literal":
                self._literal(value, parts[index + 1 : index + 2])
            else:
                self._part(kind, len(value))
        if self.at != len(self.text):
            self._refuse()
        return self._moment()

    def _refuse(self) -> None:
        raise FormatError(f"'{self.text}' does not fit the format")

    def _moment(self) -> Moment:
        if self.year is None and self.month is None and self.day is None:
            raise FormatError("the format names no date")
        if self.year is None:
            raise FormatError("the format names no year")
        hour = self.hour if self.hour is not None else 0
        if self.half is not None:
            hour = self.half % 12 + (12 if self.afternoon else 0)
        elif self.afternoon is not None and self.hour is not None and (hour >= 12) != self.afternoon:
            self._refuse()
        moment = Moment.of(
            self.year, self.month or 1, self.day or 1, 0 if hour == 24 else hour, self.minute, self.second
        )
        moment = moment.plus(self.fraction)
        if self.weekday is not None and moment.weekday != self.weekday:
            raise FormatError("the day of the week does not fit the date")
        return finish(end_of_day(moment, hour), self.zone)

    def _literal(self, value: str, following: list[tuple[str, str]]) -> None:
        if value == "." and following and following[0][0] == "F" and not self.text.startswith(".", self.at):
            # A point before an optional fraction may be missing with it.
            return
        if not self.text.startswith(value, self.at):
            self._refuse()
        self.at += len(value)

    def _digits(self, least: int, most: int) -> str:
        end = self.at
        while end < len(self.text) and end - self.at < most and self.text[end] in "0123456789":
            end += 1
        if end - self.at < least:
            self._refuse()
        found = self.text[self.at : end]
        self.at = end
        return found

    def _name(self, *lists: tuple[str, ...]) -> int:
        """The index of the longest name that stands here."""
        rest = self.text[self.at :].casefold()
        best, index = 0, -1
        for names in lists:
            for position, name in enumerate(names):
                if len(name) > best and rest.startswith(name.casefold()):
                    best, index = len(name), position
        if index < 0:
            self._refuse()
        self.at += best
        return index

    def _part(self, kind: str, count: int) -> None:
        culture = self.culture
        match kind:
            case "y":
                if count <= 2:
                    self.year = full_year(int(self._digits(count, 2)))
                else:
                    self.year = int(self._digits(min(count, 4) if count != 3 else 3, 4 if count <= 4 else count))
            case "M":
                if count <= 2:
                    self.month = int(self._digits(count, 2))
                elif count == 3:
                    self.month = self._name(culture.short_months, culture.short_genitive_months) + 1
                else:
                    self.month = self._name(culture.months, culture.genitive_months) + 1
            case "d":
                if count <= 2:
                    self.day = int(self._digits(count, 2))
                else:
                    self.weekday = self._name(culture.short_days if count == 3 else culture.days)
            case "H":
                self.hour = int(self._digits(min(count, 2), 2))
            case "h":
                self.half = int(self._digits(min(count, 2), 2))
                if not 0 <= self.half <= 12:
                    self._refuse()
            case "m":
                self.minute = int(self._digits(min(count, 2), 2))
            case "s":
                self.second = int(self._digits(min(count, 2), 2))
            case "f":
                self.fraction = int(self._digits(count, count).ljust(7, "0"))
            case "F":
                self.fraction = int(self._digits(0, count).ljust(7, "0"))
            case "t":
                self._designator(count)
            case "z":
                self._offset(count)
            case "K":
                self._optional_zone()
            case ":":
                self._separator(culture.time_separator)
            case "/":
                self._separator(culture.date_separator)
            case _:
                self._separator("A.D.")

    def _separator(self, mark: str) -> None:
        if not self.text.startswith(mark, self.at):
            self._refuse()
        self.at += len(mark)

    def _designator(self, count: int) -> None:
        names = (self.culture.am, self.culture.pm)
        if count == 1:
            names = (names[0][:1], names[1][:1])
        self.afternoon = self._name(names) == 1

    def _offset(self, count: int) -> None:
        sign = self.text[self.at : self.at + 1]
        if sign not in ("+", "-"):
            self._refuse()
        self.at += 1
        hours = self._digits(min(count, 2), 2)
        minutes = "00"
        if count >= 3:
            if self.text.startswith(":", self.at):
                self.at += 1
            minutes = self._digits(2, 2)
        self.zone = f"{sign}{hours.zfill(2)}:{minutes}"

    def _optional_zone(self) -> None:
        mark = self.text[self.at : self.at + 1]
        if mark == "Z":
            self.zone = "Z"
            self.at += 1
        elif mark in ("+", "-") and mark:
            self._offset(3)
