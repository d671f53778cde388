"""What of a trace must not be shown: the rules of `secured`, and what only the parts of an expression would tell.

History shows what an action made of the values that it read. A trace shows these values themselves, so it hides more:
what a call authenticated itself with, and the secured inputs of another action.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....cloud import Action, Definition, key_of
from ....cloud import walk as walk_actions
from ....expressions import Access, Call, Literal, find_expressions
from ....expressions import Node as Expression
from .secured import Secured

_RECORDS: Final = frozenset({"actions", "result"})
_TRIGGER_RECORDS: Final = frozenset({"trigger", "triggers"})
_AUTHENTICATION: Final = "authentication"
_TELLING: Final = frozenset({"inputs", "error"})
"""Members of a record that may tell secured inputs; a message may quote them."""
_CALLS: Final = frozenset({"http", "httpwebhook", "workflow", "apiconnection", "openapiconnection"})
"""Types whose outputs come from outside: what they evaluate does not tell them."""


class Concealed:
    """What is hidden of the trace of one action. `everything`: all values of it."""

    def __init__(self, definition: Definition, action: Action) -> None:
        secured = Secured(definition)
        hidden = secured.of(action.key)
        self.everything = "inputs" in hidden or ("outputs" in hidden and action.type not in _CALLS)
        self._action = action.key
        self._trigger = "inputs" in secured.trigger
        self._telling = {
            each.key
            for each in definition.all_actions()
            if any("inputs" in secured.of(inner.key) or _authenticates(inner) for inner in _with_inner(each))
        }

    def text(self, pointer: str, text: str) -> bool:
        """Whether the value of this string of the action is hidden."""
        if _AUTHENTICATION in pointer.lower().split("/"):
            return True
        return any(each.node is not None and self.part(each.node) for each in find_expressions(text))

    def part(self, node: Expression) -> bool:
        """Whether the value of this expression is hidden."""
        if isinstance(node, Access):
            target, key = node.target, node.key
            if isinstance(target, Call) and target.key in _RECORDS | _TRIGGER_RECORDS | {"action"}:
                harmless = isinstance(key, Literal) and str(key.value).lower() not in _TELLING
                if harmless and target.key != "result":
                    return any(self.part(argument) for argument in target.args)
            return self.part(target) or self.part(key)
        if isinstance(node, Call):
            return self._tells(node) or any(self.part(argument) for argument in node.args)
        return False

    def _tells(self, call: Call) -> bool:
        if call.key in _RECORDS:
            return self._names(call, self._telling)
        if call.key in _TRIGGER_RECORDS:
            return self._trigger
        return call.key == "action" and self._action in self._telling

    def _names(self, call: Call, secret: set[str]) -> bool:
        """Whether a call's argument names one of these; a computed name may be any."""
        if not secret or not call.args:
            return False
        name = call.args[0]
        if not isinstance(name, Literal) or not isinstance(name.value, str):
            return True
        return key_of(name.value) in secret


def _with_inner(action: Action) -> Iterator[Action]:
    yield action
    for branch in action.branches:
        yield from walk_actions(branch.actions)


def _authenticates(action: Action) -> bool:
    given = action.inputs if isinstance(action.inputs, dict) else {}
    return any(isinstance(part, dict) and _AUTHENTICATION in part for part in (given, *given.values()))
