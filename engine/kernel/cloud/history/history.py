"""The history of a run as its owner sees it: every action with its path, status, inputs, outputs and times.

Records leave out what follows from others (skips, ends of scopes); this watcher is told of those too and so shows
them all. It is used live, and by folding stored records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

from ....revocable import Revocable
from ...contract.large_values import rough_size
from ...contract.records import Iteration
from ...contract.status import NAMES, RUNNING, SKIPPED, WAITING
from ...contract.timing import iso
from ..action_views import record_of
from ..plan.plan import Node, Plan
from ..state import Frame, Info, State, live_frames
from .counters import Tally
from .secured import Secured

KEPT: Final = 4_096
"""Actions of which a history in memory is a convenience; more of them are read from the store again."""

KEPT_BYTES: Final = 8 << 20
"""The same for the bytes of their values, roughly."""


@dataclass(slots=True, repr=False)
class Entry(Revocable):
    """One action, in one iteration. Times are ticks; `attempts` counts the calls made, 1 for what is not a call.
    `number` is its place in the order in which actions start, from 0.

    While a call waits for its next attempt, `retry_due` says until when and `retries` how many there may be. `tracked`
    are its tracked properties, `tracking_error` says why there are none.
    """

    kind: ClassVar[Literal["cloud"]] = "cloud"
    """Which machine's history it is of."""

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
    number: int = 0
    counted: bool = False
    """Set by whoever counts ends: a follower may be told of one twice."""

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
    """Collects entries in the order in which actions started or were skipped, and counts them.

    `changed` is called with each new or changed entry. Not more than `keep` entries are kept, and KEPT_BYTES of values:
    beyond that none are, and `complete` is False; whoever was told of an entry still has it. `long` are those that
    ended when KEPT others had started after them, by number: whoever goes through the history again in the order of
    starts would have to wait for them.
    """

    def __init__(self, plan: Plan, changed: Callable[[Entry], None] | None = None, *, keep: int | None = None) -> None:
        self.plan = plan
        self.entries: list[Entry] = []
        self.tally = Tally()
        self.complete = keep != 0
        self.long: dict[int, Entry] = {}
        self._keep = keep
        self._bytes = 0
        self._changed = changed

    @cached_property
    def secured(self) -> Secured:
        """What must not be shown of the run."""
        return Secured(self.plan.definition)

    def under_way(self, state: State) -> list[Entry]:
        """The entries of actions that have not ended."""
        watched = (frame.watched for frame in live_frames(state))
        return [entry for entries in watched for entry in entries.values() if entry.end is None]

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
        self.tally.end(entry, at)
        self._tell(entry)
        if self._keep is not None:
            self._let_go(frame, entry)

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
        path = self.plan.path(node, frame.it)
        entry = Entry(path, node, frame.it, start=at, secured=self.secured, number=self.tally.begin(at))
        frame.watched[node.index] = entry
        if self.complete:
            self.entries.append(entry)
            if self._keep is not None and len(self.entries) > self._keep:
                self._give_up()
        return entry

    def _let_go(self, frame: Frame, entry: Entry) -> None:
        """What has ended is counted and told of: it is kept only as long as everything is, or if it took long."""
        if self.complete:
            self._bytes += rough_size((entry.inputs, entry.outputs), KEPT_BYTES)
            if self._bytes > KEPT_BYTES:
                self._give_up()
            return
        if self.tally.total - entry.number > KEPT:
            self.long[entry.number] = entry
        # The frame may be there for long; all it needs is that this is over.
        frame.watched[entry.node.index] = Entry(
            entry.path, entry.node, entry.it, entry.status, entry.code, end=entry.end, number=entry.number
        )

    def _give_up(self) -> None:
        self.complete = False
        self.entries.clear()

    def _tell(self, entry: Entry) -> None:
        if self._changed is not None:
            self._changed(entry)


def _known(frame: Frame, node: Node) -> Entry | None:
    """The entry of an action that has started: kept with its frame, so that it is found as long as anything happens."""
    entry: Entry | None = frame.watched.get(node.index)
    return entry
