"""Secured inputs and outputs: hidden wherever history is shown, never from expressions.

Rules: Logic Apps, "Secure access and data": `runtimeConfiguration.secureData.properties` hides an action's inputs or
outputs, and those of whoever reads them, see `secrecy`. Passwords and keys in `authentication` are never shown.
"""

from __future__ import annotations

from typing import Any, Final

from ....cloud import Definition
from ..control import ACTION_FAILED
from ..plan.plan import Node
from ..plan.secrecy import AUTHENTICATION, REQUESTS, Secrecy
from ..stopping import TERMINATED

_HIDDEN: Final = "The message is hidden, since the action's values are secured."


class Secured:
    """What of a definition's actions is hidden: `inputs`, `outputs`, both or nothing, by action."""

    def __init__(self, definition: Definition) -> None:
        secrecy = Secrecy(definition)
        self._hidden = {key: frozenset(hidden) for key, hidden in secrecy.hidden.items()}
        self.trigger = secrecy.trigger
        self._authenticating = secrecy.authenticating
        of_type: dict[str, bool] = {}
        for action in definition.all_actions():
            of_type[action.type] = of_type.get(action.type, False) or action.key in self._hidden
        self._responds, self._terminates = of_type.get("response", False), of_type.get("terminate", False)

    def of(self, key: str) -> frozenset[str]:
        """What of an action is hidden: `inputs`, `outputs`, both or nothing."""
        return self._hidden.get(key, frozenset())

    def hide(self, entry: dict[str, Any], node: Node) -> dict[str, Any]:
        """The entry without what must not be shown; `secured` then lists what was left out."""
        hidden = self.of(node.key)
        if isinstance(entry.get("error"), dict):
            evaluated = entry.get("inputs", ()) is not None
            entry = {**entry, "error": self.error(entry["error"], node.key, evaluated=evaluated)}
        if isinstance(entry.get("inputs"), dict):
            entry = {**entry, "inputs": _without_credentials(entry["inputs"])}
        if not hidden:
            return entry
        shown = {name: value for name, value in entry.items() if name not in ("trackedProperties", "trackingError")}
        return {**shown, **dict.fromkeys(hidden), "secured": sorted(hidden)}

    def error(self, error: dict[str, Any], key: str, *, evaluated: bool) -> dict[str, Any]:
        """An action's error as it is shown: a message may quote the value that it complains about.

        `evaluated`: the inputs were; else the message may also be about the authentication.
        """
        if self.of(key) or (not evaluated and key in self._authenticating):
            return {"code": error.get("code"), "message": _HIDDEN}
        return error

    def end(self, code: str | None, error: dict[str, Any] | None) -> tuple[str | None, dict[str, Any] | None]:
        """Code and error of a run as they are shown: those of a Terminate that reads secured values are not."""
        if error is None or error == ACTION_FAILED or not self._terminates:
            return code, error
        return TERMINATED, {"code": TERMINATED, "message": _HIDDEN}

    def response(self, response: dict[str, Any] | None) -> dict[str, Any] | None:
        """A run's response as it is shown: the status only, with `secured`, where a Response reads secured values."""
        if response is None or not self._responds:
            return response
        return {"statusCode": response.get("statusCode"), "headers": None, "body": None, "secured": ["body", "headers"]}


def _without_credentials(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs, and the requests of a webhook action in them, without what they authenticate themselves with."""
    shown = {
        name: _without_credentials(part) if name in REQUESTS and isinstance(part, dict) else part
        for name, part in inputs.items()
    }
    if AUTHENTICATION in shown:
        shown[AUTHENTICATION] = _kind_only(shown[AUTHENTICATION])
    return shown


def _kind_only(authentication: Any) -> Any:
    return {"type": authentication.get("type")} if isinstance(authentication, dict) else None
