"""Web actions of desktop flows: a server that redirects must not forward data that was meant for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.engine.datatypes import Datum

PLANTED = "planted-secret"


def answer(status: int, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Server, Server]]:
    """One that redirects to wherever its path says, and another one."""
    other = Server(lambda seen: answer(200, "here"))
    await other.start()

    def react(seen: Seen) -> bytes:
        status, _, rest = seen.target.strip("/").partition("/")
        if not status.isdigit():
            return answer(200, "own")
        place = "/own" if rest == "own" else f"{other.url}/taken"
        return answer(int(status), "", f"Location: {place}")

    first = Server(react)
    await first.start()
    yield first, other
    await first.stop()
    await other.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.session.aclose()


def _request(url: str, method: str) -> dict[str, Datum]:
    return {
        "Url": url,
        "Method": method,
        "Accept": "*/*",
        "ContentType": "text/plain",
        "RequestBody": f"body {PLANTED}",
        "CustomHeaders": f"X-Api-Key: {PLANTED}\nCookie: a={PLANTED}",
        "UserName": PLANTED,
        "Password": PLANTED,
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_server_takes_nothing_along(
    status: int, method: str, world: World, servers: tuple[Server, Server]
) -> None:
    """A server redirects to another one: credentials, headers of the flow, cookies and the body are not sent."""
    first, other = servers
    url = f"{first.url}/{status}/away"
    await world.do("Web.InvokeWebService.InvokeWebServiceUseAuth", **_request(url, method))
    (seen,) = other.seen
    assert PLANTED not in f"{seen.headers} {seen.body!r} {seen.target}"
    assert not {"authorization", "cookie", "x-api-key"} & set(seen.headers)
    assert seen.body == b""


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_on_the_same_server_keeps_the_request(
    status: int, world: World, servers: tuple[Server, Server]
) -> None:
    """A server redirects to another path on the same server: only this server gets the request again."""
    first, other = servers
    url = f"{first.url}/{status}/own"
    await world.do("Web.InvokeWebService.InvokeWebServiceUseAuth", **_request(url, "POST"))
    assert [each.body for each in first.seen] == [f"body {PLANTED}".encode()] * 2
    assert first.seen[1].headers["x-api-key"] == PLANTED
    assert "authorization" in first.seen[1].headers
    assert not other.seen
