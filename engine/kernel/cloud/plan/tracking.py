"""What runs and actions are found by: a run's client tracking id and an action's tracked properties.

Tracked properties follow from the action's record and the parameters, so they are in no record of the run: whoever
shows an action evaluates them. A fault in them fails nothing.

Source: Logic Apps, "Monitor workflows and collect diagnostic data": trackedProperties use action() and parameters only
and have at most 8,000 characters; the tracking id comes from the trigger's `correlation` or the header
x-ms-client-tracking-id and goes to nested workflows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....cloud import Action
from ....errors import ExpressionError
from ....expressions import Evaluator, Observer, Scope, Suspend, compile_value
from ....values import Value, to_json, to_text
from ..state import Frame
from ..triggers.trigger import trigger_of, trigger_state
from .names import Name, TriggerScope
from .plan import Plan

MOST_CHARACTERS: Final = 8_000
HEADER: Final = "x-ms-client-tracking-id"

Tracked = Callable[[Frame, dict[str, Any]], tuple[Value, "dict[str, Any] | None"]]
"""From an action's frame and record to its tracked properties and, where they could not be evaluated, an error."""


class TrackedScope(Scope):
    """The names that tracked properties may use."""

    def current_action(self) -> Evaluator:
        return lambda frame: frame.state.element

    def parameter(self, name: Name) -> Evaluator:
        return TriggerScope().parameter(name)


def tracked(action: Action, observe: Observer | None = None) -> Tracked:
    """The tracked properties of an action that has them."""
    scope = TrackedScope()
    scope.observe = observe
    try:
        evaluate = compile_value(action.raw["trackedProperties"], scope).evaluate
    except ExpressionError as error:
        fault = _fault(error)
        return lambda frame, record: (None, fault)

    def properties(frame: Frame, record: dict[str, Any]) -> tuple[Value, dict[str, Any] | None]:
        state = frame.state
        outer, state.element = state.element, record
        try:
            value = evaluate(frame)
            length = len(to_json(value))
            if length > MOST_CHARACTERS:
                raise ExpressionError(f"They have {length:,} characters; the most are {MOST_CHARACTERS:,}.")
        except Suspend:
            raise
        except Exception as error:
            return None, _fault(error)
        finally:
            state.element = outer
        return value, None

    return properties


def _fault(error: Exception) -> dict[str, Any]:
    told = error.message if isinstance(error, ExpressionError) else type(error).__name__
    return {"code": "InvalidTrackedProperties", "message": f"The tracked properties could not be evaluated: {told}"}


def client_tracking_id(plan: Plan, record: dict[str, Any], pins: dict[str, Any], at: int) -> str | None:
    """The tracking id that a trigger gives its run, None where it gives none. `record` is the trigger's record.

    Raises ExpressionError for a `correlation` that cannot be evaluated.
    """
    trigger = trigger_of(plan)
    correlation = trigger.raw.get("correlation") if trigger is not None else None
    given = correlation.get("clientTrackingId") if isinstance(correlation, dict) else None
    if given is not None:
        state = trigger_state(plan, pins, at, record)
        return to_text(compile_value(given, TriggerScope()).evaluate(state.root)) or None
    outputs = record.get("outputs")
    headers = outputs.get("headers") if isinstance(outputs, dict) else None
    for name, value in (headers if isinstance(headers, dict) else {}).items():
        if name.lower() == HEADER:
            return to_text(value) or None
    return None
