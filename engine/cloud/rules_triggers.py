"""Rules about triggers, parameters and the outside of a definition.

Sources: Logic Apps, Recurrence trigger (frequencies, ranges of intervals), trigger concurrency, "Split on"; schema
reference of the definition language: parameters.
"""

from __future__ import annotations

from .catalog import CALLED_TRIGGERS, nearest
from .definition import Definition, Parameter, Trigger
from .literal import fits, integer, is_dynamic, shown
from .outline import Outline
from .pointer import join
from .problem import Problems

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

# The longest interval of each frequency.
_INTERVALS = {
    "month": 16,
    "week": 71,
    "day": 500,
    "hour": 12_000,
    "minute": 72_000,
    "second": 9_999_999,
}
_FREQUENCIES = {**_INTERVALS, "year": 1}


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
        _recurrence(trigger, problems)
        _split_on(trigger, definition, problems)
        _concurrency(trigger, problems)


def _recurrence(trigger: Trigger, problems: Problems) -> None:
    recurrence = trigger.recurrence
    at = join(trigger.pointer, "recurrence")
    if recurrence is None:
        if trigger.type in ("recurrence", "slidingwindow") and not is_dynamic(trigger.raw.get("recurrence")):
            problems.error("InvalidRecurrence", trigger.pointer, f"Trigger '{trigger.name}' has no 'recurrence'.")
        return
    frequency, interval = recurrence.get("frequency"), recurrence.get("interval", 1)
    if is_dynamic(frequency):
        return
    if not isinstance(frequency, str) or frequency.lower() not in _FREQUENCIES:
        problems.error(
            "InvalidRecurrence",
            join(at, "frequency") if "frequency" in recurrence else at,
            f"The frequency of trigger '{trigger.name}' is {shown(frequency)}.",
            "Frequencies are Second, Minute, Hour, Day, Week and Month.",
        )
        return
    if is_dynamic(interval):
        return
    number = integer(interval)
    if number is None or number < 1:
        message = f"The interval of trigger '{trigger.name}' must be a positive integer, not {shown(interval)}."
        problems.error("InvalidRecurrence", join(at, "interval"), message)
    elif number > _FREQUENCIES[frequency.lower()]:
        longest = _FREQUENCIES[frequency.lower()]
        message = (
            f"The interval of trigger '{trigger.name}' is {number}; the hosts accept 1 to {longest} for {frequency}."
        )
        problems.warning("InvalidRecurrence", join(at, "interval"), message)


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
    if "singleinstance" in trigger.options:
        at = join(trigger.pointer, "operationOptions")
        problems.not_yet(at, f"SingleInstance of trigger '{trigger.name}'", severity="warning")
    runtime = trigger.raw.get("runtimeConfiguration")
    concurrency = runtime.get("concurrency") if isinstance(runtime, dict) else None
    runs = concurrency.get("runs") if isinstance(concurrency, dict) else None
    if runs is None or is_dynamic(runs):
        return
    at = join(trigger.pointer, "runtimeConfiguration", "concurrency", "runs")
    number = integer(runs)
    if number is None or not 1 <= number <= 100:
        problems.error(
            "InvalidConcurrency", at, f"Trigger '{trigger.name}' may run 1 to 100 times at once, not {shown(runs)}."
        )
    if "singleinstance" in trigger.options:
        message = f"Trigger '{trigger.name}' is SingleInstance and has concurrent runs; only one of the two is allowed."
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
