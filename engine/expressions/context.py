"""A scope over a JSON context: what `sealflow eval` evaluates in, and tests.

    {"variables": {}, "parameters": {}, "trigger": {"outputs": ...}, "actions": {name: {"status", "inputs", "outputs"}},
     "item": ..., "items": {loop: ...}, "iterationIndexes": {loop: 0}, "action": {...}, "workflow": {...},
     "results": {scope: [...]}, "appSettings": {}, "callbackUrl": "...", "now": "2026-01-02T03:04:05.0000000Z"}

The frame is such a context, so an expression compiled once can be evaluated in many. Names are found whatever their
case, those of actions and loops also with spaces for underscores.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from ..errors import ExpressionError
from ..values import Value, type_name
from .compile import Compiled, Compiler
from .evaluators import Evaluator
from .functions.arguments import RandomSource
from .observe import Observer
from .parser import parse_expression
from .scope import Name, Scope

_CALL = re.compile(r"\s*[^.,(){}@\[\]?'\"\s]+\s*\(")


class ContextScope(Scope):
    """Reads every name from the frame, a JSON context. Random values depend on `seed` and their number only."""

    def __init__(self, seed: bytes = b"sealflow eval") -> None:
        self._seed = seed
        self._draws = 0

    def outputs(self, name: Name) -> Evaluator:
        return _member(_in("actions", "action", name, spaces=True), "outputs")

    def record(self, name: Name) -> Evaluator:
        return _in("actions", "action", name, spaces=True)

    def trigger_outputs(self) -> Evaluator:
        return _member(lambda frame: frame.get("trigger"), "outputs")

    def trigger_record(self) -> Evaluator:
        return lambda frame: frame.get("trigger")

    def variable(self, name: Name) -> Evaluator:
        return _in("variables", "variable", name)

    def parameter(self, name: Name) -> Evaluator:
        return _in("parameters", "parameter", name)

    def agent_parameter(self, name: Name) -> Evaluator:
        return _in("agentParameters", "agent parameter", name)

    def item(self) -> Evaluator:
        return self._required("item", "item()")

    def items(self, loop: Name) -> Evaluator:
        return _in("items", "loop", loop, spaces=True)

    def iteration_index(self, loop: Name) -> Evaluator:
        return _in("iterationIndexes", "loop", loop, spaces=True)

    def workflow(self) -> Evaluator:
        return self._required("workflow", "workflow()")

    def results(self, scope_name: Name) -> Evaluator:
        return _in("results", "scope", scope_name, spaces=True)

    def current_action(self) -> Evaluator:
        return self._required("action", "action()")

    def app_setting(self, name: Name) -> Evaluator:
        return _in("appSettings", "app setting", name)

    def callback_url(self) -> Evaluator:
        return self._required("callbackUrl", "listCallbackUrl()")

    def now(self) -> Evaluator:
        return self._required("now", "the current time")

    def random(self) -> Callable[[Any], RandomSource]:
        def draw(count: int) -> bytes:
            self._draws += 1
            data = b""
            while len(data) < count:
                data += sha256(self._seed + self._draws.to_bytes(8, "big") + len(data).to_bytes(8, "big")).digest()
            return data[:count]

        return lambda frame: draw

    def _required(self, key: str, what: str) -> Evaluator:
        def read(frame: Any) -> Value:
            try:
                return frame[key]  # type: ignore[no-any-return]
            except KeyError:
                raise ExpressionError(
                    f"The context has no '{key}', which {what} needs.",
                    hint=f'Give it in the context: {{"{key}": ...}}.',
                ) from None

        return read


def _in(section: str, what: str, name: Name, *, spaces: bool = False) -> Evaluator:
    if isinstance(name, str):

        def read(frame: Any) -> Value:
            try:
                return frame[section][name]  # type: ignore[no-any-return]
            except (KeyError, TypeError):
                return _search(frame, section, what, name, spaces)

        return read
    evaluate = name
    return lambda frame: _search(frame, section, what, str(evaluate(frame)), spaces)


def _search(frame: Any, section: str, what: str, name: str, spaces: bool) -> Value:
    known: dict[str, Any] = frame.get(section) or {}
    wanted = _folded(name, spaces)
    for each in known:
        if _folded(each, spaces) == wanted:
            return known[each]  # type: ignore[no-any-return]
    raise ExpressionError(
        f"There is no {what} '{name}' here, available are '{', '.join(list(known)[:20])}'.",
        hint=f"Give it in the context under '{section}'.",
    )


def _folded(name: str, spaces: bool) -> str:
    return name.lower().replace(" ", "_") if spaces else name.lower()


def _member(record: Evaluator, key: str) -> Evaluator:
    def read(frame: Any) -> Value:
        value = record(frame)
        return value.get(key) if isinstance(value, dict) else None

    return read


_SECTIONS = ("variables", "parameters", "trigger", "actions", "items", "iterationIndexes")


def check_context(context: Any) -> None:
    """Raise ExpressionError, code InvalidContext, for a context whose sections are not objects."""
    if not isinstance(context, dict):
        raise ExpressionError("The context must be a JSON object.", code="InvalidContext")
    for name in _SECTIONS:
        if not isinstance(context.get(name), dict | None):
            raise ExpressionError(
                f"'{name}' of the context must be an object, not {type_name(context[name])}.", code="InvalidContext"
            )
    if not isinstance(context.get("now"), str | None):
        raise ExpressionError("'now' of the context must be an ISO 8601 time, as text.", code="InvalidContext")


def compile_text(text: str, scope: Scope, *, template: bool | None = None, observe: Observer | None = None) -> Compiled:
    """Compile what a person typed: see `evaluate_text`. `observe` is told of every sub-expression."""
    if template is None:
        template = text.startswith("@") or "@{" in text or not _CALL.match(text)
    compiler = Compiler(scope, source=text, observe=observe)
    compiled = compiler.string(text) if template else compiler.node(parse_expression(text))
    if compiled.constant:
        return compiled
    evaluate = compiled.evaluate

    def evaluated(frame: Any) -> Value:
        try:
            return evaluate(frame)
        except ExpressionError as error:
            # What a scope raises while evaluating does not know the text that asked for it.
            error.expression = error.expression or text
            raise

    return Compiled(evaluated)


def evaluate_text(text: str, context: dict[str, Any], *, template: bool | None = None) -> Value:
    """Evaluate text in a JSON context.

    Text that starts like a call, `name(`, is a bare expression; everything else is a JSON string value, in which `@`
    and `@{}` mark expressions. `template` True takes any text as a string value, False as a bare expression. Raises
    ExpressionError, with the code InvalidContext for a context of another shape.
    """
    check_context(context)
    return compile_text(text, ContextScope(), template=template).evaluate(context)
