"""How the Azure module talks to the Resource Manager: logging in, requests, pages, what goes on after an answer.

By its REST interface, as the application that the flow names: what this machine can log in with is never used. A token
goes to the server it was made for and to no other. No action stands here.

Source: Azure REST API reference (Resource Manager; asynchronous operations; Microsoft identity platform, client
credentials).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from ....engine.datatypes import Datum
from ...http.request import Request
from ...http.transport import Answer, Transport
from ...port import SECOND, ConnectorError
from ..arguments import Arguments
from ..fault import Fault, fault
from ..reach import SECONDS
from ..session import Session

KIND: Final = "AzureClient"

_NAME: Final = re.compile(r"[\w().-]{0,89}[\w()-]")
_MOST_PAGES: Final = 100
_PATIENCE: Final = 30 * 60
"""Seconds that an operation of Azure's may take."""


class Refused(Exception):
    """Azure says no. `code` is its own word for why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in, where. `manager` is the address of the Resource Manager."""

    client: str
    secret: str
    tenant: str
    authority: str
    manager: str


class Azure:
    """An open session. Everything raises Refused for what Azure says, Fault EgressRefused and TrustFailure."""

    def __init__(self, account: Account, session: Session) -> None:
        self._account = account
        self._session = session
        self._transport = Transport(session.egress)
        self._token = ""
        self._until = 0
        self.subscription = ""

    async def aclose(self) -> None:
        """Ends the session."""
        self._token = ""
        await self._transport.aclose()

    async def ask(self, path: str, version: str, *, method: str = "GET", body: Any = None, **query: str) -> Any:
        """The answer to one request, once whatever it began has ended; None where there is nothing in it."""
        url = f"{self._account.manager}{path}?{urlencode({'api-version': version, **query})}"
        data = None if body is None else json.dumps(body, default=float).encode()
        kind = (("Content-Type", "application/json"),) if data is not None else ()
        request = Request(method, url, (*(await self._headers()), *kind), data)
        answer = await self._send(request)
        if method != "GET":
            return await self._ended(request, answer)
        return _json(answer)

    async def all(self, path: str, version: str) -> list[Any]:
        """A list, with all its pages."""
        found: list[Any] = []
        page = await self.ask(path, version)
        for _ in range(_MOST_PAGES):
            found += page.get("value", [])
            onward = page.get("nextLink")
            if not onward:
                break
            request = Request("GET", f"{self._account.manager}{path}", await self._headers())
            page = _json(await self._send(_onward(request, onward)))
        return found

    def inside(self, group: str, *parts: str) -> str:
        """The path of a resource group, or of something in it. Raises Refused for a name that Azure does not allow."""
        path = f"/subscriptions/{segment(self.subscription)}/resourceGroups/{segment(group)}"
        return "/".join((path, *(segment(part) for part in parts)))

    def everywhere(self, kind: str) -> str:
        """The path of all resources of this kind in the subscription."""
        return f"/subscriptions/{segment(self.subscription)}/providers/Microsoft.Compute/{kind}"

    async def log_in(self) -> None:
        """Gets a token, or another one. Raises Refused."""
        account = self._account
        form = {
            "grant_type": "client_credentials",
            "client_id": account.client,
            "client_secret": account.secret,
            "scope": f"{account.manager}/.default",
        }
        url = f"{account.authority}/{segment(account.tenant)}/oauth2/v2.0/token"
        kind = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
        found = _json(await self._send(Request("POST", url, kind, urlencode(form).encode())))
        token = found.get("access_token")
        if not isinstance(token, str) or not token:
            raise Refused(0, "InvalidToken", "The answer holds no token.")
        seconds = int(found.get("expires_in", 300))
        self._token = token
        self._until = self._session.clock.now() + max(seconds - 60, 0) * SECOND

    async def _headers(self) -> tuple[tuple[str, str], ...]:
        if self._session.clock.now() >= self._until:
            await self.log_in()
        return (("Authorization", f"Bearer {self._token}"), ("Accept", "application/json"))

    async def _send(self, request: Request) -> Answer:
        try:
            if self._transport.egress != self._session.egress:  # the policy was changed
                await self._transport.aclose()
                self._transport = Transport(self._session.egress)
            answer = await self._transport.send(request, seconds=SECONDS, limit=self._session.limits.response_bytes)
        except ConnectorError as failure:
            if failure.code in ("EgressRefused", "TrustFailure"):
                raise Fault(failure.code, failure.message, hint=failure.hint) from failure
            raise Refused(0, failure.code, failure.message) from failure
        if answer.status >= 400:
            raise _refused(answer)
        return answer

    async def _ended(self, request: Request, answer: Answer) -> Any:
        """Follows an operation that goes on after its request was answered."""
        found = _json(answer)
        status, place = _header(answer, "azure-asyncoperation"), _header(answer, "location")
        if not status and not (place and answer.status == 202):
            return found
        poll = _onward(request, status or place)
        clock = self._session.clock
        end = clock.now() + _PATIENCE * SECOND
        while True:
            wait = _header(answer, "retry-after")
            await clock.sleep_until(clock.now() + (int(wait) if wait.isdecimal() else 5) * SECOND)
            answer = await self._send(
                Request("GET", poll.url, await self._headers()) if _alike(request, poll) else poll
            )
            told = _json(answer) or {}
            state = str(told.get("status", "")) if status else "" if answer.status == 202 else "Succeeded"
            if state in ("Failed", "Canceled"):
                error = told.get("error") or {}
                raise Refused(0, str(error.get("code", state)), str(error.get("message", state)))
            if state == "Succeeded":
                return found if status else told or found
            if clock.now() >= end:
                raise Refused(0, "Timeout", f"It has not ended within {_PATIENCE // 60} minutes.")


def _alike(request: Request, other: Request) -> bool:
    return urlsplit(request.url)[:2] == urlsplit(other.url)[:2]


def _onward(request: Request, location: str) -> Request:
    """Raises Refused where the answer names no address. The token goes along to the same server only."""
    try:
        return request.onward(location)
    except ConnectorError as failure:
        raise Refused(0, failure.code, failure.message) from failure


def _header(answer: Answer, name: str) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.decode("latin-1").lower() == name), "")


def _json(answer: Answer) -> Any:
    if not answer.data.strip():
        return None
    try:
        return json.loads(answer.data, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Refused(answer.status, "InvalidResponse", "The answer is no JSON.") from None


def _refused(answer: Answer) -> Refused:
    try:
        told = json.loads(answer.data)
        error = told.get("error", told)
    except (ValueError, AttributeError, RecursionError):
        error = {}
    if isinstance(error, str):  # where one logs in, the description stands beside it
        return Refused(answer.status, error, str(told.get("error_description", "")))
    return Refused(answer.status, str(error.get("code", answer.status)), str(error.get("message", "")))


def segment(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Refused(0, "InvalidName", "A name has letters, digits, '_', '-', '(', ')' and '.', and is not empty.")
    return quote(name, safe="")


def failed(display: str, refused: Refused) -> Fault:
    """The documented error, with what Azure says."""
    return fault(display, f"{refused.code}: {refused.message}" if refused.message else refused.code)


def client_of(arguments: Arguments, session: Session) -> Azure:
    """The session that the action names."""
    return session.use(arguments.item("AzureClient", KIND), Azure)


def text(arguments: Arguments, *names: str) -> str:
    """An argument, which may be missing: then ""."""
    return arguments.text(arguments.named(*names), "").strip()


def shared(found: Mapping[str, Any]) -> dict[str, Datum]:
    """The properties that all resources have."""
    parts = str(found.get("id", "")).split("/")
    return {
        "Id": found.get("id", ""),
        "Location": found.get("location", ""),
        "Name": found.get("name", ""),
        "SubscriptionId": parts[2] if len(parts) > 2 else "",
        "Tags": found.get("tags") or {},
    }


def group_of(found: Mapping[str, Any]) -> str:
    """The name of the resource group that a resource is in."""
    parts = str(found.get("id", "")).split("/")
    return parts[4] if len(parts) > 4 else ""


async def there(azure: Azure, path: str, version: str) -> Any:
    """What is there, or None."""
    try:
        return await azure.ask(path, version)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None
