"""Rules about what a call over HTTP is given, where it is literal: method, address, authentication, paging, chunks.

Warnings only: such a call fails when it is made, and the hosts mostly refuse to save it.
Sources: Logic Apps, "workflow actions and triggers" reference, HTTP action, pagination and chunked transfer; "Secure
access and data", authentication types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..catalog import CALLS
from ..literal import integer, is_computed, is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import JsonObject
from ..syntax.pointer import join

_METHODS = frozenset({"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "MERGE"})
_AUTHENTICATION = {
    name.lower(): name
    for name in ("ActiveDirectoryOAuth", "Basic", "ClientCertificate", "ManagedServiceIdentity", "None", "Raw")
}
_NOT_YET = frozenset({"ClientCertificate", "ManagedServiceIdentity"})
_HTTP = frozenset({"http", "httpwebhook"})
MAXIMUM_ITEMS = 100_000
"""Items that paging may be asked for."""


def check_calls(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    for trigger in outline.definition.triggers:
        if trigger.type in _HTTP:
            _requests(trigger.inputs, trigger.pointer, f"trigger '{trigger.name}'", problems)
    for place in outline.places:
        action = place.action
        if not place.built:
            continue
        if action.type in _HTTP:
            _requests(action.inputs, action.pointer, f"'{action.name}'", problems)
        if action.type in CALLS:
            _transfer(action.runtime, action.pointer, f"'{action.name}'", problems)


def _requests(inputs: Any, pointer: str, what: str, problems: Problems) -> None:
    for request, at in _parts(inputs, join(pointer, "inputs")):
        method, uri, authentication = request.get("method"), request.get("uri"), request.get("authentication")
        if isinstance(method, str) and not is_computed(method) and method.strip().upper() not in _METHODS:
            message = f"The method of {what} is {shown(method)}, which is none of HTTP."
            problems.warning("InvalidInputs", join(at, "method"), message)
        if (
            isinstance(uri, str)
            and not is_computed(uri)
            and not uri.strip().lower().startswith(("http://", "https://"))
        ):
            message = f"The address of {what} does not begin with https:// or http://."
            problems.warning("InvalidInputs", join(at, "uri"), message)
        if isinstance(authentication, dict):
            _authentication(authentication, join(at, "authentication"), what, problems)


def _parts(inputs: Any, at: str) -> Iterator[tuple[JsonObject, str]]:
    """The requests in the inputs: of an Http one, of an HttpWebhook two."""
    if isinstance(inputs, dict):
        yield inputs, at
        for name in ("subscribe", "unsubscribe"):
            if isinstance(inner := inputs.get(name), dict):
                yield inner, join(at, name)


def _authentication(given: JsonObject, at: str, what: str, problems: Problems) -> None:
    kind = given.get("type")
    if not isinstance(kind, str) or is_computed(kind):
        return
    name = _AUTHENTICATION.get(kind.strip().lower())
    if name is None:
        other = nearest(kind, _AUTHENTICATION.values())
        hint = f"Did you mean '{other}'?" if other else f"Types are {', '.join(_AUTHENTICATION.values())}."
        message = f"The authentication of {what} has the unknown type {shown(kind)}."
        problems.warning("InvalidInputs", join(at, "type"), message, hint)
    elif name in _NOT_YET or (name == "ActiveDirectoryOAuth" and given.get("pfx") is not None):
        problems.warning(
            "NotYetSupported",
            join(at, "type"),
            f"The authentication {name} of {what}{'' if name in _NOT_YET else ' by certificate'} is not supported yet: "
            "the call fails.",
            "Basic, Raw and ActiveDirectoryOAuth with a secret are: Raw takes the whole Authorization header.",
        )
    elif name == "Raw" and given.get("value") is not None and given.get("scheme"):
        problems.warning(
            "InvalidInputs",
            join(at, "scheme"),
            f"The 'scheme' of {what} is not read, since there is a 'value', which is the whole header.",
            "Write the scheme into the value, or give 'scheme' and 'parameter'.",
        )


def _transfer(runtime: JsonObject, pointer: str, what: str, problems: Problems) -> None:
    at = join(pointer, "runtimeConfiguration")
    paging, transfer = runtime.get("paginationPolicy"), runtime.get("contentTransfer")
    count = paging.get("minimumItemCount") if isinstance(paging, dict) else None
    if count is not None and not is_dynamic(count):
        number = integer(count)
        if number is None or not 1 <= number <= MAXIMUM_ITEMS:
            message = f"Paging of {what} must ask for 1 to {MAXIMUM_ITEMS:,} items, not {shown(count)}."
            problems.warning("InvalidInputs", join(at, "paginationPolicy", "minimumItemCount"), message)
    mode = transfer.get("transferMode") if isinstance(transfer, dict) else None
    if isinstance(mode, str) and not is_computed(mode) and mode.strip().lower() != "chunked":
        message = f"The transfer mode of {what} is {shown(mode)}; there is only Chunked."
        problems.warning("InvalidInputs", join(at, "contentTransfer", "transferMode"), message)
