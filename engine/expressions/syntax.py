"""The shape of an expression: literals, calls and access links, and the template around them.

Nothing here reads text (`lexer`, `parser`, `template`) or gives names a meaning (`scope`, `compile`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal: null, a boolean, an int64, a float or a text. `at` is its 0-based offset in the expression."""

    value: bool | int | float | str | None
    at: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A call `name(args)`; `at` is the offset of the name and `end` the offset behind the closing parenthesis."""

    name: str
    args: tuple[Node, ...]
    at: int = 0
    end: int = 0

    @property
    def key(self) -> str:
        """The name as it is looked up: function names are case-insensitive."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Access:
    """One link, `target.name` or `target[key]`; `optional` when written with `?`. `at` is the offset of the key."""

    target: Node
    key: Node
    optional: bool = False
    at: int = 0


Node = Literal | Call | Access


@dataclass(frozen=True, slots=True)
class Template:
    """A string with interpolations: plain pieces and the expressions between them, in order."""

    parts: tuple[str | Node, ...]


def walk(node: Node) -> Iterator[Node]:
    """Every node of an expression, outermost first, arguments in their order."""
    pending: list[Node] = [node]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, Call):
            pending.extend(reversed(current.args))
        elif isinstance(current, Access):
            pending.append(current.key)
            pending.append(current.target)


def unparse(node: Node) -> str:
    """The expression as text, without the leading `@`: parsing it again gives the same tree, offsets aside."""
    if isinstance(node, Literal):
        return _literal(node.value)
    if isinstance(node, Call):
        return f"{node.name}({', '.join(unparse(argument) for argument in node.args)})"
    links: list[str] = []
    inner: Node = node
    while isinstance(inner, Access):
        links.append(f"{'?' if inner.optional else ''}[{unparse(inner.key)}]")
        inner = inner.target
    return unparse(inner) + "".join(reversed(links))


def _literal(value: bool | int | float | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
