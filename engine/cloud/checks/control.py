"""Rules about control: switches, loops and their limits, and what may not stand inside of a loop.

Sources: Logic Apps, "Run action sets with loops", "Create switch statements", Terminate and Response in the reference
of actions, limits and configuration.
"""

from __future__ import annotations

from typing import Any

from ..catalog import ACTIONS, CALLED_TRIGGERS, TIMED
from ..literal import integer, is_dynamic, shown
from ..outline import Outline, Place
from ..report.problem import Problems
from ..syntax.definition import Action
from ..syntax.duration import seconds
from ..syntax.pointer import join

_BEHIND = "Keep the outcome in a variable and act on it behind the loop."

MAXIMUM_CASES = 25
MAXIMUM_REPETITIONS = 50
MAXIMUM_ITERATIONS = 5000


def check_control(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    called = any(trigger.type in CALLED_TRIGGERS for trigger in outline.definition.triggers)
    for place in outline.places:
        if not place.built:
            continue
        if place.action.type in TIMED:
            _timeout(place.action, problems)
        match place.action.type:
            case "switch":
                _switch(place.action, problems)
            case "foreach":
                _foreach(place.action, problems)
            case "until":
                _until_limit(place.action, problems)
            case "terminate":
                if place.loops():
                    problems.error("InvalidTerminate", place.action.pointer, _in_loop(place), _BEHIND)
            case "response":
                if place.loops():
                    problems.error("InvalidResponse", place.action.pointer, _in_loop(place), _BEHIND)
                if not called and outline.definition.triggers:
                    problems.warning(
                        "InvalidResponse",
                        place.action.pointer,
                        f"Response '{place.action.name}' has nobody to answer: the trigger is no Request.",
                    )


def _in_loop(place: Place) -> str:
    action, loop = place.action, place.loops()[0].action
    return f"{ACTIONS[action.type]} '{action.name}' stands inside of the loop '{loop.name}', which is not allowed."


def _switch(action: Action, problems: Problems) -> None:
    if action.raw.get("expression") is None:
        problems.error("InvalidSwitch", action.pointer, f"Switch '{action.name}' has no 'expression'.")
    cases = action.branches[:-1]
    if len(cases) > MAXIMUM_CASES:
        message = f"Switch '{action.name}' has {len(cases)} cases, more than the {MAXIMUM_CASES} that the hosts accept."
        problems.warning("TooManyCases", join(action.pointer, "cases"), message)
    seen: dict[tuple[str, Any], str] = {}
    for branch in cases:
        case = branch.case
        at = join(action.pointer, "cases", branch.label, "case")
        if is_dynamic(case) or isinstance(case, list | dict):
            message = f"Case '{branch.label}' of '{action.name}' must be a literal text or number."
            problems.error("InvalidSwitch", at, message)
            continue
        other = seen.setdefault((type(case).__name__, case), branch.label)
        if other != branch.label:
            message = f"Case '{branch.label}' of '{action.name}' has the value of case '{other}' and is never chosen."
            problems.error("InvalidSwitch", at, message)


def _foreach(action: Action, problems: Problems) -> None:
    if "foreach" not in action.raw:
        problems.error(
            "InvalidLoop", action.pointer, f"Foreach '{action.name}' does not say what it walks ('foreach')."
        )
    else:
        walked = action.raw["foreach"]
        if not isinstance(walked, list) and not is_dynamic(walked) and not (isinstance(walked, str) and "@{" in walked):
            message = f"Foreach '{action.name}' walks {shown(walked)}, which is no array."
            problems.error("InvalidLoop", join(action.pointer, "foreach"), message)
    concurrency = action.runtime.get("concurrency")
    if concurrency is None or is_dynamic(concurrency):
        return
    at = join(action.pointer, "runtimeConfiguration", "concurrency")
    if not isinstance(concurrency, dict):
        problems.error("InvalidConcurrency", at, f"The concurrency of '{action.name}' must be an object.")
        return
    repetitions = concurrency.get("repetitions")
    if repetitions is None:
        return
    at = join(at, "repetitions")
    if "sequential" in action.options:
        message = f"'{action.name}' is Sequential and has repetitions; only one of the two is allowed."
        problems.error("InvalidConcurrency", at, message)
    number = integer(repetitions)
    if not is_dynamic(repetitions) and (number is None or not 1 <= number <= MAXIMUM_REPETITIONS):
        message = f"The repetitions of '{action.name}' must be 1 to {MAXIMUM_REPETITIONS}, not {shown(repetitions)}."
        problems.error("InvalidConcurrency", at, message)


def _until_limit(action: Action, problems: Problems) -> None:
    limit = action.raw.get("limit")
    if not isinstance(limit, dict):
        return
    count = limit.get("count")
    if count is not None and not is_dynamic(count):
        number = integer(count)
        if number is None or not 1 <= number <= MAXIMUM_ITERATIONS:
            message = (
                f"The limit of '{action.name}' must be 1 to {MAXIMUM_ITERATIONS:,} iterations, not {shown(count)}."
            )
            problems.error("InvalidLimit", join(action.pointer, "limit", "count"), message)


def _timeout(action: Action, problems: Problems) -> None:
    limit = action.raw.get("limit")
    timeout = limit.get("timeout") if isinstance(limit, dict) else None
    if timeout is None or is_dynamic(timeout):
        return
    length = seconds(timeout) if isinstance(timeout, str) else None
    if length is None or length <= 0:
        message = f"The timeout of '{action.name}' must be a duration such as PT1H, not {shown(timeout)}."
        problems.error("InvalidLimit", join(action.pointer, "limit", "timeout"), message)
