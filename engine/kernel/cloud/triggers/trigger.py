"""From what arrived at a trigger to the runs it starts: none, one, or one for each element (`splitOn`).

Source: Logic Apps, "Schema reference for trigger and action types": trigger outputs, trigger conditions, splitOn (at
most 100,000; 100 where the trigger's concurrency is limited), change trigger concurrency, change waiting runs limit
(by default ten and the number of runs), trigger instances one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ....cloud import Trigger
from ....errors import DefinitionError, ExpressionError
from ....expressions import compile_condition, compile_string
from ....values import Value, type_name
from ...contract.timing import iso, whole
from ..actions.json_schema import Validator
from ..plan.names import TriggerScope
from ..plan.plan import Plan
from ..plan.secrecy import Secrecy
from ..state import State

MOST_RUNS: Final = 100_000
MOST_RUNS_LIMITED: Final = 100
_DEFAULT_RUNS: Final = 25
_MORE_WAITING: Final = 10


@dataclass(frozen=True, slots=True)
class Firing:
    """What the record of a trigger that fired by itself says. Times are ticks: when it was due, and when it began.

    `outputs` None: those of a trigger that was started by hand.
    """

    scheduled: int
    started: int
    inputs: Value = None
    outputs: dict[str, Any] | None = None
    code: str = "OK"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many runs of a flow go on at once, and how many more may wait for that."""

    runs: int
    waiting: int


def concurrency_of(plan: Plan) -> Concurrency | None:
    """The limit of the flow's trigger, None where it has none."""
    trigger = trigger_of(plan)
    runtime = trigger.raw.get("runtimeConfiguration") if trigger is not None else None
    given = runtime.get("concurrency") if isinstance(runtime, dict) else None
    if not isinstance(given, dict):
        return None
    runs = whole(given.get("runs")) or _DEFAULT_RUNS
    waiting = whole(given.get("maximumWaitingRuns"))
    return Concurrency(runs, runs + _MORE_WAITING if waiting is None else waiting)


def is_single(plan: Plan) -> bool:
    """Whether the trigger does not fire while a run of the flow goes on (SingleInstance)."""
    trigger = trigger_of(plan)
    return trigger is not None and "singleinstance" in trigger.options


def trigger_of(plan: Plan) -> Trigger | None:
    """The trigger that starts the flow's runs: the first one."""
    return plan.definition.triggers[0] if plan.definition.triggers else None


def trigger_state(plan: Plan, pins: dict[str, Any], at: int, record: dict[str, Any] | None = None) -> State:
    """A state in which a trigger's expressions can be evaluated. `pins` are those of the run that would start."""
    state = State(plan)
    state.now = state.started = at
    state.pins, state.params, state.trigger = pins, pins.get("parameters") or {}, record
    return state


def fire(
    plan: Plan,
    body: Value,
    *,
    at: int,
    pins: dict[str, Any],
    headers: dict[str, Any] | None = None,
    queries: dict[str, Any] | None = None,
    path: dict[str, Any] | None = None,
    given: bool = True,
    firing: Firing | None = None,
) -> list[dict[str, Any]]:
    """The trigger record of each run that starts; empty when a trigger condition is false.

    `body` is the trigger's body; `given` False says that there was none, and then splitOn has nothing to split and a
    single run starts. `queries` and `path` are those of a request's address. `firing` is given where the trigger fired
    by itself. `pins` are those of the run's start record (parameters, workflow, seed). Raises ExpressionError for a
    condition or splitOn that cannot be evaluated, DefinitionError (NoRequest) for parts of an address where the trigger
    is no request.
    """
    trigger = trigger_of(plan)
    record = _record(trigger, body, at, headers or {}, given, firing)
    _add_address(trigger, record, queries or {}, path or {})
    schema = _schema_to_fit(trigger) if trigger is not None else None
    if trigger is None or (schema is None and trigger.split_on is None and not trigger.conditions):
        return [record]  # nothing is evaluated
    state = trigger_state(plan, pins, at, record)
    scope = TriggerScope()
    if schema is not None:
        with _discreet(plan, "The input", "@triggerBody()"):
            _check_schema(schema, body, state)
    records = [record]
    if trigger.split_on is not None and given:
        most = MOST_RUNS if concurrency_of(plan) is None else MOST_RUNS_LIMITED
        with _discreet(plan, f"splitOn of the trigger '{trigger.name}'", trigger.split_on):
            records = _split(trigger, record, state, scope, most)
    for condition in trigger.conditions:
        with _discreet(plan, f"A condition of the trigger '{trigger.name}'", condition):
            holds = compile_condition(condition, scope).evaluate
            kept = []
            for each in records:
                state.trigger = each
                if holds(state.root) is True:
                    kept.append(each)
        records = kept
    return records


@contextmanager
def _discreet(plan: Plan, what: str, part: Value) -> Iterator[None]:
    """A fault of what reads secured values is told without its message, which may quote one of them."""
    try:
        yield
    except ExpressionError as error:
        if not Secrecy(plan.definition).is_read_by(part):
            raise
        raise ExpressionError(
            f"{what} is not as it has to be. The reason is hidden, since secured values are read there.",
            code=error.code,
            hint="The trigger's secureData and the parameters of a secure type say what is secured.",
        ) from None


def _split(
    trigger: Trigger, record: dict[str, Any], state: State, scope: TriggerScope, most: int
) -> list[dict[str, Any]]:
    """A record for each element; trigger conditions are asked of each of them, as the product's connectors rely on."""
    assert trigger.split_on is not None  # noqa: S101
    items = compile_string(trigger.split_on, scope).evaluate(state.root)
    if not isinstance(items, list):
        raise ExpressionError(
            f"splitOn of the trigger '{trigger.name}' needs an array, not {type_name(items)}.",
            hint="Give an input that has the array at the place splitOn names.",
        )
    if len(items) > most:
        raise ExpressionError(
            f"splitOn of the trigger '{trigger.name}' gives {len(items):,} runs; the most are {most:,}."
        )
    return [{**record, "outputs": {**record["outputs"], "body": item}} for item in items]


def _schema_to_fit(trigger: Trigger) -> Value:
    """The schema that a request must fit with EnableSchemaValidation. Source: Request trigger, validate schema."""
    if "enableschemavalidation" not in trigger.options or not isinstance(trigger.inputs, dict):
        return None
    return trigger.inputs.get("schema")


def _check_schema(schema: Value, body: Value, state: State) -> None:
    fault = Validator(lambda frame: schema, True).fault(state.root, body)
    if fault is not None:
        raise ExpressionError(
            fault, code="TriggerInputSchemaMismatch", hint="Give an input that fits the trigger's schema."
        )


def waits_for_response(plan: Plan) -> bool:
    """Whether a caller waits for this flow's Response: only a request has one, and not when the trigger splits it."""
    trigger = trigger_of(plan)
    if trigger is None:
        return plan.answers
    return plan.answers and trigger.split_on is None and trigger.type in ("request", "manual")


def _add_address(
    trigger: Trigger | None, record: dict[str, Any], queries: dict[str, Any], path: dict[str, Any]
) -> None:
    if not queries and not path:
        return
    if trigger is not None and trigger.type not in ("request", "manual"):
        raise DefinitionError(
            f"The trigger '{trigger.name}' is no request: it has no queries and no parameters in its path.",
            code="NoRequest",
            at=trigger.pointer,
        )
    record["outputs"] |= {"queries": queries, "relativePathParameters": path}


def _record(
    trigger: Trigger | None, body: Value, at: int, headers: dict[str, Any], given: bool, firing: Firing | None
) -> dict[str, Any]:
    kind = trigger.type if trigger is not None else "request"
    now = iso(at)
    if firing is not None and firing.outputs is not None:
        outputs = firing.outputs
    elif kind in ("recurrence", "slidingwindow") and not given:
        outputs = {}
        if kind == "slidingwindow":
            outputs = {"windowStartTime": now, "windowEndTime": now}
    elif kind in ("request", "manual"):
        # Instant flows without inputs still have an object for a body.
        if not given and trigger is not None and trigger.kind not in ("", "http"):
            body = {}
        outputs = {"headers": headers, "queries": {}, "relativePathParameters": {}, "body": body}
    else:
        outputs = {"statusCode": 200, "headers": headers, "body": body}
    return {
        "name": trigger.name if trigger is not None else "manual",
        "inputs": firing.inputs if firing is not None else None,
        "outputs": outputs,
        "startTime": iso(firing.started) if firing is not None else now,
        "endTime": now,
        "scheduledTime": iso(firing.scheduled) if firing is not None else now,
        "status": "Succeeded",
        "code": firing.code if firing is not None else "OK",
    }
