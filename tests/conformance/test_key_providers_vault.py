"""Vault and OpenBao: what their answers mean, the service's token, and which keys a policy must not use."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_server import Seen, Server, as_json
from key_servers import BaoProcess, BaoServer
from sealflow.storage import KeyDenied, KeyUnavailable, WrongKey
from sealflow.storage.keys.providers.remote import BadCredentials
from sealflow.storage.keys.providers.vault import VaultKeys, token_of_environment

CONTEXT = b"context"


@pytest.fixture
async def server(bao: BaoProcess) -> BaoServer:
    server = BaoServer(bao)
    await server.make_key("main")
    return server


@pytest.fixture
def keys(server: BaoServer) -> VaultKeys:
    return server.provider("main")


async def test_a_token_that_has_ended_is_no_refusal(server: BaoServer, keys: VaultKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    server.bao.call("POST", "auth/token/revoke", token=server.token)
    with pytest.raises(BadCredentials):
        await keys.unwrap(wrapped, CONTEXT)
    assert server.tokens_read == 2, "it is read once more"
    server.token = server.new_token()
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_a_renewed_token_is_taken_at_once(server: BaoServer, keys: VaultKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    server.bao.call("POST", "auth/token/revoke", token=server.token)
    server.token = server.new_token()
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_a_version_that_was_taken_away_is_a_refusal(server: BaoServer, keys: VaultKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    await server.new_version("main")
    server.configure("main", min_decryption_version=2)
    with pytest.raises(KeyDenied):
        await keys.unwrap(wrapped, CONTEXT)
    server.configure("main", min_decryption_version=1)
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_a_version_that_never_was_is_another_key(keys: VaultKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    changed = wrapped._replace(kek=wrapped.kek.replace(b"v1@", b"v9@"), data=wrapped.data.replace(b":v1:", b":v9:"))
    with pytest.raises(WrongKey):
        await keys.unwrap(changed, CONTEXT)
    await keys.aclose()


async def test_asking_never_makes_a_key(server: BaoServer, bao: BaoProcess) -> None:
    keys = VaultKeys(bao.url, "transit", f"{server.prefix}-never", token=lambda: bao.root)
    with pytest.raises(KeyDenied):
        await keys.wrap(b"payload", CONTEXT)
    assert bao.client.get(f"transit/keys/{server.prefix}-never").status_code == 404
    await keys.aclose()


async def test_an_engine_that_is_gone_is_a_refusal(server: BaoServer, bao: BaoProcess) -> None:
    keys = VaultKeys(bao.url, "nowhere", "main", token=lambda: bao.root)
    with pytest.raises(KeyDenied):
        await keys.facts()
    await keys.aclose()


async def test_derived_keys_work(server: BaoServer, bao: BaoProcess) -> None:
    bao.call("POST", server.path("derived"), type="aes256-gcm96", derived=True)
    keys = server.provider("derived")
    assert (await keys.facts()).problem is None
    assert await keys.unwrap(await keys.wrap(b"payload", CONTEXT), CONTEXT) == b"payload"
    await keys.aclose()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"type": "rsa-2048"}, "rsa-2048"),
        ({"type": "aes128-gcm96"}, "aes128-gcm96"),
        ({"type": "aes256-gcm96", "exportable": True}, "taken out"),
        ({"type": "aes256-gcm96", "allow_plaintext_backup": True}, "taken out"),
        ({"type": "aes256-gcm96", "derived": True, "convergent_encryption": True}, "equal"),
    ],
)
async def test_unsuitable_keys(server: BaoServer, settings: dict[str, object], problem: str) -> None:
    server.bao.call("POST", server.path("odd"), **settings)
    keys = server.provider("odd")
    found = (await keys.facts()).problem
    assert found is not None
    assert problem in found
    await keys.aclose()


async def test_a_key_that_may_be_deleted_is_not_recoverable(server: BaoServer, keys: VaultKeys) -> None:
    assert (await keys.facts()).recoverable is True
    server.configure("main", deletion_allowed=True)
    assert (await keys.facts()).recoverable is False
    await keys.aclose()


@pytest.mark.parametrize("status", [307, 400, 412, 429, 473, 500, 502, 503])
async def test_other_answers_are_outages(status: int) -> None:
    seen: list[str] = []

    def answer(request: Seen) -> bytes:
        seen.append(request.target)
        return as_json({"errors": ["no"]}, status, Location="http://127.0.0.1:1/elsewhere")

    server = Server(answer)
    await server.start()
    keys = VaultKeys(server.url, "transit", "main", token=lambda: "token")
    with pytest.raises(KeyUnavailable, match=str(status)):
        await keys.facts()
    assert seen == ["/v1/transit/keys/main"], "one try, and no redirect is followed"
    await keys.aclose()
    await server.stop()


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"latest_version": 1}}, []])
async def test_a_server_that_is_no_vault_is_an_outage(body: object) -> None:
    server = Server(lambda _: as_json(body))
    await server.start()
    keys = VaultKeys(server.url, "transit", "main", token=lambda: "token")
    with pytest.raises(KeyUnavailable):
        await keys.facts()
    await keys.aclose()
    await server.stop()


async def test_namespace_and_agents_header_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_NAMESPACE", "customer")
    server = Server(lambda _: as_json({"errors": []}, 404))
    await server.start()
    keys = VaultKeys(server.url, "transit", "main", token=lambda: "token")
    with pytest.raises(KeyDenied):
        await keys.facts()
    headers = server.seen[0].headers
    assert (headers["x-vault-namespace"], headers["x-vault-request"]) == ("customer", "true")
    await keys.aclose()
    await server.stop()


async def test_authorities_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_CACERT", "/nowhere/ca.pem")
    keys = VaultKeys("https://localhost:1", "transit", "main", token=lambda: "token")
    with pytest.raises(KeyUnavailable, match="VAULT_CACERT"):
        await keys.facts()
    await keys.aclose()


def test_where_the_token_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    monkeypatch.delenv("VAULT_TOKEN_FILE", raising=False)
    with pytest.raises(BadCredentials, match="cannot be read"):
        token_of_environment()
    (tmp_path / ".vault-token").write_text("of the home folder\n")
    assert token_of_environment() == "of the home folder"
    (tmp_path / "agent").write_text("of the agent\n")
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(tmp_path / "agent"))
    assert token_of_environment() == "of the agent"
    monkeypatch.setenv("VAULT_TOKEN", "of the environment")
    assert token_of_environment() == "of the environment"
    monkeypatch.setenv("VAULT_TOKEN", "two\nlines")
    with pytest.raises(BadCredentials) as caught:
        token_of_environment()
    assert "two" not in str(caught.value)
