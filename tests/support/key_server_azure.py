"""A stand-in for Azure Key Vault on loopback, with TLS: just the calls that Microsoft's client makes, and the states
that a key can be in. There is no emulator that a test could install.
"""

from __future__ import annotations

import base64
import functools
import json
import secrets
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import trustme
from azure.core.credentials import AccessToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from http_server import Reaction, Seen, Server, as_json
from sealflow.storage.keys.providers.azure import AzureKeys
from sealflow.storage.testing.providers import Change

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"'


@functools.cache
def _rsa(number: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A few keys for all tests: making one takes a while."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


@dataclass
class Version:
    """A version of a key, with the attributes that tests change."""

    private: rsa.RSAPrivateKey
    attributes: dict[str, Any] = field(default_factory=lambda: {"enabled": True, "recoveryLevel": "Recoverable"})
    type: str = "RSA"
    operations: tuple[str, ...] = ("wrapKey", "unwrapKey")


class Credential:
    """A login with one token, until the test says otherwise."""

    def __init__(self, server: AzureServer) -> None:
        self._server = server

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self._server.logins += 1
        return AccessToken(self._server.next_token, int(time.time()) + 3600)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


class AzureServer:
    """A vault. `fault` is answered instead of anything else; `calls` lists the operations that reached it."""

    binds_context = False

    def __init__(self, folder: Path) -> None:
        self.keys: dict[str, dict[str, Version]] = {}
        self.deleted: dict[str, dict[str, Version]] = {}
        self.fault: int | None = None
        self.granted = True
        self.token = self.next_token = f"token-{secrets.token_hex(16)}"
        self.logins = 0
        self.calls: list[str] = []
        self.disabling = Change(self._disable, self._enable)
        self.revoking = Change(self._revoke, self._grant)
        self.deleting = Change(self._delete, self._recover)
        self.outage = Change(self.stop, self._listen)
        self._trusted = folder / "authority.pem"
        _authority().cert_pem.write_to_path(str(self._trusted))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _authority().issue_cert("localhost").configure_cert(self._tls)
        self._made = 0
        self._port = 0

    async def start(self) -> None:
        await self._listen("")

    async def _listen(self, name: str) -> None:
        self._server = Server(self._answer)
        await self._server.start(self._tls, port=self._port)
        self._port = self._server.port
        self.url = f"https://localhost:{self._port}"

    async def stop(self, name: str = "") -> None:
        await self._server.stop()

    def latest(self, name: str) -> Version:
        return list(self.keys[name].values())[-1]

    def add(self, name: str, bits: int = 2048) -> None:
        self._made += 1
        version = secrets.token_hex(16)
        self.keys.setdefault(name, {})[version] = Version(_rsa(self._made % 3, bits))

    def provider(self, name: str) -> AzureKeys:
        options = {"connection_verify": str(self._trusted), "verify_challenge_resource": False}
        return AzureKeys(self.url, name, credential=lambda: Credential(self), options=options)

    def secrets(self) -> Sequence[bytes]:
        return [self.token.encode()]

    async def make_key(self, name: str) -> None:
        self.add(name)

    async def new_version(self, name: str) -> None:
        self.add(name)

    async def _disable(self, name: str) -> None:
        for version in self.keys[name].values():
            version.attributes["enabled"] = False

    async def _enable(self, name: str) -> None:
        for version in self.keys[name].values():
            version.attributes["enabled"] = True

    async def _revoke(self, name: str) -> None:
        self.granted = False

    async def _grant(self, name: str) -> None:
        self.granted = True

    async def _delete(self, name: str) -> None:
        self.deleted[name] = self.keys.pop(name)

    async def _recover(self, name: str) -> None:
        self.keys[name] = self.deleted.pop(name)

    # --- the wire

    def _answer(self, seen: Seen) -> Reaction:
        parts = seen.target.split("?")[0].strip("/").split("/")
        self.calls.append(parts[3] if len(parts) > 3 else "get")
        given = seen.headers.get("authorization")
        if given != f"Bearer {self.token}":
            if given is None:
                return as_json({"error": {"code": "Unauthorized"}}, 401, WWW_Authenticate=_CHALLENGE)
            return _error(401, "Unauthorized")
        if self.fault is not None:
            return _error(self.fault, "Injected")
        if not self.granted:
            return _error(403, "Forbidden", "ForbiddenByRbac")
        name = parts[1]
        versions = self.keys.get(name, {})
        number = parts[2] if len(parts) > 2 and parts[2] else next(reversed(versions), "")
        version = versions.get(number)
        if version is None:
            return _error(404, "KeyNotFound")
        if len(parts) < 4:
            return as_json(self._bundle(name, number, version))
        return self._operate(parts[3], f"{self.url}/keys/{name}/{number}", version, json.loads(seen.body))

    def _operate(self, operation: str, kid: str, version: Version, body: dict[str, Any]) -> bytes:
        if not version.attributes["enabled"]:
            return _error(403, "Forbidden", "KeyDisabled")
        assert body["alg"] == "RSA-OAEP-256"
        value = _bytes(body["value"])
        try:
            if operation == "unwrapkey":  # which an expired key may still do
                return as_json({"kid": kid, "value": _text(version.private.decrypt(value, _OAEP))})
        except ValueError:
            return _error(400, "BadParameter")
        return as_json({"kid": kid, "value": _text(version.private.public_key().encrypt(value, _OAEP))})

    def _bundle(self, name: str, number: str, version: Version) -> dict[str, Any]:
        numbers = version.private.public_key().public_numbers()
        key = {
            "kid": f"{self.url}/keys/{name}/{number}", "kty": version.type, "key_ops": list(version.operations),
            "n": _text(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")), "e": _text(b"\1\0\1"),
        }  # fmt: skip
        return {"key": key, "attributes": version.attributes}


def _error(status: int, code: str, inner: str | None = None) -> bytes:
    error: dict[str, Any] = {"code": code, "message": "refused"}
    if inner is not None:
        error["innererror"] = {"code": inner}
    return as_json({"error": error}, status)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
