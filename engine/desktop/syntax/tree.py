"""What a Robin script consists of, once it has been read: subflows, statements, handlers of errors, expressions.

Plain records without behaviour. Names keep their spelling and are compared without regard to case. Nothing here reads
text or runs anything.

Every statement knows where it stands: `place` in the text, and `index`, its row in the subflow as the designer and the
run log count them (from 1; comments, regions and ENDs are rows too).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias


class Place(NamedTuple):
    """A position in the text: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


# --- expressions


@dataclass(frozen=True, slots=True)
class Constant:
    """A number (an int, or a decimal), a text without interpolation, True, False, or blank (None)."""

    value: int | Decimal | str | bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class Text:
    """A text literal with expressions in it: literal parts and expressions in turn."""

    parts: tuple[str | Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Property:
    """`target.name`."""

    target: Expression
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Index:
    """`target[index]`."""

    target: Expression
    index: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Slice:
    """`target[start:stop]`, either of which may be missing."""

    target: Expression
    start: Expression | None
    stop: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class ListLiteral:
    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class TableLiteral:
    """`{ ^['A', 'B'], [1, 2] }`: `header` None where the columns are not named. A row is a list, or names one."""

    header: tuple[Expression, ...] | None
    rows: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    """`{'k': 1}`, `{{}}`."""

    pairs: tuple[tuple[str, Expression], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Function:
    """`IsEmpty(x)` and its like. `name` as the language spells it."""

    name: str
    arguments: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    """`NOT x`, `-x`, `+x`."""

    operator: Literal["NOT", "-", "+"]
    operand: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Binary:
    """`place` is that of the operator."""

    operator: Literal["+", "-", "*", "/", "mod", "=", "<>", "<", ">", "<=", ">=", "AND", "OR", "XOR"]
    left: Expression
    right: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class EnumValue:
    """`Text.CaseOption.UpperCase`: `type` is `Text.CaseOption`."""

    type: str
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class DatetimeLiteral:
    """`d"2024-01-31 10:00:00"`: `text` is what stands between the quotes."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Element:
    """`appmask['Screen']['Element']`, or an image of `imgrepo`."""

    repository: Literal["appmask", "imgrepo"]
    path: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Protected:
    """`P'...'`: a text that only the machine where it was made can read."""

    data: str = field(repr=False)
    place: Place


Expression: TypeAlias = (
    Constant
    | Text
    | Name
    | Property
    | Index
    | Slice
    | ListLiteral
    | TableLiteral
    | ObjectLiteral
    | Function
    | Unary
    | Binary
    | EnumValue
    | DatetimeLiteral
    | Element
    | Protected
)


# --- what is done about errors


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a handler.

    `set` assigns, `call` runs a subflow, `goto` jumps; `throw` lets the error go on, `next` goes on behind what failed
    (in a block: behind the action inside it), `repeat` does the action, or the block from its start, again.
    """

    kind: Literal["set", "call", "goto", "throw", "next", "repeat"]
    place: Place
    index: int
    target: Expression | None = None
    """Of `set`: what is assigned."""
    value: Expression | None = None
    """Of `set`."""
    name: str = ""
    """Of `call` the subflow, of `goto` the label."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """What is done about one error, by its name, or about all that no section before names (`error` None)."""

    error: str | None
    rules: tuple[Rule, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class OnError:
    """`ON ERROR`: first `times` repetitions, `interval` seconds apart, then the sections.

    Without sections a last failure is thrown; sections without GOTO, THROW or REPEAT go on with the next action.
    """

    times: Expression | None
    interval: Expression | None
    sections: tuple[Section, ...]
    place: Place


# --- statements


@dataclass(frozen=True, slots=True)
class Row:
    """What every statement has: where it stands, whether it is disabled, what the designer noted (`@@name: value`)."""

    place: Place
    index: int
    disabled: bool = field(default=False, kw_only=True)
    notes: Mapping[str, str] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class Set(Row):
    """`SET target TO value`; the target is a Name, or Property, Index of one."""

    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Action(Row):
    """`Module.Action[.Selector] Name: value Name=> Variable`; External.* spells names `@Name`.

    `id` has the spelling of the text. An output may be assigned to a variable only.
    """

    id: str
    arguments: tuple[tuple[str, Expression], ...]
    outputs: tuple[tuple[str, str], ...]
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True)
class CallSubflow(Row):
    name: str
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True)
class Wait(Row):
    """`WAIT seconds`."""

    seconds: Expression
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True)
class WaitFor(Row):
    """`WAIT (Module.Action ...) FOR seconds`: until the action says so; `timeout` None is for ever."""

    condition: Action
    timeout: Expression | None
    on_error: OnError | None = None


Condition: TypeAlias = "Expression | Action"
"""What an IF or a LOOP WHILE asks: an expression, or an action whose answer is yes or no."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One arm of an IF or a SWITCH: its row, what it asks, what it does. `relation` is of a CASE (`=`, `>`...)."""

    place: Place
    index: int
    condition: Condition | None
    body: tuple[Statement, ...]
    relation: str = "="
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class If(Row):
    """`branches` are IF and its ELSE IFs; `otherwise` has no condition. `end` is the row of its END."""

    branches: tuple[Branch, ...]
    otherwise: Branch | None
    end: int


@dataclass(frozen=True, slots=True)
class Switch(Row):
    subject: Expression
    cases: tuple[Branch, ...]
    otherwise: Branch | None
    end: int


@dataclass(frozen=True, slots=True)
class LoopFrom(Row):
    """`LOOP i FROM a TO b STEP c`: inclusive; `variable` may be missing; `step` None is 1."""

    variable: str | None
    start: Expression
    stop: Expression
    step: Expression | None
    body: tuple[Statement, ...]
    end: int


@dataclass(frozen=True, slots=True)
class ForEach(Row):
    variable: str
    items: Expression
    body: tuple[Statement, ...]
    end: int


@dataclass(frozen=True, slots=True)
class While(Row):
    condition: Condition
    body: tuple[Statement, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Block(Row):
    """`BLOCK name ... ON BLOCK ERROR ... END body END`.

    A block without sections does nothing about errors. `logic_errors`: it also takes errors that otherwise end the
    flow, such as a division by zero.
    """

    name: str | None
    sections: tuple[Section, ...]
    body: tuple[Statement, ...]
    end: int
    logic_errors: bool = False


@dataclass(frozen=True, slots=True)
class Label(Row):
    name: str


@dataclass(frozen=True, slots=True)
class Goto(Row):
    name: str


@dataclass(frozen=True, slots=True)
class ExitLoop(Row):
    pass


@dataclass(frozen=True, slots=True)
class NextLoop(Row):
    pass


@dataclass(frozen=True, slots=True)
class ExitSubflow(Row):
    """`EXIT FUNCTION`."""


@dataclass(frozen=True, slots=True)
class Exit(Row):
    """`EXIT Code: n ErrorMessage: text`: ends the flow; 0, or no code, is success."""

    code: Expression | None
    message: Expression | None


@dataclass(frozen=True, slots=True)
class LastError(Row):
    """`ERROR => variable Reset: True`."""

    variable: str
    reset: Expression | None


@dataclass(frozen=True, slots=True)
class Remark(Row):
    """A comment or a region's border: a row that does nothing."""

    text: str


Statement: TypeAlias = (
    Set
    | Action
    | CallSubflow
    | Wait
    | WaitFor
    | If
    | Switch
    | LoopFrom
    | ForEach
    | While
    | Block
    | Label
    | Goto
    | ExitLoop
    | NextLoop
    | ExitSubflow
    | Exit
    | LastError
    | Remark
)


# --- a whole script


@dataclass(frozen=True, slots=True)
class Declared:
    """An `@INPUT` or `@OUTPUT`: `name` is the variable, `external` what callers know it by.

    `type` is String, Numeric, Bool, List, CustomObject or Datatable; `default` the value of an input that may be left
    out, as JSON would have it.
    """

    name: str
    external: str
    type: str
    place: Place
    description: str = ""
    optional: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Subflow:
    name: str
    body: tuple[Statement, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Script:
    """One desktop flow. `main` runs; `subflows` by lower-case name, without `main`.

    `kind`: where the text came from. `sensitive`: lower-case names of variables that are shown nowhere. `headers`: what
    `@@name: value` lines before the first statement say. `repositories`: UI elements and images that came along, as
    they were, by `appmask` and `imgrepo`.
    """

    main: Subflow
    subflows: Mapping[str, Subflow]
    inputs: tuple[Declared, ...] = ()
    outputs: tuple[Declared, ...] = ()
    sensitive: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    repositories: Mapping[str, Any] = field(default_factory=dict, repr=False)
    kind: Literal["file", "clipboard", "solution"] = "file"
