"""Hardware security modules, as SoftHSM plays one: PINs, keys that come and go, and which a policy must not use."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealflow.storage import InvalidKeyUri, KeyDenied, KeyUnavailable, WrongKey

pytest.importorskip("pkcs11", reason="pip install 'sealflow[pkcs11]'")

import pkcs11
from key_server_softhsm import SoftHSMServer
from sealflow.storage.keys.providers import provider_for
from sealflow.storage.keys.providers.pkcs11_module import Module, TokenName, module_at
from sealflow.storage.keys.providers.remote import BadCredentials

CONTEXT = b"context"


@pytest.fixture
async def server(softhsm: SoftHSMServer) -> SoftHSMServer:
    await softhsm.make_key("main")
    return softhsm


async def test_a_wrong_pin_is_tried_once(server: SoftHSMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0
    log_in = Module._log_in

    def counted(self: Module, *arguments: object) -> object:
        nonlocal tried
        try:
            return log_in(self, *arguments)  # type: ignore[arg-type]
        except pkcs11.PinIncorrect:
            tried += 1
            raise

    monkeypatch.setattr(Module, "_log_in", counted)
    keys = server.provider("main")
    right = server.pin_file.read_text()
    server.pin_file.write_text("wrong-pin")
    for _ in range(3):
        with pytest.raises(BadCredentials) as caught:
            await keys.facts()
        assert "wrong-pin" not in str(caught.value)
    other = server.provider("main")
    with pytest.raises(BadCredentials):
        await other.facts()
    assert tried == 1
    server.pin_file.write_text(right)
    assert (await keys.facts()).problem is None
    await keys.aclose()
    await other.aclose()


async def test_a_pin_that_others_could_read_is_not_used(server: SoftHSMServer) -> None:
    server.pin_file.chmod(0o644)
    keys = server.provider("main")
    with pytest.raises(BadCredentials, match="cannot be read"):
        await keys.facts()
    await keys.aclose()


async def test_the_pin_may_come_from_the_environment(server: SoftHSMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = provider_for(server.uri("main").partition("&pin-source")[0])
    monkeypatch.setenv("SEALFLOW_PKCS11_PIN", "")
    with pytest.raises(BadCredentials, match="no PIN"):
        await keys.facts()
    monkeypatch.setenv("SEALFLOW_PKCS11_PIN", server.pin_file.read_text().strip())
    assert (await keys.facts()).problem is None
    await keys.aclose()


async def test_an_ended_session_is_opened_again(server: SoftHSMServer) -> None:
    keys = server.provider("main")
    wrapped = await keys.wrap(b"payload", CONTEXT)

    def end(session: pkcs11.Session) -> None:
        session.close()

    await keys._module.ask(keys._token, keys._pin, keys, end)
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"
    await keys.aclose()


async def test_the_session_lasts_until_its_last_user_leaves(server: SoftHSMServer) -> None:
    first, second = server.provider("main"), server.provider("main")
    await first.facts()
    await second.facts()
    sessions = first._module._sessions
    await first.aclose()
    assert first._token in sessions
    await second.aclose()
    assert first._token not in sessions


async def test_a_destroyed_version_is_a_refusal(server: SoftHSMServer) -> None:
    keys = server.provider("main")
    before = await keys.wrap(b"payload", CONTEXT)
    await server.new_version("main")
    after = await keys.wrap(b"payload", CONTEXT)
    server.destroy_first("main")
    with pytest.raises(KeyDenied, match="not in the token"):
        await keys.unwrap(before, CONTEXT)
    assert await keys.unwrap(after, CONTEXT) == b"payload"
    await keys.aclose()


async def test_a_key_made_anew_is_another_key(server: SoftHSMServer) -> None:
    keys = server.provider("main")
    wrapped = await keys.wrap(b"payload", CONTEXT)
    await server.deleting.make("main")
    server.make_again("main")
    with pytest.raises(WrongKey):
        await keys.unwrap(wrapped, CONTEXT)
    await keys.aclose()


async def test_a_key_may_be_named_by_its_id(server: SoftHSMServer) -> None:
    by_label = server.provider("main")
    number = (await by_label.facts()).version.split(b".")[0].decode()
    escaped = "".join(f"%{number[at : at + 2]}" for at in range(0, len(number), 2))
    keys = provider_for(server.uri("main").replace("?", f";id={escaped}?"))
    await server.new_version("main")
    facts = await keys.facts()
    assert facts.version.split(b".")[0].decode() == number, "that version alone"
    assert await keys.unwrap(await keys.wrap(b"payload", CONTEXT), CONTEXT) == b"payload"
    await keys.aclose()
    await by_label.aclose()


@pytest.mark.parametrize(("attributes", "problem"), [({"extractable": True}, "taken out"), ({"bits": 128}, "256 bits")])
async def test_unsuitable_keys(server: SoftHSMServer, attributes: dict[str, object], problem: str) -> None:
    server.make("odd", **attributes)
    keys = server.provider("odd")
    found = (await keys.facts()).problem
    assert found is not None
    assert problem in found
    await keys.aclose()


async def test_a_driver_that_is_not_there_is_an_outage(server: SoftHSMServer) -> None:
    keys = provider_for("pkcs11:token=t;object=o?module-path=/nowhere/driver.so")
    with pytest.raises(KeyUnavailable):
        await keys.facts()
    await keys.aclose()


async def test_a_token_that_is_not_there_is_an_outage(server: SoftHSMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_PKCS11_PIN", "1234")
    keys = provider_for(server.uri("main").replace("token=", "serial=00;token="))
    with pytest.raises(KeyUnavailable, match="NoSuchToken"):
        await keys.facts()
    await keys.aclose()


def test_the_driver_may_be_settled_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidKeyUri, match="no driver"):
        provider_for("pkcs11:token=t;object=o")
    monkeypatch.setenv("SEALFLOW_PKCS11_MODULE", "/usr/lib/one.so")
    assert provider_for("pkcs11:token=t;object=o").uri == "pkcs11:token=t;object=o"
    assert provider_for("pkcs11:token=t;object=o?module-path=/usr/lib/one.so").name == "pkcs11"
    with pytest.raises(InvalidKeyUri, match="another"):
        provider_for("pkcs11:token=t;object=o?module-path=/usr/lib/two.so")


def test_tokens_are_told_apart() -> None:
    assert TokenName("a", None) != TokenName("a", "1")
    assert module_at("/a.so") is module_at("/a.so")
    assert module_at(str(Path("/a.so"))) is not module_at("/b.so")
