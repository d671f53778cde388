"""Retry policies: whether a failed call is tried again, and when.

Sources: Logic Apps, "Handle errors and exceptions", retry policies: retried are timeouts, 408, 429, 5xx and
connectivity errors; the default is exponential with 4 retries, 7.5 s scaled, between 5 and 45 s. "Limits and
configuration": counts 1-90, intervals PT5S-P1D.
"""

from __future__ import annotations

from typing import Any, Final

from ...errors import ExpressionError
from ..contract.randomness import draw
from ..contract.status import FAILED
from ..contract.timing import SECOND, duration, from_http_date, whole
from .plan.plan import Node
from .state import Open, State

CONNECTIVITY: Final = frozenset({"ConnectionFailed", "ConnectionTimedOut", "RequestTimedOut"})
"""Codes of calls that got no answer at all."""

_DEFAULT_COUNT: Final = 4
_DEFAULT_INTERVAL: Final = 75 * SECOND // 10
_DEFAULT_MINIMUM: Final = 5 * SECOND
_DEFAULT_MAXIMUM: Final = 45 * SECOND
_LONGEST: Final = 86_400 * SECOND


def retry_due(state: State, entry: Open, status: int, code: str, outputs: Any) -> int | None:
    """When the next attempt starts, in ticks, or None where this one was the last.

    Raises ExpressionError for a faulty policy.
    """
    if status != FAILED or not _retried(code, outputs):
        return None
    delay = _delay(state, entry.node, entry, entry.retry)
    if delay is None:
        return None
    return state.now + max(delay, retry_after(state.now, outputs))


def most_retries(policy: Any) -> int:
    """How often a call with this policy (None: the default one) is tried again at most."""
    kind = str(policy.get("type", "default")).lower() if isinstance(policy, dict) else "default"
    if kind == "none":
        return 0
    return whole(policy.get("count", _DEFAULT_COUNT)) or 0 if kind != "default" else _DEFAULT_COUNT


def _retried(code: str, outputs: Any) -> bool:
    if code in CONNECTIVITY:
        return True
    status_code = outputs.get("statusCode") if isinstance(outputs, dict) else None
    return isinstance(status_code, int) and (status_code in (408, 429) or 500 <= status_code <= 599)


def _delay(state: State, node: Node, entry: Open, policy: Any) -> int | None:
    """Ticks until retry number `entry.attempt`, or None."""
    number = entry.attempt
    kind = str(policy.get("type", "default")).lower() if isinstance(policy, dict) else "default"
    if kind == "none":
        return None
    if kind == "default":
        if number > _DEFAULT_COUNT:
            return None
        return _spread(state, node, entry, number, _DEFAULT_INTERVAL, _DEFAULT_MINIMUM, _DEFAULT_MAXIMUM)
    count = policy.get("count", _DEFAULT_COUNT)
    count = whole(count)
    if count is None:
        raise ExpressionError(f"The retry policy's 'count' of '{node.name}' must be an integer.")
    if number > count:
        return None
    interval = duration(policy.get("interval", "PT7S"))
    if kind == "fixed":
        return interval
    if kind != "exponential":
        raise ExpressionError(
            f"The retry policy's 'type' of '{node.name}' must be none, default, fixed or exponential, not '{kind}'."
        )
    minimum = duration(policy["minimumInterval"]) if policy.get("minimumInterval") else _DEFAULT_MINIMUM
    maximum = duration(policy["maximumInterval"]) if policy.get("maximumInterval") else max(3600 * SECOND, interval)
    return _spread(state, node, entry, number, interval, minimum, maximum)


def _spread(state: State, node: Node, entry: Open, number: int, interval: int, minimum: int, maximum: int) -> int:
    """A random point in the range of retry `number`:

    [max(2^(n-2)*interval, min), min(2^(n-1)*interval, max)], from the run's seed.
    """
    growth = interval << min(number - 1, 40)
    high = max(min(growth, maximum), minimum)
    low = min(max(minimum, growth // 2 if number > 1 else 0), high)
    path = state.plan.path(node, entry.frame.it)
    chance = int.from_bytes(draw(state.pins["seed"], f"{path}\0retry", number, 8), "big")
    return min(low + chance * (high - low + 1) // (1 << 64), _LONGEST)


def retry_after(now: int, outputs: Any) -> int:
    """Ticks that a Retry-After header (seconds, or a time) asks to wait at `now`; 0 where there is none."""
    headers = outputs.get("headers") if isinstance(outputs, dict) else None
    if not isinstance(headers, dict):
        return 0
    for name, value in headers.items():
        if name.lower() == "retry-after":
            seconds = whole(value)
            if seconds is not None:
                return max(0, min(seconds * SECOND, _LONGEST))
            try:
                return max(0, min(from_http_date(value) - now, _LONGEST))
            except ExpressionError:
                return 0
    return 0
