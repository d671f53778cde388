"""Addresses of keys: what each kind looks like, and what is refused without repeating a secret."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from sealflow.storage import InvalidKeyUri
from sealflow.storage.keys.providers import provider_for
from sealflow.storage.keys.providers.pkcs11_uri import parse

ARN = "arn:aws:kms:eu-central-1:123456789012"


@pytest.mark.parametrize(
    ("given", "name", "uri"),
    [
        ("file:/k/keys.json#main", "file", "file:/k/keys.json#main"),
        ("FILE:/k/a#b.json#main", "file", "file:/k/a#b.json#main"),
        ("vault:https://bao.example:8200/transit/main", "vault", "vault:https://bao.example:8200/transit/main"),
        ("vault:bao.example/customers/eu/main/", "vault", "vault:https://bao.example/customers/eu/main"),
        ("vault:http://127.0.0.1:8100/transit/main", "vault", "vault:http://127.0.0.1:8100/transit/main"),
        ("vault:http://[::1]:8100/transit/main", "vault", "vault:http://[::1]:8100/transit/main"),
    ],
)
def test_addresses_have_one_form(given: str, name: str, uri: str) -> None:
    provider = provider_for(given)
    assert (provider.name, provider.uri) == (name, uri)
    assert uri in repr(provider)
    assert provider_for(provider.uri).uri == uri


@pytest.mark.parametrize("given", ["azure:https://v.vault.azure.net/keys/main", "azure:V.vault.azure.net/keys/main"])
def test_addresses_of_azure(given: str) -> None:
    pytest.importorskip("azure.keyvault.keys")
    assert provider_for(given).uri == "azure:https://v.vault.azure.net/keys/main"


@pytest.mark.parametrize("resource", ["key/1234abcd-12ab-34cd-56ef-1234567890ab", "key/mrk-1234", "alias/app/main"])
def test_addresses_of_aws(resource: str) -> None:
    pytest.importorskip("botocore")
    assert provider_for(f"aws:{ARN}:{resource}").uri == f"aws:{ARN}:{resource}"
    assert provider_for(f"aws:{ARN}:{resource}".replace("arn:aws:", "arn:aws-us-gov:")).name == "aws"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "no address"),
        ("main", "no address"),
        ("gpg:main", "gpg"),
        ("file:", "names no key"),
        ("file:keys.json", "names no key"),
        ("file:keys.json#", "names no key"),
        ("vault:", "names no key"),
        ("vault:https://bao.example/main", "names no key"),
        ("vault:https://bao.example/v1/transit/main", "names no key"),
        ("vault:http://bao.example/transit/main", "without TLS"),
        ("vault:ftp://bao.example/transit/main", "without TLS"),
        ("vault:https:///transit/main", "no server"),
        ("vault:https://bao.example:port/transit/main", "no valid server"),
        ("vault:https://bao.example/transit/../main", "segment"),
        ("vault:https://bao.example/transit/a%2fb", "segment"),
        ("vault:https://bao.example/transit//main", "segment"),
        ("vault:https://bao.example/transit/main?namespace=x", "more than a path"),
        ("vault:https://me:hunter2@bao.example/transit/main", "credentials"),
        ("pkcs11:token=t;object=o;pin-value=hunter2", "PIN"),
        ("pkcs11:token=t;object=o?pin-value=hunter2", "PIN"),
        ("pkcs11:token=t", "no token or no key"),
        ("pkcs11:object=o", "no token or no key"),
        ("pkcs11:token=t;object=o;slot-id=1", "slot-id"),
        ("pkcs11:token=t;object=o;object=p", "twice"),
        ("pkcs11:token=;object=o", "empty"),
        ("pkcs11:token=t;object=o;type=private", "no secret key"),
        ("pkcs11:token=t;object=o?module-path=driver.so", "whole path"),
        ("pkcs11:token=t;object=o?pin-source=hunter2", "whole path"),
        ("pkcs11:token=t;object=o?pin-source=https://pins.example/1", "whole path"),
    ],
)
def test_what_is_no_address_is_refused(given: str, says: str) -> None:
    with pytest.raises(InvalidKeyUri, match=says) as caught:
        provider_for(given)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("azure:https://v.vault.azure.net/keys/main/0123456789abcdef0123456789abcdef", "names a version"),
        ("azure:https://v.vault.azure.net/secrets/main", "names no key"),
        ("azure:https://v.vault.azure.net/", "segment"),
        ("azure:https://v.vault.azure.net/keys/no_such.name", "names no key"),
        ("azure:http://127.0.0.1/keys/main", "without TLS"),
    ],
)
def test_what_is_no_address_of_azure_is_refused(given: str, says: str) -> None:
    pytest.importorskip("azure.keyvault.keys")
    with pytest.raises(InvalidKeyUri, match=says):
        provider_for(given)


@pytest.mark.parametrize(
    "arn",
    [
        "main", "arn:aws:s3:::bucket", f"{ARN}:key", f"{ARN}:grant/1", f"{ARN}:key/1/2", f"{ARN}:alias/",
        "arn:aws:kms::123456789012:key/1", "arn:aws:kms:eu-central-1:1:key/1", f"{ARN}:key/1\n",
    ],
)  # fmt: skip
def test_what_is_no_arn_of_a_key_is_refused(arn: str) -> None:
    pytest.importorskip("botocore")
    with pytest.raises(InvalidKeyUri, match="no ARN"):
        provider_for(f"aws:{arn}")


def test_addresses_of_tokens() -> None:
    given = "token=the%20token;serial=01;object=a%3Bb;id=%01%fe;type=secret-key"
    address = parse(f"{given}?module-path=/usr/lib/d%20r.so&pin-source=file:/etc/pin")
    assert (address.token, address.serial, address.label, address.id) == ("the token", "01", "a;b", b"\x01\xfe")
    assert (str(address.module), str(address.pin)) == ("/usr/lib/d r.so", "/etc/pin")
    assert address.uri == (
        "pkcs11:token=the%20token;serial=01;object=a%3Bb;id=%01%fe?module-path=/usr/lib/d%20r.so&pin-source=file:/etc/pin"
    )
    assert parse(address.uri.removeprefix("pkcs11:")) == address
    assert parse("token=t;object=o").uri == "pkcs11:token=t;object=o"
    printed = "model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0b;token=t;id=%01;object=o;type=secret-key"
    assert parse(printed).uri == "pkcs11:token=t;serial=0b;object=o;id=%01"


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("azure:https://v.vault.azure.net/keys/main", "azure", "sealflow[azure]"),
        (f"aws:{ARN}:key/1", "aws", "sealflow[aws]"),
        ("pkcs11:token=t;object=o?module-path=/d.so", "pkcs11", "sealflow[pkcs11]"),
    ],
)
def test_a_missing_package_is_named(uri: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == module and arguments[3:] == (1,):
            raise ModuleNotFoundError("not here", name=f"{module}-package")
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidKeyUri, match=f"{module}-package") as caught:
        provider_for(uri)
    assert extra in (caught.value.hint or "")
