"""Rules about a Batch trigger: its mode, and the criteria by which its batches are released.

Source: Logic Apps, "Send, receive, and batch process messages": inline release criteria and their limits (1 to 8,000
messages, 80 MB).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..literal import integer, is_computed, is_dynamic, shown
from ..report.problem import Problems
from ..syntax.definition import Dialect, JsonObject, Trigger
from ..syntax.pointer import join
from .recurrence import check_recurrence

_LIMITS = {"messageCount": 8_000, "batchSize": 80 * 1024 * 1024}


def check_batch(trigger: Trigger, dialect: Dialect, problems: Problems) -> None:
    """All rules of this file."""
    if trigger.type != "batch" or is_dynamic(trigger.inputs):
        return
    at = join(trigger.pointer, "inputs")
    inputs = trigger.inputs if isinstance(trigger.inputs, dict) else {}
    mode = inputs.get("mode", "Inline")
    if not is_computed(mode) and (not isinstance(mode, str) or mode.lower() != "inline"):
        message = f"The mode of trigger '{trigger.name}' is {shown(mode)}."
        problems.error("InvalidBatch", join(at, "mode"), message, "Only Inline runs: write the criteria here.")
        return
    configurations = inputs.get("configurations")
    if is_dynamic(configurations):
        return
    if not isinstance(configurations, dict) or not configurations:
        at = at if trigger.inputs is not None else trigger.pointer
        problems.error("InvalidBatch", at, f"Trigger '{trigger.name}' has no 'configurations': no batch to collect.")
        return
    for name, configuration in configurations.items():
        if not is_dynamic(configuration):
            _criteria(trigger, name, configuration, dialect, problems)


def _criteria(trigger: Trigger, name: str, configuration: Any, dialect: Dialect, problems: Problems) -> None:
    at = join(trigger.pointer, "inputs", "configurations", name)
    criteria = configuration.get("releaseCriteria") if isinstance(configuration, dict) else None
    if is_dynamic(criteria):
        return
    if not isinstance(criteria, dict):
        problems.error("InvalidBatch", at, f"Batch '{name}' of trigger '{trigger.name}' has no 'releaseCriteria'.")
        return
    at = join(at, "releaseCriteria")
    if all(criteria.get(each) is None for each in (*_LIMITS, "recurrence")):
        message = f"Batch '{name}' of trigger '{trigger.name}' is never released."
        problems.error("InvalidBatch", at, message, "Give it a messageCount, a batchSize or a recurrence.")
    for each, most in _LIMITS.items():
        _limit(name, criteria, each, most, at, problems)
    recurrence = criteria.get("recurrence")
    if isinstance(recurrence, dict):
        # A recurrence like any other, at another place.
        check_recurrence(replace(trigger, pointer=at, recurrence=recurrence), dialect, problems)
    elif recurrence is not None and not is_dynamic(recurrence):
        message = f"The recurrence of batch '{name}' must be an object, not {shown(recurrence)}."
        problems.error("InvalidBatch", join(at, "recurrence"), message)


def _limit(name: str, criteria: JsonObject, which: str, most: int, at: str, problems: Problems) -> None:
    written = criteria.get(which)
    if written is None or is_computed(written):
        return
    number = integer(written)
    if number is None or not 1 <= number <= most:
        message = f"The '{which}' of batch '{name}' must be 1 to {most:,}, not {shown(written)}."
        problems.error("InvalidBatch", join(at, which), message)
