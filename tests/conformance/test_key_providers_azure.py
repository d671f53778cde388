"""Azure Key Vault: what its answers mean, and which keys a policy must not use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from sealflow.storage import KeyDenied, KeyUnavailable
from sealflow.storage.errors import StorageError

pytest.importorskip("azure.keyvault.keys", reason="pip install 'sealflow[azure]'")

from key_server_azure import AzureServer, Version
from sealflow.storage.keys.providers.azure import AzureKeys
from sealflow.storage.keys.providers.remote import BadCredentials

CONTEXT = b"context"


@pytest.fixture
async def keys(azure: AzureServer) -> AzureKeys:
    await azure.make_key("main")
    return azure.provider("main")


async def test_every_wrap_is_opened_by_the_vault(azure: AzureServer, keys: AzureKeys) -> None:
    await keys.wrap(b"payload", CONTEXT)
    assert azure.calls.count("unwrapkey") == 1
    assert "wrapkey" not in azure.calls, "the client wraps by itself, which is why the other call is needed"
    await keys.aclose()


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_faults_of_the_vault_are_outages(azure: AzureServer, keys: AzureKeys, status: int) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    azure.fault = status
    before = len(azure.calls)
    with pytest.raises(KeyUnavailable, match=str(status)):
        await keys.unwrap(wrapped, CONTEXT)
    assert len(azure.calls) == before + 1, "one try: repeating is the caller's"
    azure.fault = None
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_a_refusal_says_why(azure: AzureServer, keys: AzureKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    await azure.disabling.make("main")
    with pytest.raises(KeyDenied, match="KeyDisabled"):
        await keys.unwrap(wrapped, CONTEXT)
    await keys.aclose()


async def test_an_ended_login_is_renewed_once(azure: AzureServer, keys: AzureKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    assert azure.logins == 1
    azure.token = azure.next_token = "token-of-tomorrow"
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    logins = azure.logins
    azure.token = "of somebody else"
    with pytest.raises(BadCredentials):
        await keys.unwrap(wrapped, CONTEXT)
    assert azure.logins > logins
    await keys.aclose()


async def test_calls_at_once_survive_a_new_login(azure: AzureServer, keys: AzureKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    for token in ("token-of-tomorrow", "token-of-the-day-after"):
        azure.token = azure.next_token = token
        opened = await asyncio.gather(*(keys.unwrap(wrapped, CONTEXT) for _ in range(20)))
        assert set(opened) == {b"payload"}
    await keys.aclose()


async def test_an_expired_key_opens_and_does_not_wrap(azure: AzureServer, keys: AzureKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    azure.latest("main").attributes["exp"] = int(time.time()) - 5
    facts = await keys.facts()
    assert facts.problem is not None
    assert "expired" in facts.problem
    with pytest.raises(KeyDenied, match="expired"):
        await keys.wrap(b"payload", CONTEXT)
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_facts_tell_when_the_key_expires(azure: AzureServer, keys: AzureKeys) -> None:
    at = int(time.time()) + 1000
    azure.latest("main").attributes["exp"] = at
    facts = await keys.facts()
    assert (facts.expires_ms, facts.problem) == (at * 1000, None)
    await keys.aclose()


@pytest.mark.parametrize(
    ("level", "recoverable"),
    [
        ("Recoverable", True),
        ("CustomizedRecoverable", True),
        ("Recoverable+ProtectedSubscription", True),
        ("Recoverable+Purgeable", False),
        ("Purgeable", False),
        (None, None),
    ],
)
async def test_only_purge_protection_makes_a_key_recoverable(
    azure: AzureServer, keys: AzureKeys, level: str | None, recoverable: bool | None
) -> None:
    azure.latest("main").attributes["recoveryLevel"] = level
    assert (await keys.facts()).recoverable is recoverable
    await keys.aclose()


def _elliptic(version: Version) -> None:
    version.type = "EC"


def _for_signing(version: Version) -> None:
    version.operations = ("sign", "verify")


def _for_later(version: Version) -> None:
    version.attributes["nbf"] = int(time.time()) + 1000


@pytest.mark.parametrize(
    ("change", "problem"),
    [(_elliptic, "type EC"), (_for_signing, "wrap and unwrap"), (_for_later, "not valid before")],
)
async def test_unsuitable_keys(
    azure: AzureServer, keys: AzureKeys, change: Callable[[Version], None], problem: str
) -> None:
    change(azure.latest("main"))
    found = (await keys.facts()).problem
    assert found is not None
    assert problem in found
    await keys.aclose()


async def test_small_keys_are_unsuitable_and_those_in_hardware_are_not(azure: AzureServer, keys: AzureKeys) -> None:
    azure.latest("main").type = "RSA-HSM"
    assert (await keys.facts()).problem is None
    azure.add("main", bits=1024)
    found = (await keys.facts()).problem
    assert found is not None
    assert "1024 bits" in found
    await keys.aclose()


async def test_a_key_that_was_purged_and_made_anew_is_not_the_key(azure: AzureServer, keys: AzureKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    del azure.keys["main"]
    azure.add("main")
    with pytest.raises(KeyDenied):
        await keys.unwrap(wrapped, CONTEXT)
    await keys.aclose()


async def test_a_server_that_is_no_vault_is_an_outage(azure: AzureServer, keys: AzureKeys) -> None:
    await azure.stop()
    with pytest.raises(KeyUnavailable) as caught:
        await keys.facts()
    assert not isinstance(caught.value, BadCredentials)
    assert isinstance(caught.value, StorageError)
    await keys.aclose()
