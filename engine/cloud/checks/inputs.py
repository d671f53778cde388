"""Rules about what an action must be given: required inputs, and literal values that can never be right.

Sources: Logic Apps, "workflow actions and triggers" reference, each action's table; "Response" for its status codes;
limits and configuration: retry policy.
"""

from __future__ import annotations

from typing import Any

from ..catalog import ACTIONS, EXPRESSION_INPUTS, EXPRESSION_KINDS, RETRIED
from ..literal import integer, is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.definition import Action, JsonObject
from ..syntax.duration import seconds
from ..syntax.pointer import join

_REQUIRED: dict[str, tuple[str, ...]] = {
    "parsejson": ("content",),
    "query": ("from", "where"),
    "select": ("from", "select"),
    "join": ("from", "joinWith"),
    "table": ("from", "format"),
    "http": ("method", "uri"),
    "httpwebhook": ("subscribe",),
    "response": ("statusCode",),
    "terminate": ("runStatus",),
    "workflow": ("host",),
    "sendtobatch": ("batchName", "content", "host"),
    "openapiconnection": ("host",),
    "openapiconnectionwebhook": ("host",),
    "openapiconnectionnotification": ("host",),
    "apiconnection": ("host", "method"),
    "apiconnectionwebhook": ("host",),
    "apiconnectionnotification": ("host",),
    "apimanagement": ("api", "method"),
    "function": ("function",),
    "invokefunction": ("functionName",),
    "serviceprovider": ("serviceProviderConfiguration",),
    "appendtoarrayvariable": ("value",),
    "appendtostringvariable": ("value",),
    "setvariable": ("value",),
    "javascriptcode": ("code",),
    "xslt": ("content",),
    "flatfiledecoding": ("content",),
    "flatfileencoding": ("content",),
    "liquid": ("content",),
    "xmlparse": ("content",),
    "xmlcompose": ("content",),
    "xmlvalidation": ("content",),
    "integrationaccountartifactlookup": ("artifactType", "artifactName"),
}

_RUN_STATUSES = frozenset({"succeeded", "failed", "cancelled"})
_UNITS = frozenset({"second", "minute", "hour", "day", "week", "month", "year"})
_RETRIES = frozenset({"default", "none", "fixed", "exponential"})


def check_inputs(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    for place in outline.places:
        action = place.action
        if not place.built:
            continue
        if action.type == "compose" and "inputs" not in action.raw:
            problems.error("InvalidInputs", action.pointer, f"Compose '{action.name}' has no 'inputs'.")
        _required(action, problems)
        inputs = action.inputs
        if isinstance(inputs, dict):
            if action.type in _LITERALS:
                _LITERALS[action.type](action, inputs, problems)
            if action.type in RETRIED:
                check_retry(inputs, join(action.pointer, "inputs"), f"action '{action.name}'", problems)
    for trigger in outline.definition.triggers:
        if isinstance(trigger.inputs, dict) and trigger.type in RETRIED:
            check_retry(trigger.inputs, join(trigger.pointer, "inputs"), f"trigger '{trigger.name}'", problems)


def _required(action: Action, problems: Problems) -> None:
    names = _REQUIRED.get(action.type, ())
    if action.type == "expression":
        names = EXPRESSION_INPUTS.get(action.kind, ())
    if not names or is_dynamic(action.inputs):
        return
    at = join(action.pointer, "inputs")
    if not isinstance(action.inputs, dict):
        if action.inputs is None:
            problems.error("InvalidInputs", action.pointer, f"Action '{action.name}' has no 'inputs'.")
        else:
            problems.error("InvalidInputs", at, f"The inputs of '{action.name}' must be an object.")
        return
    missing = [name for name in names if name not in action.inputs]
    if missing:
        listed = " and ".join(f"'{name}'" for name in missing)
        kind = EXPRESSION_KINDS.get(action.kind) if action.type == "expression" else ACTIONS[action.type]
        problems.error("InvalidInputs", at, f"'{action.name}' ({kind}) has no {listed} in its inputs.")


def _table(action: Action, inputs: JsonObject, problems: Problems) -> None:
    written = inputs.get("format")
    if written is None or is_dynamic(written):
        return
    if not isinstance(written, str) or written.lower() not in ("csv", "html"):
        at = join(action.pointer, "inputs", "format")
        problems.error("InvalidInputs", at, f"The format of '{action.name}' must be CSV or HTML, not {shown(written)}.")


def _response(action: Action, inputs: JsonObject, problems: Problems) -> None:
    written = inputs.get("statusCode")
    if "statusCode" not in inputs or is_dynamic(written) or (isinstance(written, str) and "@{" in written):
        return
    at = join(action.pointer, "inputs", "statusCode")
    code = integer(written)
    if code is None or not 100 <= code <= 599:
        problems.error(
            "InvalidInputs", at, f"The status code of '{action.name}' must be an HTTP status, not {shown(written)}."
        )
    elif not (200 <= code <= 299 or 400 <= code <= 599):
        problems.error("InvalidInputs", at, f"'{action.name}' answers {code}: only 2xx, 4xx and 5xx can be answered.")


def _terminate(action: Action, inputs: JsonObject, problems: Problems) -> None:
    written = inputs.get("runStatus")
    at = join(action.pointer, "inputs")
    if written is None or is_dynamic(written):
        return
    if not isinstance(written, str) or written.lower() not in _RUN_STATUSES:
        problems.error(
            "InvalidInputs",
            join(at, "runStatus"),
            f"'{action.name}' must end the run as Succeeded, Failed or Cancelled, not {shown(written)}.",
        )
    elif inputs.get("runError") and written.lower() != "failed":
        problems.warning(
            "InvalidInputs", join(at, "runError"), f"'{action.name}' has a 'runError', which counts only with Failed."
        )


def _wait(action: Action, inputs: JsonObject, problems: Problems) -> None:
    at = join(action.pointer, "inputs")
    interval, until = inputs.get("interval"), inputs.get("until")
    if until is not None:
        if not is_dynamic(until) and not (isinstance(until, dict) and "timestamp" in until):
            problems.error("InvalidInputs", join(at, "until"), f"'{action.name}' needs a 'timestamp' to wait for.")
        return
    if interval is None:
        problems.error("InvalidInputs", at, f"'{action.name}' needs an 'interval' or an 'until' to wait for.")
        return
    if is_dynamic(interval):
        return
    if not isinstance(interval, dict) or "count" not in interval or "unit" not in interval:
        problems.error(
            "InvalidInputs", join(at, "interval"), f"'{action.name}' needs the 'count' and 'unit' of its interval."
        )
        return
    count, unit = interval["count"], interval["unit"]
    if not is_dynamic(count) and not (isinstance(count, str) and "@{" in count) and (integer(count) or 0) < 1:
        message = f"The count of '{action.name}' must be a positive integer, not {shown(count)}."
        problems.error("InvalidInputs", join(at, "interval", "count"), message)
    if not is_dynamic(unit) and (not isinstance(unit, str) or unit.lower() not in _UNITS):
        message = f"The unit of '{action.name}' must be Second, Minute, Hour, Day, Week or Month, not {shown(unit)}."
        problems.error("InvalidInputs", join(at, "interval", "unit"), message)


def _http_webhook(action: Action, inputs: JsonObject, problems: Problems) -> None:
    """Both requests of a webhook have a method and an address; without `unsubscribe`, or with {}, none is made."""
    at = join(action.pointer, "inputs")
    for name in ("subscribe", "unsubscribe"):
        request = inputs.get(name)
        if request is None or is_dynamic(request) or (name == "unsubscribe" and request == {}):
            continue
        if not isinstance(request, dict):
            problems.error("InvalidInputs", join(at, name), f"The '{name}' of '{action.name}' must be an object.")
            continue
        missing = [member for member in ("method", "uri") if member not in request]
        if missing:
            listed = " and ".join(f"'{member}'" for member in missing)
            problems.error("InvalidInputs", join(at, name), f"The '{name}' of '{action.name}' has no {listed}.")
        if name == "subscribe":
            check_retry(request, join(at, name), f"action '{action.name}'", problems)
    if "retryPolicy" in inputs:
        message = f"The retry policy of '{action.name}' has no effect here: it belongs into 'subscribe'."
        problems.warning("InvalidRetryPolicy", join(at, "retryPolicy"), message)


def _workflow(action: Action, inputs: JsonObject, problems: Problems) -> None:
    host = inputs.get("host")
    if "host" not in inputs or is_dynamic(host):
        return
    workflow = host.get("workflow") if isinstance(host, dict) else None
    named = isinstance(host, dict) and "workflowReferenceName" in host
    if not named and not is_dynamic(workflow) and not (isinstance(workflow, dict) and "id" in workflow):
        at = join(action.pointer, "inputs", "host")
        problems.error("InvalidInputs", at, f"'{action.name}' does not say which workflow it calls.")


_LITERALS = {
    "httpwebhook": _http_webhook,
    "table": _table,
    "response": _response,
    "terminate": _terminate,
    "wait": _wait,
    "workflow": _workflow,
    "sendtobatch": _workflow,
}


def check_retry(inputs: JsonObject, at: str, what: str, problems: Problems) -> None:
    """The `retryPolicy` in `inputs`: its type, and the hosts' ranges for count (1-90) and interval (5 s to 1 d).

    Ranges are warnings, since a Standard host can be configured to others and this engine keeps any.
    """
    policy: Any = inputs.get("retryPolicy")
    at = join(at, "retryPolicy")
    if policy is None or is_dynamic(policy):
        return
    kind = policy.get("type", "default") if isinstance(policy, dict) else None
    if not isinstance(policy, dict) or (not isinstance(kind, str)):
        problems.error("InvalidRetryPolicy", at, f"The retry policy of {what} must be an object with a 'type'.")
        return
    if is_dynamic(kind):
        return
    if kind.lower() not in _RETRIES:
        message = f"The retry policy of {what} has the unknown type {shown(kind)}."
        problems.error(
            "InvalidRetryPolicy", join(at, "type"), message, "Types are default, none, fixed and exponential."
        )
        return
    if kind.lower() not in ("fixed", "exponential"):
        return
    missing = [name for name in ("count", "interval") if policy.get(name) is None]
    if missing:
        message = f"The {kind} retry policy of {what} has no '{missing[0]}'."
        problems.error("InvalidRetryPolicy", at, message)
    count = policy.get("count")
    if count is not None and not is_dynamic(count):
        number = integer(count)
        if number is None or number < 1:
            message = f"The retry count of {what} must be a positive integer, not {shown(count)}."
            problems.error("InvalidRetryPolicy", join(at, "count"), message)
        elif number > 90:
            message = f"The retry count of {what} is {number}; the hosts accept 1 to 90."
            problems.warning("InvalidRetryPolicy", join(at, "count"), message)
    for name in ("interval", "minimumInterval", "maximumInterval"):
        interval = policy.get(name)
        if interval is None or is_dynamic(interval):
            continue
        length = seconds(interval) if isinstance(interval, str) else None
        if length is None or length < 0:
            message = (
                f"The '{name}' of the retry policy of {what} must be a duration such as PT10S, not {shown(interval)}."
            )
            problems.error("InvalidRetryPolicy", join(at, name), message)
        elif name == "interval" and not 5 <= length <= 86400:
            message = f"The retry interval of {what} is {interval}; the hosts accept PT5S to P1D."
            problems.warning("InvalidRetryPolicy", join(at, name), message)
