"""Values that a call passes on as they are: `@body('X')` and the like in its inputs, where the value is stored apart.

Such a value is not read to be sent: what stands for it goes into the call's record and to its connector, which may read
it piece by piece. Nothing changes in what the flow means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....expressions import Call, Compiled, Evaluator, Literal
from ....expressions.compile import Compiler
from ....expressions.syntax import Access, Node
from ....expressions.template import parse_string
from ....values import holds_elsewhere
from ..state import Frame
from .names import ActionScope

_ACTIONS: Final = {"outputs": (), "actionoutputs": (), "body": ("body",), "actionbody": ("body",)}
_TRIGGERS: Final = {"triggeroutputs": (), "triggerbody": ("body",)}

Part = Callable[[Frame], Any]
"""What a record holds of a value of which the rest is stored apart; None where that is not so."""


def compile_passing(inputs: Any, scope: ActionScope) -> Compiled:
    """As `compile_value`; what is stored apart and only passed on is not read."""
    return _Passing(scope).value(inputs)


class _Passing(Compiler):
    """Compiles the strings that are one such expression and nothing else in another way."""

    scope: ActionScope

    def string(self, text: str) -> Compiled:
        compiled = super().string(text)
        if compiled.constant or self.observe is not None:
            return compiled
        meaning = parse_string(text)
        found = self._reference(meaning) if isinstance(meaning, Call | Access) else None
        return compiled if found is None else Compiled(_passing(compiled.evaluate, *found))

    def _reference(self, node: Node) -> tuple[Part, list[str]] | None:
        """Where an expression that only names a part of some outputs has it from, and the way there."""
        way: list[str] = []
        while isinstance(node, Access):
            if not isinstance(node.key, Literal) or not isinstance(node.key.value, str):
                return None
            way.insert(0, node.key.value)
            node = node.target
        if not isinstance(node, Call):
            return None
        if node.key in _TRIGGERS and not node.args:
            return _trigger_part, [*_TRIGGERS[node.key], *way]
        names = [argument.value for argument in node.args if isinstance(argument, Literal)]
        if node.key not in _ACTIONS or len(node.args) != 1 or not names or not isinstance(names[0], str):
            return None
        part = self.scope.part_of(names[0])
        return None if part is None else (part, [*_ACTIONS[node.key], *way])


def _passing(evaluate: Evaluator, part: Part, way: list[str]) -> Evaluator:
    def passing(frame: Frame) -> Any:
        if not frame.state.apart:
            return evaluate(frame)
        value = part(frame)
        for name in way:
            if value.__class__ is not dict or name not in value:
                return evaluate(frame)
            value = value[name]
        return value if holds_elsewhere(value) else evaluate(frame)

    return passing


def _trigger_part(frame: Frame) -> Any:
    large = frame.state.trigger_large
    return large.part.get("outputs") if large is not None and large.part.__class__ is dict else None
