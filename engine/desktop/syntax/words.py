"""The words of the language: which are reserved, which begin a statement, which name a function.

Source: the list of reserved keywords in the products' documentation of variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RESERVED: Final = frozenset({
    "if", "then", "else", "switch", "case", "default", "loop", "from", "to", "step", "foreach", "in", "while", "next",
    "exit", "label", "goto", "call", "output", "function", "block", "end", "error", "wait", "for", "set", "main", "and",
    "or", "xor", "not", "true", "false", "yes", "no", "disable", "on", "repeat", "times", "throw", "action", "mod",
    "global", "input", "import",
})  # fmt: skip
"""In lower case; neither a variable nor a property that follows a dot is named so."""

STATEMENTS: Final = frozenset({
    "set", "call", "goto", "label", "exit", "next", "if", "loop", "switch", "wait", "block", "on", "end", "else",
    "case", "default", "throw", "error", "repeat", "disable", "function", "import",
})  # fmt: skip
"""What the row of a statement begins with, actions aside."""

FUNCTIONS: Final[Mapping[str, tuple[str, int, int]]] = {
    name.lower(): (name, least, most)
    for name, least, most in (
        ("StartsWith", 2, 3),
        ("NotStartsWith", 2, 3),
        ("EndsWith", 2, 3),
        ("NotEndsWith", 2, 3),
        ("Contains", 2, 3),
        ("NotContains", 2, 3),
        ("IsEmpty", 1, 1),
        ("IsNotEmpty", 1, 1),
    )
}
"""Spelling, and how many arguments there are at least and at most; the third says whether case is ignored."""
