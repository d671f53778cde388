"""What a run of a desktop flow looks like from inside: where it stands, its stack, its variables, what is open.

Only `script_moves` and `script_errors` change a state, whether a record is new or read back. The names that the runtime
reads of a state (`end`, `open`, `need`, `ready`...) are those of a cloud flow's `state.State`.

Frames are short lists, so that a snapshot holds them nearly as they are; the first member says of which kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...datatypes import Datum
from ...desktop.expressions.culture import DEFAULT, culture_of
from ..cloud.state import End
from ..contract.randomness import draw
from ..contract.records import Iteration
from ..contract.run_context import RunContext
from .plan import DERIVED, Instruction, ScriptPlan

if TYPE_CHECKING:
    from ..cloud.pacing import Pace

LOOP: Final = 1
"""[LOOP, pc of COUNT, stop, step, counter]."""
ITEMS: Final = 2
"""[ITEMS, pc of EACH, what is gone through, place of the present item]."""
SUBJECT: Final = 3
"""[SUBJECT, pc of SWITCH, value]: only while its cases are tested."""
INSIDE: Final = 4
"""[INSIDE, pc of BLOCK]."""
CALLED: Final = 5
"""[CALLED, pc of CALL, base of the caller, attempt, retry: [how often, ticks between] or None]."""
HANDLING: Final = 6
"""[HANDLING, pc of the row whose handler it is, pc that failed, error, frames below that count, base]:

everything above those frames is dead, and kept only for NEXT ACTION.
"""

DEEPEST: Final = 1_000
"""Frames that a stack may have: beyond, a CALL fails."""

Stack = list[list[Any]]


class Spot:
    """Where an open action stands, as the runtime asks for it: `it` is its execution's number."""

    __slots__ = ("it",)

    def __init__(self, it: Iteration) -> None:
        self.it = it


class ScriptOpen:
    """The action that waits for something outside; there is one at most. `phase` is CALLING, DELAYED or BACKING_OFF."""

    __slots__ = (
        "attempt",
        "deadline",
        "due",
        "ending",
        "frame",
        "inputs",
        "leaving",
        "node",
        "phase",
        "retry",
        "started",
    )

    def __init__(self, node: Instruction, it: Iteration, attempt: int, inputs: Any, phase: int, started: int) -> None:
        self.node = node
        self.frame = Spot(it)
        self.attempt = attempt
        self.inputs = inputs
        self.phase = phase
        self.started = started
        self.due: int | None = None
        self.deadline: int | None = None
        self.retry: list[int] | None = None
        """[how often, ticks between]."""
        self.ending = None
        self.leaving = False


class ScriptWatch(Protocol):
    """Told of every row; see `script_history`. Before it has an effect, so that its inputs can be looked up."""

    def row(self, state: ScriptState, ins: Instruction, choice: Any) -> None: ...

    def done(self, state: ScriptState, ins: Instruction, values: Mapping[str, Datum]) -> None: ...

    def opened(self, state: ScriptState, entry: ScriptOpen) -> None: ...

    def retrying(self, state: ScriptState, entry: ScriptOpen, code: str) -> None: ...

    def failed(self, state: ScriptState, ins: Instruction, error: dict[str, Any]) -> None: ...

    def ended(self, state: ScriptState) -> None: ...


class ScriptState:
    """A run. `now` is the time of the latest event in ticks, `began` when its first row was due (0: it is held still),
    `seq` the number of the next record, `left` what is left of the present turn's steps. `slots` are the variables by
    their places in the plan's scope (place 0 is the culture). `base` counts the frames below those of the present
    subflow. `attempt` is that of the row at `pc`. `error` is the last error: {"code", "message", "row"...}.
    """

    apart = False
    """It names no values that are stored outside of its records."""

    __slots__ = (
        "attempt",
        "base",
        "began",
        "context",
        "draws",
        "end",
        "error",
        "heavy",
        "left",
        "limits",
        "need",
        "now",
        "open",
        "pace",
        "pc",
        "pins",
        "plan",
        "produced",
        "resident",
        "response",
        "room",
        "seq",
        "slots",
        "small",
        "stack",
        "started",
        "trigger",
        "watch",
    )

    def __init__(self, plan: ScriptPlan, watch: ScriptWatch | None = None) -> None:
        self.plan = plan
        self.watch = watch
        self.now = 0
        self.started = 0
        self.began = 0
        self.seq = 0
        self.left = 0
        self.pc = 0
        self.base = 0
        self.attempt = 1
        self.stack: Stack = []
        self.slots = plan.scope.fresh(culture_of(DEFAULT))
        self.error: dict[str, Any] | None = None
        self.open: dict[tuple[int, Iteration], ScriptOpen] = {}
        self.end: End | None = None
        self.trigger: Any = None
        self.pins: dict[str, Any] = {}
        self.context: RunContext
        self.draws = 0
        # What the runtime reads of every state; a script has none of these.
        self.limits: dict[tuple[int, Iteration], Any] = {}
        self.response: dict[str, Any] | None = None
        self.need: list[Any] = []
        self.resident = 0
        self.small = False
        # How many bytes one call of `decide` may produce before it pauses (None: any), and what it has produced.
        self.room: int | None = None
        self.pace: Pace | None = None
        self.heavy = False
        self.produced = 0

    @property
    def revision(self) -> int:
        """The revision of the semantics that the run is of."""
        return self.pins.get("revision", 1)  # type: ignore[no-any-return]

    @property
    def ready(self) -> bool:
        """Whether there is something to decide: nothing is open, and the run goes on."""
        return self.end is None and not self.open and self.seq > 0

    @property
    def zone(self) -> str:
        """The time zone of the run, by its IANA name."""
        return self.pins.get("zone") or "UTC"

    @property
    def handling(self) -> bool:
        """Whether the run is inside of error handling."""
        return any(frame[0] == HANDLING for frame in self.stack)

    def draw(self, length: int) -> bytes:
        """Chance for the row that is decided: the next draw of this execution."""
        number = self.draws
        self.draws = number + 1
        return draw(self.pins["seed"], self.plan.path(self.plan.nodes[self.pc], (self.seq,)), number, length)


def derived(state: ScriptState) -> bool:
    """Whether what comes next follows from the state alone."""
    return state.plan.nodes[state.pc].op >= DERIVED
