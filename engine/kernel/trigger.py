"""From what arrived at a trigger to the runs it starts: none, one, or one for each element (`splitOn`).

Source: Logic Apps, "Schema reference for trigger and action types": trigger outputs, trigger conditions, splitOn (at
most 100,000).
"""

from __future__ import annotations

from typing import Any, Final

from ..cloud import Trigger
from ..errors import ExpressionError
from ..expressions import compile_condition, compile_string
from ..values import Value, type_name
from .jsonschema import Validator
from .names import TriggerScope
from .plan import Plan
from .state import State
from .timing import iso

MOST_RUNS: Final = 100_000


def fire(
    plan: Plan, body: Value, *, at: int, pins: dict[str, Any], headers: dict[str, Any] | None = None, given: bool = True
) -> list[dict[str, Any]]:
    """The trigger record of each run that starts; empty when a trigger condition is false.

    `body` is the trigger's body; `given` False says that there was none, and then splitOn has nothing to split and a
    single run starts. `pins` are those of the run's start record (parameters, workflow, seed). Raises ExpressionError
    for a condition or splitOn that cannot be evaluated.
    """
    trigger = plan.definition.triggers[0] if plan.definition.triggers else None
    record = _record(trigger, body, at, headers or {}, given)
    if trigger is None:
        return [record]
    state = State(plan)
    state.now = state.started = at
    state.pins, state.params, state.trigger = pins, pins.get("parameters") or {}, record
    scope = TriggerScope()
    _check_schema(trigger, body, state)
    records = _split(trigger, record, state, scope) if trigger.split_on is not None and given else [record]
    for condition in trigger.conditions:
        holds = compile_condition(condition, scope).evaluate
        kept = []
        for each in records:
            state.trigger = each
            if holds(state.root) is True:
                kept.append(each)
        records = kept
    return records


def _split(trigger: Trigger, record: dict[str, Any], state: State, scope: TriggerScope) -> list[dict[str, Any]]:
    """A record for each element; trigger conditions are asked of each of them, as the product's connectors rely on."""
    assert trigger.split_on is not None  # noqa: S101
    items = compile_string(trigger.split_on, scope).evaluate(state.root)
    if not isinstance(items, list):
        raise ExpressionError(
            f"splitOn of the trigger '{trigger.name}' needs an array, not {type_name(items)}.",
            hint="Give an input that has the array at the place splitOn names.",
        )
    if len(items) > MOST_RUNS:
        raise ExpressionError(
            f"splitOn of the trigger '{trigger.name}' gives {len(items):,} runs; the most are {MOST_RUNS:,}."
        )
    return [{**record, "outputs": {**record["outputs"], "body": item}} for item in items]


def _check_schema(trigger: Trigger, body: Value, state: State) -> None:
    """With EnableSchemaValidation a request must fit the trigger's schema. Source: Request trigger, validate schema."""
    schema = trigger.inputs.get("schema") if isinstance(trigger.inputs, dict) else None
    if schema is None or "enableschemavalidation" not in trigger.options:
        return
    fault = Validator(lambda frame: schema, True).fault(state.root, body)
    if fault is not None:
        raise ExpressionError(
            fault, code="TriggerInputSchemaMismatch", hint="Give an input that fits the trigger's schema."
        )


def waits_for_response(plan: Plan) -> bool:
    """Whether a caller waits for this flow's Response: only a request has one, and not when the trigger splits it."""
    trigger = plan.definition.triggers[0] if plan.definition.triggers else None
    if trigger is None:
        return plan.answers
    return plan.answers and trigger.split_on is None and trigger.type in ("request", "manual")


def _record(trigger: Trigger | None, body: Value, at: int, headers: dict[str, Any], given: bool) -> dict[str, Any]:
    kind = trigger.type if trigger is not None else "request"
    if kind in ("recurrence", "slidingwindow") and not given:
        outputs: dict[str, Any] = {}
        if kind == "slidingwindow":
            outputs = {"windowStartTime": iso(at), "windowEndTime": iso(at)}
    elif kind in ("request", "manual"):
        # Instant flows without inputs still have an object for a body.
        if not given and trigger is not None and trigger.kind not in ("", "http"):
            body = {}
        outputs = {"headers": headers, "queries": {}, "relativePathParameters": {}, "body": body}
    else:
        outputs = {"statusCode": 200, "headers": headers, "body": body}
    return {
        "name": trigger.name if trigger is not None else "manual",
        "inputs": None,
        "outputs": outputs,
        "startTime": iso(at),
        "endTime": iso(at),
        "scheduledTime": iso(at),
        "status": "Succeeded",
        "code": "OK",
    }
