"""A script's text as rows of tokens: what belongs to one line of the designer, with line and column of each token.

Texts, strings and comments that span lines are one token of the row they begin in. Faults are collected, and reading
goes on behind them: a row with a fault is `broken`, so that the parser keeps its structure and stays silent about it.
What a row means is the parser's affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from .lexer_text import Interpolation, TextFault, scan
from .problem import Problem, Problems
from .tree import Place

Kind = Literal["name", "number", "string", "text", "datetime", "protected", "op"]
Token: TypeAlias = "tuple[Kind, Any, int, int]"  # noqa: S105
"""Kind, value, line, column. The value of a text is a list: literal parts as str, what stands between percent signs as
a list of tokens with the place of its first character."""

LARGEST: Final = 8 * 1024 * 1024
"""Characters of a script; the longest published ones have 50,000 without their pictures."""

_TOKEN: Final = re.compile(
    r"""(?P<blank>[^\S\r\n]+)
    |(?P<line>\r\n|\r|\n)
    |(?P<datetime>[dD]"[^"\r\n]*")
    |(?P<protected>[pP]'[^'\r\n]*')
    |(?P<name>[^\W\d]\w*)
    |(?P<text>\$''')
    |(?P<long>'''(?:[^'\\]++|\\.|'(?!''))*+''')
    |(?P<string>'(?:[^'\\\r\n]++|\\.)*+'(?!')|''(?!')|"[^"\r\n]*")
    |(?P<number>[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?!\w))
    |(?P<op>=>|<>|<=|>=|[=<>+\-*/()\[\]{},:.^@])
    |(?P<comment>\#[^\r\n]*)
    |(?P<blanks>``)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT: Final = re.compile(r"/\#.*?\#/", re.DOTALL)
_REGION: Final = re.compile(r"\*\*(END)?REGION\b[^\r\n]*", re.IGNORECASE)
_NOTE: Final = re.compile(r"@@([^:\r\n]*):([^\r\n]*)")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_ESCAPE: Final = re.compile(r"\\(['\\\"])")
_WORD: Final = re.compile(r"\w+")
_GREATEST: Final = Decimal("79228162514264337593543950335")
"""What .NET's Decimal can hold."""


@dataclass(slots=True, eq=False)
class Line:
    """A row of the text. `text` is that of a comment or a region, or name and value of a note (`name:value`)."""

    kind: Literal["row", "comment", "region", "note"]
    line: int
    column: int
    tokens: list[Token] = field(default_factory=list)
    text: str = ""
    broken: bool = False
    head: str = ""
    """The first word in lower case, behind DISABLE; "" where the row begins with `Module.Action` or no word at all."""
    disabled: bool = False

    @property
    def place(self) -> Place:
        return Place(self.line, self.column)


class Lexer:
    """Reads one text. `lines` and `problems` are the result of `read`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: list[Line] = []
        self.problems = Problems()
        self._line = 1
        self._start = 0
        """Offset of the first character of the line under way."""
        self._row: Line | None = None

    def read(self) -> None:
        text = self.text
        at, end = 0, len(text)
        if text.startswith("\ufeff"):
            at = self._start = 1
        match_token = _TOKEN.match
        while at < end:
            match = match_token(text, at)
            if match is None:
                at = self._odd(at)
                continue
            kind = match.lastgroup or ""
            if kind == "blank":
                at = match.end()
            elif kind == "line":
                self._finish()
                at = match.end()
                self._line += 1
                self._start = at
            elif self._row is None and text[at] in "#/*@" and (special := self._special(at)):
                at = special
            else:
                at = self._token(kind, match, at)
        self._finish()

    # ---- rows

    def _finish(self) -> None:
        row, self._row = self._row, None
        if row is None:
            return
        tokens = row.tokens
        if tokens and tokens[0][0] == "name" and tokens[0][1].lower() == "disable" and len(tokens) > 1:
            row.disabled = True
            del tokens[0]
        if tokens and tokens[0][0] == "name" and not (len(tokens) > 1 and tokens[1][1] == "." and tokens[1][0] == "op"):
            row.head = tokens[0][1].lower()
        self.lines.append(row)

    def _fault(self, code: str, offset: int, message: str, hint: str | None = None) -> None:
        """A problem of the row under way, unless it has one already."""
        row = self._current(offset)
        if not row.broken:
            row.broken = True
            self.problems.error(code, Place(self._line, offset - self._start + 1), message, hint)

    def _current(self, offset: int) -> Line:
        if self._row is None:
            self._row = Line("row", self._line, offset - self._start + 1)
        return self._row

    def _special(self, at: int) -> int:
        """What only stands at the begin of a row; the offset behind it, 0 where there is nothing of the kind."""
        text = self.text
        char = text[at]
        column = at - self._start + 1
        if char == "#":
            end = self._line_end(at)
            self.lines.append(Line("comment", self._line, column, text=text[at + 1 : end]))
            return end
        if char == "/" and text.startswith("/#", at):
            match = _COMMENT.match(text, at)
            if match is None:
                self._fault(
                    "UnclosedComment", at, "This comment has no end.", "A comment of several lines ends with '#/'."
                )
                self._row = None
                return len(text)
            self.lines.append(Line("comment", self._line, column, text=match[0][2:-2]))
            self._passed(match[0], at)
            return match.end()
        if char == "*" and (match := _REGION.match(text, at)) is not None:
            self.lines.append(Line("region", self._line, column, text=match[0]))
            return match.end()
        if char == "@" and (match := _NOTE.match(text, at)) is not None:
            self.lines.append(Line("note", self._line, column, text=f"{match[1].strip()}:{match[2].strip()}"))
            return match.end()
        return 0

    def _passed(self, passage: str, at: int) -> None:
        """Counts the lines of a passage that begins at an offset."""
        for match in _NEWLINE.finditer(passage):
            self._line += 1
            self._start = at + match.end()

    # ---- tokens

    def _token(self, kind: str, match: re.Match[str], at: int) -> int:
        if kind == "comment":
            self._finish()
            self.lines.append(Line("comment", self._line, at - self._start + 1, text=match[0][1:]))
            return match.end()
        if kind == "op" and match[0] == "/" and self.text.startswith("/#", at):
            return self._inner_comment(at)
        row = self._current(at)
        column = at - self._start + 1
        if kind == "name" or kind == "op":
            row.tokens.append((kind, match[0], self._line, column))  # type: ignore[arg-type]
        elif kind == "text":
            return self._text(at)
        elif kind == "long":
            row.tokens.append(("string", unescaped(match[0][3:-3]), self._line, column))
            self._passed(match[0], at)
        elif kind == "string":
            row.tokens.append(("string", unescaped(match[0][1:-1]), self._line, column))
        elif kind == "number":
            row.tokens.append(("number", self._number(match[0], at), self._line, column))
        elif kind == "datetime" or kind == "protected":
            row.tokens.append((kind, match[0][2:-1], self._line, column))  # type: ignore[arg-type]
        else:
            self._fault(
                "NotFilledIn", at, "A value is missing here: two backticks mark what is to be filled in.", "Write it."
            )
            row.tokens.append(("string", "", self._line, column))
        return match.end()

    def _inner_comment(self, at: int) -> int:
        match = _COMMENT.match(self.text, at)
        if match is None:
            self._fault("UnclosedComment", at, "This comment has no end.", "A comment of several lines ends with '#/'.")
            return len(self.text)
        self._finish()
        self.lines.append(Line("comment", self._line, at - self._start + 1, text=match[0][2:-2]))
        self._passed(match[0], at)
        return match.end()

    def _number(self, digits: str, at: int) -> int | Decimal:
        value: int | Decimal
        if digits.isdecimal() and len(digits) <= 29:
            value = int(digits)
        else:
            exponent = digits.lower().partition("e")[2]
            # Beyond three digits it is too large or 0 in any case.
            value = Decimal(digits) if len(exponent) <= 4 and len(digits) <= 200 else _GREATEST + 1
            if value <= _GREATEST and value == value.to_integral_value() and "." not in digits:
                value = int(value)
        if value > _GREATEST:
            self._fault(
                "NumberOutOfRange",
                at,
                "This number is too large.",
                f"Numbers are between -{_GREATEST} and {_GREATEST}.",
            )
            return 0
        return value

    def _odd(self, at: int) -> int:
        """A character that begins no token; the offset to go on at."""
        text = self.text
        char = text[at]
        if char == "%":
            self._fault(
                "PercentOutsideText",
                at,
                "Percent signs stand only inside of a text.",
                "Outside of $'''...''' an expression is written without them: `SET x TO y + 1`, not `%y + 1%`.",
            )
            return at + 1
        if char in "'\"":
            self._fault(
                "UnclosedText",
                at,
                "This text has no end.",
                "It ends in its line with the quotation mark it began with; $'''...''' may span lines.",
            )
            self._current(at).tokens.append(("string", "", self._line, at - self._start + 1))
            return self._line_end(at)
        if char.isdecimal() and (match := _WORD.match(text, at)) is not None:
            self._fault(
                "InvalidName",
                at,
                f"'{match[0][:60]}' is neither a number nor a name.",
                "A name begins with a letter.",
            )
            self._current(at).tokens.append(("name", match[0], self._line, at - self._start + 1))
            return match.end()
        hint = "A statement ends with its line." if char in ";\\" else None
        self._fault("UnexpectedCharacter", at, f"The character {char!r} does not belong here.", hint)
        return at + 1

    # ---- texts

    def _text(self, opening: int) -> int:
        """`$'''...'''`: appends its token, gives the offset behind it."""
        row = self._current(opening)
        line, column = self._line, opening - self._start + 1
        found = scan(self.text, opening, self._line, self._start)
        if not found.closed:
            self._fault("UnclosedText", opening, "This text has no end.", "It ends with three quotation marks: '''.")
            row.tokens.append(("text", [], line, column))
            return self._line_end(opening)
        faults = list(found.faults)
        parts: list[Any] = []
        for part in found.parts:
            if isinstance(part, str):
                parts.append(part)
            else:
                tokens, fault = self._interpolated(part)
                parts.append(tokens)
                faults += [fault] if fault is not None else []
        for fault in faults:
            if fault.code == "DroppedPercent":
                self.problems.warning(fault.code, fault.place, fault.message, fault.hint)
            elif not row.broken:
                row.broken = True
                self.problems.error(fault.code, fault.place, fault.message, fault.hint)
        row.tokens.append(("text", parts, line, column))
        self._line, self._start = found.line, found.start
        return found.end

    @staticmethod
    def _interpolated(part: Interpolation) -> tuple[list[Token], TextFault | None]:
        inner = Lexer(part.text)
        inner._line = part.line
        inner._start = 1 - part.column
        inner.read_expression()
        tokens = [token for line in inner.lines for token in line.tokens]
        if not inner.problems.found:
            return tokens, None
        problem = inner.problems.found[0]
        hint = problem.hint
        if "\\" in part.text:
            hint = "An expression in a text has its quotation marks without backslashes."
        column = int(problem.at.partition(":")[2])
        return tokens, TextFault(problem.code, Place(part.line, column), problem.message, hint)

    def _line_end(self, at: int) -> int:
        match = _NEWLINE.search(self.text, at)
        return match.start() if match is not None else len(self.text)

    def read_expression(self) -> None:
        """As `read`, for an expression alone: nothing in it is a row's begin, and `disable` is a name."""
        at, end = 0, len(self.text)
        while at < end:
            match = _TOKEN.match(self.text, at)
            kind = match.lastgroup if match is not None else None
            if match is not None and kind in ("blank", "line"):
                at = match.end()
            elif match is None or kind is None or kind in ("comment", "text"):
                at = self._odd(at)
            else:
                at = self._token(kind, match, at)
        if self._row is not None:
            self.lines.append(self._row)


def unescaped(text: str) -> str:
    """A plain string without the backslashes before quotation marks and backslashes."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def lex(text: str) -> tuple[list[Line], list[Problem]]:
    """The rows of a text, and what is wrong with its characters. Never raises."""
    lexer = Lexer(text)
    lexer.read()
    return lexer.lines, lexer.problems.found
