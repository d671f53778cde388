"""Regular expressions in actions: what is wrong with one fails the action, by the name that handlers know."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from ... import patterns
from ...errors import error_name
from ..expressions.errors import ActionError

INVALID: Final = error_name("Provided regular expression is invalid")

P = ParamSpec("P")
T = TypeVar("T")


def _of_actions(work: Callable[P, T]) -> Callable[P, T]:
    """The same, which raises ActionError."""

    @wraps(work)
    def worked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except patterns.PatternError as error:
            code = INVALID if error.code == patterns.PatternError.code else error.code
            raise ActionError(code, error.message) from error.__cause__

    return worked


compiled = _of_actions(patterns.compiled)
matches = _of_actions(patterns.matches)
pieces = _of_actions(patterns.pieces)
replaced = _of_actions(patterns.replaced)
