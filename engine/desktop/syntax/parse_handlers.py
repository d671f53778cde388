"""What is done about errors: the sections of ON ERROR and ON BLOCK ERROR, row by row.

Handlers hold SET, CALL, GOTO, THROW ERROR, NEXT ACTION and REPEAT only; their rows are none of the designer's.
"""

from __future__ import annotations

from typing import Final

from .lexer import Line
from .parse_expression import Cursor
from .parse_rows import assignment
from .problem import RobinError
from .reading import Rows
from .tree import Constant, Expression, OnError, Place, Rule, Section

RULES: Final = frozenset(("set", "call", "goto", "throw", "next", "repeat"))
_OPENERS: Final = frozenset(("if", "loop", "switch", "block"))


def on_error(rows: Rows, index: int) -> OnError:
    """ON ERROR with all its sections and its END. The next row is its first one."""
    place = rows.lines[rows.at].place
    times: Expression | None = None
    interval: Expression | None = None
    sections: list[Section] = []
    while (line := rows.peek()) is not None and line.head == "on" and not is_block_section(line):
        rows.take(line)
        header = _header(rows, line)
        if isinstance(header, tuple):
            times, interval = header
            following = rows.peek()
            if following is not None and following.head == "on" and not is_block_section(following):
                continue
            rows.met_bare_retry = True
            if rows.bare_retries or following is None or following.head not in RULES:
                if not rows.bare_retries and following is not None and rows.is_plain_end(following):
                    rows.take(following)
                return OnError(times, interval, tuple(sections), place)
            header = None
        sections.append(Section(header, _rules(rows, index, "action"), line.place))
    rows.end_of_handler(place)
    return OnError(times, interval, tuple(sections), place)


def _header(rows: Rows, line: Line) -> str | tuple[Expression, Expression] | None:
    """The name of an error, None for all others, or how often and in which intervals is tried again."""
    cursor = rows.cursor(line)
    cursor.at = 1
    try:
        cursor.expect_word("error", "ON ERROR")
        if cursor.accept_word("repeat"):
            times = cursor.expression()
            cursor.expect_word("times", "ON ERROR REPEAT n TIMES WAIT seconds")
            cursor.expect_word("wait", "ON ERROR REPEAT n TIMES WAIT seconds")
            interval = cursor.expression()
            cursor.finish()
            return times, interval
        return _error_name(cursor)
    except RobinError as error:
        rows.report(error, line)
        return None


def _error_name(cursor: Cursor) -> str | None:
    if cursor.over:
        return None
    if cursor.word() in RULES or cursor.word() == "action":
        raise cursor.fault(
            f"{cursor.word().upper()} does not stand in the row of ON ERROR.", hint="Put it into the next row."
        )
    name = cursor.name_or_string("an error")
    cursor.finish()
    return name


def block_sections(rows: Rows, index: int) -> tuple[tuple[Section, ...], bool]:
    """ON BLOCK ERROR with all sections and the END behind them; whether logic errors are taken too."""
    sections: list[Section] = []
    logic_errors = False
    first = rows.lines[rows.at].place
    while (line := rows.peek()) is not None and line.head == "on" and is_block_section(line):
        rows.take(line)
        name: str | None = None
        try:
            name, takes = _block_header(rows, line)
            logic_errors = logic_errors or takes
        except RobinError as error:
            rows.report(error, line)
        sections.append(Section(name, _rules(rows, index, "block"), line.place))
    rows.end_of_handler(first)
    return tuple(sections), logic_errors


def _block_header(rows: Rows, line: Line) -> tuple[str | None, bool]:
    cursor = rows.cursor(line)
    cursor.at = 2
    cursor.expect_word("error", "ON BLOCK ERROR")
    name: str | None = None
    if cursor.word() == "repeat" and not cursor.is_op(":", 1):
        raise cursor.fault(
            "A block is not repeated by its header.",
            code="RepeatOnBlock",
            hint="REPEAT BLOCK in its handler begins it again; REPEAT n TIMES belongs to a single action.",
        )
    if not cursor.accept_word("all") and not cursor.over and not cursor.is_op(":", 1):
        name = cursor.name_or_string("an error")
    takes = False
    while not cursor.over:
        at = cursor.place()
        option = cursor.word()
        if not option or not cursor.is_op(":", 1):
            raise cursor.misfit("Write ON BLOCK ERROR all, or the name of an error.")
        cursor.at += 2
        value = cursor.expression()
        if option in ("capturelogicerrors", "handleflowterminatingerrors"):
            takes = isinstance(value, Constant) and value.value is True
        elif option != "isuserdefinederrorcode":  # whose error it is makes no difference to which one it is
            rows.problems.warning("NotYetSupported", at, f"The option '{option}' of a block has no effect.")
    return name, takes


def is_block_section(line: Line) -> bool:
    """Whether a row that begins with ON goes on with BLOCK."""
    return len(line.tokens) > 1 and str(line.tokens[1][1]).lower() == "block"


# ---- rules


def _rules(rows: Rows, index: int, of: str) -> tuple[Rule, ...]:
    """The rows up to the next section or END, which is left."""
    found: list[Rule] = []
    while rows.at < len(rows.lines):
        line = rows.lines[rows.at]
        if line.kind != "row":
            rows.at += 1
            continue
        head = line.head
        if head in ("on", "end", "function"):
            break
        rows.at += 1
        if head in _OPENERS:
            _not_allowed(rows, line)
            rows.skip_to_end()
            continue
        if head in ("else", "case", "default"):
            _not_allowed(rows, line)
            continue
        if head not in RULES:
            _not_allowed(rows, line)
            continue
        try:
            found.append(_rule(rows, line, head, index, of))
        except RobinError as error:
            rows.report(error, line)
    return tuple(found)


def _not_allowed(rows: Rows, line: Line) -> None:
    rows.report(
        RobinError(
            "This statement is not allowed in a handler.",
            line.place,
            code="NotAllowedInHandler",
            hint="Handlers hold SET, CALL, GOTO, THROW ERROR, NEXT ACTION and REPEAT. CALL a subflow for the rest.",
        ),
        line,
    )


def _rule(rows: Rows, line: Line, head: str, index: int, of: str) -> Rule:
    cursor = rows.cursor(line)
    cursor.at = 1
    place: Place = line.place
    disabled = line.disabled
    if head == "set":
        target, value = assignment(cursor)
        rule = Rule("set", place, index, target, value, disabled=disabled)
    elif head == "call":
        rule = Rule("call", place, index, name=cursor.name_or_string("a subflow"), disabled=disabled)
    elif head == "goto":
        rule = Rule("goto", place, index, name=cursor.name_or_string("a label"), disabled=disabled)
    elif head == "throw":
        cursor.expect_word("error", "THROW ERROR")
        rule = Rule("throw", place, index, disabled=disabled)
    elif head == "next":
        if cursor.word() == "loop":
            cursor.at -= 1
            raise cursor.fault(
                "NEXT LOOP is not allowed in a handler.", code="NotAllowedInHandler", hint="GOTO a label."
            )
        cursor.expect_word("action", "NEXT ACTION")
        rule = Rule("next", place, index, disabled=disabled)
    else:
        if cursor.word() not in ("action", "block"):
            raise cursor.fault("REPEAT is followed by ACTION or BLOCK.")
        if cursor.word() != of:
            code = "RepeatOnBlock" if of == "block" else "Misplaced"
            raise cursor.fault(
                f"What failed here is no {cursor.word()}.", code=code, hint=f"Write REPEAT {of.upper()}."
            )
        cursor.at += 1
        rule = Rule("repeat", place, index, disabled=disabled)
    cursor.finish()
    return rule
