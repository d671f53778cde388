"""The history of a run as its owner sees it: every action with its path, status, inputs, outputs and times.

Records leave out what follows from others (skips, ends of scopes); this watcher is told of those too and so shows
them all. It is used live, and by folding stored records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .notes import record_of
from .plan import Node, Plan
from .records import Iteration
from .secured import Secured
from .state import Frame, Info
from .status import NAMES, RUNNING, SKIPPED, WAITING
from .timing import iso


@dataclass(slots=True)
class Entry:
    """One action, in one iteration. Times are ticks; `attempts` counts the calls made, 1 for what is not a call.

    While a call waits for its next attempt, `retry_due` says until when and `retries` how many there may be. `tracked`
    are its tracked properties, `tracking_error` says why there are none.
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
    tracked: Any = None
    tracking_error: dict[str, Any] | None = None
    secured: Secured | None = None

    @property
    def hidden(self) -> frozenset[str]:
        """What must not be shown of it: `inputs`, `outputs`, both or nothing."""
        return self.secured.of(self.node.key) if self.secured is not None else frozenset()

    @property
    def shown_error(self) -> dict[str, Any] | None:
        """Its error as it may be shown."""
        if self.error is None or self.secured is None:
            return self.error
        return self.secured.error(self.error, self.node.key, evaluated=self.inputs is not None)

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
        if self.node.tracked is not None:
            entry["trackedProperties"] = self.tracked
            if self.tracking_error is not None:
                entry["trackingError"] = self.tracking_error
        return secured.hide(entry, self.node) if secured is not None else entry


class History:
    """Collects entries in the order in which actions started or were skipped.

    `changed` is called with each new or changed entry.
    """

    def __init__(self, plan: Plan, changed: Callable[[Entry], None] | None = None) -> None:
        self.plan = plan
        self.entries: list[Entry] = []
        self._changed = changed

    @cached_property
    def secured(self) -> Secured:
        """What must not be shown of the run."""
        return Secured(self.plan.definition)

    def started(self, frame: Frame, node: Node, at: int, inputs: Any) -> None:
        entry = self._entry(frame, node, at)
        entry.inputs = inputs
        self._tell(entry)

    def ended(
        self, frame: Frame, node: Node, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
    ) -> None:
        entry = _known(frame, node) or self._entry(frame, node, at)
        entry.status, entry.code, entry.error, entry.end = status, code, error, at
        entry.retry_due = None
        if outputs is not None:
            entry.outputs = outputs
        if node.tracked is not None and status != SKIPPED:
            info = Info(entry.start)
            info.ended, info.status, info.code, info.error, info.inputs = at, status, code, error, entry.inputs
            record = record_of(frame, node, info, entry.outputs)
            entry.tracked, entry.tracking_error = node.tracked(frame, record)
        self._tell(entry)

    def retrying(self, frame: Frame, node: Node, at: int, attempt: int, due: int, code: str, most: int) -> None:
        entry = frame.watched[node.index]
        entry.retry_due = due
        entry.retries = most
        entry.code = code
        self._tell(entry)

    def retried(self, frame: Frame, node: Node, at: int, attempt: int) -> None:
        entry = frame.watched[node.index]
        entry.attempts = attempt
        entry.retry_due = None
        self._tell(entry)

    def subscribed(self, frame: Frame, node: Node, at: int, code: str) -> None:
        entry = frame.watched[node.index]
        entry.status, entry.code = WAITING, code
        self._tell(entry)

    def is_over(self, frame: Frame, node: Node) -> bool:
        entry = _known(frame, node)
        return entry is not None and entry.end is not None

    def _entry(self, frame: Frame, node: Node, at: int) -> Entry:
        entry = Entry(self.plan.path(node, frame.it), node, frame.it, start=at, secured=self.secured)
        frame.watched[node.index] = entry
        self.entries.append(entry)
        return entry

    def _tell(self, entry: Entry) -> None:
        if self._changed is not None:
            self._changed(entry)


def _known(frame: Frame, node: Node) -> Entry | None:
    """The entry of an action that has started: kept with its frame, so that it is found as long as anything happens."""
    entry: Entry | None = frame.watched.get(node.index)
    return entry
