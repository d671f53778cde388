"""The history of a desktop flow as its owner sees it: a row of the run log for every row of the script that ran.

Rows that leave no record (jumps, ENDs, iterations) are told as well. Inputs of rows that a record does not hold are
evaluated once more from the variables as they were before the row, as a trace does it; what is a sensitive variable's
value, or was computed of one, is not shown. Which rows are kept follows from the flow's log settings: how much, and how
many; they decide what is shown, never what is recorded.

Source: desktop flow logs (configure-desktop-flow-logs): verbosity Full, Debug, Custom, Warning, Error; the fields are
those of the action log, version 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, cast

from ...datatypes import DataTable, Datum, Item, restored
from ...desktop.catalog.secret_arguments import is_secret
from ...desktop.expressions.conversions import to_text
from ...desktop.expressions.culture import INVARIANT
from ...revocable import Revocable
from ..cloud.history.counters import Tally
from ..cloud.history.secured import Secured
from ..contract.records import Iteration
from ..contract.status import FAILED, NAMES, RUNNING, SUCCEEDED
from ..contract.timing import iso
from .plan import CALL, COUNT, DELAY, DERIVED, EACH, RETRIED_CALL, Instruction, ScriptPlan
from .state import ScriptOpen, ScriptState

MASK: Final = "•••"
"""What stands in place of a sensitive value."""

_ITEMS: Final = 100
"""Items of a list, and rows of a table, that the log shows; `_LETTERS` characters of a text."""
_LETTERS: Final = 10_000

_LEVELS: Final = ("full", "debug", "custom", "warning", "error")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`verbosity` as the flow has it, in any case; `limit` is how many rows are kept, the first ones."""

    verbosity: str = "Full"
    limit: int = 50_000

    def keeps(self, row: LogRow) -> bool:
        """Whether the verbosity shows a row.

        Debug leaves out what evaluates nothing, Custom keeps log messages and failures, Warning and Error the messages
        of at least that level and failures.
        """
        level = _LEVELS.index(self.verbosity.lower()) if self.verbosity.lower() in _LEVELS else 0
        if level == 0 or row.status == FAILED:
            return True
        if level == 1:
            return row.node.op < DERIVED
        message = (row.log_level or "").lower()
        return bool(message) and (level == 2 or (message == "error" or (message == "warning" and level == 3)))


@dataclass(slots=True, repr=False)
class LogRow(Revocable):
    """One row of the log. Times are ticks; `inputs` and `outputs` by name: {"localizedName", "value", "variableName"}.

    Values are texts, as in the product's log, and long ones are cut; sensitive ones are masked already. The names are
    those of a cloud flow's `Entry`, so that whoever shows runs can show either.
    """

    kind: ClassVar[Literal["desktop"]] = "desktop"
    """Which machine's history it is of."""

    path: str
    node: Instruction
    it: Iteration
    start: int
    end: int | None = None
    status: int = RUNNING
    code: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    handling: bool = False
    attempts: int = 1
    retry_due: int | None = None
    retries: int = 0
    number: int = 0
    tracked: None = None
    tracking_error: None = None

    @property
    def log_level(self) -> str | None:
        """Of a log message its level."""
        if self.node.word.lower() != "logmessage":
            return None
        level = self.inputs.get("logLevel")
        return str(level["value"]).removesuffix("Level") if level is not None else "Info"

    @property
    def secured(self) -> None:
        """Which parts of it are secured: it has none, for the same reason as `hidden`."""
        return None

    @property
    def hidden(self) -> frozenset[str]:
        """What must not be shown of it: nothing, since values are masked one by one."""
        return frozenset()

    @property
    def shown_error(self) -> dict[str, Any] | None:
        """Its error as it may be shown."""
        return self.error

    def to_json(self, secured: object = None) -> dict[str, Any]:
        """As the interfaces show it: the fields of the product's log, and those that cloud flows' actions have too."""
        node = self.node
        start, end = iso(self.start), iso(self.end) if self.end is not None else None
        shown: dict[str, Any] = {
            "path": self.path,
            "name": node.name,
            "type": node.type,
            "index": node.row,
            "functionName": node.subflow,
            "systemActionName": node.word,
            "systemModuleName": node.module,
            "status": NAMES[self.status],
            "code": self.code,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "error": self.error,
            "insideErrorHandling": self.handling,
            "startTime": start,
            "endTime": end,
            "start": start,
            "end": end,
            "attempts": self.attempts,
        }
        if self.log_level is not None:
            shown["logLevel"] = self.log_level
        return shown


class ScriptHistory:
    """Collects the rows of a run; `changed` is called with each that is new or has changed.

    Not more than `keep` rows are kept: beyond that none are, and `complete` is False, as of a cloud flow's history.
    """

    def __init__(
        self,
        plan: ScriptPlan,
        changed: Callable[[LogRow], None] | None = None,
        *,
        keep: int | None = None,
        settings: LogSettings | None = None,
    ) -> None:
        self.plan = plan
        self.entries: list[LogRow] = []
        self.tally = Tally()
        self.complete = keep != 0
        self.long: dict[int, LogRow] = {}
        self.left_out = 0
        """Rows beyond the flow's limit, or below its verbosity."""
        self._keep = keep
        self._changed = changed
        self._settings = settings or LogSettings(plan.verbosity, plan.row_limit)
        self._current: LogRow | None = None

    @cached_property
    def secured(self) -> Secured:
        """What must not be shown of the run beside what is masked already: nothing."""
        return Secured(self.plan.definition)

    def under_way(self, state: ScriptState) -> list[LogRow]:
        """The row that has not ended, if there is one."""
        return [self._current] if self._current is not None and self._current.end is None else []

    def row(self, state: ScriptState, ins: Instruction, choice: Any) -> None:
        """A row is carried out now, and has had no effect yet."""
        if self._current is not None and self._current.node is ins and self._current.end is None:
            return  # a call, or a row that is tried again
        entry = self._begin(state, ins, (state.seq,))
        if ins.op >= DERIVED:
            if ins.op == CALL:
                entry.inputs = {"subflowName": _shown("Subflow name", ins.variable, "")}
            self._end(entry, state, SUCCEEDED, None)
        elif ins.op == COUNT and isinstance(choice, list):
            bounds: dict[str, Datum] = {name: choice[at] for at, (name, _) in enumerate(ins.arguments)}
            entry.inputs = self._inputs(ins, bounds)
        elif ins.op == EACH:
            entry.inputs = self._inputs(ins, {"valueToIterate": choice} if choice is not None else {})
        elif ins.op == RETRIED_CALL:
            entry.inputs = {"subflowName": _shown("Subflow name", ins.variable, "")}
        else:
            entry.inputs = self._inputs(ins, self._evaluated(state, ins))

    def done(self, state: ScriptState, ins: Instruction, values: Mapping[str, Datum]) -> None:
        """The row has succeeded, with these variables changed."""
        entry = self._current
        if entry is None:
            return
        if ins.outputs:
            for output, variable, _ in ins.outputs:
                if variable in values:
                    name = ins.labels.get(output) or self._argument(ins, output)
                    entry.outputs[_camel(name)] = self._output(variable, values[variable], name)
        else:
            for variable, value in values.items():
                entry.outputs["variable"] = self._output(variable, value, "Variable")
        self._end(entry, state, SUCCEEDED, None)

    def opened(self, state: ScriptState, open: ScriptOpen) -> None:
        """A call or a delay is under way."""
        entry = self._begin(state, open.node, open.frame.it)
        inputs = open.inputs if isinstance(open.inputs, dict) else {}
        names: dict[str, str] = {"seconds": "duration"} if open.node.op == DELAY else {}
        values: dict[str, Datum] = {}
        for name, value in inputs.items():
            values[names.get(name) or name] = restored(value)
        entry.inputs = self._inputs(open.node, values)
        self._tell(entry)

    def retrying(self, state: ScriptState, open: ScriptOpen, code: str) -> None:
        """The row is tried again later."""
        entry = self._current
        if entry is None or entry.node is not open.node or entry.end is not None:
            self.row(state, open.node, None)
            entry = self._current
            assert entry is not None  # noqa: S101
        entry.code, entry.retry_due = code, open.due
        entry.attempts = open.attempt + 1
        entry.retries = open.retry[0] if open.retry is not None else 0
        self._tell(entry)

    def failed(self, state: ScriptState, ins: Instruction, error: dict[str, Any]) -> None:
        """The row has failed."""
        self.row(state, ins, None)
        entry = self._current
        assert entry is not None  # noqa: S101
        entry.error = {"code": error["code"], "message": self.plan.message(ins, error["message"])}
        self._end(entry, state, FAILED, error["code"])

    def ended(self, state: ScriptState) -> None:
        """The run has ended; what was under way ends with it."""
        entry = self._current
        if entry is not None and entry.end is None and state.end is not None:
            self._end(entry, state, state.end.status, state.end.code)

    def _begin(self, state: ScriptState, ins: Instruction, it: Iteration) -> LogRow:
        path, number = self.plan.path(ins, it), self.tally.begin(state.now)
        self._current = LogRow(path, ins, it, state.now, handling=state.handling, number=number)
        return self._current

    def _end(self, entry: LogRow, state: ScriptState, status: int, code: str | None) -> None:
        entry.status, entry.end, entry.code, entry.retry_due = status, state.now, code, None
        self.tally.end(cast(Any, entry), state.now)
        self._tell(entry)

    def _tell(self, entry: LogRow) -> None:
        kept = bool(self.entries) and self.entries[-1] is entry
        if not kept and entry.end is not None and not self._settings.keeps(entry):
            self.left_out += 1
            return
        if not kept and self.complete:
            if len(self.entries) >= self._settings.limit:
                self.left_out += entry.end is not None
                return
            self.entries.append(entry)
            if self._keep is not None and len(self.entries) > self._keep:
                self.complete = False
                self.entries.clear()
        if self._changed is not None:
            self._changed(entry)

    # --- what may be shown

    def _evaluated(self, state: ScriptState, ins: Instruction) -> dict[str, Datum]:
        """The inputs of a row that its record does not hold."""
        found: dict[str, Datum] = {}
        for name, work in ins.arguments:
            try:
                found[name] = work(state.slots)
            except Exception:  # the row fails with it
                found.pop(name, None)
        return found

    def _inputs(self, ins: Instruction, values: Mapping[str, Datum]) -> dict[str, Any]:
        hidden = bool(self.plan.sensitive & ins.reads) or (not ins.target and ins.variable in self.plan.sensitive)
        return {
            _camel(name): _shown(name, MASK if hidden or is_secret(name) else _text(value), ins.sources.get(name, ""))
            for name, value in values.items()
        }

    def _argument(self, ins: Instruction, name: str) -> str:
        """An argument as it is written in the row, by its lower-case name."""
        return next((written for written, _ in ins.arguments if written.lower() == name), name)

    def _output(self, variable: str, value: Datum, name: str) -> dict[str, Any]:
        spelled = self.plan.scope.spelled.get(variable, variable)
        hidden = variable in self.plan.sensitive or self._tells_what_is_hidden(value)
        return _shown(name, MASK if hidden else _text(value), spelled)

    def _tells_what_is_hidden(self, value: Datum) -> bool:
        """Whether this is the error of a row whose message is not shown."""
        if not isinstance(value, Item) or value.kind != "Error":
            return False
        place = (value.get("SubflowName"), value.get("ActionIndex"))
        return any((node.subflow, node.row) == place and self.plan.hides(node) for node in self.plan.nodes)


def _shown(name: str, value: str, variable: str) -> dict[str, Any]:
    return {"localizedName": name, "value": value, "variableName": variable}


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _text(value: Datum) -> str:
    """A value as the log shows it: like a text, in no culture's notation, and only the beginning of a long one."""
    more = 0
    if isinstance(value, list) and len(value) > _ITEMS:
        value, more = value[:_ITEMS], len(value) - _ITEMS
    elif isinstance(value, DataTable) and len(value.rows) > _ITEMS:
        value, more = DataTable(value.columns, value.rows[:_ITEMS]), len(value.rows) - _ITEMS
    text = to_text(value, INVARIANT)
    if len(text) > _LETTERS:
        return f"{text[:_LETTERS]}… ({len(text) - _LETTERS} more characters)"
    return f"{text}\r\n… ({more} more)" if more else text
