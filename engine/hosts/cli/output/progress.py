"""What a run's progress looks like, one line an action: a fold over history entries that only makes text.

Actions in branches and scopes are indented below their container; what happens in loops is collapsed to a counter,
failures aside. Where the lines go, and whether anything is redrawn, is the matter of `display`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ....errors import SealflowError
from ....kernel import Entry, Node
from ....kernel.cloud.action_views import CONDITION
from ....kernel.cloud.plan.plan import FOREACH, IF, SCOPE, SWITCH, UNTIL, WAIT
from ....kernel.contract.status import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT, WAITING
from ....kernel.contract.timing import SECOND, from_iso, later
from .writing import one_line

if TYPE_CHECKING:
    from ....kernel.desktop.history import LogRow
    from .script_progress import ScriptLines

SHOWN_FAILURES: Final = 5
"""Failures inside of one loop that get their own line."""

REPORT_PERIOD: Final = 5 * SECOND
"""Ticks between two lines about the same loop where nothing can be redrawn."""

_BLOCKS: Final = frozenset({IF, SWITCH, SCOPE})
_LOOPS: Final = frozenset({FOREACH, UNTIL})
_CONTAINERS: Final = _BLOCKS | _LOOPS
_WORDS: Final = {FAILED: "failed", TIMED_OUT: "timed out", CANCELLED: "cancelled"}
_WHY_SKIPPED: Final = {
    CONDITION: "what it runs after ended otherwise",
    "ActionDependencyFailed": "the container around it did not start",
    "ActionBranchingConditionNotSatisfied": "branch not taken",
    "ActionResponseSkipped": "nobody waits for a response",
    "Terminated": "the run had ended",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `symbol` and `text`, `depth` levels in, in a colour of `output.paint` or none."""

    depth: int
    symbol: str
    text: str
    colour: str = ""

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{self.symbol} {self.text}"


@dataclass(slots=True)
class _Loop:
    """The counter of an outermost loop."""

    entry: Entry
    total: int | None
    iterations: int = 0
    actions: int = 0
    failures: int = 0
    retries: int = 0
    retrying: dict[str, int] = field(default_factory=dict)
    """How often an action that has not ended yet was tried again, by path."""
    told_at: int = 0


class Progress:
    """Takes entries as they change, gives the lines to print; `current` is what is under way.

    `now` gives the time in ticks where it passes as on the wall; without it (a simulation) nothing is said of waiting
    times.
    """

    def __init__(self, *, now: Callable[[], int] | None = None, full: bool = False) -> None:
        self._now = now
        self._longest = 0 if full else 200
        self._open: dict[str, Entry] = {}
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._skipped: set[str] = set()
        self._retries: dict[str, int] = {}
        self._loops: dict[tuple[int, Any], _Loop] = {}
        self._full = full
        self._row: LogRow | None = None
        self._row_ended = -1

    @cached_property
    def _rows(self) -> ScriptLines:
        from .script_progress import ScriptLines

        return ScriptLines(full=self._full)

    def take(self, entry: Entry | LogRow) -> list[Line]:
        """The lines that this change of an action is worth."""
        if entry.kind == "desktop":
            return self._script(entry)
        if entry.node.loops and entry.it is not None:
            return self._inside(entry)
        if entry.status == SKIPPED:
            return self._skip(entry)
        # A follower hears of a start when the entry may have its end already; containers still open before they close.
        opens = entry.node.op in _CONTAINERS and entry.path not in self._begun
        return self._under_way(entry) if entry.end is None or opens else self._end(entry)

    def current(self) -> list[Line]:
        """What is going on right now: calls, delays and loops, in the order of their start."""
        if self._row is not None:
            return [Line(0, "…", self._rows.text(self._row), "cyan")]
        return [self._current(entry) for entry in self._open.values()]

    def periodic(self) -> list[Line]:
        """Counters of loops that have not been told of for a while, for where nothing is redrawn."""
        lines: list[Line] = []
        if self._now is None:
            return lines
        now = self._now()
        for loop in self._loops.values():
            if loop.told_at == 0:
                loop.told_at = now
            elif now - loop.told_at >= REPORT_PERIOD and loop.entry.end is None:
                loop.told_at = now
                lines.append(self._current(loop.entry))
        return lines

    # ---- a row of a desktop flow

    def _script(self, row: LogRow) -> list[Line]:
        if row.number <= self._row_ended:
            return []  # told already: whoever was told of its start may see its end
        self._row = row if row.end is None else None
        if row.end is not None:
            self._row_ended = row.number
        if not self._rows.is_told(row):
            return []
        text = self._rows.text(row)
        if row.end is None:
            again = f"{text} retry {row.attempts - 1}/{row.retries}"
            return [Line(0, "↻", f"{again} ({row.code})" if row.code else again, "yellow")]
        took = row.end - row.start
        details = f" {duration_text(took)}" if took >= 10_000 else ""
        if row.status == SUCCEEDED:
            return [Line(0, "✓", f"{text}{details}", "green")]
        error = row.error or {}
        reason = one_line(f"{error.get('code', row.code)}: {error.get('message', '')}", self._longest)
        return [Line(0, "✗", f"{text} {_WORDS.get(row.status, 'ended')}{details}: {reason}", "red")]

    # ---- one action

    def _under_way(self, entry: Entry) -> list[Line]:
        node = entry.node
        depth = _depth(node)
        if entry.path not in self._begun:
            self._begun.add(entry.path)
            if node.op in _BLOCKS:
                return [Line(depth, "▸", _name(node), "cyan")]
            self._open[entry.path] = entry
            if node.op in _LOOPS:
                self._loops[(node.index, entry.it)] = _Loop(entry, _length(entry))
            elif node.op == WAIT and self._waits_on(_due(entry)):
                return [self._current(entry)]
            return []
        if entry.retry_due is not None and self._retries.get(entry.path) != entry.attempts:
            self._retries[entry.path] = entry.attempts
            return [self._current(entry)]
        return [self._current(entry)] if entry.status == WAITING else []

    def _end(self, entry: Entry) -> list[Line]:
        node = entry.node
        self._open.pop(entry.path, None)
        if entry.path in self._ended:
            return []
        self._ended.add(entry.path)
        return [self._ended_line(entry, _depth(node), _name(node))]

    def _ended_line(self, entry: Entry, depth: int, name: str) -> Line:
        took = (entry.end or entry.start) - entry.start
        details = [duration_text(took)] if took >= 10_000 else []
        loop = self._loops.pop((entry.node.index, entry.it), None) if entry.node.op in _LOOPS else None
        if loop is not None:
            details.insert(0, self._counted(loop))
        if entry.attempts > 1:
            details.append(f"{entry.attempts} attempts")
        if entry.status == SUCCEEDED:
            return Line(depth, "✓", f"{name} {', '.join(details)}".rstrip(), "green")
        text = f"{name} {_WORDS.get(entry.status, 'ended')}" + (f" ({', '.join(details)})" if details else "")
        reason = _reason(entry)
        if reason:
            text += f": {one_line(reason, self._longest)}"
        return Line(depth, "✗", text, "red")

    def _skip(self, entry: Entry) -> list[Line]:
        if entry.path in self._skipped:
            return []
        self._skipped.add(entry.path)
        if entry.path.rpartition("/")[0] in self._skipped:
            return []  # its container's line says it
        code = (entry.error or {}).get("code", "")
        conditional = code == CONDITION and entry.node.guard is not None
        reason = "its conditions are not met" if conditional else _WHY_SKIPPED.get(code, "")
        return [
            Line(_depth(entry.node), "-", f"{_name(entry.node)} skipped" + (f" ({reason})" if reason else ""), "dim")
        ]

    def _current(self, entry: Entry) -> Line:
        depth, name = _depth(entry.node), _name(entry.node)
        if entry.retry_due is not None:
            number = entry.attempts
            most = entry.retries
            text = f"{name} retry {number}/{most}"
            if self._waits_on(entry.retry_due) and self._now is not None:
                text += f" in {duration_text(entry.retry_due - self._now())}"
            return Line(depth, "↻", f"{text} ({entry.code})" if entry.code else text, "yellow")
        if entry.status == WAITING:
            return Line(depth, "…", f"{name} waits for its callback", "cyan")
        loop = self._loops.get((entry.node.index, entry.it))
        if loop is not None:
            return Line(depth, "…", f"{name} {self._counted(loop)}", "cyan")
        due = _due(entry)
        if due is not None and self._waits_on(due):
            return Line(depth, "…", f"{name} until {clock_text(due)}", "cyan")
        return Line(depth, "…", name, "cyan")

    def _waits_on(self, due: int | None) -> bool:
        return due is not None and self._now is not None and due - self._now() > SECOND // 2

    # ---- loops

    def _inside(self, entry: Entry) -> list[Line]:
        """An action in an iteration: only the counter of the outermost loop around it moves."""
        node = entry.node
        it = entry.it or ()
        key = (node.loops[0].index, it[: len(it) - len(node.loops)] or None)
        loop = self._loops.get(key)
        if loop is None:
            return []
        loop.iterations = max(loop.iterations, it[len(it) - len(node.loops)] + 1)
        if entry.counted:
            return []
        if entry.end is None:
            if entry.retry_due is not None:
                loop.retrying[entry.path] = entry.attempts
            return []
        entry.counted = True  # rather than a set of paths: there may be very many
        if entry.status == SKIPPED:
            return []
        # What was seen on the way may be less than there was.
        loop.retrying.pop(entry.path, None)
        loop.retries += entry.attempts - 1
        loop.actions += 1
        if entry.status not in (FAILED, TIMED_OUT) or entry.code == "ActionFailed":
            return []
        loop.failures += 1
        if loop.failures > SHOWN_FAILURES:
            return []
        label = one_line(entry.path.removeprefix(loop.entry.path.rpartition("/")[0]).lstrip("/"))
        return [self._ended_line(entry, _depth(loop.entry.node) + 1, label)]

    def _counted(self, loop: _Loop) -> str:
        if loop.total is not None:
            text = f"{loop.iterations}/{loop.total}" if loop.entry.end is None else _count(loop.total, "iteration")
        else:
            text = _count(loop.iterations, "iteration")
        text += f", {_count(loop.actions, 'action')}"
        if loop.failures:
            text += f", {loop.failures} failed"
        retries = loop.retries + sum(loop.retrying.values())
        if retries:
            text += f", {_count(retries, 'retry')}"
        return text


def _depth(node: Node) -> int:
    return len(node.segments) - 1


def _name(node: Node) -> str:
    return one_line(node.name, 80)


def _length(entry: Entry) -> int | None:
    return len(entry.inputs) if entry.node.op == FOREACH and isinstance(entry.inputs, list) else None


def _count(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what[:-1]}ies" if what.endswith("ry") else f"{number:,} {what}s"


def _reason(entry: Entry) -> str:
    """Code and message of a failure; of a container only what its actions do not say already."""
    error = entry.shown_error or {}
    code, message = entry.code or error.get("code") or "", str(error.get("message") or "")
    if code == "ActionFailed" and entry.node.op in _CONTAINERS:
        return ""
    return f"{code}: {message}" if code and message else str(code or message)


def _due(entry: Entry) -> int | None:
    """When a delay ends, from its inputs."""
    if entry.node.op != WAIT or "inputs" in entry.hidden or not isinstance(entry.inputs, dict):
        return None
    interval, until = entry.inputs.get("interval"), entry.inputs.get("until")
    try:
        if isinstance(interval, dict):
            return later(entry.start, interval.get("count"), interval.get("unit"))
        return from_iso(until.get("timestamp")) if isinstance(until, dict) else None
    except SealflowError:
        return None


def duration_text(ticks: int) -> str:
    """`12 ms`, `1.2 s`, `2 min 3 s`, `1 h 2 min` for a time in ticks."""
    milliseconds = max(ticks, 0) // 10_000
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def clock_text(at: int) -> str:
    """A time in ticks as the clock on the wall shows it, with the date when it is not today."""
    moment = time.localtime(at // SECOND)
    today = time.localtime()
    near = (moment.tm_year, moment.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M:%S" if near else "%Y-%m-%d %H:%M:%S", moment)
