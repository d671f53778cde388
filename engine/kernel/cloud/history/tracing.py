"""What the expressions of one action evaluated, out of the history: its records are folded up to where the action was
decided, and what was evaluated there is evaluated again, observed.

Nothing has to be kept for it while a run goes on: the same state, time and draws of chance give the same values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ....cloud import Definition
from ....cloud.syntax.placed import Placed, expressions
from ....expressions import Step, Steps, unparse
from ....values import Value
from ...contract.large_values import NeedValues
from ...contract.records import DONE, LIMIT, SCHEDULED, Iteration, Record
from ..decide import apply, failed, rehearse
from ..plan.build import build
from ..plan.plan import UNTIL, Node, Plan
from ..state import Frame, State
from .history import Entry, History
from .trace_secrets import Concealed

MOST: Final = 100
"""Evaluations of one expression that a trace shows; those that fail come on top. A data operation has one for each
element, an Until one for each iteration."""

_DECIDES: Final = frozenset({SCHEDULED, LIMIT, DONE})

Mark = tuple[int, int, dict[str, int]]


@dataclass(slots=True, eq=False)
class Evaluation:
    """One evaluation of a string with expressions in it, or of an operator of a condition in object form.

    `pointer` is where it stands in the action, `iteration` the Until's iteration that has just ended. `concealed`: it
    reads what must not be shown.
    """

    pointer: str
    text: str
    iteration: int | None
    value: Value = None
    error: Exception | None = None
    steps: list[Step] = field(default_factory=list)
    concealed: bool = False

    def to_json(self, concealed: Concealed) -> dict[str, Any]:
        """As the interfaces show it, `parts` in the order of their evaluation."""
        shown: dict[str, Any] = {"pointer": self.pointer, "text": str(self.text), "evaluated": True}
        if self.iteration is not None:
            shown["iteration"] = self.iteration
        hidden = concealed.everything or self.concealed
        shown |= _outcome(self.value, self.error, hidden=hidden)
        shown["parts"] = [
            {
                "expression": unparse(step.node),
                **_outcome(step.value, step.error, hidden=hidden or concealed.part(step.node)),
            }
            for step in self.steps
        ]
        return shown


def _outcome(value: Value, error: Exception | None, *, hidden: bool) -> dict[str, Any]:
    if hidden:
        return {"secured": True}
    return {"value": value} if error is None else {"error": failed(error)[4]}


class Tracer(Steps):
    """Collects the evaluations of one action, each with its steps, in the order in which they began."""

    def __init__(self, concealed: Concealed) -> None:
        super().__init__()
        self.evaluations: list[Evaluation] = []
        self.left_out = 0
        self._concealed = concealed
        self._under_way: list[Evaluation] = []
        self._counts: dict[str, int] = {}

    def began(self, text: str, frame: Frame) -> None:
        checks = frame.it is not None and frame.loop is not None and frame.loop.node is frame.state.node
        pointer = text.pointer if isinstance(text, Placed) else ""
        evaluation = Evaluation(pointer, text, frame.it[-1] if checks and frame.it is not None else None)
        evaluation.concealed = self._concealed.text(pointer, text)
        self._under_way.append(evaluation)
        self.evaluations.append(evaluation)
        self.steps = evaluation.steps

    def ended(self, value: Value, error: Exception | None) -> None:
        evaluation = self._under_way.pop()
        evaluation.value, evaluation.error = value, error
        outer = self._under_way[-1] if self._under_way else None
        self.steps = outer.steps if outer is not None else []
        if outer is not None and evaluation.concealed:
            outer.concealed = True  # an operator on something that must not be shown
        count = self._counts[evaluation.pointer] = self._counts.get(evaluation.pointer, 0) + 1
        if count > MOST and error is None:
            self.evaluations.remove(evaluation)
            self.left_out += 1

    def mark(self) -> Mark:
        """Where the collection stands, for `reset`."""
        return len(self.evaluations), self.left_out, dict(self._counts)

    def reset(self, mark: Mark) -> None:
        """Drop what came since: an attempt that was stopped since it needs values which are not in memory."""
        number, self.left_out, self._counts = mark
        del self.evaluations[number:]
        self._under_way.clear()


class Tracing:
    """Folds the records of one run and traces one action of it, in the iteration `it`.

    Feed `take` every record in order. `state` is for the host, which may let large values go and supply them.
    """

    def __init__(self, definition: Definition, key: str, it: Iteration) -> None:
        self.action = next(action for action in definition.all_actions() if action.key == key)
        self.concealed = Concealed(definition, self.action)
        self._tracer = Tracer(self.concealed)
        plan = build(definition, {key: self._tracer})
        self._node = plan.by_key[key]
        self._it = it
        self._history = _OneAction(plan, self._node, it)
        self.state = State(plan, self._history)

    def take(self, record: Record) -> None:
        """Fold the next record. Raises NeedValues, before anything has happened, where large values are not in memory:
        `supply` them and call again."""
        if record[1] in _DECIDES and record[2] == self._node.index and self._is_meant(record[3]):
            mark = self._tracer.mark()
            try:
                rehearse(self.state)
            except NeedValues as stop:
                self._tracer.reset(mark)
                self.state.need += stop.missing
                raise
        apply(self.state.plan, self.state, record)
        self.state.supplied.clear()

    def _is_meant(self, it: Iteration) -> bool:
        inside = it is not None and self._node.op == UNTIL and len(it) > len(self._node.loops)
        return it == self._it or (inside and it is not None and (it[:-1] or None) == self._it)

    @property
    def entry(self) -> Entry | None:
        """The action as its history has it so far; None where it has neither started nor been skipped."""
        return next(iter(self._history.entries), None)

    @property
    def evaluations(self) -> list[Evaluation]:
        """What has been evaluated so far."""
        return self._tracer.evaluations

    @property
    def left_out(self) -> int:
        """How many more evaluations there were of expressions that are evaluated very often."""
        return self._tracer.left_out

    def to_json(self) -> list[dict[str, Any]]:
        """Every evaluation, and then the expressions of the action that were not evaluated."""
        found = [evaluation.to_json(self.concealed) for evaluation in self.evaluations]
        known = {evaluation.pointer for evaluation in self.evaluations}
        return found + [
            {"pointer": pointer, "text": text, "evaluated": False, "parts": []}
            for pointer, text in expressions(self.action)
            if pointer not in known
        ]


class _OneAction(History):
    """The history of a single action, so that tracing one does not hold the whole run."""

    def __init__(self, plan: Plan, node: Node, it: Iteration) -> None:
        super().__init__(plan)
        self._node = node
        self._it = it

    def _is_meant(self, frame: Frame, node: Node) -> bool:
        return node is self._node and frame.it == self._it

    def started(self, frame: Frame, node: Node, at: int, inputs: Any) -> None:
        if self._is_meant(frame, node):
            super().started(frame, node, at, inputs)

    def ended(
        self, frame: Frame, node: Node, at: int, status: int, code: str, outputs: Any, error: dict[str, Any] | None
    ) -> None:
        if self._is_meant(frame, node):
            super().ended(frame, node, at, status, code, outputs, error)

    def retrying(self, frame: Frame, node: Node, at: int, attempt: int, due: int, code: str, most: int) -> None:
        if self._is_meant(frame, node):
            super().retrying(frame, node, at, attempt, due, code, most)

    def retried(self, frame: Frame, node: Node, at: int, attempt: int) -> None:
        if self._is_meant(frame, node):
            super().retried(frame, node, at, attempt)

    def subscribed(self, frame: Frame, node: Node, at: int, code: str) -> None:
        if self._is_meant(frame, node):
            super().subscribed(frame, node, at, code)

    def is_over(self, frame: Frame, node: Node) -> bool:
        return not self._is_meant(frame, node) or super().is_over(frame, node)
