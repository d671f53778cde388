"""What stands between `$'''` and `'''`: literal parts, escapes, and expressions between percent signs.

Expressions are cut out here, not read. Source: what the designer accepts and refuses when texts are pasted into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .tree import Place

_PLAIN: Final = re.compile(r"[^%'\\]++")
_INTERPOLATION: Final = re.compile(
    r"""%((?:\\['"]|[^%'"\r\n]|'(?!'')(?:[^'\\\r\n]++|\\.)*+'|"[^"\r\n]*+")++)%""",
    re.DOTALL,
)
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_BEGINS: Final = re.compile(r"(?:\bTO|[:=(,<>+\[])[^\S\r\n]*\Z", re.IGNORECASE)
"""What stands before the begin of a text."""


@dataclass(frozen=True, slots=True)
class Interpolation:
    """An expression between percent signs; line and column are those of its first character."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class TextFault:
    code: str
    place: Place
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Scanned:
    """A text: its parts, where it ends, the line that it ends in and where that starts. `closed`: it has an end."""

    parts: tuple[str | Interpolation, ...]
    faults: tuple[TextFault, ...]
    end: int
    line: int
    start: int
    closed: bool


def scan(text: str, opening: int, line: int, start: int) -> Scanned:
    """The text whose `$'''` stands at an offset, in a line that begins at `start`. Never raises."""
    scanner = _Scanner(text, opening, line, start)
    scanner.run()
    # Where an end is missing, the begin of the next text looks like it.
    mistaken = (
        scanner.line > line
        and text[scanner.at - 4] == "$"
        and _BEGINS.search(text, scanner.start, scanner.at - 4) is not None
    )
    return Scanned(
        tuple(scanner.parts),
        tuple(scanner.faults),
        scanner.at,
        scanner.line,
        scanner.start,
        scanner.closed and not mistaken,
    )


class _Scanner:
    def __init__(self, text: str, opening: int, line: int, start: int) -> None:
        self.text = text
        self.at = opening + 4
        self.line = line
        self.start = start
        self.parts: list[str | Interpolation] = []
        self.faults: list[TextFault] = []
        self.closed = False
        self._literal: list[str] = []

    def run(self) -> None:
        text, end = self.text, len(self.text)
        while self.at < end and not self.closed:
            match = _PLAIN.match(text, self.at)
            if match is not None:
                self._literal.append(match[0])
                for newline in _NEWLINE.finditer(match[0]):
                    self.line += 1
                    self.start = self.at + newline.end()
                self.at = match.end()
            elif text[self.at] == "'":
                self._quote()
            elif text[self.at] == "\\":
                self._backslash()
            else:
                self._percent()
        self._flush()

    def _flush(self) -> None:
        if self._literal:
            self.parts.append("".join(self._literal))
            self._literal = []

    def _fault(self, code: str, message: str, hint: str) -> None:
        self.faults.append(TextFault(code, Place(self.line, self.at - self.start + 1), message, hint))

    def _take(self, literal: str, length: int) -> None:
        self._literal.append(literal)
        self.at += length

    def _quote(self) -> None:
        if self.text.startswith("'''", self.at):
            self.closed = True
            self.at += 3
            return
        self._fault("BareQuote", "A quotation mark in a text needs a backslash.", "Write \\' inside of $'''...'''.")
        self._take("'", 1)

    def _backslash(self) -> None:
        text, at = self.text, self.at
        following = text[at + 1 : at + 2]
        if text.startswith("'''", at + 1) and text[at + 4 : at + 5] != "'":
            self._fault(
                "BackslashBeforeEnd",
                "The backslash before the end of this text takes away a quotation mark.",
                "Double it: \\\\'''.",
            )
            self._take("\\", 4)
            self.closed = True
        elif following in ("'", "\\", '"'):
            self._take(following, 2)
        elif following == "%":
            self._fault(
                "DroppedPercent",
                "The percent sign behind a backslash is dropped.",
                "Write \\\\ for a backslash and %% for a percent sign.",
            )
            self._take("\\", 2)
        else:
            self._take("\\", 1)

    def _percent(self) -> None:
        if self.text.startswith("%%", self.at):
            self._take("%", 2)
            return
        match = _INTERPOLATION.match(self.text, self.at)
        if match is None:
            self._fault(
                "LonePercent",
                "A percent sign in a text begins an expression, which has no end here.",
                "Write %% for a percent sign; an expression stands in one line between two of them.",
            )
            self._take("%", 1)
            return
        self._flush()
        self.parts.append(Interpolation(match[1], self.line, self.at - self.start + 2))
        self.at = match.end()
