"""What names mean: the context functions (`outputs`, `variables`, `item`, ...) over the few primitives of a scope.

A scope is asked once, when an expression is compiled, and answers with evaluators. Time and chance come through it as
well. Plain functions are no business of a scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..errors import ExpressionError
from ..values import Value, get, type_name
from .evaluators import Compiled, Evaluator
from .functions import forms
from .observe import Observer
from .syntax import Call, Literal, Node
from .table import Function

# A name in an expression: the text itself where it is a literal, else an evaluator that gives it.
Name: TypeAlias = "str | Evaluator"
CompileArgument = Callable[[Node], Compiled]


def name_text(value: Value, function: str) -> str:
    """The name that an argument gives. Raises ExpressionError unless it is a text."""
    if type(value) is str:
        return value
    raise ExpressionError(
        f"The template language function '{function}' expects its parameter to be a string. "
        f"The provided value is of type '{type_name(value)}'."
    )


class Scope:
    """What an expression can name in one place of a definition.

    Override the primitives that exist there; the others raise ExpressionError when an expression that uses them is
    compiled. An evaluator's argument, the frame, is the scope's own.
    """

    observe: Observer | None = None
    """Told of what is evaluated of the expressions that are compiled in this scope."""

    # --- primitives

    def outputs(self, name: Name) -> Evaluator:
        """The outputs of the action `name`; null if it has none."""
        raise self.unavailable("outputs")

    def record(self, name: Name) -> Evaluator:
        """The whole record of the action `name`: name, inputs, outputs, startTime, endTime, status, code, error, ..."""
        raise self.unavailable("actions")

    def trigger_outputs(self) -> Evaluator:
        """The outputs of the trigger."""
        raise self.unavailable("triggerOutputs")

    def trigger_record(self) -> Evaluator:
        """The whole record of the trigger."""
        raise self.unavailable("trigger")

    def variable(self, name: Name) -> Evaluator:
        """The value of a variable."""
        raise self.unavailable("variables")

    def parameter(self, name: Name) -> Evaluator:
        """The value of a parameter of the flow."""
        raise self.unavailable("parameters")

    def agent_parameter(self, name: Name) -> Evaluator:
        """The value that an agent gave to a parameter of its tool."""
        raise self.unavailable("agentParameters")

    def item(self) -> Evaluator:
        """The current element of the innermost loop or data operation."""
        raise self.unavailable("item")

    def items(self, loop: Name) -> Evaluator:
        """The current element of the loop of this name."""
        raise self.unavailable("items")

    def iteration_index(self, loop: Name) -> Evaluator:
        """The 0-based number of the current iteration of the loop of this name."""
        raise self.unavailable("iterationIndexes")

    def workflow(self) -> Evaluator:
        """The object that describes the flow and the run."""
        raise self.unavailable("workflow")

    def results(self, scope_name: Name) -> Evaluator:
        """The records of the first-level actions of the scope or loop of this name."""
        raise self.unavailable("result")

    def current_action(self) -> Evaluator:
        """The record of the action that the expression belongs to."""
        raise self.unavailable("action")

    def app_setting(self, name: Name) -> Evaluator:
        """An app setting of the host."""
        raise self.unavailable("appsetting")

    def callback_url(self) -> Evaluator:
        """The URL that calls the trigger or action that the expression belongs to."""
        raise self.unavailable("listCallbackUrl")

    def now(self) -> Evaluator:
        """The time of the evaluation, text like `2026-01-02T03:04:05.0000000Z`."""
        raise ExpressionError("The time of the evaluation is not known here.")

    def random(self) -> Callable[[Any], Any]:
        """A source of random bytes for the evaluation: how many are wanted -> that many."""
        raise ExpressionError("There is no source of randomness here.")

    # --- what the compiler asks

    def unavailable(self, function: str) -> ExpressionError:
        """The error for a context function that means nothing where the expression stands."""
        return ExpressionError(
            f"The template function '{function}' cannot be used here.",
            hint="It needs a run, an action or a loop around it that is not there.",
        )

    def call(self, call: Call, compile_argument: CompileArgument) -> Evaluator | Compiled | None:
        """The evaluator of a call that this scope gives a meaning to; None for a plain function."""
        function = CONTEXT_FUNCTIONS.get(call.key)
        if function is None:
            return None
        function.check_count(len(call.args), position=call.at)
        return function.implementation(self, call, compile_argument)  # type: ignore[no-any-return]

    def body_root(self, call: Call, compile_argument: CompileArgument) -> Evaluator | None:
        """For the shorthands of `...['body']`, the outputs that they read it from, so that links behind them fuse."""
        key = call.key
        if key == "body" or key == "actionbody":
            CONTEXT_FUNCTIONS[key].check_count(len(call.args), position=call.at)
            return self.outputs(_name(call, compile_argument))
        if key == "triggerbody":
            CONTEXT_FUNCTIONS[key].check_count(len(call.args), position=call.at)
            return self.trigger_outputs()
        return None


def _name(call: Call, compile_argument: CompileArgument, index: int = 0) -> Name:
    node = call.args[index]
    if isinstance(node, Literal):
        return name_text(node.value, call.name)
    compiled = compile_argument(node)
    if compiled.constant:
        return name_text(compiled.value, call.name)
    evaluate, function = compiled.evaluate, call.name
    return lambda frame: name_text(evaluate(frame), function)


def body_of(outputs: Evaluator) -> Evaluator:
    """An evaluator of the body of these outputs; null if there is none."""

    def body(frame: Any) -> Value:
        value = outputs(frame)
        if type(value) is not dict:
            return None
        return value["body"] if "body" in value else get(value, "body", True)

    return body


_Meaning = Callable[[Scope, Call, CompileArgument], Evaluator]


def _named(primitive: Callable[[Scope, Name], Evaluator]) -> _Meaning:
    """A function of one name."""
    return lambda scope, call, compile_argument: primitive(scope, _name(call, compile_argument))


def _bare(primitive: Callable[[Scope], Evaluator]) -> _Meaning:
    """A function without arguments."""
    return lambda scope, call, compile_argument: primitive(scope)


def _of_action(read: Callable[[Value, Value, str], Value]) -> _Meaning:
    """A function of the body of a named action and one more argument."""

    def meaning(scope: Scope, call: Call, compile_argument: CompileArgument) -> Evaluator:
        body = body_of(scope.outputs(_name(call, compile_argument)))
        argument, name = compile_argument(call.args[1]).evaluate, call.name
        return lambda frame: read(body(frame), argument(frame), name)

    return meaning


def _of_trigger(read: Callable[[Value, Value, str], Value]) -> _Meaning:
    """A function of the body of the trigger and one argument."""

    def meaning(scope: Scope, call: Call, compile_argument: CompileArgument) -> Evaluator:
        body = body_of(scope.trigger_outputs())
        argument, name = compile_argument(call.args[0]).evaluate, call.name
        return lambda frame: read(body(frame), argument(frame), name)

    return meaning


_REFERENCE = "Logic Apps, expression functions reference: workflow functions"
_OLD = "undocumented; an older name that flows still use"


def _table() -> Iterable[Function]:
    def known(
        name: str, rule: str, meaning: _Meaning, count: int, source: str = _REFERENCE, others: tuple[str, ...] = ()
    ) -> Iterable[Function]:
        meaning.__doc__ = rule
        yield Function(name, meaning, count, count, source=source)
        for other in others:
            yield Function(other, meaning, count, count, source=_OLD)

    outputs = _named(lambda scope, name: scope.outputs(name))
    body = _named(lambda scope, name: body_of(scope.outputs(name)))
    record = "name, inputs, outputs, startTime, endTime, status, code, error"
    yield from known(
        "actions", f"The record of an action: {record}.", _named(lambda scope, name: scope.record(name)), 1
    )
    yield from known("action", "The record of the current action.", _bare(lambda scope: scope.current_action()), 0)
    yield from known("outputs", "The outputs of an action; null if it has none.", outputs, 1, others=("actionOutputs",))
    yield from known("body", "The body of an action's outputs; null if there is none.", body, 1, others=("actionBody",))
    yield from known(
        "trigger",
        "The record of the trigger, shaped like that of an action.",
        _bare(lambda scope: scope.trigger_record()),
        0,
        others=("triggers",),
    )
    yield from known("triggerOutputs", "The outputs of the trigger.", _bare(lambda scope: scope.trigger_outputs()), 0)
    yield from known(
        "triggerBody", "The body of the trigger's outputs.", _bare(lambda scope: body_of(scope.trigger_outputs())), 0
    )
    yield from known("variables", "The value of a variable.", _named(lambda scope, name: scope.variable(name)), 1)
    yield from known(
        "parameters", "The value of a parameter of the flow.", _named(lambda scope, name: scope.parameter(name)), 1
    )
    yield from known(
        "agentParameters",
        "The value that an agent gave to a parameter of its tool.",
        _named(lambda scope, name: scope.agent_parameter(name)),
        1,
        "Logic Apps, Create autonomous agent workflows",
    )
    yield from known(
        "item", "The current element of the innermost loop or data operation.", _bare(lambda scope: scope.item()), 0
    )
    yield from known(
        "items", "The current element of the loop of this name.", _named(lambda scope, name: scope.items(name)), 1
    )
    yield from known(
        "iterationIndexes",
        "The number, from 0, of the current iteration of the Until loop of this name.",
        _named(lambda scope, name: scope.iteration_index(name)),
        1,
    )
    yield from known(
        "workflow",
        "The object that describes the flow and the run, with name, id, tags and run.",
        _bare(lambda scope: scope.workflow()),
        0,
    )
    yield from known(
        "result",
        "The records of the first-level actions of a scope or loop, in an array.",
        _named(lambda scope, name: scope.results(name)),
        1,
    )
    yield from known(
        "appsetting",
        "An app setting of the host.",
        _named(lambda scope, name: scope.app_setting(name)),
        1,
        "Logic Apps, Create parameters for workflows (Standard)",
    )
    yield from known(
        "listCallbackUrl",
        "The URL that calls the trigger or action that the expression belongs to.",
        _bare(lambda scope: scope.callback_url()),
        0,
    )
    one = "The value of a form's field in {}; null if it is missing, an error if there are several."
    many = "All values of a form's field in {}, in an array."
    part = "The body of one part, counted from 0, of a multipart {}."
    action, trigger = "the body of an action", "the body of the trigger"
    yield from known("formDataValue", one.format(action), _of_action(forms.form_data_value), 2)
    yield from known("formDataMultiValues", many.format(action), _of_action(forms.form_data_values), 2)
    yield from known("multipartBody", part.format("body of an action"), _of_action(forms.multipart_body), 2)
    yield from known("triggerFormDataValue", one.format(trigger), _of_trigger(forms.form_data_value), 1)
    yield from known("triggerFormDataMultiValues", many.format(trigger), _of_trigger(forms.form_data_values), 1)
    yield from known("triggerMultipartBody", part.format("body of the trigger"), _of_trigger(forms.multipart_body), 1)


# By lower-cased name. Their implementations take the scope, the call and what compiles an argument.
CONTEXT_FUNCTIONS: dict[str, Function] = {function.name.lower(): function for function in _table()}
