"""Statements that hold others: IF, SWITCH, the loops and BLOCK, up to their END.

How the statements inside are read is left to who derives from this; here is what stands around them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Final

from .lexer import Line
from .parse_handlers import block_sections, is_block_section, on_error
from .parse_rows import condition, is_action
from .problem import RobinError
from .reading import Rows
from .tree import (
    Action,
    Block,
    Branch,
    Condition,
    Constant,
    Expression,
    ForEach,
    If,
    LoopFrom,
    Remark,
    Section,
    Statement,
    Switch,
    While,
)

_RELATIONS: Final = frozenset(("=", "<>", "<", ">", "<=", ">="))


class Compounds(ABC):
    """`rows` are read from, `index` is the designer's row that was read last."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.index = 0

    @abstractmethod
    def body(self, allowed: frozenset[str]) -> list[Statement]:
        """Statements up to a row of structure that is `allowed`, to FUNCTION or END FUNCTION; it is not passed."""

    def remarks(self) -> list[Statement]:
        """Comments and regions in front of the next row of a statement, which has to be there."""
        found: list[Statement] = []
        while (line := self.rows.lines[self.rows.at]).kind != "row":
            self.rows.at += 1
            if line.kind != "note":
                self.index += 1
                found.append(Remark(line.place, self.index, line.text))
        return found

    def _condition(self, line: Line, start: int, last: str) -> Condition:
        """What a row tests, up to the word `last` at its end; False where that cannot be read."""
        cursor = self.rows.cursor(line)
        cursor.at = start
        try:
            if start == 2 and line.head == "else" and is_action(cursor):
                raise cursor.fault(
                    "ELSE IF tests no action.", code="ActionInElseIf", hint="Write ELSE, and an IF inside of it."
                )
            found = condition(cursor, line.place, self.index, self.rows.problems)
            if last:
                cursor.expect_word(last, f"the row ends with {last.upper()}")
            cursor.finish()
        except RobinError as error:
            self.rows.report(error, line)
            return Constant(False, line.place)
        return self._tried(found)

    def _tried(self, found: Condition) -> Condition:
        """An action that is tested, with the ON ERROR that may stand in front of the body."""
        following = self.rows.peek()
        if not isinstance(found, Action) or following is None or following.head != "on" or is_block_section(following):
            return found
        while self.rows.lines[self.rows.at] is not following:
            self.rows.at += 1
        return replace(found, on_error=on_error(self.rows, self.index))

    def _end(self, line: Line, what: str) -> int:
        """Passes the END of what begins at `line`; its row."""
        rows = self.rows
        if rows.at < len(rows.lines) and rows.is_plain_end(rows.lines[rows.at]):
            end = rows.lines[rows.at]
            rows.at += 1
            self.index += 1
            cursor = rows.cursor(end)
            cursor.at = 1
            try:
                cursor.finish()
            except RobinError as error:
                rows.report(error, end)
        else:
            rows.missing_end(line.place, what)
        return self.index

    def if_(self, line: Line, more: dict[str, Any]) -> Statement:
        rows = self.rows
        own = self.index
        allowed = frozenset(("end", "else"))
        tested = self._condition(line, 1, "then")
        branches = [Branch(line.place, own, tested, tuple(self.body(allowed)), disabled=line.disabled)]
        otherwise: Branch | None = None
        while rows.at < len(rows.lines) and (other := rows.lines[rows.at]).head == "else":
            rows.at += 1
            self.index += 1
            index = self.index
            second = len(other.tokens) > 1 and str(other.tokens[1][1]).lower() == "if"
            if otherwise is not None:
                rows.report(RobinError("ELSE was here already.", other.place, code="Misplaced"), other)
            if second:
                tested = self._condition(other, 2, "then")
                branches.append(Branch(other.place, index, tested, tuple(self.body(allowed)), disabled=other.disabled))
                continue
            self._alone(other)
            otherwise = Branch(other.place, index, None, tuple(self.body(allowed)), disabled=other.disabled)
        return If(line.place, own, tuple(branches), otherwise, self._end(line, "IF"), **more)

    def _alone(self, line: Line) -> None:
        cursor = self.rows.cursor(line)
        cursor.at = 1
        try:
            cursor.finish()
        except RobinError as error:
            self.rows.report(error, line)

    def switch_(self, line: Line, more: dict[str, Any]) -> Statement:
        rows = self.rows
        own = self.index
        subject = self._value(line, 1)
        allowed = frozenset(("end", "case", "default"))
        for stray in self.body(allowed):
            if not isinstance(stray, Remark):
                rows.problems.error(
                    "Misplaced", stray.place, "Nothing stands between SWITCH and its first CASE.", "Move it."
                )
        cases: list[Branch] = []
        otherwise: Branch | None = None
        while rows.at < len(rows.lines) and (other := rows.lines[rows.at]).head in ("case", "default"):
            rows.at += 1
            self.index += 1
            index = self.index
            if other.head == "default":
                if otherwise is not None:
                    rows.report(RobinError("DEFAULT was here already.", other.place, code="Misplaced"), other)
                self._alone(other)
                otherwise = Branch(other.place, index, None, tuple(self.body(allowed)), disabled=other.disabled)
                continue
            relation, value = self._case(other)
            body = tuple(self.body(allowed))
            cases.append(Branch(other.place, index, value, body, relation, other.disabled))
        return Switch(line.place, own, subject, tuple(cases), otherwise, self._end(line, "SWITCH"), **more)

    def _case(self, line: Line) -> tuple[str, Expression]:
        cursor = self.rows.cursor(line)
        cursor.at = 1
        relation = next((each for each in _RELATIONS if cursor.is_op(each)), "")
        try:
            if not relation:
                raise cursor.fault(
                    "CASE is followed by a comparison.",
                    code="InvalidCase",
                    hint="Write CASE = value; there are =, <>, <, >, <= and >=. For others use IF.",
                )
            cursor.at += 1
            value = cursor.expression()
            cursor.finish()
        except RobinError as error:
            self.rows.report(error, line)
            return "=", Constant(None, line.place)
        return relation, value

    def _value(self, line: Line, start: int) -> Expression:
        cursor = self.rows.cursor(line)
        cursor.at = start
        try:
            found = cursor.expression()
            cursor.finish()
        except RobinError as error:
            self.rows.report(error, line)
            return Constant(None, line.place)
        return found

    def loop_(self, line: Line, more: dict[str, Any]) -> Statement:
        place, own = line.place, self.index
        cursor = self.rows.cursor(line)
        cursor.at = 1
        ends = frozenset(("end",))
        if cursor.word() == "while":
            tested = self._condition(line, 2, "")
            body = tuple(self.body(ends))
            return While(place, own, tested, body, self._end(line, "LOOP"), **more)
        blank: Expression = Constant(None, place)
        if cursor.accept_word("foreach"):
            variable, items = "", blank
            try:
                variable = cursor.name("a variable")
                cursor.expect_word("in", "LOOP FOREACH item IN list")
                items = cursor.expression()
                cursor.finish()
            except RobinError as error:
                self.rows.report(error, line)
            body = tuple(self.body(ends))
            return ForEach(place, own, variable, items, body, self._end(line, "LOOP"), **more)
        counter: str | None = None
        start, stop, step = blank, blank, None
        try:
            if cursor.word() != "from":
                counter = cursor.name("a variable")
            cursor.expect_word("from", "LOOP i FROM first TO last STEP step, LOOP FOREACH or LOOP WHILE")
            start = cursor.expression()
            cursor.expect_word("to", "LOOP i FROM first TO last")
            stop = cursor.expression()
            if cursor.accept_word("step"):
                step = cursor.expression()
            cursor.finish()
        except RobinError as error:
            self.rows.report(error, line)
        body = tuple(self.body(ends))
        return LoopFrom(place, own, counter, start, stop, step, body, self._end(line, "LOOP"), **more)

    def block_(self, line: Line, more: dict[str, Any]) -> Statement:
        rows = self.rows
        own = self.index
        name: str | None = None
        cursor = rows.cursor(line)
        cursor.at = 1
        try:
            if not cursor.over:
                name = cursor.name_or_string("a block")
            cursor.finish()
        except RobinError as error:
            rows.report(error, line)
        remarks: list[Statement] = []
        sections: tuple[Section, ...] = ()
        logic_errors = False
        following = rows.peek()
        if following is not None and following.head == "on" and is_block_section(following):
            remarks = self.remarks()
            sections, logic_errors = block_sections(rows, own)
        elif following is not None and rows.is_plain_end(following):
            rows.take(following)  # of handlers that are none
        body = (*remarks, *self.body(frozenset(("end",))))
        return Block(line.place, own, name, sections, body, self._end(line, "BLOCK"), logic_errors, **more)
