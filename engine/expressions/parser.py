"""Text to tree: literals, calls and the links behind a call.

    expression = literal | call link*
    call       = name "(" [expression ("," expression)*] ")"
    link       = ["?"] ("." name | "[" expression "]")

There are no operators and no array or object literals. Nesting is bounded, so that no text can exhaust the stack here,
in the compiler or in evaluation.
"""

from __future__ import annotations

from ..errors import ExpressionError
from .lexer import MAXIMUM_LENGTH, Lexer, Token
from .syntax import Access, Call, Literal, Node

MAXIMUM_NESTING = 100
MAXIMUM_LINKS = 200

_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse_expression(text: str) -> Node:
    """The tree of a bare expression, without the leading `@`. Raises ExpressionError with the position of the fault."""
    try:
        parser = Parser(text)
        node = parser.expression()
        parser.expect_end()
    except ExpressionError as error:
        error.expression = text
        raise
    return node


class Parser:
    """Parses one expression out of `source`, starting at `position`; `token` is the token behind what was read."""

    def __init__(self, source: str, position: int = 0) -> None:
        self._lexer = Lexer(source, position)
        self._depth = 0
        self.token: Token = self._lexer.next()

    def expression(self) -> Node:
        """One expression."""
        token = self.token
        if token.kind == "text" or token.kind == "number":
            self._advance()
            return Literal(token.value, token.at)
        if token.kind != "name":
            raise self._unexpected("an expression")
        name = str(token.value)
        self._advance()
        if not self._is("("):
            if name.lower() in _CONSTANTS:
                return Literal(_CONSTANTS[name.lower()], token.at)
            raise ExpressionError(
                f"The name '{name[:80]}' at position {token.at} is no literal and is not followed by '('.",
                hint="Texts stand in single quotes; functions are called with parentheses.",
                position=token.at,
            )
        self._depth += 1
        if self._depth > MAXIMUM_NESTING:
            raise ExpressionError(
                f"The expression is nested more than {MAXIMUM_NESTING} levels deep.",
                hint="Split it over several Compose actions.",
                position=token.at,
            )
        node = self._links(self._call(name, token.at))
        self._depth -= 1
        return node

    def expect_end(self) -> None:
        """Raise unless everything was read."""
        if self.token.kind != "end":
            raise self._unexpected("the end of the expression")
        if self.token.at - self._lexer.start > MAXIMUM_LENGTH:
            raise self._lexer.too_long()

    def _call(self, name: str, at: int) -> Call:
        self._advance()
        arguments: list[Node] = []
        if not self._is(")"):
            arguments.append(self.expression())
            while self._is(","):
                self._advance()
                arguments.append(self.expression())
        end = self.token.end
        self._expect(")")
        return Call(name, tuple(arguments), at, end)

    def _links(self, node: Node) -> Node:
        count = 0
        while True:
            optional = self._is("?")
            if optional:
                self._advance()
            if self._is("."):
                self._advance()
                token = self.token
                if token.kind != "name":
                    raise self._unexpected("a property name")
                self._advance()
                node = Access(node, Literal(str(token.value), token.at), optional, token.at)
            elif self._is("["):
                self._advance()
                at = self.token.at
                key = self.expression()
                self._expect("]")
                node = Access(node, key, optional, at)
            elif optional:
                raise self._unexpected("'.' or '[' behind '?'")
            else:
                return node
            count += 1
            if count > MAXIMUM_LINKS:
                raise ExpressionError(
                    f"The expression has a chain of more than {MAXIMUM_LINKS} properties.",
                    hint="Split it over several Compose actions.",
                    position=node.at,
                )

    def _advance(self) -> None:
        self.token = self._lexer.next()

    def _is(self, mark: str) -> bool:
        return self.token.kind == "mark" and self.token.value == mark

    def _expect(self, mark: str) -> None:
        if not self._is(mark):
            raise self._unexpected(f"'{mark}'")
        self._advance()

    def _unexpected(self, expected: str) -> ExpressionError:
        token = self.token
        if token.kind == "end":
            return ExpressionError(
                f"The expression ends at position {token.at} where {expected} is expected.",
                hint="Look for a missing ')' or quote.",
                position=token.at,
            )
        raw = self._lexer.source[token.at : token.end][:40]
        return ExpressionError(
            f"'{raw}' at position {token.at} is not expected: {expected} is.",
            hint="Look at the brackets, commas and quotes around this position.",
            position=token.at,
        )
