"""What has to be settled before a run exists: its id, its trigger, and the pins that stay the same for the life of it.

Ids and seeds are drawn here, at the border: below, chance is an input.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...kernel import REVISION, Plan, fire, resolve, waits_for_response
from ...kernel.cloud.plan.tracking import client_tracking_id
from ...kernel.cloud.reply import answer_within
from ...kernel.cloud.triggers.trigger import Firing, concurrency_of, is_single
from .library import Flow

if TYPE_CHECKING:
    from ...kernel.desktop.plan import ScriptPlan


class Unset:
    """No body was given, which is not the same as null."""


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is to be started: everything its start record will say. `at` is in ticks."""

    run_id: bytes
    flow_id: bytes
    flow: str
    version: int
    at: int
    trigger: dict[str, Any]
    pins: dict[str, Any]
    parent: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """As it travels through the inbox to the process that executes the environment."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Start:
        return cls(**value)


def new_run_id(at: int) -> bytes:
    """A UUIDv7: 48 bits of milliseconds, then chance, so that ids sort by time."""
    random = bytearray(secrets.token_bytes(10))
    random[0] = 0x70 | random[0] & 0x0F
    random[2] = 0x80 | random[2] & 0x3F
    return (at // 10_000).to_bytes(6, "big") + bytes(random)


def run_id_of(at_ms: int, origin: bytes) -> bytes:
    """The UUIDv7 of the run that `origin` starts: the same each time, so that a start that is repeated is noticed."""
    parts = bytearray(hashlib.sha256(b"run of " + origin).digest()[:10])
    parts[0] = 0x70 | parts[0] & 0x0F
    parts[2] = 0x80 | parts[2] & 0x3F
    return at_ms.to_bytes(6, "big") + bytes(parts)


def run_name(run_id: bytes) -> str:
    """The id as people see it."""
    text = run_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def plan_starts(
    plan: Plan | ScriptPlan,
    flow: Flow,
    *,
    environment: str,
    at: int,
    body: Any = UNSET,
    headers: dict[str, Any] | None = None,
    queries: dict[str, Any] | None = None,
    path: dict[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    simulate: Any = None,
    run_id: bytes | None = None,
    parent: bytes | None = None,
    tracking: str | None = None,
    nested: int = 0,
    firing: Firing | None = None,
) -> list[Start]:
    """The runs that one firing of the trigger starts: none when a condition is false, one per element with splitOn.

    `firing` is given where the trigger fired by itself, `tracking` is the parent's client tracking id, `nested` how
    many flows above it called one another. With `run_id` the ids of all runs follow from it.
    Raises DefinitionError for parameters that do not fit and as `fire`, ExpressionError for a trigger that cannot be
    evaluated.
    """
    if plan.kind == "desktop":
        own = run_id if run_id is not None else new_run_id(at)
        inputs = {} if isinstance(body, Unset) or body is None else body
        return [_script_start(plan, flow, environment, own, at, inputs, simulate, parent, nested)]
    values = resolve(plan.definition, parameters or {}, simulate=simulate is not None, connections=plan.connections)
    given = not isinstance(body, Unset)
    first = run_id if run_id is not None else new_run_id(at)
    pins = _pins(plan, flow, environment, first, values, simulate)
    address: dict[str, Any] = {"headers": headers, "queries": queries, "path": path}
    records = fire(plan, body if given else None, at=at, pins=pins, given=given, firing=firing, **address)
    starts = []
    for number, record in enumerate(records):
        own = first if number == 0 else _nth(run_id, number, at)
        own_pins = pins if number == 0 else _pins(plan, flow, environment, own, values, simulate)
        own_pins["answer_within"] = answer_within(plan, nested=parent is not None)
        own_pins["tracking"] = client_tracking_id(plan, record, own_pins, at) or tracking or run_name(own)
        record["clientTrackingId"] = own_pins["tracking"]
        if nested:
            own_pins["nested"] = nested
        starts.append(Start(own, flow.id, flow.name, flow.version, at, record, own_pins, parent))
    return starts


def _nth(run_id: bytes | None, number: int, at: int) -> bytes:
    """The id of a later one of the runs that a firing starts, from that of the first where it was given."""
    if run_id is None:
        return new_run_id(at)
    return run_id_of(int.from_bytes(run_id[:6], "big"), run_id + number.to_bytes(4, "big"))


def _script_start(
    plan: ScriptPlan,
    flow: Flow,
    environment: str,
    run_id: bytes,
    at: int,
    inputs: Any,
    simulate: Any,
    parent: bytes | None,
    nested: int,
) -> Start:
    """The run of a desktop flow: `inputs` are its declared inputs, by the names that callers know."""
    from .scripts import script_start

    trigger, pins = script_start(
        plan, flow.name, flow.version, run=run_name(run_id), environment=environment, inputs=inputs,
        simulate=simulate, nested=nested,
    )  # fmt: skip
    if plan.timeout is not None:
        pins["timeout"] = plan.timeout
    return Start(run_id, flow.id, flow.name, flow.version, at, trigger, pins, parent)


def start_arguments(
    body: Any,
    parameters: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    queries: Mapping[str, Any] | None,
    path: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What a caller gives of the arguments of `plan_starts`; None and UNSET give nothing."""
    named = {"parameters": parameters, "headers": headers, "queries": queries, "path": path}
    given: dict[str, Any] = {name: dict(each) for name, each in named.items() if each is not None}
    return given if isinstance(body, Unset) else {**given, "body": body}


def trigger_pins(plan: Plan, flow: Flow, environment: str, at: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the expressions of a flow's trigger see, before any run. Raises DefinitionError as `plan_starts`."""
    values = resolve(plan.definition, parameters, connections=plan.connections)
    return _pins(plan, flow, environment, new_run_id(at), values, None)


def declared(document: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Of the parameters that a deployed file gives, those that the definition has."""
    known = {parameter.key for parameter in plan.definition.parameters}
    return {name: value for name, value in document["parameters"].items() if name.lower() in known}


def _pins(
    plan: Plan,
    flow: Flow,
    environment: str,
    run_id: bytes,
    parameters: dict[str, Any],
    simulate: Any,
) -> dict[str, Any]:
    name = run_name(run_id)
    return {
        "revision": REVISION,
        "version": flow.version,
        "dialect": plan.definition.dialect,
        "seed": secrets.token_bytes(32),
        "run": name,
        "tracking": name,
        "caller": waits_for_response(plan),
        "parameters": parameters,
        "simulate": simulate,
        "workflow": {
            "id": f"/workflows/{flow.name}",
            "name": flow.name,
            "type": "Microsoft.Logic/workflows",
            "location": "local",
            "tags": {
                "flowDisplayName": flow.name,
                "logicAppName": flow.name,
                "environmentName": environment,
            },
            "run": {
                "id": f"/workflows/{flow.name}/runs/{name}",
                "name": name,
                "type": "Microsoft.Logic/workflows/runs",
            },
        },
    }


def is_led(plan: Plan) -> bool:
    """Return whether the runs of this flow limit each other: all of them run on the worker that leads."""
    return concurrency_of(plan) is not None or is_single(plan)
