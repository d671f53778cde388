"""A definition made ready to run: numbered nodes, boxes of siblings, compiled expressions.

Built by `build`, never changed afterwards.

A plan belongs to one version of a flow and is shared by all of its runs. Node numbers are what records refer to; they
follow document order, so the same definition always gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from ....cloud import Definition
from ....cloud.artifacts import Artifacts
from ....expressions import Observer
from ...contract.operations import Operation

if TYPE_CHECKING:
    from ...contract.records import Iteration
    from ..state import Frame
    from .tracking import Tracked

SIMPLE: Final = 0
"""Evaluated in one go, nothing else happens: Compose, data operations."""
VARIABLE: Final = 1
IF: Final = 2
SWITCH: Final = 3
FOREACH: Final = 4
UNTIL: Final = 5
SCOPE: Final = 6
TERMINATE: Final = 7
RESPONSE: Final = 8
CALL: Final = 9
"""An effect outside: HTTP, a connector, a child flow."""
WAIT: Final = 10

Outcome = tuple[int, str, Any, Any, "dict[str, Any] | None"]
"""What evaluating an action gave: status, code, inputs, outputs, error. Inputs None where the outputs tell them."""

Work = Callable[["Frame"], Outcome]
Prepare = Callable[["Frame"], tuple[Any, "int | None", "int | None", Any]]
"""Evaluates what goes outside: inputs, when a delay is over, when the limit lapses (ticks), and the retry policy."""

Guard = Callable[["Frame"], "Outcome | None"]
"""Evaluates whether an action may run: None, or the outcome with which it is skipped instead."""

Lapse = Callable[["Frame"], "int | None"]
"""Evaluates when a `limit.timeout` that starts now lapses, in ticks; None where there is none."""

Predecessor = tuple["Node", frozenset[int]]


class Box:
    """Sibling actions: the flow's body, a scope, a branch, the body of a loop. `owner` is None for the flow's body."""

    __slots__ = ("index", "nodes", "owner", "roots")

    def __init__(self, index: int, owner: Node | None) -> None:
        self.index = index
        self.owner = owner
        self.nodes: list[Node] = []
        self.roots: list[Node] = []


class Node:
    """One action of the plan."""

    __slots__ = (
        "box",
        "boxes",
        "check",
        "concurrency",
        "deferred",
        "expected",
        "fail_at_limit",
        "gathers",
        "guard",
        "index",
        "keep",
        "key",
        "kind",
        "last",
        "limit",
        "limited",
        "loops",
        "name",
        "named",
        "noted",
        "op",
        "operation",
        "path",
        "pointer",
        "predecessors",
        "prepare",
        "releases",
        "releases_early",
        "results",
        "segments",
        "successors",
        "tracked",
        "type",
        "variable",
        "work",
        "written_type",
    )

    def __init__(self, index: int, name: str, key: str, type: str, kind: str, pointer: str) -> None:
        self.index = index
        self.name = name
        self.key = key
        self.type = type
        self.written_type = type
        """The type in the definition's own spelling."""
        self.kind = kind
        self.pointer = pointer
        self.op = SIMPLE
        self.segments: tuple[tuple[str, bool], ...] = ()
        """Names on the way from the root, escaped, each with whether it is a loop whose index follows."""
        self.path = ""
        """The same as one text, where no loop is around it."""
        self.predecessors: tuple[Predecessor, ...] = ()
        self.expected: tuple[str, ...] = ()
        """The statuses that each of the predecessors may have, as text."""
        self.successors: tuple[Node, ...] = ()
        self.box: Box
        self.boxes: tuple[Box, ...] = ()
        self.loops: tuple[Node, ...] = ()
        """The Foreach and Until nodes around it, outermost first."""
        self.named = False
        """Some expression may read its outputs; those of other actions are not kept in memory."""
        self.keep = False
        """Some expression may read its record (`actions()`, `result()`)."""
        self.noted = False
        """It or an action inside of it is kept: what is skipped has to be noted even if nobody watches."""
        self.gathers: tuple[int, ...] = ()
        """Of a Foreach: the actions in it whose outputs are read after the loop, as one list."""
        self.releases: tuple[tuple[int, int], ...] = ()
        """When it is over: the actions of whose readers it is one, and how many readers they have (`liveness`)."""
        self.releases_early: tuple[tuple[int, int], ...] = ()
        """Of a Foreach: the same, as soon as its items are evaluated."""
        self.results = False
        """Of a Foreach: `result()` asks for it."""
        self.last = index
        """The number of the last action inside of it; its own where it holds none."""
        self.limit: Lapse | None = None
        """Of a container with a `limit.timeout`."""
        self.limited = False
        """It is inside of a container with a `limit.timeout`, which may end it."""
        self.concurrency = 1
        self.fail_at_limit = False
        self.deferred = False
        """Of a Response: Asynchronous, the caller is told to come back for it."""
        self.tracked: Tracked | None = None
        """Of an action with `trackedProperties`, see `tracking`."""
        self.guard: Guard | None = None
        """Of an action with `conditions` (schema of 2015)."""
        self.work: Work | None = None
        self.check: Work | None = None
        """Of an Until: its condition, evaluated in the frame of the iteration that has just ended."""
        self.prepare: Prepare | None = None
        self.operation: Operation | None = None
        self.variable = ""

    def __repr__(self) -> str:
        return f"Node({self.index}, {self.name!r}, {self.type})"


@dataclass(slots=True)
class Plan:
    """A flow's definition, ready to run.

    `by_key` finds actions by canonical name (lower case, spaces as underscores). `artifacts` are the version's maps
    and schemas; the kernel never reads them.
    """

    kind: ClassVar[Literal["cloud"]] = "cloud"
    """Which machine drives its runs, see `machine`."""

    definition: Definition
    root: Box
    nodes: list[Node] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    by_key: dict[str, Node] = field(default_factory=dict)
    connections: tuple[str, ...] = ()
    reads: set[tuple[int, int, bool]] = field(default_factory=set)
    """Who reads what of another action: reader, action, and whether the reader is a loop that looks into its body."""
    computes_names: bool = False
    """Some expression computes a name, so that anything may be read at any time."""
    listens: bool = False
    """It has an action that is called back."""
    answers: bool = False
    """It has a Response action, so that its caller waits for one."""
    secretive: bool = False
    """Its runs keep secrets, see `secrecy`."""
    artifacts: Artifacts = field(default_factory=dict)
    document: tuple[Any, str, str] | None = None
    """What it was made of, where another process may have to make it: definition, dialect and pointer."""
    observers: Mapping[str, Observer] = field(default_factory=dict)
    """Of a plan that is made for a trace: by an action's key, who is told what its expressions evaluate."""

    def path(self, node: Node, it: Iteration) -> str:
        """`/Scope/Loop[3]/Action`:

        names escaped as in JSON pointers, the iteration behind each loop that is around the action.
        """
        if it is None:
            return node.path
        indexes = list(it)
        last = len(node.segments) - 1
        path = ""
        for place, (name, loop) in enumerate(node.segments):
            path += f"/{name}[{indexes.pop(0)}]" if loop and place < last and indexes else f"/{name}"
        return path
