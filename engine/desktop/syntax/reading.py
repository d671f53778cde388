"""The rows of a script while they are read: where reading stands, what was found wrong, how structure is kept.

Shared by the readers of statements and of handlers. What a statement is stands in neither of its methods.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from .lexer import Line
from .parse_expression import Cursor
from .problem import Problems, RobinError
from .tree import Place

_OPENERS: Final = frozenset(("if", "loop", "switch", "block"))


class Rows:
    """All rows of a text, `at` the next one.

    `bare_retries`: ON ERROR REPEAT without sections has no END of its own. Copies exist with and without one, and only
    the whole text tells them apart; `met_bare_retry` says whether that matters.
    """

    def __init__(self, lines: list[Line], variables: Set[str], problems: Problems, *, bare_retries: bool) -> None:
        self.lines = lines
        self.at = 0
        self.variables = variables
        self.problems = problems
        self.bare_retries = bare_retries
        self.met_bare_retry = False

    def peek(self) -> Line | None:
        """The next row that is a statement's, behind comments and notes."""
        at = self.at
        while at < len(self.lines) and self.lines[at].kind != "row":
            at += 1
        return self.lines[at] if at < len(self.lines) else None

    def take(self, line: Line) -> None:
        """Passes a row that was peeked at."""
        while self.lines[self.at] is not line:
            self.at += 1
        self.at += 1

    def cursor(self, line: Line) -> Cursor:
        return Cursor(line.tokens, line.line, self.variables)

    def report(self, error: RobinError, line: Line) -> None:
        """Notes what is wrong with a row, unless the lexer has said so already."""
        if not line.broken:
            self.problems.found.append(error.problem())

    def is_plain_end(self, line: Line) -> bool:
        """Whether a row is END, and not END FUNCTION."""
        return line.head == "end" and not self.is_function_end(line)

    @staticmethod
    def is_function_end(line: Line) -> bool:
        return line.head == "end" and len(line.tokens) > 1 and str(line.tokens[1][1]).lower() == "function"

    def end_of_handler(self, opened: Place) -> None:
        """Passes the END of a handler, or notes that it is missing."""
        while self.at < len(self.lines) and self.lines[self.at].kind != "row":
            self.at += 1
        if self.at < len(self.lines) and self.is_plain_end(self.lines[self.at]):
            self.at += 1
        else:
            self.missing_end(opened, "handler")

    def missing_end(self, opened: Place, what: str) -> None:
        self.problems.error("MissingEnd", opened, f"The {what} that begins here has no END.", "Write END behind it.")

    def skip_to_end(self) -> None:
        """Passes everything up to the END of what was just opened."""
        depth = 1
        in_handler = False
        while self.at < len(self.lines) and depth:
            line = self.lines[self.at]
            if line.kind == "row":
                if line.head == "function" or self.is_function_end(line):
                    return
                if line.head in _OPENERS:
                    depth += 1
                elif line.head == "on" and not in_handler:  # its sections have one END together
                    depth += 1
                    in_handler = True
                elif line.head == "end":
                    depth -= 1
                    in_handler = False
            self.at += 1
