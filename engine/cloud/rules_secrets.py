"""Rules about secrets in the clear: credentials written into a definition, where every reader of the file finds them.

Warnings only, and no message ever repeats what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .literal import is_dynamic
from .outline import Outline
from .pointer import join
from .problem import Problems

_CREDENTIALS = frozenset({"password", "secret", "pfx", "value", "clientsecret"})  # of inputs.authentication
_HEADERS = frozenset(
    {"authorization", "x-functions-key", "ocp-apim-subscription-key", "x-api-key", "api-key", "apikey", "x-auth-token"}
)
_QUERIES = frozenset({"sig", "code", "access_token", "api_key", "apikey", "subscription-key"})
_SIGNED = re.compile(r"[?&](?:sig|code|access_token|api_?key|subscription-key)=(?!@)[^&@\s]{8,}", re.IGNORECASE)


def check_secrets(outline: Outline, problems: Problems) -> None:
    """All rules of this file."""
    for parameter in outline.definition.parameters:
        if (
            parameter.type in ("securestring", "secureobject")
            and parameter.default
            and not is_dynamic(parameter.default)
        ):
            _found(join(parameter.pointer, "defaultValue"), f"the default value of '{parameter.name}'", problems)
    holders = [(place.action.inputs, place.action.pointer, place.action.name) for place in outline.places]
    holders += [(trigger.inputs, trigger.pointer, trigger.name) for trigger in outline.definition.triggers]
    for inputs, pointer, name in holders:
        if isinstance(inputs, dict):
            at = join(pointer, "inputs")
            for where, what in _in_inputs(inputs, at):
                _found(where, f"{what} of '{name}'", problems)


def _found(at: str, what: str, problems: Problems) -> None:
    problems.warning(
        "SecretInClear",
        at,
        f"A secret seems to be written in the clear: {what}.",
        "Use a parameter of type SecureString and give its value when the flow is started or deployed.",
    )


def _in_inputs(inputs: dict[str, Any], at: str) -> Iterator[tuple[str, str]]:
    parts = [(inputs, at)]
    parts += [
        (inner, join(at, name)) for name in ("subscribe", "unsubscribe") if isinstance(inner := inputs.get(name), dict)
    ]
    for part, here in parts:
        yield from _secrets(
            part.get("authentication"), join(here, "authentication"), _CREDENTIALS, "the authentication"
        )
        yield from _secrets(part.get("headers"), join(here, "headers"), _HEADERS, "a header")
        yield from _secrets(part.get("queries"), join(here, "queries"), _QUERIES, "a query parameter")
        uri = part.get("uri")
        if isinstance(uri, str) and _SIGNED.search(uri):
            yield join(here, "uri"), "the address"


def _secrets(value: Any, at: str, names: frozenset[str], what: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    for name, secret in value.items():
        if (
            name.lower() in names
            and isinstance(secret, str)
            and secret
            and "@" not in secret
            and not is_dynamic(secret)
        ):
            yield join(at, name), what
