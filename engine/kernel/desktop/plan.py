"""A script made ready to run: one flat list of instructions, with places to jump to and compiled expressions.

Built by `script_build`, never changed afterwards, shared by all runs of a version. The number of an instruction is what
records refer to; it follows the order of the text (the rules of handlers stand behind the subflow they belong to), so
the same script always gives the same numbers.

Where a run stands is one number and a stack of frames: subflows, loops, blocks and handlers jump, they do not nest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

from ...cloud import Definition, parse
from ...desktop.actions.port import PureAction
from ...desktop.expressions.compile import Evaluate, Truth
from ...desktop.expressions.scope import Scope
from ...desktop.syntax import tree as syntax
from ..contract.operations import Operation
from ..contract.records import Iteration

# --- rows that evaluate something, and leave a record. These numbers are none of a cloud flow's.

SET: Final = 101
TEST: Final = 102
"""IF, ELSE IF and LOOP WHILE: behind it where the condition is true, to `jump` where it is not."""
ACTION: Final = 103
"""A pure action."""
OUTSIDE: Final = 104
"""An action that touches the world: a call."""
ASK: Final = 105
"""A call whose answer is yes or no: IF, LOOP WHILE and WAIT with an action."""
DELAY: Final = 106
"""WAIT n."""
SWITCH: Final = 107
CASE: Final = 108
COUNT: Final = 109
"""LOOP FROM: starts it."""
EACH: Final = 110
"""LOOP FOREACH: starts it."""
EXIT: Final = 111
LAST_ERROR: Final = 112
THROW: Final = 113
"""ThrowCustomError."""

RETRIED_CALL: Final = 114
"""CALL with retries: how often and how long between is evaluated."""

# --- rows whose effect follows from the state, and leave none

DERIVED: Final = 120
"""From here on."""
PASS: Final = 120
"""Goes on: a label, an END, what has no effect."""
JUMP: Final = 121
"""To `jump`, down to `depth` frames of the subflow: GOTO, EXIT LOOP, NEXT LOOP, the end of a branch."""
AGAIN: Final = 122
"""The END of a counted loop or a FOREACH: the next iteration, or out of it."""
DEFAULT: Final = 123
"""The end of a SWITCH's tests: its subject is dropped."""
ENTER: Final = 124
"""BLOCK."""
LEAVE: Final = 125
"""The END of a block."""
CALL: Final = 126
RETURN: Final = 127
"""EXIT FUNCTION, and what stands behind the last row of a subflow."""
FINISH: Final = 128
"""Behind the last row of the main subflow: the run has succeeded."""
RETHROW: Final = 129
"""THROW ERROR in a handler."""
NEXT: Final = 130
"""NEXT ACTION in a handler, and the end of an action's."""
REPEAT: Final = 131
"""REPEAT ACTION, REPEAT BLOCK."""
HANDLED: Final = 132
"""The end of a handler's rules."""


HIDDEN_MESSAGE: Final = "The message is not shown: the action uses a sensitive variable."

FACE: Final = parse(
    {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
        "actions": {},
        "outputs": {},
    },
    dialect="power-automate",
)
"""A cloud definition without actions."""


class Instruction:
    """One step. `pc` is its number, `next` where it goes on, `jump` where else; `depth` counts the frames of its

    subflow that stand around it (of JUMP: that are left). `after` is behind the whole statement it begins.
    """

    __slots__ = (
        "action",
        "after",
        "alias",
        "arguments",
        "condition",
        "deadline",
        "depth",
        "handler",
        "index",
        "jump",
        "labels",
        "line",
        "module",
        "next",
        "op",
        "operation",
        "outputs",
        "path",
        "pc",
        "reads",
        "relation",
        "reset",
        "row",
        "shown",
        "slot",
        "sources",
        "subflow",
        "target",
        "title",
        "value",
        "variable",
        "word",
    )

    def __init__(self, pc: int, op: int, subflow: str, row: int, line: str, depth: int, word: str) -> None:
        self.pc = pc
        self.op = op
        self.subflow = subflow
        self.index = pc
        """Its number, by the name that commands and records have for it."""
        self.row = row
        """The row in the subflow, from 1; 0 of what stands in no row."""
        self.line = line
        """`line:column` in the text."""
        self.depth = depth
        self.word = word
        """The name of the action in the run log: `If`, `SetVariable`, `ReadTextFromFile`."""
        self.module = ""
        self.title = ""
        """What the designer calls it, as far as it is known."""
        self.shown = bool(row)
        self.next = pc + 1
        self.jump = -1
        self.after = -1
        self.variable = ""
        """What is assigned, in lower case; of CALL the subflow, of BLOCK its name."""
        self.slot = 0
        self.value: Evaluate | None = None
        self.condition: Truth | None = None
        self.relation: str = "="
        """Of CASE."""
        self.alias = ""
        """Of SET and EACH whose value is another variable's: that one's name in lower case."""
        self.arguments: tuple[tuple[str, Evaluate], ...] = ()
        """What is evaluated, by name; for the log too."""
        self.sources: dict[str, str] = {}
        """Arguments that are just a variable: its name as it is written."""
        self.labels: dict[str, str] = {}
        """Outputs as they are spelled, by their lower-case names."""
        self.outputs: tuple[tuple[str, str, int], ...] = ()
        """Output in lower case, variable in lower case, its place."""
        self.target: list[Evaluate] = []
        """Of SET: the path inside of the variable."""
        self.action: PureAction | None = None
        self.operation: Operation | None = None
        self.handler: Handler | None = None
        self.deadline: Evaluate | None = None
        """Of ASK in a WAIT: seconds, None where it has none."""
        self.reset: Truth | None = None
        self.reads: frozenset[str] = frozenset()
        """Variables that its expressions read, in lower case."""
        self.path = f"/{subflow}/{row}"

    @property
    def name(self) -> str:
        """What the row is called where runs are shown."""
        return self.title or self.word

    @property
    def type(self) -> str:
        """Module and action."""
        return f"{self.module}.{self.word}"

    @property
    def written_type(self) -> str:
        """As `type`: an action of a cloud flow has its type in two spellings."""
        return self.type

    @property
    def loops(self) -> tuple[()]:
        """The loops around it that number its path: none, a row's path has the number of its execution."""
        return ()

    @property
    def key(self) -> str:
        """Names the row within its flow, whatever the iteration."""
        return self.path.lower()

    @property
    def pointer(self) -> str:
        """Where it stands in the text."""
        return self.line

    @property
    def waits(self) -> bool:
        """Whether it asks again and again until the answer is yes."""
        return self.op == ASK and self.word == "Wait"


@dataclass(slots=True)
class Handler:
    """What is done about errors of one action, one CALL or one block.

    `sections` are error ids in lower case ("" for all others) and where their rules start; `after` is where the flow
    goes on when they are done, `start` where REPEAT begins again.
    """

    kind: str
    """`action`, `call` or `block`."""
    sections: list[tuple[str, int]]
    after: int
    start: int
    times: Evaluate | None = None
    interval: Evaluate | None = None
    logic: bool = False
    """Whether it takes errors of logic too."""

    def section(self, code: str) -> int:
        """Where the rules about an error start, -1 where it is not handled here: by its name first, then for all."""
        wanted, general = code.lower(), -1
        for error, place in self.sections:
            if error == wanted:
                return place
            if not error and general < 0:
                general = place
        return general


@dataclass(slots=True)
class ScriptPlan:
    """A desktop flow that can run. `entries` are the subflows' first instructions, by lower-case name."""

    kind: ClassVar[Literal["desktop"]] = "desktop"
    """Which machine drives its runs, see `machine`."""

    script: syntax.Script
    scope: Scope
    nodes: list[Instruction] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    verbosity: str = "Full"
    """How much of a run's log is kept, see `script_history.LogSettings`; `row_limit`: how many rows."""
    row_limit: int = 50_000
    connections: tuple[str, ...] = ()
    observers: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    screenshots: bool = True
    """Whether a picture is kept of runs that fail with a browser open."""
    timeout: int | None = None
    """Seconds that a run may last at most, where the flow says so itself."""

    def path(self, node: Instruction, it: Iteration) -> str:
        """`/Main/12[345]`: the row, and the number of the record that began this execution of it."""
        return node.path if it is None else f"{node.path}[{it[-1]}]"

    def hides(self, node: Instruction) -> bool:
        """Whether a row reads or writes a sensitive variable, so that its messages may quote one."""
        if not self.sensitive:
            return False
        written = {variable for _, variable, _ in node.outputs} | {node.variable}
        return bool(self.sensitive & (node.reads | written))

    def message(self, node: Instruction, message: str) -> str:
        """A message about a row as it may be shown."""
        return HIDDEN_MESSAGE if self.hides(node) else message

    @property
    def secretive(self) -> bool:
        """Whether its records hold what is to be shown nowhere, so that they are not compressed."""
        return bool(self.sensitive)

    @property
    def definition(self) -> Definition:
        """What this flow looks like to those who ask a cloud flow's definition: started on request, nothing else."""
        return FACE

    @property
    def listens(self) -> bool:
        """Whether it has an action that is called back: never."""
        return False

    @property
    def answers(self) -> bool:
        """Whether its caller waits for a response: callers get the outputs at the end."""
        return False
