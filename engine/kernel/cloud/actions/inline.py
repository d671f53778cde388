"""Scripts, maps and schemas: what goes to the connectors that do their work outside of the kernel.

JavaScriptCode gets the records of the actions that its code names. They are evaluated when the call is scheduled and
recorded with it, like every input, so a call that a crash interrupted sees what it saw before. What a script reads
therefore stands twice in the history; of a record that is only read as `.outputs`, the inputs are left out.
The code itself is not recorded: no expression changes it, and the flow's version holds it.

Source: Logic Apps, "Add and run code snippets" (`workflowContext`) and "XML operations".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....cloud import Action
from ....cloud.syntax.script import dependencies
from ....errors import ExpressionError
from ....expressions import Evaluator, compile_value
from ....values import Value
from ...contract.operations import Operation
from ..plan.names import ActionScope
from ..plan.plan import Node, Prepare
from ..state import Frame
from .effects import timeout

INLINE: Final = "inline"
"""The kind of these operations."""

_CONNECTORS: Final[Mapping[str, tuple[str, str]]] = {
    "javascriptcode": ("inline-code", "javascript"),
    "xslt": ("xslt", "transform"),
    "xmlparse": ("xml", "parse"),
    "xmlcompose": ("xml", "compose"),
    "xmlvalidation": ("xml", "validate"),
    "liquid": ("liquid", ""),
    "flatfiledecoding": ("flat-file", "decode"),
    "flatfileencoding": ("flat-file", "encode"),
    "integrationaccountartifactlookup": ("artifacts", "lookup"),
}

TYPES: Final = frozenset(_CONNECTORS)
"""The action types of this file, lower-case."""

_VALUES: Final = frozenset({"inputs", "outputs"})
"""The members of a record that may be large."""


def call(node: Node, action: Action, scope: ActionScope) -> Prepare:
    """The inputs of one of these actions, and when its time is over. They have no retry policy."""
    connector, name = _CONNECTORS[action.type]
    given = action.inputs if isinstance(action.inputs, dict) else {}
    limit = timeout(action, scope)
    if action.type == "javascriptcode":
        code = given.get("code")
        evaluate = _context(node, given, scope)
        fixed = {"code": code if isinstance(code, str) else ""}
    else:
        evaluate = _checked(node, compile_value(given, scope).evaluate)
        fixed = {}
    node.operation = Operation(
        INLINE, connector, name or action.kind, False, action.options, dict(action.runtime), fixed
    )

    def prepare(frame: Frame) -> tuple[Value, None, int | None, None]:
        return evaluate(frame), None, limit(frame), None

    return prepare


def _context(node: Node, given: dict[str, Any], scope: ActionScope) -> Evaluator:
    """`{"workflowContext": {"actions", "trigger", "workflow"}}` as the script will see it."""
    if not isinstance(given.get("code"), str):
        raise ExpressionError(f"The code of '{node.name}' must be a text.")
    reads = dependencies(given)
    records = {name: (scope.record(name), members) for name, members in reads.actions.items()}
    trigger = scope.trigger_record() if reads.trigger else None
    workflow = scope.workflow()

    def context(frame: Frame) -> Value:
        return {
            "workflowContext": {
                "actions": {name: _narrowed(record(frame), members) for name, (record, members) in records.items()},
                "trigger": trigger(frame) if trigger is not None else None,
                "workflow": workflow(frame),
            }
        }

    return context


def _narrowed(record: Any, members: frozenset[str] | None) -> Value:
    """A record without the values that the script does not read, and without what its call authenticated itself with,
    which would otherwise be shown as the script's inputs."""
    kept = {name: value for name, value in record.items() if members is None or name not in _VALUES or name in members}
    inputs = kept.get("inputs")
    if isinstance(inputs, dict) and "authentication" in inputs:
        kept["inputs"] = {name: value for name, value in inputs.items() if name != "authentication"}
    return kept


def _checked(node: Node, evaluate: Evaluator) -> Evaluator:
    """Evaluates inputs whose `content` must be something. Source: the host's message for a content of null."""

    def checked(frame: Frame) -> Value:
        inputs = evaluate(frame)
        if not isinstance(inputs, dict):
            raise ExpressionError(f"The inputs of '{node.name}' must be an object.")
        if "content" in inputs and inputs["content"] is None:
            raise ExpressionError(f"The property 'content' of '{node.name}' must have a value, and it is null.")
        return inputs

    return checked
