"""The history of a run as its owner sees it: every action with its path, status, inputs, outputs and times.

Records leave out what follows from others (skips, ends of scopes); this watcher is told of those too and so shows
them all. It is used live, and by folding stored records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .plan import Node, Plan
from .records import Iteration
from .secured import Secured
from .state import Frame
from .status import NAMES, RUNNING
from .timing import iso


@dataclass(slots=True)
class Entry:
    """One action, in one iteration. Times are ticks; `attempts` counts the calls made, 1 for what is not a call.

    While a call waits for its next attempt, `retry_due` says until when and `retries` how many there may be.
    """

    path: str
    node: Node
    it: Iteration
    status: int = RUNNING
    code: str | None = None
    inputs: Any = None
    outputs: Any = None
    error: dict[str, Any] | None = None
    start: int = 0
    end: int | None = None
    attempts: int = 1
    retry_due: int | None = None
    retries: int = 0

    def to_json(self, secured: Secured | None = None) -> dict[str, Any]:
        """As the interfaces show it. Values that the definition secures are null, and `secured` names them."""
        entry: dict[str, Any] = {
            "path": self.path,
            "name": self.node.name,
            "type": self.node.written_type,
            "status": NAMES[self.status],
            "code": self.code,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "error": self.error,
            "start": iso(self.start),
            "end": iso(self.end) if self.end is not None else None,
            "attempts": self.attempts,
        }
        return secured.hide(entry, self.node) if secured is not None else entry


class History:
    """Collects entries in the order in which actions started or were skipped.

    `changed` is called with each new or changed entry.
    """

    def __init__(self, plan: Plan, changed: Callable[[Entry], None] | None = None) -> None:
        self.plan = plan
        self.entries: list[Entry] = []
        self._known: dict[tuple[int, Iteration], Entry] = {}
        self._changed = changed

    def started(self, frame: Frame, node: Node, at: int, inputs: Any) -> None:
        entry = self._entry(frame, node, at)
        entry.inputs = inputs
        self._tell(entry)

    def ended(
        self, frame: Frame, node: Node, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
    ) -> None:
        entry = self._known.get((node.index, frame.it)) or self._entry(frame, node, at)
        entry.status, entry.code, entry.error, entry.end = status, code, error, at
        entry.retry_due = None
        if outputs is not None:
            entry.outputs = outputs
        self._tell(entry)

    def retrying(self, frame: Frame, node: Node, at: int, attempt: int, due: int, code: str, most: int) -> None:
        entry = self._known[(node.index, frame.it)]
        entry.retry_due = due
        entry.retries = most
        entry.code = code
        self._tell(entry)

    def retried(self, frame: Frame, node: Node, at: int, attempt: int) -> None:
        entry = self._known[(node.index, frame.it)]
        entry.attempts = attempt
        entry.retry_due = None
        self._tell(entry)

    def is_over(self, frame: Frame, node: Node) -> bool:
        entry = self._known.get((node.index, frame.it))
        return entry is not None and entry.end is not None

    def _entry(self, frame: Frame, node: Node, at: int) -> Entry:
        entry = Entry(self.plan.path(node, frame.it), node, frame.it, start=at)
        self._known[(node.index, frame.it)] = entry
        self.entries.append(entry)
        return entry

    def _tell(self, entry: Entry) -> None:
        if self._changed is not None:
            self._changed(entry)
