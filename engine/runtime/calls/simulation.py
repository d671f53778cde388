"""Simulation: every call is answered without network, by a mock, the action's static result, or an empty success.

Mocks are plain JSON, `{"Action_name": {"status", "outputs", "error", "code"}}`, or a list of such, one for each call
of the action (an iteration or an attempt) with the last one repeating. How many calls came before is the history's
knowledge, so nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from ....connectors import status_name
from ...cloud import Action, Definition, key_of
from ...errors import DefinitionError, ExpressionError
from ...expressions import Suspend, compile_value
from ...kernel import Invoke
from ...kernel.cloud.plan import static_results as static
from ...kernel.cloud.plan.names import TriggerScope
from ...kernel.contract.status import CANCELLED, FAILED, NAMES, SKIPPED, SUCCEEDED, TIMED_OUT, code_of
from .dispatch import Answer, error_of

_MEMBERS: Final = ("status", "outputs", "error", "code")
_ENDINGS: Final = frozenset({SUCCEEDED, FAILED, SKIPPED, TIMED_OUT, CANCELLED})
_EMPTY: Final[dict[str, Any]] = {"statusCode": 200, "headers": {}, "body": {}}


class Simulation:
    """The answers of a simulated run. Raises DefinitionError, code `InvalidMock`, for mocks of another shape."""

    def __init__(self, mocks: Mapping[str, Any] | None = None) -> None:
        if mocks is not None and not isinstance(mocks, Mapping):
            raise DefinitionError("Mocks must be an object with the names of actions.", code="InvalidMock")
        self._given = dict(mocks or {})
        self._mocks: dict[str, list[dict[str, Any]]] = {}
        for name, mock in self._given.items():
            key = key_of(name)
            if key in self._mocks:
                raise _invalid(name, "there is another mock for the same action.")
            self._mocks[key] = [_checked(name, each) for each in _as_list(name, mock)]
        self._known: tuple[Definition, dict[str, Action]] | None = None

    def check(self, *definitions: Definition) -> None:
        """Refuse mocks for actions that are in none of these definitions.

        Raises DefinitionError, code `UnknownAction`, which names the nearest action.
        """
        names = {action.key: action.name for each in definitions for action in each.all_actions()}
        for given in self._given:
            if key_of(given) not in names:
                near = get_close_matches(key_of(given), names, n=1)
                raise DefinitionError(
                    f"There is a mock for '{given}', but no action of that name.",
                    code="UnknownAction",
                    hint=f"Did you mean '{names[near[0]]}'?" if near else "Mocks are named after the flow's actions.",
                )

    def covers(self, command: Invoke) -> bool:
        """Whether there is a mock for this action."""
        return command.node.key in self._mocks

    def answer(self, command: Invoke, earlier_calls: int, frame: Any) -> Answer:
        """The answer to a call, the same whenever it is asked.

        `earlier_calls`: how many calls of this action, in whatever iteration, this run made before. `frame`: the run's
        outermost one, where expressions of static results are evaluated.
        """
        mocks = self._mocks.get(command.node.key)
        if mocks is not None:
            return _answer(mocks[min(earlier_calls, len(mocks) - 1)])
        try:
            fixed = self._static_result(command, frame)
        except Suspend:
            message = "The static result reads a value of the trigger that is not in memory. Give a mock instead."
            return Answer(FAILED, "NotYetSupported", None, {"code": "NotYetSupported", "message": message})
        except ExpressionError as error:
            return Answer(FAILED, error.code, None, {"code": error.code, "message": error.message})
        return _answer(fixed if fixed is not None else {"outputs": _EMPTY})

    def to_json(self) -> dict[str, Any]:
        """The simulation as JSON, for `from_json`."""
        return {"mocks": self._given}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Simulation:
        """The simulation that `to_json` wrote."""
        return cls(data.get("mocks"))

    def _static_result(self, command: Invoke, frame: Any) -> dict[str, Any] | None:
        """The action's static result, even where it is not switched on.

        Its expressions may read the trigger and the parameters; others raise ExpressionError.
        """
        plan = command.context.plan
        if self._known is None or self._known[0] is not plan.definition:
            self._known = plan.definition, {action.pointer: action for action in plan.definition.all_actions()}
        action = self._known[1].get(command.node.pointer)
        if action is None:
            return None
        fixed = static.result(plan.definition, action, enabled_only=False)
        if fixed is None:
            return None
        # The plan is made: naming an action now would not keep its outputs any more. Trigger and parameters are there.
        value = compile_value(fixed, TriggerScope()).evaluate(frame)
        return value if isinstance(value, dict) else None


def _answer(fixed: dict[str, Any]) -> Answer:
    """A mock as what a real call would have given: a status code makes up for a missing status, code and error."""
    outputs: Any = fixed.get("outputs")
    http = outputs.get("statusCode") if isinstance(outputs, dict) else None
    if isinstance(http, bool) or not isinstance(http, int):
        http = None
    bad = http is not None and not 200 <= http <= 299
    filled = dict(fixed)
    filled.setdefault("status", "Failed" if bad or fixed.get("error") is not None else "Succeeded")
    ending = code_of(str(filled["status"]))
    if ending in static.CODES:
        filled.setdefault("code", static.CODES[ending])
    elif http is not None and bad == (ending != SUCCEEDED):
        filled.setdefault("code", status_name(http))
        if bad and not (fixed.get("error") or outputs.get("error") or outputs.get("errors")):
            filled["error"] = error_of(http, outputs.get("body"))
    status, code, _, given, error = static.outcome(filled)
    return Answer(status, code, given, error)


# --- mocks as they are given


def _as_list(name: str, mock: Any) -> list[Any]:
    if isinstance(mock, list):
        if not mock:
            raise _invalid(name, "its list is empty: give one mock for each call.")
        return mock
    return [mock]


def _checked(name: str, mock: Any) -> dict[str, Any]:
    if not isinstance(mock, dict):
        raise _invalid(name, "it must be an object, or a list of objects.")
    for member in mock:
        if member not in _MEMBERS:
            near = get_close_matches(str(member).lower(), _MEMBERS, n=1)
            hint = (
                f"Did you mean '{near[0]}'?" if near else 'For a body: {"outputs": {"statusCode": 200, "body": ...}}.'
            )
            raise _invalid(name, f"it has a member '{member}' that mocks do not have.", hint)
    status = mock.get("status")
    if status is not None and (not isinstance(status, str) or code_of(status) not in _ENDINGS):
        raise _invalid(name, f"its status must be one of {', '.join(NAMES[each] for each in sorted(_ENDINGS))}.")
    error = mock.get("error")
    if error is not None and not isinstance(error, dict):
        raise _invalid(name, "its error must be an object with 'code' and 'message'.")
    if mock.get("code") is not None and not isinstance(mock["code"], str):
        raise _invalid(name, "its code must be a text.")
    return {member: value for member, value in mock.items() if value is not None or member == "outputs"}


def _invalid(name: str, problem: str, hint: str = "") -> DefinitionError:
    usual = 'A mock is {"status": "Succeeded", "outputs": {...}}, or a list of such.'
    return DefinitionError(f"The mock for '{name}' is not valid: {problem}", code="InvalidMock", hint=hint or usual)


def simulation_of(pins: Mapping[str, Any]) -> Simulation | None:
    """A run that was started as a simulation stays one."""
    given = pins.get("simulate")
    return Simulation.from_json(given) if given is not None else None
