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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..contract.large_values import Collected, Large, NeedValues, whole
from ..contract.randomness import draw
from ..contract.records import Iteration
from ..contract.run_context import RunContext
from ..contract.status import RUNNING
from ..contract.timing import iso
from .plan.plan import Box, Node, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .decide import Given
    from .pacing import Pace, Progress


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


_NOTHING: dict[int, Any] = {}
"""Shared by the frames of runs that nobody watches."""


class Frame:
    """One iteration, or the run itself: what its actions have produced so far.

    `out` outputs by node, `status` every status but Succeeded, `left` unfinished actions by box, `wait` unfinished
    predecessors by node, `bad` boxes where something did not succeed, `info` what `actions()` and `result()` tell,
    for the nodes some expression names, `large` the names of outputs that are large, whether in memory or not,
    `unread` how many readers of an action's outputs are not over yet, as far as that is not what the plan says,
    `watched` what the run's watcher keeps of the actions here.
    """

    __slots__ = (
        "bad",
        "info",
        "it",
        "item",
        "large",
        "left",
        "loop",
        "out",
        "parent",
        "state",
        "status",
        "unread",
        "wait",
        "watched",
    )

    def __init__(self, state: State, parent: Frame | None, item: Any, it: Iteration, loop: Loop | None) -> None:
        self.state = state
        self.parent = parent
        self.item = item
        self.it = it
        self.loop = loop
        self.out: dict[int, Any] = {}
        self.status: dict[int, int] = {}
        self.left: dict[int, int] = {}
        self.large: dict[int, Large] = {}
        self.unread: dict[int, int] | None = None
        self.watched: dict[int, Any] = _NOTHING if state.watch is None else {}
        self.wait: dict[int, int] | None = None
        self.bad: set[int] | None = None
        self.info: dict[int, Info] | None = None


class Info:
    """What `actions()` tells of an action beyond its outputs. Times in ticks, `started` None of one that never did."""

    __slots__ = ("code", "ended", "error", "inputs", "large", "started", "status")

    def __init__(self, started: int | None) -> None:
        self.started = started
        self.ended: int | None = None
        self.status = RUNNING
        self.code: str | None = None
        self.inputs: Any = None
        self.large: Large | None = None
        """Names the inputs where they may be elsewhere."""
        self.error: dict[str, Any] | None = None


class Loop:
    """A Foreach or Until that is running. `items` is None for Until;

    `gathered` and `results` collect what expressions outside will read. Items that are large together have a name in
    `large`, and are let go one by one as their iterations start; after a snapshot the name stands for them at first.
    """

    __slots__ = (
        "active",
        "count",
        "failed",
        "frame",
        "gathered",
        "items",
        "large",
        "next",
        "node",
        "results",
        "started",
        "timeout",
    )

    def __init__(
        self, node: Node, frame: Frame, items: list[Any] | None, started: int, large: Large | None = None
    ) -> None:
        self.node = node
        self.frame = frame
        self.items = list(items) if items is not None and large is not None else items
        self.large = large
        self.next = 0
        self.active = 0
        self.failed = False
        self.started = started
        self.count = 0
        self.timeout = 0
        self.gathered: dict[int, Collected] | None = None
        self.results: dict[int, Collected] | None = None

    def take(self, number: int) -> Any:
        """The item of the iteration that starts now."""
        if self.items is None:
            return None
        item = self.items[number]
        if self.large is not None:
            self.items[number] = None
        return item


class Open:
    """An action that waits for something outside. `phase` is one of the constants below;

    `due` and `deadline` are ticks or None. Of a webhook action, `ending` is how it will end once its call is
    answered, and `leaving` says that this call is its unsubscribe request. `seq` is the number of the record that has
    the inputs.
    """

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
        "seq",
        "started",
    )

    def __init__(
        self, frame: Frame, node: Node, attempt: int, inputs: Any, phase: int, started: int, seq: int = 0
    ) -> None:
        self.frame = frame
        self.node = node
        self.attempt = attempt
        self.inputs = inputs
        self.phase = phase
        self.started = started
        self.seq = seq
        self.due: int | None = None
        self.deadline: int | None = None
        self.retry: Any = None
        self.ending: Ending | None = None
        self.leaving = False


class Ending(NamedTuple):
    """How an action ends: status, code, outputs, error; `seq` is the number of the record that has the outputs."""

    seq: int
    status: int
    code: str
    outputs: Any
    error: dict[str, Any] | None


CALLING = 1
"""The call is under way."""
DELAYED = 2
"""A Wait action sleeps until `due`."""
BACKING_OFF = 3
"""The last attempt failed; the next one starts at `due`."""
SUBSCRIBED = 4
"""Nothing is under way: a callback ends the action."""


class Limit:
    """A container that is running and has a limit: it lapses at `due` (ticks)."""

    __slots__ = ("due", "frame", "node")

    def __init__(self, frame: Frame, node: Node, due: int) -> None:
        self.frame = frame
        self.node = node
        self.due = due


class Watch(Protocol):
    """Told of everything that happens to actions, derived facts included; see `history`."""

    def started(self, frame: Frame, node: Node, at: int, inputs: Any) -> None: ...

    def ended(
        self, frame: Frame, node: Node, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
    ) -> None: ...

    def retrying(self, frame: Frame, node: Node, at: int, attempt: int, due: int, code: str, most: int) -> None: ...

    def retried(self, frame: Frame, node: Node, at: int, attempt: int) -> None: ...

    def subscribed(self, frame: Frame, node: Node, at: int, code: str) -> None: ...

    def is_over(self, frame: Frame, node: Node) -> bool: ...


@dataclass(slots=True)
class End:
    """How a run ended."""

    status: int
    code: str | None
    error: dict[str, Any] | None


Agenda = deque[tuple[Frame, "Node | Box", int]]
"""What is left to settle: an action that has ended, or (with a Box) a container whose last action has."""


class State:
    """A run. `now` is the time of the latest event in ticks, `seq` the number of the next record, `left` what is left
    of the
    present turn's steps, `need` the large values that stopped it.

    Of memory: `room` is how many bytes of large values one call of `decide` may add before it pauses (None: any),
    `small` says that the event under way has no large values, as the host knows, `produced` what it has added,
    `resident` about how many bytes of them are in memory, `supplied` the names of those that were loaded for the action
    that is next. `apart`: records of the run name values that are stored outside of them.
    """

    __slots__ = (
        "agenda",
        "apart",
        "context",
        "draws",
        "element",
        "end",
        "forced",
        "frame",
        "given",
        "heavy",
        "left",
        "limits",
        "loops",
        "need",
        "node",
        "now",
        "now_text",
        "open",
        "pace",
        "params",
        "pins",
        "plan",
        "produced",
        "progress",
        "ready",
        "resident",
        "response",
        "room",
        "root",
        "seq",
        "small",
        "started",
        "supplied",
        "trigger",
        "trigger_large",
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
        self.trigger_large: Large | None = None
        self.pins: dict[str, Any] = {}
        self.context: RunContext
        self.params: dict[str, Any] = {}
        self.vars: dict[str, Variable] = {}
        self.root = Frame(self, None, None, None, None)
        self.ready: deque[tuple[Frame, Node]] = deque()
        self.agenda: Agenda = deque()  # empty but while an action's end is settled; made once, since that is often
        self.open: dict[tuple[int, Iteration], Open] = {}
        self.loops: dict[tuple[int, Iteration], Loop] = {}
        self.limits: dict[tuple[int, Iteration], Limit] = {}
        self.end: End | None = None
        self.response: dict[str, Any] | None = None
        self.need: list[Large] = []
        self.room: int | None = None
        self.small = False
        self.apart = False
        self.produced = 0
        self.resident = 0
        self.supplied: set[tuple[int, int]] = set()
        self.pace: Pace | None = None
        self.progress: Progress | None = None
        self.heavy = False
        self.given: Given | None = None
        self.forced: Mapping[tuple[int, Iteration], Given] | None = None
        # Of the evaluation under way: the frame and action, how many draws of chance, the element of a data operation.
        self.frame = self.root
        self.node: Node | None = None
        self.draws = 0
        self.element: Any = None

    @property
    def revision(self) -> int:
        """The revision of the semantics that the run is of; the first one where its start does not say."""
        return self.pins.get("revision", 1)  # type: ignore[no-any-return]

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
        """The trigger's record; raises NeedValues while it is only stored."""
        return whole(self.trigger)

    def trigger_outputs(self) -> Any:
        """What the trigger gave; raises NeedValues, with the part that is at hand, while it is only stored."""
        trigger = self.trigger
        if trigger.__class__ is Large:
            part = trigger.part  # where it is stored apart as a whole, that is no object
            raise NeedValues([trigger], part.get("outputs") if part.__class__ is dict else None)
        return trigger.get("outputs")

    def callback_url(self, path: str) -> str:
        """Where the outside answers the webhook action at `path`: the host's base address, the run and a token."""
        return self.context.callback_url(path)

    def tracking_id(self, frame: Frame, node: Node) -> str:
        """A GUID that stays with the action: drawn from the seed and its path."""
        return str(uuid.UUID(bytes=draw(self.pins["seed"], self.plan.path(node, frame.it) + "\0tracking", 0, 16)))


def live_frames(state: State) -> list[Frame]:
    """Every frame that something in the run still refers to, each once."""
    seen: dict[int, Frame] = {id(state.root): state.root}
    seeds = [frame for frame, _ in state.ready] + [entry.frame for entry in state.open.values()]
    seeds += [loop.frame for loop in state.loops.values()]
    for seed in seeds:
        each: Frame | None = seed
        while each is not None and id(each) not in seen:
            seen[id(each)] = each
            each = each.parent
    return list(seen.values())
