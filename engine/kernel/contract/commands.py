"""What a run asks of its host. Commands belong to the commit of the page that decided them:

they are released by it, never earlier.

A command is named by its action's path and attempt. Repeating one after a crash is the host's decision, by its
operation's class.
"""

from __future__ import annotations

from typing import Any, Final

from ..cloud.plan.plan import Node, Operation
from ..cloud.state import State
from .randomness import Keys, child_run_id, unsubscribe_key
from .records import Iteration

CONDITION: Final = "Condition"
"""The output in which an action that a script's IF, WAIT or LOOP WHILE asks gives its answer, True or False."""


class Command:
    """What all commands share: which action, in which iteration, which attempt of it."""

    __slots__ = ("attempt", "it", "node", "state")

    def __init__(self, state: State, node: Node, it: Iteration, attempt: int) -> None:
        self.state = state
        self.node = node
        self.it = it
        self.attempt = attempt

    @property
    def path(self) -> str:
        return self.state.plan.path(self.node, self.it)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path}#{self.attempt})"


class Invoke(Command):
    """Do it: an HTTP request, a connector's operation, a child flow. Answer with `records.result`.

    `deadline` (ticks or None): when it is past, feed `records.deadline` and give the call up. `unsubscribes`: this is
    the request with which a webhook action leaves.
    """

    __slots__ = ("deadline", "inputs", "operation", "unsubscribes")

    def __init__(
        self,
        state: State,
        node: Node,
        it: Iteration,
        attempt: int,
        inputs: Any,
        deadline: int | None,
        *,
        unsubscribes: bool = False,
    ) -> None:
        self.state = state
        self.node = node
        self.it = it
        self.attempt = attempt
        self.operation: Operation = node.operation  # type: ignore[assignment] # whose action makes a call
        self.inputs = inputs
        self.deadline = deadline
        self.unsubscribes = unsubscribes

    @property
    def key(self) -> str:
        """The idempotency key: the same for every attempt of this action in this run."""
        return self.key_at(self.path)

    def key_at(self, path: str) -> str:
        """The same, where `path` is known by then."""
        state = self.state
        if self.unsubscribes:
            return unsubscribe_key(state.pins["seed"], path)
        keys = state.keys
        if keys is None:
            keys = state.keys = Keys(state.pins["seed"])
        return keys.of(path)

    @property
    def callback_url(self) -> str:
        """Of a webhook action: where its answer is expected, a secret; "" for other calls."""
        if not self.operation.webhook:
            return ""
        return self.state.callback_url(self.path)

    @property
    def child_id(self) -> bytes:
        """Of a child flow: the id its run must have."""
        return child_run_id(self.state.pins["seed"], self.path, self.attempt, self.state.started)


class Sleep(Command):
    """Wake this action at `due` (ticks) with `records.timer`."""

    __slots__ = ("due",)

    def __init__(self, state: State, node: Node, it: Iteration, attempt: int, due: int) -> None:
        super().__init__(state, node, it, attempt)
        self.due = due


class Expire(Command):
    """A container's limit lapses at `due` (ticks): feed `records.deadline` then, if it is still in `state.limits`."""

    __slots__ = ("due",)

    def __init__(self, state: State, node: Node, it: Iteration, due: int) -> None:
        super().__init__(state, node, it, 1)
        self.due = due


class Abandon(Command):
    """Give the call or the delay of this action up: the limit of a container around it has lapsed.

    Nothing is to be fed; a result that comes all the same is ignored.
    """


class Listen(Command):
    """Wait for this action's callback: `records.callback`. At `deadline` (ticks or None) feed `records.deadline`."""

    __slots__ = ("deadline",)

    def __init__(self, state: State, node: Node, it: Iteration, attempt: int, deadline: int | None) -> None:
        super().__init__(state, node, it, attempt)
        self.deadline = deadline


class Respond(Command):
    """Answer the caller: {"statusCode", "headers", "body"?}."""

    __slots__ = ("response",)

    def __init__(self, state: State, node: Node, it: Iteration, response: dict[str, Any]) -> None:
        super().__init__(state, node, it, 1)
        self.response = response
