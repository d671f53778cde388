"""HTTP actions that sign in with Active Directory OAuth, against a stand-in for the authority on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from http_server import Seen, Serve, as_json, raw, serving
from sealflow.connectors import Call, ConnectorError, Egress, HttpConnector, Services
from sealflow.engine.runtime.workers.clock import VirtualClock

SECRET = "hunter2&é"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


@pytest.fixture
async def http() -> AsyncIterator[HttpConnector]:
    connector = HttpConnector()
    yield connector
    await connector.aclose()


def call(url: str, **more: Any) -> Call:
    authentication = {
        "type": "ActiveDirectoryOAuth",
        "authority": url + "/",
        "tenant": "contoso/x",
        "audience": "https://api.example.com",
        "clientId": "me",
        "secret": SECRET,
        **more,
    }
    return Call("http", "", {"method": "GET", "uri": url + "/orders", "authentication": authentication}, "k1")


SERVICES = Services(clock=VirtualClock(), egress=Egress())


async def test_a_token_is_asked_for_and_sent(http: HttpConnector, serve: Serve) -> None:
    def react(seen: Seen) -> bytes:
        if seen.method == "POST":
            return as_json({"access_token": "t0ken", "expires_in": "3599", "token_type": "Bearer"})
        return as_json({"orders": []})

    server = await serve(react)
    for _ in range(2):
        reply = await http.invoke(call(server.url), SERVICES)
        assert (reply.status_code, reply.body) == (200, {"orders": []})
    asked, made, again, _ = server.seen
    assert (asked.method, asked.target, again.target) == ("POST", "/contoso%2Fx/oauth2/token", asked.target)
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["me"],
        "client_secret": [SECRET],
        "resource": ["https://api.example.com"],
    }
    assert (made.target, made.headers["authorization"]) == ("/orders", "Bearer t0ken")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (as_json({"error": "invalid_client", "error_description": SECRET}, 401), "401 (invalid_client)"),
        (as_json({"error": SECRET}, 400), "400."),
        (as_json({"token": "x"}), "200."),
        (raw(503, b"no"), "503."),
    ],
)
async def test_no_token_is_given(http: HttpConnector, serve: Serve, answer: bytes, told: str) -> None:
    server = await serve(lambda seen: answer)
    with pytest.raises(ConnectorError) as caught:
        await http.invoke(call(server.url), SERVICES)
    assert caught.value.code == "AuthenticationFailed"
    assert told in caught.value.message
    assert "hunter2" not in repr(caught.value) + caught.value.message
    assert [seen.method for seen in server.seen] == ["POST"]


@pytest.mark.parametrize("name", ["tenant", "audience", "clientId", "secret"])
async def test_what_is_missing_is_named(http: HttpConnector, name: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        await http.invoke(call("http://127.0.0.1:9", **{name: None}), SERVICES)
    assert (caught.value.code, name in caught.value.message) == ("InvalidInput", True)


@pytest.mark.parametrize("certificate", [{"pfx": "x"}, {"credentialType": "Certificate"}])
async def test_certificates_are_not_built(http: HttpConnector, certificate: dict[str, str]) -> None:
    with pytest.raises(ConnectorError) as caught:
        await http.invoke(call("http://127.0.0.1:9", **certificate), SERVICES)
    assert caught.value.code == "NotYetSupported"
