"""Expressions: one row's tokens, read from left to right into the tree of `syntax`.

A cursor belongs to one row. It raises RobinError at the first thing that does not fit; the parser of rows records it
and goes on with the next row. How high a tree may be is limited, so that nobody who walks one runs out of stack.
"""

from __future__ import annotations

from collections.abc import Set
from decimal import Decimal
from typing import Any, Final, Literal

from ..catalog import is_enum, is_module
from .lexer import Token
from .problem import RobinError
from .tree import (
    Binary,
    Constant,
    DatetimeLiteral,
    Element,
    EnumValue,
    Expression,
    Function,
    Index,
    ListLiteral,
    Name,
    ObjectLiteral,
    Place,
    Property,
    Protected,
    Slice,
    TableLiteral,
    Text,
    Unary,
)
from .words import FUNCTIONS, RESERVED, STATEMENTS

DEEPEST: Final = 100
"""Brackets in brackets."""
HIGHEST: Final = 200
"""Operators, properties and brackets on one another: the height of a tree."""

_OPERATORS: Final[dict[str, tuple[Any, int]]] = {
    "or": ("OR", 1),
    "xor": ("XOR", 1),
    "and": ("AND", 2),
    **{symbol: (symbol, 4) for symbol in ("=", "<>", "<", ">", "<=", ">=")},
    "+": ("+", 5),
    "-": ("-", 5),
    "*": ("*", 6),
    "/": ("/", 6),
    "mod": ("mod", 6),
}
_COMPARED: Final = 4
_UNARY: Final = 7


class Cursor:
    """The tokens of a row and how far they are read.

    `variables`: lower-case names of what the script assigns, to tell a property from an enumeration's value.
    """

    __slots__ = ("_depth", "_height", "at", "line", "tokens", "variables")

    def __init__(self, tokens: list[Token], line: int, variables: Set[str], depth: int = 0) -> None:
        self.tokens = tokens
        self.at = 0
        self.line = line
        self.variables = variables
        self._depth = depth
        self._height = 0

    # ---- tokens

    @property
    def over(self) -> bool:
        return self.at >= len(self.tokens)

    def place(self) -> Place:
        """Of the next token; of the last one where none follows."""
        if not self.tokens:
            return Place(self.line, 1)
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        return Place(token[2], token[3])

    def is_op(self, symbol: str, ahead: int = 0) -> bool:
        at = self.at + ahead
        return at < len(self.tokens) and self.tokens[at][0] == "op" and self.tokens[at][1] == symbol

    def word(self, ahead: int = 0) -> str:
        """The next token in lower case if it is a name, else empty."""
        at = self.at + ahead
        if at < len(self.tokens) and self.tokens[at][0] == "name":
            return str(self.tokens[at][1]).lower()
        return ""

    def accept_op(self, symbol: str) -> bool:
        found = self.is_op(symbol)
        self.at += found
        return found

    def accept_word(self, word: str) -> bool:
        found = self.word() == word
        self.at += found
        return found

    def expect_op(self, symbol: str, why: str) -> None:
        if not self.accept_op(symbol):
            raise self.fault(f"'{symbol}' is missing: {why}.")

    def expect_word(self, word: str, why: str) -> None:
        if not self.accept_word(word):
            raise self.fault(f"{word.upper()} is missing: {why}.")

    def finish(self) -> None:
        """Raises unless the row ends here."""
        if not self.over:
            raise self.misfit()

    def misfit(self, hint: str | None = None) -> RobinError:
        """The error about a token that nothing here can begin with."""
        word = self.word()
        if (word in STATEMENTS and not self.is_op(":", 1)) or (word and self.is_op(".", 1) and is_module(word)):
            return self.fault(
                "A second statement begins in this row.", code="SeveralStatements", hint="Each has a row of its own."
            )
        return self.fault(f"{self._shown()} does not belong here.", hint=hint)

    def fault(self, message: str, *, code: str | None = None, hint: str | None = None) -> RobinError:
        """An error at the next token."""
        return RobinError(message, self.place(), code=code, hint=hint)

    def _shown(self) -> str:
        """The next token for a message, never what stands in a text."""
        if self.over:
            return "The row's end"
        kind, value, _, _ = self.tokens[self.at]
        if kind in ("name", "op"):
            return f"'{str(value)[:60]}'"
        return "A number" if kind == "number" else "A text"

    def name(self, what: str) -> str:
        """A name that is not reserved; `what` it is the name of, for messages."""
        if self.over or self.tokens[self.at][0] != "name":
            raise self.fault(f"The name of {what} is missing.")
        name = str(self.tokens[self.at][1])
        if name.lower() in RESERVED:
            raise self.fault(
                f"'{name}' is a word of the language and cannot name {what}.",
                code="ReservedWord",
                hint="Use another name.",
            )
        if name[0].isdecimal():
            raise self.fault(f"'{name[:60]}' cannot name {what}: a name begins with a letter.", code="InvalidName")
        self.at += 1
        return name

    def name_or_string(self, what: str) -> str:
        """A name, or a text in quotation marks, in which reserved words are allowed."""
        if not self.over and self.tokens[self.at][0] == "string":
            self.at += 1
            return str(self.tokens[self.at - 1][1])
        try:
            return self.name(what)
        except RobinError as error:
            if error.code == "ReservedWord":
                error.hint = "Put it into quotation marks."
            raise

    # ---- operators

    def expression(self, minimum: int = 1) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.fault("This expression is nested too deeply.", code="TooDeep", hint="Take it apart with SET.")
        left = self._operand()
        height = self._height
        while self.at < len(self.tokens):
            kind, value, line, column = self.tokens[self.at]
            if kind == "op":
                found = _OPERATORS.get(value)
            elif kind == "name" and not self.is_op(":", 1) and not self.is_op("=>", 1):
                found = _OPERATORS.get(value.lower())
            else:
                found = None
            if found is None or found[1] < minimum:
                break
            self.at += 1
            right = self.expression(found[1] + 1)
            height = self._grown(max(height, self._height))
            left = Binary(found[0], left, right, Place(line, column))
        self._height = height
        self._depth -= 1
        return left

    def _grown(self, height: int) -> int:
        if height >= HIGHEST:
            raise self.fault("This expression is too long.", code="TooDeep", hint="Take it apart with SET.")
        return height + 1

    def _operand(self) -> Expression:
        if self.at < len(self.tokens):
            kind, value, line, column = self.tokens[self.at]
            if kind == "name" and value.lower() == "not":
                self.at += 1
                operand = self.expression(_COMPARED)
                self._height = self._grown(self._height)
                return Unary("NOT", operand, Place(line, column))
            if kind == "op" and (value == "-" or value == "+"):
                self.at += 1
                operand = self.expression(_UNARY)
                self._height = self._grown(self._height)
                if isinstance(operand, Constant) and type(operand.value) in (int, Decimal):
                    signed = -operand.value if value == "-" else operand.value  # type: ignore[operator]
                    return Constant(signed, Place(line, column))
                return Unary(value, operand, Place(line, column))
        return self._postfix(self._primary())

    def _postfix(self, target: Expression) -> Expression:
        height = self._height
        while self.at < len(self.tokens):
            kind, value, line, column = self.tokens[self.at]
            if kind != "op" or (value != "." and value != "["):
                break
            self.at += 1
            if value == ".":
                target = Property(target, self._property(), Place(line, column))
            else:
                target = self._indexed(target, Place(line, column))
                height = max(height, self._height)
            height = self._grown(height)
        self._height = height
        return target

    def _property(self) -> str:
        try:
            return self.name("a property")
        except RobinError as error:
            if error.code == "ReservedWord":
                error.hint = "Write it as ['Name']."
            raise

    def _indexed(self, target: Expression, place: Place) -> Expression:
        start = None if self.is_op(":") else self.expression()
        height = self._height
        if start is not None and not self.accept_op(":"):
            self.expect_op("]", "it ends an index")
            return Index(target, start, place)
        if start is None:
            self.at += 1
        stop = None if self.is_op("]") else self.expression()
        self._height = max(height, self._height)
        self.expect_op("]", "it ends a range")
        return Slice(target, start, stop, place)

    # ---- operands

    def _primary(self) -> Expression:
        if self.over:
            raise self.fault("A value is missing here.")
        kind, value, line, column = self.tokens[self.at]
        place = Place(line, column)
        self._height = 1
        if kind == "name":
            return self._named(str(value), place)
        if kind == "text":
            self.at += 1
            return self._text(value, place)
        if kind in ("string", "number"):
            self.at += 1
            return Constant(value, place)
        if kind == "datetime":
            self.at += 1
            return DatetimeLiteral(value, place)
        if kind == "protected":
            self.at += 1
            return Protected(value, place)
        if value == "(":
            self.at += 1
            inner = self.expression()
            self.expect_op(")", "a bracket is open")
            return inner
        if value == "[":
            return ListLiteral(self._list(), place)
        if value == "{":
            self.at += 1
            return self._braces(place)
        raise self.fault(f"A value is missing here: '{value}' is none.")

    def _named(self, name: str, place: Place) -> Expression:
        word = name.lower()
        if word in ("true", "false"):
            self.at += 1
            return Constant(word == "true", place)
        if self.is_op("(", 1):
            return self._function(name, place)
        if word in ("appmask", "imgrepo") and self.is_op("[", 1):
            self.at += 1
            return self._element("appmask" if word == "appmask" else "imgrepo", place)
        if self.is_op(".", 1) and self.word(2) and self.is_op(".", 3) and self.word(4):
            kind = f"{name}.{self.tokens[self.at + 2][1]}"
            if is_enum(kind) or (is_module(name) and word not in self.variables):
                chosen = str(self.tokens[self.at + 4][1])
                self.at += 5
                return EnumValue(kind, chosen, place)
        return Name(self.name("a variable"), place)

    def _function(self, name: str, place: Place) -> Expression:
        known = FUNCTIONS.get(name.lower())
        if known is None:
            if name.lower() in RESERVED:
                raise self.fault(f"A value is missing here: '{name}' is a word of the language.", code="ReservedWord")
            raise self.fault(
                f"There is no function '{name[:60]}'.",
                code="UnknownFunction",
                hint=f"There are {', '.join(spelled for spelled, _, _ in FUNCTIONS.values())}.",
            )
        self.at += 1
        arguments = self._sequence("(", ")")
        spelled, least, most = known
        if not least <= len(arguments) <= most:
            count = str(least) if least == most else f"{least} or {most}"
            raise RobinError(
                f"{spelled} takes {count} arguments, not {len(arguments)}.", place, code="WrongArgumentCount"
            )
        return Function(spelled, arguments, place)

    def _element(self, repository: Literal["appmask", "imgrepo"], place: Place) -> Expression:
        path = []
        while self.accept_op("["):
            step = self.expression()
            if not isinstance(step, Constant) or not isinstance(step.value, str):
                raise RobinError("A UI element or image is named by a text.", step.place)
            path.append(step.value)
            self.expect_op("]", "it ends a UI element's name")
        self._height = 1
        return Element(repository, tuple(path), place)

    def _text(self, parts: list[Any], place: Place) -> Expression:
        found: list[str | Expression] = []
        height = 1
        for part in parts:
            if isinstance(part, list):
                if not part:
                    raise RobinError(
                        "There is no expression between the percent signs of this text.",
                        place,
                        hint="Write %% for one.",
                    )
                inner = Cursor(part, part[0][2], self.variables, self._depth)
                part = inner.expression()
                if not inner.over:
                    raise inner.fault(
                        f"{inner._shown()} does not belong into an expression.",
                        hint="Write %% for a percent sign in a text.",
                    )
                height = max(height, inner._height)
                if isinstance(part, Constant) and isinstance(part.value, str):
                    part = part.value
            if isinstance(part, str) and found and isinstance(found[-1], str):
                found[-1] += part
            elif part != "":
                found.append(part)
        self._height = self._grown(height)
        if not found:
            return Constant("", place)
        if len(found) == 1 and isinstance(found[0], str):
            return Constant(found[0], place)
        return Text(tuple(found), place)

    # ---- lists, tables, objects

    def _sequence(self, opening: str, closing: str) -> tuple[Expression, ...]:
        """`opening a, b, c closing`."""
        self.expect_op(opening, "a list begins with it")
        items: list[Expression] = []
        height = 0
        if not self.accept_op(closing):
            while True:
                items.append(self.expression())
                height = max(height, self._height)
                if not self.accept_op(","):
                    break
            self.expect_op(closing, f"'{opening}' is open")
        self._height = self._grown(height)
        return tuple(items)

    def _list(self) -> tuple[Expression, ...]:
        return self._sequence("[", "]")

    def _braces(self, place: Place) -> Expression:
        if self.accept_op("}"):
            return TableLiteral(None, (), place)
        if self.is_op("{") and self.is_op("}", 1):
            self.at += 2
            self.expect_op("}", "an empty object is {{}}")
            return ObjectLiteral((), place)
        if not self.over and self.tokens[self.at][0] in ("string", "text") and self.is_op(":", 1):
            return self._object(place)
        header = None
        rows: list[Expression] = []
        height = 0
        while True:
            if self.is_op("^"):
                if header is not None or rows:
                    raise self.fault("The names of a table's columns stand first, and once.")
                self.at += 1
                header = self._list()
            else:
                rows.append(self.expression())
            height = max(height, self._height)
            if not self.accept_op(","):
                break
        self.expect_op("}", "a table is open")
        self._height = self._grown(height)
        return TableLiteral(header, tuple(rows), place)

    def _object(self, place: Place) -> Expression:
        pairs: dict[str, Expression] = {}
        height = 0
        while True:
            key = self._key()
            self.expect_op(":", "it stands between a property and its value")
            pairs[key] = self.expression()
            height = max(height, self._height)
            if not self.accept_op(","):
                break
        self.expect_op("}", "an object is open")
        self._height = self._grown(height)
        return ObjectLiteral(tuple(pairs.items()), place)

    def _key(self) -> str:
        place = self.place()
        if self.over or self.tokens[self.at][0] not in ("string", "text"):
            raise self.fault("The name of a property is missing, in quotation marks.")
        kind, value, _, _ = self.tokens[self.at]
        self.at += 1
        if kind == "string":
            return str(value)
        found = self._text(value, place)
        if isinstance(found, Constant):
            return str(found.value)
        raise RobinError("The name of a property is a text without expressions.", place)
