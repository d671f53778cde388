"""What names mean in a run:

`outputs('X')`, `variables('v')`, `items('Loop')` … become slots in frames when a plan is built.

An action may read any action of its own or an enclosing iteration directly. An action inside an Until that has ended
reads as if it stood outside; one inside of a single Foreach reads, from outside, as the list of its iterations'
values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....errors import ExpressionError
from ....expressions import Call, Compiled, Evaluator, Literal, Scope
from ....expressions.scope import CompileArgument
from ....values import Value
from ...contract.large_values import APART, whole
from ...contract.status import NAMES, SKIPPED
from ..action_views import action_record
from ..state import Frame
from .liveness import pin
from .plan import FOREACH, UNTIL, Node, Plan

Name = str | Evaluator


def key_of(name: str) -> str:
    """Names of actions compare without regard to case, spaces as underscores."""
    return name.lower().replace(" ", "_")


class TriggerScope(Scope):
    """Names that are known before any action: the trigger, parameters, the workflow, time and chance."""

    def trigger_record(self) -> Evaluator:
        return lambda frame: frame.state.trigger_value()

    def trigger_outputs(self) -> Evaluator:
        return lambda frame: frame.state.trigger_outputs()

    def parameter(self, name: Name) -> Evaluator:
        if isinstance(name, str):
            key = name.lower()
            return lambda frame: _parameter(frame, key, name)
        return lambda frame: _parameter(frame, _text(name(frame)).lower(), name(frame))

    def workflow(self) -> Evaluator:
        return lambda frame: frame.state.pins.get("workflow")

    def app_setting(self, name: Name) -> Evaluator:
        if isinstance(name, str):
            return lambda frame: _setting(frame, name)
        return lambda frame: _setting(frame, _text(name(frame)))

    def now(self) -> Evaluator:
        return lambda frame: frame.state.time_text

    def random(self) -> Evaluator:
        return lambda frame: frame.state.draw


class ActionScope(TriggerScope):
    """Names as the action `node` sees them; with `inside`, as the body of that loop does (an Until's condition)."""

    def __init__(self, plan: Plan, node: Node, *, inside: bool = False) -> None:
        self.plan = plan
        self.node = node
        self.loops = (*node.loops, node) if inside else node.loops
        self.observe = plan.observers.get(node.key)

    # ---- actions

    def outputs(self, name: Name) -> Evaluator:
        if not isinstance(name, str):
            self._name_all()
            return lambda frame: _read(self._frame_of(frame, name(frame)), self._find(_text(name(frame))).index)
        node = self._find(name)
        node.named = True
        hops, index = self._hops(node), node.index
        if hops == 0:

            def here(frame: Frame) -> Value:
                value = frame.out.get(index)
                return value.read() if value.__class__ in APART else value  # type: ignore[union-attr]

            return here
        if hops == 1:

            def one_out(frame: Frame) -> Value:
                return whole(frame.parent.out.get(index))  # type: ignore[union-attr, no-any-return]

            return one_out
        return lambda frame: _read(_up(frame, hops), index)

    def part_of(self, name: str) -> Callable[[Frame], Any] | None:
        """What is at hand of an action's outputs where the rest is stored apart, else None; no such thing for an action
        that a Foreach repeats.
        """
        node = self.plan.by_key.get(key_of(name))
        if node is None:
            return None
        hops, repeated = self._distance(node)
        if repeated:
            return None
        index = node.index

        def part(frame: Frame) -> Any:
            large = _up(frame, hops).large.get(index)
            return None if large is None else large.part

        return part

    def body_root(self, call: Call, compile_argument: CompileArgument) -> Evaluator | None:
        return None if self._repeated(call) else super().body_root(call, compile_argument)

    def call(self, call: Call, compile_argument: CompileArgument) -> Evaluator | Compiled | None:
        if not self._repeated(call):
            return super().call(call, compile_argument)
        outputs = self.outputs(call.args[0].value)  # type: ignore[union-attr, arg-type]
        return lambda frame: [_body(each) for each in outputs(frame) or ()]  # type: ignore[union-attr]

    def _repeated(self, call: Call) -> bool:
        """Whether this is the body of an action that a Foreach repeats, read from outside of the loop."""
        if call.key not in ("body", "actionbody") or len(call.args) != 1:
            return False
        name = call.args[0]
        node = (
            self.plan.by_key.get(key_of(name.value))
            if isinstance(name, Literal) and isinstance(name.value, str)
            else None
        )
        return node is not None and any(loop.op == FOREACH and loop not in self.loops for loop in node.loops)

    def record(self, name: Name) -> Evaluator:
        if not isinstance(name, str):
            self._name_all()
            return lambda frame: _record(self._frame_of(frame, name(frame)), self._find(_text(name(frame))))
        node = self._find(name)
        node.named = node.keep = True
        hops = self._hops(node)
        return lambda frame: _record(_up(frame, hops), node)

    def results(self, name: Name) -> Evaluator:
        if not isinstance(name, str):
            self._name_all()
            return lambda frame: self._results(self._frame_of(frame, name(frame)), self._find(_text(name(frame))))
        node = self._find(name)
        if not node.boxes:
            raise ExpressionError(f"result('{name}') needs a scope, a condition or a loop, and '{name}' is none.")
        _keep_results(node)
        hops = self._hops(node)
        for box in node.boxes:
            if node.op == FOREACH:
                pin(self.plan, box)
            else:
                for inner in box.nodes:
                    self._reads(inner)
        return lambda frame: self._results(_up(frame, hops), node)

    def _results(self, frame: Frame, node: Node) -> Value:
        if node.op == FOREACH:
            found = _read(frame, node.index) or []
            tracked = {inner.name: inner for inner in node.boxes[0].nodes if inner.tracked is not None}
            return _repeated_with_tracked(frame, found, tracked) if tracked else found
        return [_record(frame, inner) for box in node.boxes for inner in box.nodes]

    def current_action(self) -> Evaluator:
        node = self.node
        node.named = node.keep = True
        self._reads(node)
        return lambda frame: _record(frame, node)

    def _find(self, name: str) -> Node:
        node = self.plan.by_key.get(key_of(name))
        if node is None:
            raise ExpressionError(
                f"The action '{name}' is not defined in this workflow.", hint="Check the name's spelling."
            )
        return node

    def _name_all(self) -> None:
        """A computed name may mean any action, so all of them must keep what they can be asked for."""
        self.plan.computes_names = True
        for node in self.plan.nodes:
            node.named = node.keep = True
            if node.boxes:
                _keep_results(node)
            innermost = next((loop for loop in reversed(node.loops) if loop.op == FOREACH), None)
            if innermost is not None:
                _gather(innermost, node)

    def _hops(self, target: Node) -> int:
        """How many frames out the action's values are; marks, when a plan is built, what a Foreach has to gather."""
        self._reads(target)
        hops, repeated = self._distance(target)
        for loop in repeated:
            _gather(loop, target)
        return hops

    def _reads(self, target: Node) -> None:
        self.plan.reads.add((self.node.index, target.index, self.loops is not self.node.loops))

    def _distance(self, target: Node) -> tuple[int, list[Node]]:
        """Frames out to the action's values, and the Foreach (one at most) that repeats it beyond there."""
        common = 0
        for mine, other in zip(self.loops, target.loops, strict=False):
            if mine is not other:
                break
            common += 1
        repeated = [loop for loop in target.loops[common:] if loop.op == FOREACH]
        if len(repeated) > 1:
            raise ExpressionError(
                f"The action '{target.name}' is inside of nested loops and cannot be read from outside of them.",
                hint="Collect its values in a variable, or use result() on the loop.",
            )
        return len(self.loops) - common, repeated

    def _frame_of(self, frame: Frame, name: Value) -> Frame:
        return _up(frame, self._distance(self._find(_text(name)))[0])

    # ---- variables and loops

    def variable(self, name: Name) -> Evaluator:
        if isinstance(name, str):
            key = name.lower()
            return lambda frame: _variable(frame, key, name)
        return lambda frame: _variable(frame, _text(name(frame)).lower(), name(frame))

    def item(self) -> Evaluator:
        for hops, loop in enumerate(reversed(self.loops)):
            if loop.op == FOREACH:
                return _item(hops)
        raise ExpressionError("item() can only be used inside of a loop or a data operation.")

    def items(self, loop: Name) -> Evaluator:
        if isinstance(loop, str):
            return _item(self._loop_hops(loop, FOREACH))
        return lambda frame: _up(frame, self._loop_hops(_text(loop(frame)), FOREACH)).item

    def iteration_index(self, loop: Name) -> Evaluator:
        if isinstance(loop, str):
            hops = self._loop_hops(loop, UNTIL)
            return lambda frame: _up(frame, hops).it[-1]  # type: ignore[index]
        return lambda frame: _up(frame, self._loop_hops(_text(loop(frame)), UNTIL)).it[-1]  # type: ignore[index]

    def _loop_hops(self, name: str, op: int) -> int:
        key = key_of(name)
        for hops, loop in enumerate(reversed(self.loops)):
            if loop.key == key and (loop.op == op or op == UNTIL):
                return hops
        kind = "Foreach" if op == FOREACH else "Until"
        raise ExpressionError(f"'{name}' is not a {kind} loop around the action '{self.node.name}'.")

    def callback_url(self) -> Evaluator:
        node = self.node
        return lambda frame: frame.state.callback_url(frame.state.plan.path(node, frame.it))


class ElementScope(ActionScope):
    """As the action sees names, inside of a data operation: `item()` is the element in hand."""

    def item(self) -> Evaluator:
        return lambda frame: frame.state.element


def _up(frame: Frame, hops: int) -> Frame:
    for _ in range(hops):
        frame = frame.parent  # type: ignore[assignment]
    return frame


def _item(hops: int) -> Evaluator:
    if hops == 0:
        return lambda frame: frame.item
    if hops == 1:
        return lambda frame: frame.parent.item
    return lambda frame: _up(frame, hops).item


def _read(frame: Frame, index: int) -> Value:
    return whole(frame.out.get(index))  # type: ignore[no-any-return]


def _record(frame: Frame, node: Node) -> Value:
    record = action_record(frame, node)
    for part in ("inputs", "outputs"):
        record[part] = whole(record[part])
    return _with_tracked(frame, node, record)


def _repeated_with_tracked(frame: Frame, told: Any, tracked: dict[str, Node]) -> Value:
    """What `result()` tells of a Foreach, with the tracked properties of all iterations of the actions in `tracked`.

    From outside of another Foreach around it that is a list of such, one for each of that loop's iterations.
    """
    if isinstance(told, list):
        return [_repeated_with_tracked(frame, each, tracked) for each in told]
    node = tracked.get(told["name"]) if isinstance(told, dict) else None
    if node is None:
        return told  # type: ignore[no-any-return]
    return {**told, "outputs": [record and _with_tracked(frame, node, record) for record in told["outputs"]]}


def _with_tracked(frame: Frame, node: Node, record: dict[str, Any]) -> dict[str, Any]:
    """The record with the tracked properties of an action that has them and has run."""
    if node.tracked is None or record["endTime"] is None or record["status"] == NAMES[SKIPPED]:
        return record
    value, fault = node.tracked(frame, record)
    return record if fault is not None else {**record, "trackedProperties": value}


def _gather(loop: Node, node: Node) -> None:
    if node.index not in loop.gathers:
        loop.gathers = (*loop.gathers, node.index)


def _body(outputs: Value) -> Value:
    return outputs.get("body") if isinstance(outputs, dict) else None


def _keep_results(node: Node) -> None:
    if node.op == FOREACH:
        node.results = True
    for box in node.boxes:
        for inner in box.nodes:
            inner.named = inner.keep = True


def _variable(frame: Frame, key: str, name: Any) -> Value:
    variable = frame.state.vars.get(key)
    if variable is None:
        raise ExpressionError(
            f"The variable '{name}' is not initialized.", hint="Add an Initialize variable action before it."
        )
    variable.shared = True
    return variable.value  # type: ignore[no-any-return]


def _parameter(frame: Frame, key: str, name: Any) -> Value:
    try:
        return frame.state.params[key]  # type: ignore[no-any-return]
    except KeyError:
        raise ExpressionError(f"The workflow parameter '{name}' is not defined.") from None


def _setting(frame: Frame, name: str) -> Value:
    settings = frame.state.pins.get("settings") or {}
    if name not in settings:
        raise ExpressionError(f"The app setting '{name}' is not defined.")
    return settings[name]  # type: ignore[no-any-return]


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ExpressionError("A name must be a string.")
    return value
