"""Trees to closures: one per call, none allocated while evaluating.

What is wrong with a call (an unknown function, a wrong number of arguments) is an error of its evaluation, not of
compiling: on the host `and(false, nope())` is false. What a scope refuses, it refuses here. Pure calls on literals are
evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..effort import CURRENT, Budget
from ..errors import ExpressionError
from ..values import Value, to_text
from .costs import counted
from .evaluators import Compiled, Evaluator, Suspend, constant, failing, located
from .functions import FUNCTIONS
from .joining import join
from .links import Link, follow
from .observe import Observer, observed, observed_string
from .scope import CONTEXT_FUNCTIONS, Scope
from .special import FORMS, Place
from .syntax import Access, Call, Literal, Node, Template
from .table import FunctionTable, Implementation
from .template import MAXIMUM_JSON_NESTING, parse_string

__all__ = [
    "Compiled",
    "Compiler",
    "Evaluator",
    "Suspend",
    "compile_node",
    "compile_string",
    "compile_value",
]

# A folded value lives as long as the definition, so only small ones are kept.
_KEPT_TEXT = 65_536
_KEPT_ITEMS = 1_000
# Nanoseconds that evaluating a call on literals may take.
_FOLDING = 1_000_000
# What does nothing but read the outputs of something.
_DIRECT = frozenset({"outputs", "actionoutputs", "triggeroutputs"})
# Each range() may give 100,000 items; without a bound on their number one expression could fill the memory.
_MAXIMUM_RANGES = 50


def compile_node(node: Node, scope: Scope, table: FunctionTable = FUNCTIONS) -> Compiled:
    """Compile one expression. Raises ExpressionError where the scope refuses a name."""
    return Compiler(scope, table).node(node)


def compile_string(text: str, scope: Scope, table: FunctionTable = FUNCTIONS) -> Compiled:
    """Compile a JSON string value: plain text, an expression or a template.

    Raises ExpressionError where it cannot be read or the scope refuses a name.
    """
    return Compiler(scope, table, text).string(text)


def compile_value(value: Value, scope: Scope, table: FunctionTable = FUNCTIONS) -> Compiled:
    """Compile any JSON value: its strings and property names may hold expressions.

    Parts without expressions are the same objects in every result, so callers never change a result. Raises
    ExpressionError.
    """
    return Compiler(scope, table).value(value)


class Compiler:
    """Compiles against one scope and function table.

    `source` is the text that errors quote; `observe`, or else the scope's own observer, sees every value.
    """

    def __init__(
        self, scope: Scope, table: FunctionTable = FUNCTIONS, source: str | None = None, observe: Observer | None = None
    ) -> None:
        self.scope = scope
        self.table = table
        self.source = source
        self.observe = observe if observe is not None else scope.observe
        self._ranges = 0

    # --- expressions

    def node(self, node: Node) -> Compiled:
        """One expression."""
        if isinstance(node, Literal):
            return constant(node.value)
        compiled = self._access(node) if isinstance(node, Access) else self._call(node)
        return observed(node, compiled, self.observe) if self.observe is not None else compiled

    def _call(self, call: Call) -> Compiled:
        try:
            meaning = self.scope.call(call, self.node)
        except ExpressionError as error:
            raise located(error, call.name, call.at, self.source) from None
        if meaning is not None:
            return meaning if isinstance(meaning, Compiled) else Compiled(meaning)
        return self.apply(call.name, [self.node(argument) for argument in call.args], call.at)

    def apply(self, name: str, arguments: Sequence[Compiled], at: int | None = None) -> Compiled:
        """A call of the plain function `name` on compiled arguments."""
        key = name.lower()
        function = self.table.get(key)
        if function is None:
            return failing(lambda: self._unknown(name), at, self.source)
        known = function
        if not known.accepts(len(arguments)):
            return failing(lambda: known.wrong_count(len(arguments)), at, self.source)
        if key == "range":
            self._ranges += 1
            if self._ranges > _MAXIMUM_RANGES:
                return failing(_too_many_ranges, at, self.source)
        if form := FORMS.get(key):
            compiled = form(arguments, Place(function.name, at, self.source))
            if compiled is not None:
                return compiled
        if function.pure and all(argument.constant for argument in arguments):
            return self._folded(_apply(counted(function), function.name, arguments, at, self.source))
        if function.times:
            arguments = [
                Compiled(argument.moment) if argument.moment and n < function.times else argument
                for n, argument in enumerate(arguments)
            ]
        count = len(arguments)
        if not function.pure:
            try:
                given = self.scope.now() if function.clock else self.scope.random()
            except ExpressionError as error:
                raise located(error, name, at, self.source) from None
            # A source of random bytes is no JSON value, but it travels like an argument.
            arguments = [Compiled(given), *arguments]
        evaluate = _apply(counted(function), function.name, arguments, at, self.source)
        moment = None
        if function.moment is not None and count == function.minimum:
            moment = _apply(function.moment, function.name, arguments, at, self.source)
        return Compiled(evaluate, moment=moment)

    def _unknown(self, name: str) -> ExpressionError:
        return self.table.unknown(name, [context.name for context in CONTEXT_FUNCTIONS.values()])

    def _access(self, node: Access) -> Compiled:
        links: list[Link] = []
        root: Node = node
        while isinstance(root, Access):
            links.append(Link(self.node(root.key), root.optional, root.at))
            root = root.target
            if self.observe is not None and isinstance(root, Access):
                break  # one link at a time, so that each value is seen
        links.reverse()
        if isinstance(root, Call) and self.observe is None:
            try:
                outputs = self.scope.body_root(root, self.node)
            except ExpressionError as error:
                raise located(error, root.name, root.at, self.source) from None
            if outputs is not None:
                return Compiled(follow(outputs, links, self.source, body=True, direct=True))
        target = self.node(root)
        direct = isinstance(root, Call) and root.key in _DIRECT and self.observe is None
        evaluate = follow(target.evaluate, links, self.source, direct=direct)
        if target.constant and all(link.key.constant for link in links):
            return self._folded(evaluate)
        return Compiled(evaluate)

    def _folded(self, evaluate: Evaluator) -> Compiled:
        before, CURRENT.budget = CURRENT.budget, Budget(_FOLDING)
        try:
            value = evaluate(None)
        except (ExpressionError, Suspend):
            return Compiled(evaluate)  # stays an error of the evaluation, or is work for it
        finally:
            CURRENT.budget = before
        if isinstance(value, str) and len(value) > _KEPT_TEXT:
            return Compiled(evaluate)
        if isinstance(value, (list, dict)) and len(value) > _KEPT_ITEMS:
            return Compiled(evaluate)
        return constant(value)

    # --- JSON values

    def string(self, text: str) -> Compiled:
        """A JSON string value."""
        self.source = text
        self._ranges = 0
        meaning = parse_string(text)
        if isinstance(meaning, str):
            return constant(meaning)
        if isinstance(meaning, Template):
            parts = [constant(part) if isinstance(part, str) else self.node(part) for part in meaning.parts]
            compiled = join(parts, "concat", None, text)
        else:
            compiled = self.node(meaning)
        return compiled if self.observe is None else observed_string(text, compiled, self.observe)

    def value(self, value: Value, depth: int = 0) -> Compiled:
        """Any JSON value."""
        if isinstance(value, str):
            return self.string(value) if "@" in value else constant(value)
        if not isinstance(value, (list, dict)) or not value:
            return constant(value)
        if depth > MAXIMUM_JSON_NESTING:
            raise ExpressionError(f"The value is nested more than {MAXIMUM_JSON_NESTING} levels deep.")
        if isinstance(value, list):
            return self._array(value, [self.value(item, depth + 1) for item in value])
        names = [self.string(name) if "@" in name else constant(name) for name in value]
        return self._object(value, names, [self.value(item, depth + 1) for item in value.values()])

    def _array(self, value: Value, items: Sequence[Compiled]) -> Compiled:
        if all(item.constant for item in items) and _literal(value):
            return constant(value)
        evaluators = [item.evaluate for item in items]
        return Compiled(
            lambda frame: [evaluate(frame) for evaluate in evaluators], all(item.constant for item in items)
        )

    def _object(self, value: Value, names: Sequence[Compiled], items: Sequence[Compiled]) -> Compiled:
        fixed = all(item.constant for item in items) and all(name.constant for name in names)
        if fixed and _literal(value):
            return constant(value)
        if not all(name.constant for name in names):
            pairs = [(name.evaluate, item.evaluate) for name, item in zip(names, items, strict=True)]
            return Compiled(lambda frame: {to_text(name(frame)): item(frame) for name, item in pairs})
        members = [(to_text(name.value), item.evaluate) for name, item in zip(names, items, strict=True)]
        if fixed:
            return constant({name: evaluate(None) for name, evaluate in members})
        names_once = {name for name, _ in members}
        if len(names_once) < len(members):
            return Compiled(lambda frame: {name: evaluate(frame) for name, evaluate in members})
        # What is constant is there from the start: a copy of it costs less than asking each member.
        fixed_members = [item.value if item.constant else None for item in items]
        outline = dict(zip((name for name, _ in members), fixed_members, strict=True))
        varying = [member for member, item in zip(members, items, strict=True) if not item.constant]
        return Compiled(_filled(outline, varying))


def _filled(outline: dict[str, Value], varying: Sequence[tuple[str, Evaluator]]) -> Evaluator:
    """Evaluates an object whose other members are constant."""
    if len(varying) == 1:
        ((only, value_of),) = varying

        def with_one(frame: Any) -> Value:
            made = outline.copy()
            made[only] = value_of(frame)
            return made

        return with_one

    def filled(frame: Any) -> Value:
        made = outline.copy()
        for name, evaluate in varying:
            made[name] = evaluate(frame)
        return made

    return filled


def _too_many_ranges() -> ExpressionError:
    return ExpressionError(f"An expression may call 'range' at most {_MAXIMUM_RANGES} times.")


def _literal(value: Value) -> bool:
    """Whether a value without evaluated parts stands for itself: no string in it is changed by reading it (`@@`)."""
    if isinstance(value, str):
        return "@" not in value
    if isinstance(value, list):
        return all(map(_literal, value))
    if isinstance(value, dict):
        return all(map(_literal, value)) and all(map(_literal, value.values()))
    return True


def _apply(
    call: Implementation, name: str, arguments: Sequence[Compiled], at: int | None, source: str | None
) -> Evaluator:
    if len(arguments) == 1:
        return _apply_one(call, name, arguments[0].evaluate, at, source)
    if len(arguments) == 2:
        return _apply_two(call, name, arguments[0], arguments[1], at, source)
    if len(arguments) == 3:
        return _apply_three(call, name, arguments[0], arguments[1], arguments[2], at, source)
    evaluators = [argument.evaluate for argument in arguments]

    def many(frame: Any) -> Value:
        try:
            return call(*[evaluate(frame) for evaluate in evaluators])  # type: ignore[no-any-return]
        except Exception as error:
            raise located(error, name, at, source) from None

    return many


def _apply_one(call: Callable[..., Any], name: str, first: Evaluator, at: int | None, source: str | None) -> Evaluator:
    def one(frame: Any) -> Value:
        try:
            return call(first(frame))  # type: ignore[no-any-return]
        except Exception as error:
            raise located(error, name, at, source) from None

    return one


def _apply_two(
    call: Callable[..., Any], name: str, left: Compiled, right: Compiled, at: int | None, source: str | None
) -> Evaluator:
    first, second = left.evaluate, right.evaluate
    if right.constant:
        fixed = right.value

        def with_literal(frame: Any) -> Value:
            try:
                return call(first(frame), fixed)  # type: ignore[no-any-return]
            except Exception as error:
                raise located(error, name, at, source) from None

        return with_literal

    def two(frame: Any) -> Value:
        try:
            return call(first(frame), second(frame))  # type: ignore[no-any-return]
        except Exception as error:
            raise located(error, name, at, source) from None

    return two


def _apply_three(
    call: Callable[..., Any],
    name: str,
    left: Compiled,
    middle: Compiled,
    right: Compiled,
    at: int | None,
    source: str | None,
) -> Evaluator:
    first, second, third = left.evaluate, middle.evaluate, right.evaluate
    if middle.constant and right.constant:
        one, other = middle.value, right.value

        def with_literals(frame: Any) -> Value:
            try:
                return call(first(frame), one, other)  # type: ignore[no-any-return]
            except Exception as error:
                raise located(error, name, at, source) from None

        return with_literals

    def three(frame: Any) -> Value:
        try:
            return call(first(frame), second(frame), third(frame))  # type: ignore[no-any-return]
        except Exception as error:
            raise located(error, name, at, source) from None

    return three
