"""A definition made ready to run: numbered nodes, boxes of siblings, compiled expressions.

Built by `build`, never changed afterwards.

A plan belongs to one version of a flow and is shared by all of its runs. Node numbers are what records refer to; they
follow document order, so the same definition always gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..cloud import Definition

if TYPE_CHECKING:
    from .records import Iteration
    from .state import Frame

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

Predecessor = tuple["Node", frozenset[int]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call addresses. `kind` is `http`, `connector` or `workflow`;

    `connector` and `name` as far as the definition tells them.

    `webhook`: the answer comes later, by a callback. `options` are the action's operationOptions, lower-case;
    `settings` its runtimeConfiguration, e.g. pagination and content transfer.
    """

    kind: str
    connector: str
    name: str
    webhook: bool
    options: frozenset[str]
    settings: dict[str, Any]


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
        "fail_at_limit",
        "gathered",
        "gathers",
        "index",
        "keep",
        "key",
        "kind",
        "loops",
        "name",
        "named",
        "noted",
        "op",
        "operation",
        "pointer",
        "predecessors",
        "prepare",
        "results",
        "segments",
        "successors",
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
        self.predecessors: tuple[Predecessor, ...] = ()
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
        self.gathered = False
        """Its outputs are read from outside of the Foreach that repeats it."""
        self.results = False
        """Of a Foreach: `result()` asks for it."""
        self.concurrency = 1
        self.fail_at_limit = False
        self.work: Work | None = None
        self.check: Work | None = None
        """Of an Until: its condition, evaluated in the frame of the iteration that has just ended."""
        self.prepare: Prepare | None = None
        self.operation: Operation | None = None
        self.variable = ""

    @property
    def inline(self) -> bool:
        """Its outputs become part of other values (lists, records), so a snapshot may not leave them elsewhere."""
        return self.keep or self.gathered

    def __repr__(self) -> str:
        return f"Node({self.index}, {self.name!r}, {self.type})"


@dataclass(slots=True)
class Plan:
    """A flow's definition, ready to run.

    `by_key` finds actions by canonical name (lower case, spaces as underscores).
    """

    definition: Definition
    root: Box
    nodes: list[Node] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    by_key: dict[str, Node] = field(default_factory=dict)
    connections: tuple[str, ...] = ()

    def path(self, node: Node, it: Iteration) -> str:
        """`/Scope/Loop[3]/Action`:

        names escaped as in JSON pointers, the iteration behind each loop that is around the action.
        """
        if it is None:
            return "/" + "/".join(name for name, _ in node.segments)
        indexes = list(it)
        last = len(node.segments) - 1
        path = ""
        for place, (name, loop) in enumerate(node.segments):
            path += f"/{name}[{indexes.pop(0)}]" if loop and place < last and indexes else f"/{name}"
        return path

    @property
    def answers(self) -> bool:
        """Whether the flow has a Response action, so that its caller waits for one."""
        return any(node.op == RESPONSE for node in self.nodes)
