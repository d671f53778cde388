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

    # --- primitives

    def outputs(self, name: Name) -> Evaluator:
        """The outputs of the action `name`; null where it has none."""
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
    """An evaluator of the body of these outputs; null where there is none."""

    def body(frame: Any) -> Value:
        value = outputs(frame)
        return get(value, "body", True) if type(value) is dict else None

    return body


_Meaning = Callable[[Scope, Call, CompileArgument], Evaluator]


def _named(primitive: Callable[[Scope, Name], Evaluator]) -> _Meaning:
    return lambda scope, call, compile_argument: primitive(scope, _name(call, compile_argument))


def _bare(primitive: Callable[[Scope], Evaluator]) -> _Meaning:
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


def _table() -> Iterable[Function]:
    outputs = _named(lambda scope, name: scope.outputs(name))
    body = _named(lambda scope, name: body_of(scope.outputs(name)))
    trigger = _bare(lambda scope: scope.trigger_record())
    yield Function("actions", _named(lambda scope, name: scope.record(name)), 1, 1)
    yield Function("action", _bare(lambda scope: scope.current_action()), 0, 0)
    yield Function("outputs", outputs, 1, 1)
    yield Function("actionOutputs", outputs, 1, 1)
    yield Function("body", body, 1, 1)
    yield Function("actionBody", body, 1, 1)
    yield Function("trigger", trigger, 0, 0)
    yield Function("triggers", trigger, 0, 0)
    yield Function("triggerOutputs", _bare(lambda scope: scope.trigger_outputs()), 0, 0)
    yield Function("triggerBody", _bare(lambda scope: body_of(scope.trigger_outputs())), 0, 0)
    yield Function("variables", _named(lambda scope, name: scope.variable(name)), 1, 1)
    yield Function("parameters", _named(lambda scope, name: scope.parameter(name)), 1, 1)
    yield Function("agentParameters", _named(lambda scope, name: scope.agent_parameter(name)), 1, 1)
    yield Function("item", _bare(lambda scope: scope.item()), 0, 0)
    yield Function("items", _named(lambda scope, name: scope.items(name)), 1, 1)
    yield Function("iterationIndexes", _named(lambda scope, name: scope.iteration_index(name)), 1, 1)
    yield Function("workflow", _bare(lambda scope: scope.workflow()), 0, 0)
    yield Function("result", _named(lambda scope, name: scope.results(name)), 1, 1)
    yield Function("appsetting", _named(lambda scope, name: scope.app_setting(name)), 1, 1)
    yield Function("listCallbackUrl", _bare(lambda scope: scope.callback_url()), 0, 0)
    yield Function("formDataValue", _of_action(forms.form_data_value), 2, 2)
    yield Function("formDataMultiValues", _of_action(forms.form_data_values), 2, 2)
    yield Function("multipartBody", _of_action(forms.multipart_body), 2, 2)
    yield Function("triggerFormDataValue", _of_trigger(forms.form_data_value), 1, 1)
    yield Function("triggerFormDataMultiValues", _of_trigger(forms.form_data_values), 1, 1)
    yield Function("triggerMultipartBody", _of_trigger(forms.multipart_body), 1, 1)


# By lower-cased name. Their implementations take the scope, the call and what compiles an argument.
CONTEXT_FUNCTIONS: dict[str, Function] = {function.name.lower(): function for function in _table()}
