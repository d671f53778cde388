"""What a run looks like from inside: frames, loops, open actions, variables.

Only `control` and `decide` change a state, through the same functions whether a record is new or read back. Nothing
here evaluates.

A *frame* is one iteration, or the run itself; scopes, branches and switches share the frame of the iteration they
stand in.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from ..expressions import Suspend
from .chance import draw, idempotency_key
from .plan import Node, Plan
from .records import Iteration
from .status import RUNNING
from .timing import iso


class Large:
    """A value that is not in memory:

    where it is stored (the record's number), its size there in bytes and its digest.
    """

    __slots__ = ("digest", "seq", "size")

    def __init__(self, seq: int, size: int, digest: str) -> None:
        self.seq = seq
        self.size = size
        self.digest = digest

    def __repr__(self) -> str:
        return f"Large(seq={self.seq}, size={self.size})"


class NeedValues(Suspend):
    """Raised out of an evaluation that reads a value which is not in memory."""

    def __init__(self, large: Large) -> None:
        super().__init__("a stored value is needed")
        self.large = large


class Variable:
    """One variable: its declared type (`integer`, `float`, `boolean`, `string`, `array`, `object`) and value.

    `shared` says that somebody else may hold the very list in `value`: the next append copies it.
    """

    __slots__ = ("name", "shared", "type", "value")

    def __init__(self, name: str, type: str, value: Any) -> None:
        self.name = name
        self.type = type
        self.value = value
        self.shared = True


class Frame:
    """One iteration, or the run itself: what its actions have produced so far.

    `out` outputs by node, `status` every status but Succeeded, `left` unfinished actions by box, `wait` unfinished
    predecessors by node, `bad` boxes where something did not succeed, `info` what `actions()` and `result()` tell,
    for the nodes some expression names, `seqs` the record numbers of outputs that may be large.
    """

    __slots__ = ("bad", "info", "it", "item", "left", "loop", "out", "parent", "seqs", "state", "status", "wait")

    def __init__(self, state: State, parent: Frame | None, item: Any, it: Iteration, loop: Loop | None) -> None:
        self.state = state
        self.parent = parent
        self.item = item
        self.it = it
        self.loop = loop
        self.out: dict[int, Any] = {}
        self.status: dict[int, int] = {}
        self.left: dict[int, int] = {}
        self.seqs: dict[int, int] = {}
        self.wait: dict[int, int] | None = None
        self.bad: set[int] | None = None
        self.info: dict[int, Info] | None = None


class Info:
    """What `actions()` tells of an action beyond its outputs. Times in ticks."""

    __slots__ = ("code", "ended", "error", "inputs", "started", "status")

    def __init__(self, started: int) -> None:
        self.started = started
        self.ended: int | None = None
        self.status = RUNNING
        self.code: str | None = None
        self.inputs: Any = None
        self.error: dict[str, Any] | None = None


class Loop:
    """A Foreach or Until that is running. `items` is None for Until;

    `gathered` collects what expressions outside will read.
    """

    __slots__ = (
        "active",
        "count",
        "failed",
        "frame",
        "gathered",
        "items",
        "next",
        "node",
        "results",
        "started",
        "timeout",
    )

    def __init__(self, node: Node, frame: Frame, items: list[Any] | None, started: int) -> None:
        self.node = node
        self.frame = frame
        self.items = items
        self.next = 0
        self.active = 0
        self.failed = False
        self.started = started
        self.count = 0
        self.timeout = 0
        self.gathered: dict[int, list[Any]] | None = None
        self.results: dict[int, list[Any]] | None = None


class Open:
    """An action that waits for something outside. `phase` is one of the constants below;

    `due` and `deadline` are ticks or None.
    """

    __slots__ = ("attempt", "deadline", "due", "frame", "inputs", "node", "phase", "retry", "started")

    def __init__(self, frame: Frame, node: Node, attempt: int, inputs: Any, phase: int, started: int) -> None:
        self.frame = frame
        self.node = node
        self.attempt = attempt
        self.inputs = inputs
        self.phase = phase
        self.started = started
        self.due: int | None = None
        self.deadline: int | None = None
        self.retry: Any = None


CALLING = 1
"""The call is under way."""
DELAYED = 2
"""A Wait action sleeps until `due`."""
BACKING_OFF = 3
"""The last attempt failed; the next one starts at `due`."""


class Watch(Protocol):
    """Told of everything that happens to actions, derived facts included; see `history`."""

    def started(self, frame: Frame, node: Node, at: int, inputs: Any) -> None: ...

    def ended(
        self, frame: Frame, node: Node, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
    ) -> None: ...

    def retrying(self, frame: Frame, node: Node, at: int, attempt: int, due: int, code: str, most: int) -> None: ...

    def retried(self, frame: Frame, node: Node, at: int, attempt: int) -> None: ...

    def is_over(self, frame: Frame, node: Node) -> bool: ...


@dataclass(slots=True)
class End:
    """How a run ended."""

    status: int
    code: str | None
    error: dict[str, Any] | None


class State:
    """A run. `now` is the time of the latest event in ticks, `seq` the number of the next record, `left` what is left
    of the
    present turn's steps, `need` the large values that stopped it."""

    __slots__ = (
        "draws",
        "element",
        "end",
        "frame",
        "left",
        "loops",
        "need",
        "node",
        "now",
        "now_text",
        "open",
        "params",
        "pins",
        "plan",
        "ready",
        "response",
        "root",
        "seq",
        "started",
        "trigger",
        "vars",
        "watch",
    )

    def __init__(self, plan: Plan, watch: Watch | None = None) -> None:
        self.plan = plan
        self.watch = watch
        self.now = 0
        self.now_text: str | None = None
        self.started = 0
        self.seq = 0
        self.left = 0
        self.trigger: Any = None
        self.pins: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.vars: dict[str, Variable] = {}
        self.root = Frame(self, None, None, None, None)
        self.ready: deque[tuple[Frame, Node]] = deque()
        self.open: dict[tuple[int, Iteration], Open] = {}
        self.loops: dict[tuple[int, Iteration], Loop] = {}
        self.end: End | None = None
        self.response: dict[str, Any] | None = None
        self.need: list[Large] = []
        # Of the evaluation under way: the frame and action, how many draws of chance, the element of a data operation.
        self.frame = self.root
        self.node: Node | None = None
        self.draws = 0
        self.element: Any = None

    @property
    def time_text(self) -> str:
        """The time of the latest event as text, made once for each event."""
        if self.now_text is None:
            self.now_text = iso(self.now)
        return self.now_text

    def draw(self, length: int) -> bytes:
        """Chance for the evaluation under way: the next draw of this action in this iteration."""
        number = self.draws
        self.draws = number + 1
        node, frame = self.node, self.frame
        path = self.plan.path(node, frame.it) if node is not None else ""
        if frame.loop is not None and frame.loop.node is node and frame.it is not None:
            path = f"{path}[{frame.it[-1]}]"  # an Until's condition belongs to the iteration that has ended
        return draw(self.pins["seed"], path, number, length)

    def trigger_value(self) -> Any:
        """The trigger's record; raises NeedValues while its body is only stored."""
        if self.trigger.__class__ is Large:
            raise NeedValues(self.trigger)
        return self.trigger

    def callback_url(self, frame: Frame, node: Node) -> str:
        """Where the outside answers a webhook action: the host's base address, the run and the action's key."""
        key = idempotency_key(self.pins["seed"], self.plan.path(node, frame.it))
        return f"{self.pins.get('callback', 'sealflow:callback')}/{self.pins.get('run', '')}/{key}"

    def tracking_id(self, frame: Frame, node: Node) -> str:
        """A GUID that stays with the action: drawn from the seed and its path."""
        return str(uuid.UUID(bytes=draw(self.pins["seed"], self.plan.path(node, frame.it) + "\0tracking", 0, 16)))
