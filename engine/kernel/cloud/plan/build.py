"""From a definition to a plan: numbers the actions, links what runs after what, compiles every expression.

A fault that only shows when an expression is compiled (an unknown function, a name that is not there) becomes an
action that fails when it is reached; refusing such a definition beforehand is the checker's part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ....cloud import Action, Definition
from ....cloud.syntax.placed import placed
from ....errors import ExpressionError, NotYetSupported
from ....expressions import Observer
from ...contract.status import code_of
from ..actions import branching, data, inline, variables
from ..actions import effects as outside
from ..actions.response import response
from ..state import Frame
from . import liveness, tracking
from . import static_results as static
from .names import ActionScope
from .parameters import connection_names
from .plan import (
    CALL,
    FOREACH,
    IF,
    RESPONSE,
    SCOPE,
    SIMPLE,
    SWITCH,
    TERMINATE,
    UNTIL,
    VARIABLE,
    WAIT,
    Box,
    Node,
    Outcome,
    Plan,
    Prepare,
    Work,
)
from .secrecy import Secrecy

Builder = Callable[[Node, Action, ActionScope], Work]

_WORK: Final[dict[str, tuple[int, Builder]]] = {
    "compose": (SIMPLE, data.compose),
    "parsejson": (SIMPLE, data.parse_json),
    "query": (SIMPLE, data.query),
    "select": (SIMPLE, data.select),
    "join": (SIMPLE, data.join),
    "table": (SIMPLE, data.table),
    "expression": (SIMPLE, data.expression),
    "initializevariable": (VARIABLE, variables.initialize),
    "setvariable": (VARIABLE, variables.set_value),
    "incrementvariable": (VARIABLE, variables.add(1)),
    "decrementvariable": (VARIABLE, variables.add(-1)),
    "appendtostringvariable": (VARIABLE, variables.append_text),
    "appendtoarrayvariable": (VARIABLE, variables.append_item),
    "if": (IF, branching.condition),
    "switch": (SWITCH, branching.switch),
    "foreach": (FOREACH, branching.foreach),
    "until": (UNTIL, branching.until_limits),
    "terminate": (TERMINATE, branching.terminate),
    "response": (RESPONSE, response),
}

_CALLS: Final[dict[str, Callable[[Node, Action, ActionScope], Prepare]]] = {
    "httpwebhook": outside.http_webhook,
    **dict.fromkeys(inline.TYPES, inline.call),
}

_OTHERS: Final = frozenset({"http", "workflow", "sendtobatch", "wait", "scope"})

SUPPORTED: Final = frozenset(_WORK) | frozenset(_CALLS) | outside.CONNECTOR_TYPES | _OTHERS
"""The action types that a plan can be built of, lower-case."""


def build(definition: Definition, observers: Mapping[str, Observer] | None = None) -> Plan:
    """The plan of a definition. Raises NotYetSupported for an action type that this version does not run.

    `observers`, by an action's key, are told what its expressions evaluate.
    """
    plan = Plan(definition, Box(0, None), connections=connection_names(definition), observers=observers or {})
    plan.boxes.append(plan.root)
    pairs = _lay_out(plan, definition)
    actions = {node.index: action for node, action in pairs}
    for box in plan.boxes:
        _link(box, actions)
    for node, action in pairs:
        _compile(plan, node, action)
    liveness.link(plan)
    for node in reversed(plan.nodes):  # what is inside has a higher number
        held = [inner for box in node.boxes for inner in box.nodes]
        node.noted = node.keep or any(inner.noted for inner in held)
        node.last = max((inner.last for inner in held), default=node.index)
    plan.listens = any(node.operation is not None and node.operation.webhook for node in plan.nodes)
    plan.secretive = Secrecy(definition).any
    plan.answers = any(node.op == RESPONSE for node in plan.nodes)
    for node in plan.nodes:
        node.limited = node.box.owner is not None and (node.box.owner.limit is not None or node.box.owner.limited)
    return plan


def _lay_out(plan: Plan, definition: Definition) -> list[tuple[Node, Action]]:
    """Number all actions in document order, containers before what they hold."""
    pairs: list[tuple[Node, Action]] = []
    todo: list[tuple[Action, Box, tuple[tuple[str, bool], ...], tuple[Node, ...]]] = [
        (action, plan.root, (), ()) for action in reversed(definition.actions)
    ]
    while todo:
        action, box, above, loops = todo.pop()
        if action.type not in SUPPORTED:
            raise NotYetSupported(
                f"Actions of type '{action.raw.get('type')}' are not supported yet.", at=action.pointer
            )
        node = Node(len(plan.nodes), action.name, action.key, action.type, action.kind, action.pointer)
        node.written_type = str(action.raw.get("type"))
        node.op = _WORK[action.type][0] if action.type in _WORK else SCOPE if action.type == "scope" else CALL
        if action.type == "wait":
            node.op = WAIT
        looping = node.op in (FOREACH, UNTIL)
        node.segments = (*above, (action.name.replace("~", "~0").replace("/", "~1"), looping))
        node.path = "/" + "/".join(name for name, _ in node.segments)
        node.loops = loops
        node.box = box
        box.nodes.append(node)
        plan.nodes.append(node)
        plan.by_key.setdefault(node.key, node)
        pairs.append((node, action))
        inner: list[tuple[Action, Box, tuple[tuple[str, bool], ...], tuple[Node, ...]]] = []
        boxes = []
        for branch in action.branches:
            child = Box(len(plan.boxes), node)
            plan.boxes.append(child)
            boxes.append(child)
            inner += [(each, child, node.segments, (*loops, node) if looping else loops) for each in branch.actions]
        node.boxes = tuple(boxes)
        todo.extend(reversed(inner))
    return pairs


def _link(box: Box, actions: dict[int, Action]) -> None:
    """What of a box runs after what."""
    siblings = {node.key: node for node in box.nodes}
    successors: dict[int, list[Node]] = {}
    for node in box.nodes:
        known = [after for after in actions[node.index].run_after if after.key in siblings]
        node.predecessors = tuple(
            (siblings[after.key], frozenset(code_of(status) for status in after.statuses)) for after in known
        )
        node.expected = tuple(", ".join(sorted(after.statuses)) for after in known)
        for before, _ in node.predecessors:
            successors.setdefault(before.index, []).append(node)
    for node in box.nodes:
        node.successors = tuple(successors.get(node.index, ()))
    box.roots = [node for node in box.nodes if not node.predecessors]


def _compile(plan: Plan, node: Node, action: Action) -> None:
    scope = ActionScope(plan, node)
    if scope.observe is not None:
        action = placed(action)
    if action.raw.get("trackedProperties"):
        node.tracked = tracking.tracked(action, scope.observe)
    try:
        fixed = static.result(plan.definition, action)
        if fixed is not None and node.op in (CALL, WAIT, SIMPLE):
            node.op = SIMPLE
            node.work = static.work(fixed, scope)
        elif node.op == SCOPE and (action.conditions or _has_limit(action)):
            node.work = branching.scope
        elif action.type in _WORK:
            node.work = _WORK[action.type][1](node, action, scope)
        elif node.op == WAIT:
            node.prepare = outside.wait(node, action, scope)
        elif node.op == CALL:
            node.prepare = _CALLS.get(action.type, outside.call)(node, action, scope)
        node.deferred = "asynchronous" in action.options
        if action.conditions:
            node.guard = branching.guard(node, action, scope)
        if node.op in (SCOPE, IF, SWITCH, FOREACH) and _has_limit(action):
            node.limit = outside.timeout(action, scope)
        if node.op == FOREACH:
            node.concurrency = branching.concurrency(plan, node, action)
        elif node.op == UNTIL:
            node.fail_at_limit = "failwhenlimitsreached" in action.options
            node.check = branching.until_condition(node, action, ActionScope(plan, node, inside=True))
    except ExpressionError as error:
        fault = error
        if node.op in (CALL, WAIT):
            node.op = SIMPLE
        node.work = node.check = _failing(fault)


def _has_limit(action: Action) -> bool:
    limit = action.raw.get("limit")
    return isinstance(limit, dict) and limit.get("timeout") is not None


def _failing(error: ExpressionError) -> Work:
    def work(frame: Frame) -> Outcome:
        raise ExpressionError(error.message, code=error.code, hint=error.hint)

    return work
