"""Static results: an action that is set to a fixed result is not executed.

Source: Logic Apps, "Test with mock data (static results)": `runtimeConfiguration.staticResult` and the definition's
`staticResults`.
"""

from __future__ import annotations

from typing import Any, Final

from ....cloud import Action, Definition
from ....expressions import compile_value
from ...contract.status import CANCELLED, FAILED, SKIPPED, SUCCEEDED, TIMED_OUT, UNMET, code_of
from ..state import Frame
from .names import ActionScope
from .plan import Outcome, Work

CODES: Final = {SKIPPED: "ActionSkipped", TIMED_OUT: "ActionTimedOut", CANCELLED: "ActionCancelled"}
"""The codes of results that give none, by status; those of others are that of their error, or ActionFailed."""


def result(definition: Definition, action: Action, *, enabled_only: bool = True) -> dict[str, Any] | None:
    """The static result of an action, where the definition has one and (`enabled_only`) it is switched on."""
    chosen = action.runtime.get("staticResult")
    if not isinstance(chosen, dict):
        return None
    if enabled_only and str(chosen.get("staticResultOptions", "")).lower() != "enabled":
        return None
    found = definition.static_results.get(str(chosen.get("name")))
    return found if isinstance(found, dict) else None


def work(fixed: dict[str, Any], scope: ActionScope) -> Work:
    """Gives the fixed result in place of running the action."""
    evaluate = compile_value(fixed, scope).evaluate

    def give(frame: Frame) -> Outcome:
        fixed: Any = evaluate(frame)
        status = code_of(str(fixed.get("status", "Succeeded")))
        if frame.state.revision > 2 and status in CODES and not fixed.get("code"):
            fixed = {**fixed, "code": CODES[status]}
        return outcome(fixed)

    return give


def outcome(fixed: Any) -> Outcome:
    """A static result, or a mock of the same form, as the outcome of an action.

    A failed one may carry its error as `error` or as `outputs.errors`; both are accepted.
    """
    outputs: Any = fixed.get("outputs")
    status = code_of(str(fixed.get("status", "Succeeded")))
    if status in (UNMET, 0):
        status = FAILED
    error = fixed.get("error")
    if error is None and status != SUCCEEDED and isinstance(outputs, dict):
        error = outputs.get("errors") or outputs.get("error")
    if isinstance(error, list):
        error = error[0] if error else None
    if status != SUCCEEDED and not isinstance(error, dict):
        error = {
            "code": str(fixed.get("code") or "ActionFailed"),
            "message": str(error or "The action's fixed result is a failure."),
        }
    code = fixed.get("code") or (error or {}).get("code") or "OK"
    return status, str(code), None, outputs, error if status != SUCCEEDED else None
