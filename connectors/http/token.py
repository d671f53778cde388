"""Signing in with `ActiveDirectoryOAuth`: a token for a client's secret, by the client credentials grant.

A token is asked for with each call and kept nowhere: a process that has dropped an environment's keys holds nothing
that opens other doors. Certificates are not built.

Source: Logic Apps, "Secure access and data": Active Directory OAuth authentication; Microsoft identity platform,
OAuth 2.0 client credentials (version 1.0 of the endpoint, which takes a `resource`).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from ...engine.values import Value
from ..port import Call, ConnectorError, ConnectorResponse
from .request import Request

_AUTHORITY: Final = "https://login.microsoftonline.com/"
_NEEDED: Final = ("tenant", "audience", "clientId", "secret")
_CODE: Final = re.compile(r"[a-z_]{1,60}")


async def signed_in(call: Call, send: Callable[[Request], Awaitable[ConnectorResponse]]) -> Call:
    """The call with a token for a header where it signs in by OAuth with a secret; any other call as it is.

    Raises ConnectorError: InvalidInput, AuthenticationFailed where no token is given, and what `send` raises.
    """
    inputs = call.inputs
    given = inputs.get("authentication") if isinstance(inputs, dict) else None
    if not isinstance(inputs, dict) or not isinstance(given, dict) or not _by_secret(given):
        return call
    request = _request(given)
    reply = await send(request)
    token = reply.body.get("access_token") if isinstance(reply.body, dict) else None
    if not 200 <= reply.status_code <= 299 or not isinstance(token, str):
        raise ConnectorError(
            "AuthenticationFailed",
            f"{request.server} gave no token: it answered {reply.status_code}{_reason(reply.body)}.",
            hint="Look at tenant, audience, client id and secret of the action's authentication.",
        )
    return replace(call, inputs={**inputs, "authentication": {"type": "Raw", "value": f"Bearer {token}"}})


def _by_secret(given: dict[str, Any]) -> bool:
    kind, credential = given.get("type"), given.get("credentialType")
    certificate = given.get("pfx") is not None or (isinstance(credential, str) and credential.lower() == "certificate")
    return isinstance(kind, str) and kind.strip().lower() == "activedirectoryoauth" and not certificate


def _request(given: dict[str, Any]) -> Request:
    missing = [name for name in _NEEDED if not isinstance(given.get(name), str) or not given[name]]
    if missing:
        raise ConnectorError("InvalidInput", f"The 'authentication' of an HTTP action needs a text '{missing[0]}'.")
    authority = given.get("authority")
    base = authority if isinstance(authority, str) and authority.strip() else _AUTHORITY
    form = {
        "grant_type": "client_credentials",
        "client_id": given["clientId"],
        "client_secret": given["secret"],
        "resource": given["audience"],
    }
    return Request(
        "POST",
        f"{base.strip().rstrip('/')}/{quote(given['tenant'], safe='', errors='replace')}/oauth2/token",
        (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
        urlencode(form, errors="replace").encode("ascii"),
    )


def _reason(body: Value) -> str:
    """The error's code, which is one of a few words; its description may repeat what was sent."""
    code = body.get("error") if isinstance(body, dict) else None
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
