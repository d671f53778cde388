"""The structure of a script: subflows, their statements, what stands between and behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from .lexer import Line
from .parse_compound import Compounds
from .parse_declarations import Declarations
from .parse_handlers import block_sections, is_block_section, on_error
from .parse_rows import HANDLED, row
from .problem import RobinError
from .reading import Rows
from .tree import OnError, Remark, Statement, Subflow

DEEPEST: Final = 60
"""Statements in statements."""

_TOP: Final = frozenset(("connectionstring", "type", "desktoptype", "displayname"))
"""Notes that are the script's own, in lower case."""
_STRUCTURE: Final = frozenset(("end", "else", "case", "default", "function"))


class Structure(Compounds):
    """Reads all rows; `main`, `subflows` and `declarations` are the result of `whole`.

    `pasted`: what the designer refuses to paste is a problem.
    """

    def __init__(self, rows: Rows, *, pasted: bool) -> None:
        super().__init__(rows)
        self.pasted = pasted
        self.declarations = Declarations()
        self.main: list[Statement] = []
        self.subflows: dict[str, Subflow] = {}
        self._depth = 0

    # ---- the whole

    def whole(self) -> None:
        rows = self.rows
        main_rows = 0
        self._headers()
        while rows.at < len(rows.lines):
            self.index = main_rows
            self.main += self.body(frozenset())
            main_rows = self.index
            if rows.at < len(rows.lines):
                line = rows.lines[rows.at]
                rows.at += 1
                if line.head == "function":
                    self._function(line)
                else:
                    rows.report(RobinError("END FUNCTION without FUNCTION.", line.place, code="UnexpectedEnd"), line)

    def _headers(self) -> None:
        """Notes at the top that are the script's: the known ones, and all where a declaration follows."""
        lines = self.rows.lines
        at = 0
        while at < len(lines) and lines[at].kind in ("note", "comment"):
            at += 1
        following = lines[at] if at < len(lines) else None
        declares = following is not None and (
            following.head == "import" or bool(following.tokens and following.tokens[0][1] == "@")
        )
        kept = []
        for line in lines[:at]:
            name, _, value = line.text.partition(":")
            if line.kind == "note" and (declares or name.lower() in _TOP):
                self.declarations.headers[name] = _unquoted(value)
            else:
                kept.append(line)
        lines[:at] = kept

    def _function(self, line: Line) -> None:
        rows = self.rows
        if self.pasted:
            rows.report(
                RobinError(
                    "A copied text holds the actions of one subflow, without FUNCTION.",
                    line.place,
                    code="NotInClipboard",
                    hint="Paste what stands between FUNCTION and END FUNCTION.",
                ),
                line,
            )
        name = ""
        cursor = rows.cursor(line)
        cursor.at = 1
        try:
            name = cursor.name_or_string("a subflow")
            cursor.accept_word("global")
            cursor.finish()
        except RobinError as error:
            rows.report(error, line)
        self.index = 0
        body = self.body(frozenset())
        if rows.at < len(rows.lines) and rows.is_function_end(rows.lines[rows.at]):
            rows.at += 1
        else:
            rows.missing_end(line.place, "subflow")
        if name.lower() in self.subflows or name.lower() == "main":
            rows.problems.error(
                "DuplicateSubflow", line.place, f"There is another subflow '{name}'.", "Give one of them another name."
            )
        elif name:
            self.subflows[name.lower()] = Subflow(name, tuple(body), line.place)

    # ---- bodies

    def body(self, allowed: frozenset[str]) -> list[Statement]:
        rows = self.rows
        lines = rows.lines
        found: list[Statement] = []
        notes: dict[str, str] = {}
        while rows.at < len(lines):
            line = lines[rows.at]
            if line.kind != "row":
                rows.at += 1
                if line.kind == "note":
                    name, _, value = line.text.partition(":")
                    notes[name] = _unquoted(value)
                else:
                    self.index += 1
                    found.append(Remark(line.place, self.index, line.text))
                continue
            head = line.head
            if head in _STRUCTURE:
                if head in allowed or head == "function" or rows.is_function_end(line):
                    return found
                rows.at += 1
                self.index += 1
                code, what = ("UnexpectedEnd", "END") if head == "end" else ("Misplaced", head.upper())
                rows.report(RobinError(f"This {what} belongs to nothing.", line.place, code=code), line)
                continue
            if head == "import" or (not head and line.tokens and line.tokens[0][1] == "@"):
                self._declaration(line)
                continue
            statement = self._statement(line, notes)
            notes = {}
            if statement is not None:
                found.append(statement)
            if head in ("", "call", "wait"):
                remarks = self._handler(statement, found)
                found += remarks
        return found

    def _declaration(self, line: Line) -> None:
        rows = self.rows
        rows.at += 1
        if self.pasted:
            error = RobinError(
                "A copied text has no declarations.",
                line.place,
                code="NotInClipboard",
                hint="Inputs and outputs are made in the designer.",
            )
            rows.report(error, line)
        try:
            self.declarations.row(rows.cursor(line), line.place, rows.problems)
        except RobinError as error:
            rows.report(error, line)

    def _handler(self, statement: Statement | None, found: list[Statement]) -> list[Statement]:
        """Reads an ON ERROR behind a statement into it; the comments between them, which come behind both."""
        rows = self.rows
        following = rows.peek()
        if following is None or following.head != "on" or is_block_section(following):
            return []
        index = self.index
        remarks = self.remarks()
        handler: OnError = on_error(rows, index)
        if isinstance(statement, HANDLED):
            found[-1] = replace(statement, on_error=handler)
        return remarks

    def _statement(self, line: Line, notes: dict[str, str]) -> Statement | None:
        rows = self.rows
        rows.at += 1
        self.index += 1
        head = line.head
        more: dict[str, Any] = {"disabled": line.disabled}
        if notes:
            more["notes"] = notes
        if head in ("if", "switch", "loop", "block"):
            if self._depth >= DEEPEST:
                error = RobinError(
                    "Statements are nested too deeply here.", line.place, code="TooDeep", hint="Move some to a subflow."
                )
                rows.report(error, line)
                rows.skip_to_end()
                return None
            self._depth += 1
            try:
                if head == "if":
                    return self.if_(line, more)
                if head == "switch":
                    return self.switch_(line, more)
                if head == "loop":
                    return self.loop_(line, more)
                return self.block_(line, more)
            finally:
                self._depth -= 1
        if head == "on":
            self._stray_handler(line)
            return None
        try:
            return row(rows.cursor(line), head, line.place, self.index, more, rows.problems)
        except RobinError as error:
            rows.report(error, line)
            return None

    def _stray_handler(self, line: Line) -> None:
        rows = self.rows
        rows.at -= 1
        self.index -= 1
        block = is_block_section(line)
        message = (
            "ON BLOCK ERROR stands behind BLOCK only."
            if block
            else "ON ERROR stands behind an action, CALL or WAIT only."
        )
        rows.report(RobinError(message, line.place, code="Misplaced"), line)
        if block:
            block_sections(rows, self.index)
        else:
            on_error(rows, self.index)


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return value[1:-1] if quoted else value
