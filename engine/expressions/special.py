"""Calls that are not plain function calls: the lazy ones (`if`, `and`, `or`, `coalesce`), and common ones made fast.

A form gets the compiled arguments and gives a compiled call. The fast forms mean exactly what their function in
`functions/` means: they only decide the usual types in place and leave everything else to it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ExpressionError
from ..values import Value, equal, type_name
from .evaluators import Compiled, Evaluator, constant, located
from .functions import logic
from .joining import join


class Place:
    """Where a call stands: what its errors tell."""

    __slots__ = ("at", "name", "source")

    def __init__(self, name: str, at: int | None, source: str | None) -> None:
        self.name = name
        self.at = at
        self.source = source

    def located(self, error: Exception) -> Exception:
        """The error to raise for one that came out of this call."""
        return located(error, self.name, self.at, self.source)

    def no_boolean(self, value: Value) -> ExpressionError:
        """The error for a value that should have been true or false."""
        return ExpressionError(
            f"The template language function '{self.name}' expects its "
            f"{'first parameter' if self.name == 'if' else 'parameters'} to be a boolean. "
            f"The provided value is of type '{type_name(value)}'.",
            hint="Compare it first, for example with equals(), or convert it with bool().",
            position=self.at,
            expression=self.source,
        )


Form = Callable[[Sequence[Compiled], Place], Compiled | None]


def _if(arguments: Sequence[Compiled], place: Place) -> Compiled:
    if arguments[0].constant and type(arguments[0].value) is bool:
        return arguments[1] if arguments[0].value else arguments[2]
    condition, yes, no = (argument.evaluate for argument in arguments)

    def choose(frame: Any) -> Value:
        value = condition(frame)
        if value is True:
            return yes(frame)
        if value is False:
            return no(frame)
        raise place.no_boolean(value)

    return Compiled(choose)


def _and(arguments: Sequence[Compiled], place: Place) -> Compiled:
    return _until(arguments, place, stop=False)


def _or(arguments: Sequence[Compiled], place: Place) -> Compiled:
    return _until(arguments, place, stop=True)


def _until(arguments: Sequence[Compiled], place: Place, *, stop: bool) -> Compiled:
    if arguments[0].constant and arguments[0].value is stop:
        return constant(stop)
    others = not stop
    evaluators = tuple(argument.evaluate for argument in arguments)
    if len(evaluators) == 2:
        first, second = evaluators

        def two(frame: Any) -> Value:
            value = first(frame)
            if value is others:
                value = second(frame)
                if value is others:
                    return others
            if value is stop:
                return stop
            raise place.no_boolean(value)

        return Compiled(two, all(argument.constant for argument in arguments) and _folds(two))

    def many(frame: Any) -> Value:
        for evaluate in evaluators:
            value = evaluate(frame)
            if value is stop:
                return stop
            if value is not others:
                raise place.no_boolean(value)
        return others

    return Compiled(many, all(argument.constant for argument in arguments) and _folds(many))


def _folds(evaluate: Evaluator) -> bool:
    try:
        evaluate(None)
    except ExpressionError:
        return False
    return True


def _coalesce(arguments: Sequence[Compiled], place: Place) -> Compiled:
    evaluators = tuple(argument.evaluate for argument in arguments)
    if arguments[0].constant and arguments[0].value is not None:
        return arguments[0]
    if len(evaluators) == 2:
        first, second = evaluators

        def two(frame: Any) -> Value:
            value = first(frame)
            return second(frame) if value is None else value

        return Compiled(two, arguments[0].constant and arguments[1].constant)

    def many(frame: Any) -> Value:
        for evaluate in evaluators:
            value = evaluate(frame)
            if value is not None:
                return value
        return None

    return Compiled(many, all(argument.constant for argument in arguments))


def _concat(arguments: Sequence[Compiled], place: Place) -> Compiled:
    return join(arguments, place.name, place.at, place.source)


def _equals(arguments: Sequence[Compiled], place: Place) -> Compiled | None:
    left, right = arguments
    if left.constant == right.constant:
        return None
    # Equality is symmetric, so a literal may stand on either side.
    evaluate, literal = (left.evaluate, right.value) if right.constant else (right.evaluate, left.value)
    kind = type(literal)
    if kind not in (str, int, bool):
        return None

    def against_literal(frame: Any) -> Value:
        value = evaluate(frame)
        if type(value) is kind:
            return value == literal
        try:
            return equal(value, literal)
        except Exception as error:
            raise place.located(error) from None

    return Compiled(against_literal)


def _not(arguments: Sequence[Compiled], place: Place) -> Compiled:
    evaluate = arguments[0].evaluate

    def negate(frame: Any) -> Value:
        value = evaluate(frame)
        if value is True:
            return False
        if value is False:
            return True
        raise place.no_boolean(value)

    return Compiled(negate)


def _comparison(
    slowly: Callable[[Value, Value], bool], quickly: Callable[[Any, Any], bool]
) -> Callable[[Sequence[Compiled], Place], Compiled | None]:
    def form(arguments: Sequence[Compiled], place: Place) -> Compiled | None:
        left, right = arguments
        if left.constant or not right.constant:
            return None
        evaluate, literal = left.evaluate, right.value
        if type(literal) is not int:
            return None

        def against_literal(frame: Any) -> Value:
            value = evaluate(frame)
            if type(value) is int or type(value) is float:
                return quickly(value, literal)
            try:
                return slowly(value, literal)
            except Exception as error:
                raise place.located(error) from None

        return Compiled(against_literal)

    return form


def _format_date_time(arguments: Sequence[Compiled], place: Place) -> Compiled | None:
    timestamp, *rest = arguments
    if timestamp.constant or not rest or not all(argument.constant for argument in rest):
        return None
    from .functions import dates

    write = dates.fixed_writer(*[argument.value for argument in rest])
    if write is None:
        return None
    written, evaluate, moment_of, moment = write, timestamp.evaluate, dates.moment_of, timestamp.moment

    def of_text(frame: Any) -> Value:
        try:
            return written(moment_of(evaluate(frame)))
        except Exception as error:
            raise place.located(error) from None

    def of_moment(frame: Any) -> Value:
        try:
            return written(moment(frame))  # type: ignore[misc]
        except Exception as error:
            raise place.located(error) from None

    return Compiled(of_text if moment is None else of_moment)


# Looked up before the function table. A form that gives None leaves the call to the function of the same name.
FORMS: dict[str, Form] = {
    "if": _if,
    "and": _and,
    "or": _or,
    "coalesce": _coalesce,
    "concat": _concat,
    "equals": _equals,
    "not": _not,
    "formatdatetime": _format_date_time,
    "greater": _comparison(logic.greater, operator.gt),
    "greaterorequals": _comparison(logic.greater_or_equals, operator.ge),
    "less": _comparison(logic.less, operator.lt),
    "lessorequals": _comparison(logic.less_or_equals, operator.le),
}
