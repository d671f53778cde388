"""Rules about triggers, parameters and the outside of a definition.

Sources: Logic Apps, trigger concurrency, "Split on"; schema reference of the definition language: parameters.
"""

from __future__ import annotations

from ..catalog import CALLED_TRIGGERS
from ..literal import fits, integer, is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import Definition, Parameter, Trigger
from ..syntax.pointer import join
from .batch import check_batch
from .recurrence import check_recurrence

PARAMETER_TYPES = {
    "string": "String",
    "securestring": "SecureString",
    "int": "Int",
    "float": "Float",
    "bool": "Bool",
    "array": "Array",
    "object": "Object",
    "secureobject": "SecureObject",
}


def check_triggers(outline: Outline, problems: Problems) -> None:
    """All rules about triggers."""
    definition = outline.definition
    at = join(definition.pointer, "triggers")
    if not definition.triggers:
        problems.info(
            "NoTrigger", at, "The definition has no trigger: its runs can only be started by hand, without outputs."
        )
    elif len(definition.triggers) > 1:
        first = definition.triggers[0].name
        message = (
            f"The definition has {len(definition.triggers)} triggers; a run started by hand takes the first, '{first}'."
        )
        problems.warning("SeveralTriggers", at, message)
    for trigger in definition.triggers:
        check_recurrence(trigger, definition.dialect, problems)
        check_batch(trigger, definition.dialect, problems)
        _split_on(trigger, definition, problems)
        _concurrency(trigger, problems)
        _relative_path(trigger, problems)
        _push(trigger, problems)


def _relative_path(trigger: Trigger, problems: Problems) -> None:
    """Source: schema reference, Request trigger: a relative path needs a method."""
    inputs = trigger.inputs if isinstance(trigger.inputs, dict) else {}
    if trigger.type in CALLED_TRIGGERS and inputs.get("relativePath") and not inputs.get("method"):
        problems.warning(
            "InvalidInputs",
            join(trigger.pointer, "inputs", "relativePath"),
            f"Trigger '{trigger.name}' has a 'relativePath' without the 'method' that the hosts want beside it.",
        )


def _push(trigger: Trigger, problems: Problems) -> None:
    if trigger.type == "serviceprovider" and trigger.kind == "push":
        problems.warning(
            "NotYetSupported",
            join(trigger.pointer, "kind"),
            f"The service would push to trigger '{trigger.name}', which is not supported yet: its connector is polled.",
            "A 'recurrence' says how often; otherwise each minute.",
        )


def _split_on(trigger: Trigger, definition: Definition, problems: Problems) -> None:
    if trigger.split_on is None:
        return
    at = join(trigger.pointer, "splitOn")
    if not is_dynamic(trigger.split_on):
        problems.error("InvalidSplitOn", at, f"'splitOn' of trigger '{trigger.name}' must be an expression.")
    elif trigger.type in CALLED_TRIGGERS and definition.has_response:
        message = f"Trigger '{trigger.name}' splits its body into several runs: their Response has nobody to answer."
        problems.warning("InvalidResponse", at, message)


def _concurrency(trigger: Trigger, problems: Problems) -> None:
    runtime = trigger.raw.get("runtimeConfiguration")
    concurrency = runtime.get("concurrency") if isinstance(runtime, dict) else None
    if not isinstance(concurrency, dict):
        return
    for name in ("runs", "maximumWaitingRuns"):
        written = concurrency.get(name)
        at = join(trigger.pointer, "runtimeConfiguration", "concurrency", name)
        if written is None:
            continue
        if is_dynamic(written):
            problems.without_effect(at, f"A computed '{name}' of trigger '{trigger.name}'")
            continue
        number = integer(written)
        if number is None or not 1 <= number <= 100:
            what = "run 1 to 100 times at once" if name == "runs" else "have 1 to 100 runs wait"
            problems.error("InvalidConcurrency", at, f"Trigger '{trigger.name}' may {what}, not {shown(written)}.")
        if name == "runs" and "singleinstance" in trigger.options:
            message = f"Trigger '{trigger.name}' is SingleInstance and has concurrent runs; one of the two is allowed."
            problems.error("InvalidConcurrency", at, message)


def check_parameters(definition: Definition, problems: Problems) -> None:
    """All rules about declared parameters."""
    seen: dict[str, Parameter] = {}
    for parameter in definition.parameters:
        first = seen.setdefault(parameter.key, parameter)
        if first is not parameter:
            message = f"Parameter '{parameter.name}' has the same name as '{first.name}'."
            problems.error("DuplicateName", parameter.pointer, message, "Rename one of them.")
        _parameter(parameter, problems)


def _parameter(parameter: Parameter, problems: Problems) -> None:
    kind = PARAMETER_TYPES.get(parameter.type)
    if kind is None:
        other = nearest(parameter.type, PARAMETER_TYPES.values())
        message = f"Parameter '{parameter.name}' has the unknown type {shown(parameter.type)}."
        hint = f"Did you mean '{other}'?" if other else f"Types are {', '.join(PARAMETER_TYPES.values())}."
        problems.error("InvalidParameter", join(parameter.pointer, "type"), message, hint)
    elif (
        parameter.default is not None
        and not is_dynamic(parameter.default)
        and not fits(parameter.default, parameter.type)
    ):
        found = "" if parameter.type.startswith("secure") else f" ({shown(parameter.default)})"
        message = f"The default value of parameter '{parameter.name}'{found} is not of type {kind}."
        problems.error("InvalidParameter", join(parameter.pointer, "defaultValue"), message)
    else:
        _allowed(parameter, problems)


def _allowed(parameter: Parameter, problems: Problems) -> None:
    """The values that a parameter is restricted to are of its type, and its default is one of them."""
    if parameter.allowed is None:
        return
    for index, value in enumerate(parameter.allowed):
        if not is_dynamic(value) and not fits(value, parameter.type):
            message = (
                f"An allowed value of parameter '{parameter.name}' is not of type {PARAMETER_TYPES[parameter.type]}."
            )
            problems.error("InvalidParameter", join(parameter.pointer, "allowedValues", index), message)
    default = parameter.default
    if default is None or is_dynamic(default) or any(is_dynamic(each) for each in parameter.allowed):
        return
    if not any(type(each) is type(default) and each == default for each in parameter.allowed):
        message = f"The default value of parameter '{parameter.name}' is not one of its allowed values."
        problems.error("InvalidParameter", join(parameter.pointer, "defaultValue"), message)
