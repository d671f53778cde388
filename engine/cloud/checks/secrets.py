"""Rules about secrets in the clear: credentials written into a definition, where every reader of the file finds them.

Warnings only, and no message ever repeats what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..literal import is_dynamic
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.definition import Parameter
from ..syntax.pointer import join, texts

_CREDENTIALS = frozenset({"password", "secret", "pfx", "value", "clientsecret"})  # of inputs.authentication
_HEADERS = frozenset(
    {"authorization", "x-functions-key", "ocp-apim-subscription-key", "x-api-key", "api-key", "apikey", "x-auth-token"}
)
_QUERIES = frozenset({"sig", "code", "access_token", "api_key", "apikey", "subscription-key"})
_SIGNED = re.compile(r"[?&](?:sig|code|access_token|api_?key|subscription-key)=(?!@)[^&@\s]{8,}", re.IGNORECASE)
_PROPERTIES = frozenset(
    {"password", "client_secret", "clientsecret", "api_key", "apikey", "access_token", "refresh_token"}
)

# What gives a secret away wherever it stands, what it is then, and what a text must hold to be looked at for it.
_SHAPES = (
    ("=", re.compile(r"\b(?:Account|SharedAccess)Key=(?!@)[A-Za-z0-9+/]{20,}", re.IGNORECASE), "a connection string"),
    ("=", re.compile(r";\s*(?:Password|Pwd)=(?!@)[^;@{}<>\s]{6,}", re.IGNORECASE), "a connection string"),
    ("sig=", re.compile(r"[?&]sig=(?!@)[A-Za-z0-9%+/_-]{20,}"), "a signed address"),
    ("=", re.compile(r"\bclient_secret=(?!@)[^&@\s{}<>'\"]{8,}", re.IGNORECASE), "a client secret"),
    ("Q~", re.compile(r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{31,34}(?![\w~.-])"), "a client secret of Entra ID"),
    ("PRIVATE KEY", re.compile(r"-----BEGIN (?:[A-Z]{2,12} )?PRIVATE KEY-----"), "a private key"),
    ("eyJ", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"), "a token"),
    ("Bearer ", re.compile(r"\bBearer [A-Za-z0-9._~+/-]{20,}"), "a token"),
    ("_", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})"), "a token"),
    ("xox", re.compile(r"\bxox[abps]-[\w-]{20,}"), "a token"),
    ("AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b"), "a key of a cloud's API"),
    ("AIza", re.compile(r"\bAIza[\w-]{35}\b"), "a key of a cloud's API"),
)

# Names of parameters that hold a secret by what they end with; `secretName` and `tokenUrl` do not.
_NAMED = re.compile(
    r"(?:password|passwd|secret|api[ _-]?key|access[ _-]?key|subscription[ _-]?key|token|connection[ _-]?string)$",
    re.IGNORECASE,
)
# An address, or something to be filled in before the flow is deployed.
_PLACEHOLDER = re.compile(r"https?:|[@<#$*{\[/]|(?:your|enter|insert|todo|xxx|secret|password|token)", re.IGNORECASE)


def check_secrets(outline: Outline, problems: Problems) -> None:
    """All rules of this file; a place where several of them find something is reported once."""
    found: dict[str, str] = {}
    for parameter in outline.definition.parameters:
        if _in_parameter(parameter):
            found[join(parameter.pointer, "defaultValue")] = f"the default value of '{parameter.name}'"
    holders = [(place.action.inputs, place.action.pointer, place.action.name) for place in outline.places]
    holders += [(trigger.inputs, trigger.pointer, trigger.name) for trigger in outline.definition.triggers]
    for inputs, pointer, name in holders:
        if isinstance(inputs, dict):
            for where, what in _in_inputs(inputs, join(pointer, "inputs")):
                found.setdefault(where, f"{what} of '{name}'")
    for text, where in texts(outline.definition.raw, outline.definition.pointer):
        for mark, shape, what in _SHAPES:
            if mark in text and where not in found and shape.search(text):
                found[where] = what
    for where, what in found.items():
        _found(where, what, problems)


def _in_parameter(parameter: Parameter) -> bool:
    default = parameter.default
    if not default or is_dynamic(default):
        return False
    if parameter.type in ("securestring", "secureobject"):
        return True
    named = parameter.type == "string" and _NAMED.search(parameter.name.split(" (")[0].strip()) is not None
    return named and isinstance(default, str) and _is_secret(default)


def _is_secret(value: str) -> bool:
    """Whether a text under a name that promises a secret looks like one: one word, and nothing to be filled in."""
    return len(value) >= 8 and not any(map(str.isspace, value)) and _PLACEHOLDER.match(value) is None


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
        body = part.get("body")
        if isinstance(body, dict):
            for name, value in body.items():
                if name.lower() in _PROPERTIES and isinstance(value, str) and "@" not in value and _is_secret(value):
                    yield join(here, "body", name), "the body"
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
