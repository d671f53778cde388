"""Rules about what exists and what is built: types, kinds, options, runtime configuration.

What this version does not run is refused with NotYetSupported at its place; nothing is ignored in silence.
"""

from __future__ import annotations

from typing import Any

from ..arm.deployment import is_template_string
from ..catalog import (
    ACTIONS,
    CALLED_TRIGGERS,
    CALLS,
    EXPRESSION_KINDS,
    OPTIONS,
    OPTIONS_WITHOUT_EFFECT,
    REFUSED,
    REQUEST_KINDS,
    RESPONSE_KINDS,
    RUNTIME_ACTIONS,
    RUNTIME_TRIGGERS,
    TIMED,
    TRIGGERS,
)
from ..outline import Outline
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import Action, Definition, JsonObject, Trigger
from ..syntax.pointer import join

_KNOWN = (*ACTIONS.values(), *(refusal.name for refusal in REFUSED.values()))


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
            _unknown_kind(action, problems)
        elif action.type == "response" and action.kind and action.kind not in RESPONSE_KINDS:
            message = f"Response '{action.name}' has the unknown kind '{action.kind[:60]}'; it answers as Http does."
            problems.warning("UnknownActionKind", join(action.pointer, "kind"), message)
    elif action.type in REFUSED:
        refusal = REFUSED[action.type]
        message = f"Action '{action.name}' of type {refusal.name} is not run here: {refusal.reason}."
        problems.error("UnsupportedAction", at, message, refusal.instead)
    elif action.type:
        written = str(action.raw.get("type"))
        problems.error(
            "UnknownActionType",
            at,
            f"Action '{action.name}' has the unknown type '{written[:60]}'.",
            _type_hint(written, _KNOWN),
        )


def _type_hint(written: str, names: tuple[str, ...]) -> str | None:
    if is_template_string(written):
        return "This is an expression of an ARM template; give the whole template, or the deployed definition."
    other = nearest(written, names)
    return f"Did you mean '{other}'?" if other else None


def _unknown_kind(action: Action, problems: Problems) -> None:
    written = str(action.raw.get("kind") or "")
    named = f"the unknown kind '{written[:60]}'" if written else "no kind"
    other = nearest(written, EXPRESSION_KINDS.values())
    problems.error(
        "UnknownActionKind",
        join(action.pointer, "kind") if "kind" in action.raw else action.pointer,
        f"Action '{action.name}' of type {ACTIONS[action.type]} has {named}.",
        f"Did you mean '{other}'?" if other else f"Kinds are {', '.join(EXPRESSION_KINDS.values())}.",
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
            "NeedsWorker",
            at,
            f"Trigger '{trigger.name}' of type {TRIGGERS[trigger.type]} fires while a worker runs (`sealflow worker`).",
        )
    if trigger.type in CALLED_TRIGGERS and trigger.kind and trigger.kind not in REQUEST_KINDS:
        message = f"Trigger '{trigger.name}' has the unknown kind '{trigger.kind[:60]}'; it is called as Http is."
        problems.warning("UnknownTriggerKind", join(trigger.pointer, "kind"), message)
    _options(trigger.raw, trigger.pointer, problems)
    runtime = trigger.raw.get("runtimeConfiguration")
    for name in runtime if isinstance(runtime, dict) else ():
        if name not in RUNTIME_TRIGGERS:
            what = f"'{name}' of trigger '{trigger.name}'"
            problems.without_effect(join(trigger.pointer, "runtimeConfiguration", name), what)


def _options(raw: JsonObject, pointer: str, problems: Problems) -> None:
    written = raw.get("operationOptions")
    if written is None:
        return
    at = join(pointer, "operationOptions")
    if not isinstance(written, str):
        problems.error("InvalidOption", at, "'operationOptions' must be text, options separated by commas.")
        return
    for option in filter(None, (part.strip() for part in written.split(","))):
        if option.lower() in OPTIONS_WITHOUT_EFFECT:
            problems.without_effect(at, f"The option {OPTIONS_WITHOUT_EFFECT[option.lower()]}")
        elif option.lower() not in OPTIONS:
            # A misspelt one would change what the flow does; of any other it can only be said that nothing reads it.
            other = nearest(option, OPTIONS.values())
            if other:
                message = f"The option '{option[:60]}' is not known."
                problems.error("UnknownOption", at, message, f"Did you mean '{other}'?")
            else:
                message = f"The option '{option[:60]}' is not known and not read."
                problems.warning("UnknownOption", at, message, f"Options are {', '.join(OPTIONS.values())}.")


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
        misplaced = name in ("paginationPolicy", "requestOptions") and value and action.type not in CALLS
        if name not in RUNTIME_ACTIONS or misplaced:
            _unread(here, name, action, problems)
        elif name == "concurrency" and value and action.type != "foreach":
            problems.warning(
                "InvalidConcurrency", here, f"Only a Foreach has concurrency; '{action.name}' is of another type."
            )


def _unread(at: str, name: str, action: Action, problems: Problems) -> None:
    """Warn of a part of the runtime configuration that an action of this type does not have."""
    other = nearest(name, RUNTIME_ACTIONS)
    problems.warning(
        "UnknownProperty",
        at,
        f"'{name[:80]}' in the runtime configuration of '{action.name}' ({ACTIONS[action.type]}) is not read.",
        f"Did you mean '{other}'?" if other and other != name else None,
    )


def _unbuilt(action: Action, problems: Problems) -> None:
    limit = action.raw.get("limit")
    if isinstance(limit, dict):
        for name in limit:
            built = (name == "timeout" and action.type in TIMED) or (name == "count" and action.type == "until")
            if not built:
                message = f"The limit '{name[:80]}' of '{action.name}' ({ACTIONS[action.type]}) is not read."
                problems.warning("InvalidLimit", join(action.pointer, "limit", name), message)
    elif limit is not None:
        problems.error("InvalidLimit", join(action.pointer, "limit"), "'limit' must be an object.")


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
