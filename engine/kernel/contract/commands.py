"""What a run asks of its host: values without any state of the run.

Commands belong to the commit of the page that decided them, and are released by it, never earlier. A command is named
by its action's path and attempt. Whether to repeat one after a crash is the host's decision, by its operation's class.
"""

from __future__ import annotations

from typing import Any, Final

from .operations import Operation
from .records import Iteration
from .run_context import RunContext

CONDITION: Final = "Condition"
"""The output in which an action that a script's IF, WAIT or LOOP WHILE asks gives its answer, True or False."""


class Command:
    """What all commands have: the action, its iteration and attempt, and the context of the run.

    `node` is the action in the plan of the run's version.
    """

    __slots__ = ("attempt", "context", "it", "node", "path")

    def __init__(self, context: RunContext, node: Any, it: Iteration, attempt: int) -> None:
        self.context = context
        self.node = node
        self.it = it
        self.attempt = attempt
        self.path: str = node.path if it is None else context.plan.path(node, it)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path}#{self.attempt})"


class Invoke(Command):
    """Do it: an HTTP request, a connector's operation, a child flow. Answer with `records.result`.

    `deadline` (ticks or None): when it is past, feed `records.deadline` and give the call up. `unsubscribes`: this is
    the request with which a webhook action leaves. `handlers`: of a desktop flow that keeps screenshots, the error
    handlers around the call; otherwise None.
    """

    __slots__ = ("deadline", "handlers", "inputs", "operation", "unsubscribes")

    def __init__(
        self,
        context: RunContext,
        node: Any,
        it: Iteration,
        attempt: int,
        inputs: Any,
        deadline: int | None,
        *,
        unsubscribes: bool = False,
    ) -> None:
        self.context = context
        self.node = node
        self.it = it
        self.attempt = attempt
        self.path = node.path if it is None else context.plan.path(node, it)
        self.operation: Operation = node.operation
        self.inputs = inputs
        self.deadline = deadline
        self.unsubscribes = unsubscribes
        self.handlers: tuple[Any, ...] | None = None

    @property
    def key(self) -> str:
        """The idempotency key: the same for every attempt of this action in this run."""
        return self.context.unsubscribe_key(self.path) if self.unsubscribes else self.context.key(self.path)

    @property
    def callback_url(self) -> str:
        """Of a webhook action: where its answer is expected, a secret; "" for other calls."""
        return self.context.callback_url(self.path) if self.operation.webhook else ""

    @property
    def child_id(self) -> bytes:
        """Of a child flow: the id its run must have."""
        return self.context.child_id(self.path, self.attempt)


class Sleep(Command):
    """Wake this action at `due` (ticks) with `records.timer`."""

    __slots__ = ("due",)

    def __init__(self, context: RunContext, node: Any, it: Iteration, attempt: int, due: int) -> None:
        super().__init__(context, node, it, attempt)
        self.due = due


class Expire(Command):
    """A container's limit lapses at `due` (ticks): feed `records.deadline` then, if it is still in `state.limits`."""

    __slots__ = ("due",)

    def __init__(self, context: RunContext, node: Any, it: Iteration, due: int) -> None:
        super().__init__(context, node, it, 1)
        self.due = due


class Abandon(Command):
    """Give the call or the delay of this action up: the limit of a container around it has lapsed.

    Nothing is to be fed; a result that comes all the same is ignored.
    """


class Listen(Command):
    """Wait for this action's callback: `records.callback`. At `deadline` (ticks or None) feed `records.deadline`."""

    __slots__ = ("deadline",)

    def __init__(self, context: RunContext, node: Any, it: Iteration, attempt: int, deadline: int | None) -> None:
        super().__init__(context, node, it, attempt)
        self.deadline = deadline


class Respond(Command):
    """Answer the caller: {"statusCode", "headers", "body"?}."""

    __slots__ = ("response",)

    def __init__(self, context: RunContext, node: Any, it: Iteration, response: dict[str, Any]) -> None:
        super().__init__(context, node, it, 1)
        self.response = response
