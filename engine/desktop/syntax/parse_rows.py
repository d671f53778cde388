"""Statements that take one row: what stands in it, read with a cursor. Rows that hold others are `parse`'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..catalog import is_module
from .parse_expression import Cursor
from .problem import Problems
from .tree import (
    Action,
    CallSubflow,
    Condition,
    Exit,
    ExitLoop,
    ExitSubflow,
    Expression,
    Goto,
    Index,
    Label,
    LastError,
    Name,
    NextLoop,
    Place,
    Property,
    Set,
    Statement,
    Wait,
    WaitFor,
)

HANDLED: Final = (Action, CallSubflow, Wait, WaitFor)
"""What an ON ERROR may follow."""


def row(cursor: Cursor, head: str, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    """The statement of a row that begins with the word `head`, or with an action's id where it is empty.

    `more` are the other fields of its Row. Raises RobinError.
    """
    if not head:
        found: Statement = action(cursor, place, index, problems, more)
    else:
        reader = _READERS.get(head)
        if reader is None:
            raise _unknown(cursor, head)
        cursor.at += 1
        found = reader(cursor, place, index, more, problems)
    cursor.finish()
    return found


def _unknown(cursor: Cursor, head: str) -> Exception:
    hints = {
        "region": "Write **REGION and **ENDREGION.",
        "throw": "THROW ERROR stands only in what follows ON ERROR.",
        "repeat": "REPEAT stands only in what follows ON ERROR.",
        "foreach": "Write LOOP FOREACH item IN list.",
        "while": "Write LOOP WHILE condition.",
        "print": "A message is shown with Display.ShowMessageDialog.ShowMessage.",
    }
    if head in ("throw", "repeat"):
        return cursor.fault(f"{head.upper()} stands outside of a handler.", code="Misplaced", hint=hints[head])
    hint = hints.get(head, "A row begins with a word of the language, or with an action: Module.Action.")
    if cursor.is_op("=", 1):
        hint = "A variable is set with SET name TO value."
    word = str(cursor.tokens[0][1])[:60]
    return cursor.fault(f"No statement begins with '{word}'.", code="UnknownStatement", hint=hint)


# ---- one reader for each word


def _set(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    target, value = assignment(cursor)
    return Set(place, index, target, value, **more)


def assignment(cursor: Cursor) -> tuple[Expression, Expression]:
    """What follows SET: `target TO value`."""
    target: Expression = Name(cursor.name("a variable"), _before(cursor))
    while True:
        place = cursor.place()
        if cursor.accept_op("."):
            target = Property(target, cursor.name("a property"), place)
        elif cursor.accept_op("["):
            step = cursor.expression()
            cursor.expect_op("]", "it ends an index")
            target = Index(target, step, place)
        else:
            break
    cursor.expect_word("to", "SET name TO value")
    return target, cursor.expression()


def _before(cursor: Cursor) -> Place:
    token = cursor.tokens[cursor.at - 1]
    return Place(token[2], token[3])


def _call(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    return CallSubflow(place, index, cursor.name_or_string("a subflow"), **more)


def _goto(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    return Goto(place, index, cursor.name_or_string("a label"), **more)


def _label(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    return Label(place, index, cursor.name_or_string("a label"), **more)


def _exit(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    if cursor.word() in ("loop", "function") and not cursor.is_op(":", 1):
        cursor.at += 1
        return ExitLoop(place, index, **more) if cursor.word(-1) == "loop" else ExitSubflow(place, index, **more)
    given: dict[str, Expression] = {}
    while not cursor.over:
        at = cursor.place()
        name = cursor.word()
        if name not in ("code", "errormessage") or not cursor.is_op(":", 1):
            raise cursor.fault(
                "EXIT takes a code and a message.", hint="Write EXIT Code: 1 ErrorMessage: $'''...''', or EXIT LOOP."
            )
        cursor.at += 2
        value = cursor.expression()
        if name in given:
            problems.error("DuplicateArgument", at, f"'{name}' is given twice.", "Remove one.")
        given.setdefault(name, value)
    return Exit(place, index, given.get("code"), given.get("errormessage"), **more)


def _next(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    if cursor.word() == "action":
        cursor.at -= 1
        raise cursor.fault("NEXT ACTION stands outside of a handler.", code="Misplaced")
    cursor.expect_word("loop", "NEXT LOOP")
    return NextLoop(place, index, **more)


def _error(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    cursor.expect_op("=>", "ERROR => variable")
    name = cursor.name("a variable")
    reset = None
    if cursor.word() == "reset" and cursor.is_op(":", 1):
        cursor.at += 2
        reset = cursor.expression()
    return LastError(place, index, name, reset, **more)


def _wait(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    if not is_action(cursor):
        return Wait(place, index, cursor.expression(), **more)
    tested = bracketed(cursor, place, index, problems)
    timeout = cursor.expression() if cursor.accept_word("for") else None
    return WaitFor(place, index, tested, timeout, **more)


def _import(cursor: Cursor, place: Place, index: int, more: Mapping[str, Any], problems: Problems) -> Statement:
    cursor.at -= 1
    raise cursor.fault("IMPORT stands in front of all subflows, not in one.", code="Misplaced")


_READERS: Final[
    Mapping[str, Callable[[Cursor, Place, int, Mapping[str, Any], Problems], Statement]]
] = {
    "set": _set,
    "call": _call,
    "goto": _goto,
    "label": _label,
    "exit": _exit,
    "next": _next,
    "error": _error,
    "wait": _wait,
    "import": _import,
}  # fmt: skip


# ---- actions


def action(cursor: Cursor, place: Place, index: int, problems: Problems, more: Mapping[str, Any]) -> Action:
    """`Module.Action[.Selector] Name: value Output=> variable`; what follows is not read."""
    name = _id(cursor)
    arguments: list[tuple[str, Expression]] = []
    outputs: list[tuple[str, str]] = []
    seen: set[str] = set()
    while not cursor.over and not cursor.is_op(")"):
        if cursor.word() == "_" and not cursor.is_op(":", 1) and not cursor.is_op("=>", 1):
            cursor.at += 1  # older copies print it for an empty list
            continue
        at = cursor.place()
        argument = _argument_name(cursor)
        output = cursor.accept_op("=>")
        if output:
            variable = cursor.name("a variable")
        else:
            cursor.at += 1
            value = cursor.expression()
        if argument.lower() in seen:
            problems.error("DuplicateArgument", at, f"'{argument}' is given twice to {name}.", "Remove one.")
            continue
        seen.add(argument.lower())
        if output:
            outputs.append((argument, variable))
        else:
            arguments.append((argument, value))
    return Action(place, index, name, tuple(arguments), tuple(outputs), **more)


def _id(cursor: Cursor) -> str:
    parts: list[str] = []
    while len(parts) < 3:
        if not cursor.word():
            if not parts:
                raise cursor.fault(
                    "This row is no statement.", code="UnknownStatement",
                    hint="A row begins with a word of the language, or with an action: Module.Action.",
                )  # fmt: skip
            raise cursor.fault("The rest of the action's name is missing behind the dot.")
        parts.append(str(cursor.tokens[cursor.at][1]))
        cursor.at += 1
        if not cursor.is_op("."):
            break
        if len(parts) < 3:
            cursor.at += 1
    return ".".join(parts)


def _argument_name(cursor: Cursor) -> str:
    """The name before ':' or '=>', with its '@'. The cursor stands at that sign afterwards."""
    start = cursor.at
    mark = "@" if cursor.accept_op("@") else ""
    if not cursor.over and cursor.tokens[cursor.at][0] in ("name", "string"):
        cursor.at += 1
        if cursor.is_op(":") or cursor.is_op("=>"):
            return mark + str(cursor.tokens[cursor.at - 1][1])
    cursor.at = start
    raise cursor.misfit("An argument is written Name: value, an output Name=> Variable.")


def is_action(cursor: Cursor) -> bool:
    """Whether an action in brackets follows: `(Module.Action ...)`."""
    if not (cursor.is_op("(") and cursor.word(1) and cursor.is_op(".", 2) and cursor.word(3)):
        return False
    behind = 4
    if cursor.is_op(".", 4) and cursor.word(5):
        behind = 6
    if cursor.word(behind) and (
        cursor.is_op(":", behind + 1) or cursor.is_op("=>", behind + 1) or cursor.word(behind) == "_"
    ):
        return True
    module = cursor.word(1)
    return cursor.is_op(")", behind) and is_module(module) and module not in cursor.variables


def bracketed(cursor: Cursor, place: Place, index: int, problems: Problems) -> Action:
    """`(Module.Action ...)`, as what is tested by the row at `place`."""
    cursor.at += 1
    found = action(cursor, cursor.place(), index, problems, {})
    cursor.expect_op(")", "the bracket before the action is open")
    return found


def condition(cursor: Cursor, place: Place, index: int, problems: Problems) -> Condition:
    """What an IF or LOOP WHILE tests: an expression, or an action in brackets."""
    return bracketed(cursor, place, index, problems) if is_action(cursor) else cursor.expression()
