"""Rules about what exists and what is built: types, kinds, options, runtime configuration.

What this version does not run is refused with NotYetSupported at its place; nothing is ignored in silence.
"""

from __future__ import annotations

from typing import Any

from .arm import is_template_string
from .catalog import (
    ACTIONS,
    ACTIONS_LATER,
    CALLED_TRIGGERS,
    CALLS,
    EXPRESSION_KINDS,
    OPTIONS,
    RESPONSE_KINDS,
    RUNTIME_ACTIONS,
    RUNTIME_TRIGGERS,
    TIMED,
    TRIGGERS,
    nearest,
)
from .definition import Action, Definition, JsonObject, Trigger
from .outline import Outline
from .pointer import join
from .problem import Problems


def check_types(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    for trigger in outline.definition.triggers:
        _trigger(trigger, problems)
    for place in outline.places:
        action = place.action
        if place.parent is None or place.parent.built:
            _action_type(action, problems)
        if place.built:
            _options(action.raw, action.pointer, problems)
            _runtime(action, problems)
            _unbuilt(action, problems)
            _static_result(action.raw, action.pointer, outline.definition, problems)


def _action_type(action: Action, problems: Problems) -> None:
    at = join(action.pointer, "type")
    if action.type in ACTIONS:
        if action.type == "expression" and action.kind not in EXPRESSION_KINDS:
            _unknown_kind(action, EXPRESSION_KINDS, problems)
        elif action.type == "response" and action.kind and action.kind not in RESPONSE_KINDS:
            _unknown_kind(action, RESPONSE_KINDS, problems)
    elif action.type in ACTIONS_LATER:
        problems.not_yet(at, f"An action of type {ACTIONS_LATER[action.type]} ('{action.name}')")
    elif action.type:
        written = str(action.raw.get("type"))
        problems.error(
            "UnknownActionType",
            at,
            f"Action '{action.name}' has the unknown type '{written[:60]}'.",
            _type_hint(written, (*ACTIONS.values(), *ACTIONS_LATER.values())),
        )


def _type_hint(written: str, names: tuple[str, ...]) -> str | None:
    if is_template_string(written):
        return "This is an expression of an ARM template; give the whole template, or the deployed definition."
    other = nearest(written, names)
    return f"Did you mean '{other}'?" if other else None


def _unknown_kind(action: Action, kinds: dict[str, str], problems: Problems) -> None:
    written = str(action.raw.get("kind") or "")
    named = f"the unknown kind '{written[:60]}'" if written else "no kind"
    other = nearest(written, kinds.values())
    problems.error(
        "UnknownActionKind",
        join(action.pointer, "kind") if "kind" in action.raw else action.pointer,
        f"Action '{action.name}' of type {ACTIONS[action.type]} has {named}.",
        f"Did you mean '{other}'?" if other else f"Kinds are {', '.join(kinds.values())}.",
    )


def _trigger(trigger: Trigger, problems: Problems) -> None:
    at = join(trigger.pointer, "type")
    if trigger.type not in TRIGGERS:
        if trigger.type:
            written = str(trigger.raw.get("type"))
            problems.error(
                "UnknownTriggerType",
                at,
                f"Trigger '{trigger.name}' has the unknown type '{written[:60]}'.",
                _type_hint(written, tuple(TRIGGERS.values())),
            )
        return
    if trigger.type not in CALLED_TRIGGERS:
        problems.info(
            "StartedByHand",
            at,
            f"Trigger '{trigger.name}' of type {TRIGGERS[trigger.type]} does not fire by itself in this version: "
            "runs of this flow are started by hand.",
        )
    _options(trigger.raw, trigger.pointer, problems)
    runtime = trigger.raw.get("runtimeConfiguration")
    for name in runtime if isinstance(runtime, dict) else ():
        if name not in RUNTIME_TRIGGERS:
            what = f"'{name}' of trigger '{trigger.name}'"
            problems.not_yet(join(trigger.pointer, "runtimeConfiguration", name), what, severity="warning")
    if trigger.raw.get("correlation"):
        what = f"The correlation of trigger '{trigger.name}'"
        problems.not_yet(join(trigger.pointer, "correlation"), what, severity="warning")


def _options(raw: JsonObject, pointer: str, problems: Problems) -> None:
    written = raw.get("operationOptions")
    if written is None:
        return
    at = join(pointer, "operationOptions")
    if not isinstance(written, str):
        problems.error("InvalidOption", at, "'operationOptions' must be text, options separated by commas.")
        return
    for option in filter(None, (part.strip() for part in written.split(","))):
        if option.lower() not in OPTIONS:
            other = nearest(option, OPTIONS.values())
            hint = f"Did you mean '{other}'?" if other else f"Options are {', '.join(OPTIONS.values())}."
            problems.error("UnknownOption", at, f"The option '{option[:60]}' is not known.", hint)


def _runtime(action: Action, problems: Problems) -> None:
    written = action.raw.get("runtimeConfiguration")
    if written is None:
        return
    at = join(action.pointer, "runtimeConfiguration")
    if not isinstance(written, dict):
        problems.error("InvalidOption", at, "'runtimeConfiguration' must be an object.")
        return
    for name, value in written.items():
        here = join(at, name)
        if name not in RUNTIME_ACTIONS:
            problems.not_yet(here, f"'{name}' in the runtime configuration of action '{action.name}'")
        elif name in ("paginationPolicy", "requestOptions") and value and action.type not in CALLS:
            problems.not_yet(here, f"'{name}' on an action of type {ACTIONS[action.type]} ('{action.name}')")
        elif name == "concurrency" and value and action.type != "foreach":
            problems.error(
                "InvalidConcurrency", here, f"Only a Foreach has concurrency; '{action.name}' is of another type."
            )


def _unbuilt(action: Action, problems: Problems) -> None:
    limit = action.raw.get("limit")
    if isinstance(limit, dict):
        for name in limit:
            built = (name == "timeout" and action.type in TIMED) or (name == "count" and action.type == "until")
            if not built:
                what = f"A limit '{name}' on an action of type {ACTIONS[action.type]} ('{action.name}')"
                problems.not_yet(join(action.pointer, "limit", name), what)
    elif limit is not None:
        problems.error("InvalidLimit", join(action.pointer, "limit"), "'limit' must be an object.")
    if action.raw.get("conditions"):
        what = f"'conditions' on an action ('{action.name}', schema of 2015)"
        problems.not_yet(join(action.pointer, "conditions"), what)
    for name in ("trackedProperties", "correlation"):
        if action.raw.get(name):
            problems.not_yet(join(action.pointer, name), f"'{name}' of action '{action.name}'", severity="warning")


def _static_result(raw: JsonObject, pointer: str, definition: Definition, problems: Problems) -> None:
    runtime = raw.get("runtimeConfiguration")
    static: Any = runtime.get("staticResult") if isinstance(runtime, dict) else None
    if static is None:
        return
    at = join(pointer, "runtimeConfiguration", "staticResult")
    if not isinstance(static, dict) or not isinstance(static.get("name"), str):
        problems.error("InvalidStaticResult", at, "'staticResult' must be an object with a 'name'.")
        return
    if static["name"] in definition.static_results:
        return
    message = f"There is no static result '{static['name'][:80]}' in the definition."
    if str(static.get("staticResultOptions", "")).lower() == "enabled":
        problems.error("UnknownStaticResult", join(at, "name"), message)
    else:
        problems.warning("UnknownStaticResult", join(at, "name"), message)
