"""Tokens of an expression: names, literals and punctuation, each with its offset.

The rules were read off real definitions and the designer's own scanner: a name is any run of characters outside
`.,(){}@[]?'"` and white space, so `$content` and `a-b` are names; texts stand in single quotes, doubled to quote
themselves; integers are int64. What the tokens mean together is the parser's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ExpressionError
from ..values import HIGHEST_INTEGER, LOWEST_INTEGER

# "Limits and configuration reference for Azure Logic Apps: expression limits".
MAXIMUM_LENGTH = 8_192

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'[^']*+(?:''[^']*+)*+')
    | (?P<number>[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?(?![^.,(){}@\[\]?'"\s]))
    | (?P<name>[^.,(){}@\[\]?'"\s]+)
    | (?P<mark>[.,()\[\]?}])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_INTEGER = re.compile(r"[+-]?\d+\Z", re.ASCII)
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `kind` is text, number, name, mark or end; `value` its meaning; `end` the offset behind it."""

    kind: str
    value: int | float | str
    at: int
    end: int


class Lexer:
    """The tokens of `source` from `position` on, one at a time."""

    def __init__(self, source: str, position: int = 0) -> None:
        self.source = source
        self.start = position
        self.position = position

    def next(self) -> Token:
        """The next token. Raises ExpressionError where none can start or the expression is too long."""
        match = _TOKEN.match(self.source, self.position)
        if match is None:
            space = _SPACE.match(self.source, self.position)
            raise self._unexpected(space.end() if space else self.position)
        kind = match.lastgroup or "end"
        raw, at, end = match[kind], match.start(kind), match.end()
        if at - self.start > MAXIMUM_LENGTH:
            raise self.too_long()
        self.position = end
        if kind == "text":
            return Token(kind, raw[1:-1].replace("''", "'"), at, end)
        if kind == "number":
            return Token(kind, self._number(raw, at), at, end)
        return Token(kind, raw, at, end)

    def too_long(self) -> ExpressionError:
        """The error for an expression beyond the limit."""
        return ExpressionError(
            f"The expression is longer than the limit of {MAXIMUM_LENGTH:,} characters.",
            hint="Split it over several Compose actions.",
            position=self.start,
        )

    def _number(self, raw: str, at: int) -> int | float:
        if not _INTEGER.match(raw):
            return float(raw)
        # 20 characters hold every int64; longer texts are not converted, which would take quadratic time.
        number = int(raw) if len(raw.lstrip("+-").lstrip("0")) < 20 else HIGHEST_INTEGER + 1
        if LOWEST_INTEGER <= number <= HIGHEST_INTEGER:
            return number
        raise ExpressionError(
            f"The number {raw[:40]} at position {at} is outside the range of a 64-bit integer.",
            hint="Write it with a decimal point to make it a float, or use decimal('...').",
            position=at,
        )

    def _unexpected(self, at: int) -> ExpressionError:
        found = self.source[at : at + 1]
        if found == "'":
            return ExpressionError(
                f"The text that starts at position {at} has no closing quote.",
                hint="A quote inside a text is written twice: 'don''t'.",
                position=at,
            )
        hint = (
            "Texts stand in single quotes." if found == '"' else "Look at the brackets and quotes before this position."
        )
        return ExpressionError(f"The character '{found}' at position {at} is not expected.", hint=hint, position=at)
