"""JSON string values that hold expressions (`@expr`, `@@`, `@{expr}`, `@@{`), and where they stand in a JSON value.

"Workflow Definition Language schema reference: expressions". Property names hold expressions as values do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ExpressionError
from ..values import Value
from .lexer import MAXIMUM_LENGTH
from .parser import Parser
from .syntax import Node, Template

# Definitions nest a few levels; beyond this a JSON value is refused rather than followed.
MAXIMUM_JSON_NESTING = 200


@dataclass(frozen=True, slots=True)
class Found:
    """One expression in a JSON value.

    `pointer` is the JSON pointer (RFC 6901) of the string, or of the property whose name it is; `text` the whole
    string. `node` is None when the string cannot be read: then `error` says why.
    """

    pointer: str
    text: str
    node: Node | None
    error: ExpressionError | None = None


def parse_string(text: str) -> str | Node | Template:
    """What a JSON string value means: plain text, one expression whose type is kept, or a template that gives text.

    Raises ExpressionError; its `expression` is the string, its `position` an offset in it.
    """
    if text[:1] == "@" and text[1:2] != "{":
        if text[1:2] == "@":
            return text[1:]
        try:
            return parse_at(text, 1, whole=True)[0]
        except ExpressionError as error:
            error.expression = text
            raise
    if "@{" not in text:
        return text
    try:
        return _parse_template(text)
    except ExpressionError as error:
        error.expression = text
        raise


def parse_at(text: str, position: int, *, whole: bool = False) -> tuple[Node, int]:
    """The expression at `position`, and the offset behind the `}` that ends it (or the end, with `whole`)."""
    parser = Parser(text, position)
    node = parser.expression()
    if whole:
        parser.expect_end()
        return node, len(text)
    token = parser.token
    if token.kind != "mark" or token.value != "}":
        raise ExpressionError(
            f"The expression that starts at position {position} is not closed by '}}' at position {token.at}.",
            hint="Write '@@{' where the text '@{' itself is meant.",
            position=token.at,
        )
    if token.at - position > MAXIMUM_LENGTH:
        raise ExpressionError(
            f"The expression is longer than the limit of {MAXIMUM_LENGTH:,} characters.",
            hint="Split it over several Compose actions.",
            position=position,
        )
    return node, token.end


def _parse_template(text: str) -> str | Template:
    parts: list[str | Node] = []
    plain: list[str] = []
    position = 0
    while (start := text.find("@{", position)) >= 0:
        if start > position and text[start - 1] == "@":
            plain.append(text[position : start - 1] + "@{")
            position = start + 2
            continue
        plain.append(text[position:start])
        if piece := "".join(plain):
            parts.append(piece)
        plain = []
        node, position = parse_at(text, start + 2)
        parts.append(node)
    plain.append(text[position:])
    if piece := "".join(plain):
        parts.append(piece)
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    return Template(tuple(parts))


Meanings = dict[str, "str | Node | Template"]
"""What strings mean that were read already: definitions repeat themselves."""


def find_expressions(value: Value, pointer: str = "", known: Meanings | None = None) -> Iterator[Found]:
    """Every expression in the strings and property names of a JSON value, in document order.

    `pointer` is the pointer of `value` itself; `known` grows by what is read. A string that cannot be read is yielded
    with its error.
    """
    known = {} if known is None else known
    pending: list[tuple[Value, str, int]] = [(value, pointer, 0)]
    while pending:
        current, at, depth = pending.pop()
        if depth > MAXIMUM_JSON_NESTING:
            yield Found(
                at, "", None, ExpressionError(f"The value is nested more than {MAXIMUM_JSON_NESTING} levels deep.")
            )
        elif isinstance(current, str):
            yield from _find_in_string(current, at, known)
        elif isinstance(current, list):
            pending.extend((item, f"{at}/{index}", depth + 1) for index, item in reversed(list(enumerate(current))))
        elif isinstance(current, dict):
            for name in current:
                yield from _find_in_string(name, f"{at}/{escape_pointer(name)}", known)
            pending.extend(
                (item, f"{at}/{escape_pointer(name)}", depth + 1) for name, item in reversed(list(current.items()))
            )


def escape_pointer(name: str) -> str:
    """A name as one step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _find_in_string(text: str, pointer: str, known: Meanings) -> Iterator[Found]:
    if "@" not in text:
        return
    meaning = known.get(text)
    if meaning is None:
        try:
            meaning = known[text] = parse_string(text)
        except ExpressionError as error:
            yield Found(pointer, text, None, error)
            return
    if isinstance(meaning, Template):
        for part in meaning.parts:
            if not isinstance(part, str):
                yield Found(pointer, text, part)
    elif not isinstance(meaning, str):
        yield Found(pointer, text, meaning)
