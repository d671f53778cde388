"""Keys in the Transit engine of HashiCorp Vault or OpenBao: `vault:URL/MOUNT/NAME`, over HTTP.

The service's token is $VAULT_TOKEN, else the content of the file $VAULT_TOKEN_FILE or ~/.vault-token, which an agent
keeps fresh. It needs `read` on the key, `update` on encrypt and decrypt with it, and may look itself up. $VAULT_CACERT
and $VAULT_NAMESPACE mean what they mean to the key store's own tools. The context is the associated data.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from ...errors import InvalidKeyUri, KeyDenied, KeyUnavailable, StorageError
from .addresses import split_server
from .remote import CONNECT_SECONDS, BadCredentials, Described, RemoteKeys, not_this_key

_TYPE: Final = "aes256-gcm96"
_VERSION: Final = re.compile(r"v[1-9]\d{0,9}")
# What the engine says with status 400, word for word (builtin/logical/transit, sdk/helper/keysutil).
_REFUSALS: Final = ("encryption key not found", "disallowed by policy", "soft-deleted key")
_OTHER_KEY: Final = "version is too new"
_CORRUPT: Final = ("invalid ciphertext", "message authentication failed")


class _Refused(Exception):
    """An answer with an error status. Its texts never repeat what was sent."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status} {said}")
        self.status = status
        self.said = said


class VaultKeys(RemoteKeys):
    """The provider of one Transit key. `token` reads the service's token, anew for each login."""

    name = "vault"

    def __init__(self, server: str, mount: str, key: str, *, token: Callable[[], str] | None = None) -> None:
        super().__init__(f"vault:{server}/{mount}/{key}", f"{mount}/{key}")
        self._server = server
        self._mount = mount
        self._name = key
        self._read_token = token or token_of_environment
        self._token: str | None = None
        self._client: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        client, self._client, self._token = self._client, None, None
        if client is not None:
            await client.aclose()

    async def _log_in_again(self) -> None:
        self._token = None

    async def _describe(self) -> Described:
        found = await self._call("GET", f"{self._mount}/keys/{self._name}")
        if found.get("soft_deleted"):
            raise KeyDenied(f"The key {self.uri} is deleted, and could be restored.")
        return Described(
            version=f"v{found['latest_version']}",
            recoverable=not found["deletion_allowed"],
            problem=_problem(self.uri, found),
        )

    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        body = {"plaintext": _text(payload), "key_version": int(version[1:]), **_bound(context)}
        answer = await self._call("POST", f"{self._mount}/encrypt/{self._name}", body)
        return str(answer["ciphertext"]).encode("ascii")

    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        if not _VERSION.fullmatch(version):
            raise not_this_key(self.uri)
        if not data.isascii() or not data.startswith(f"vault:{version}:".encode()):
            raise self._altered()
        body = {"ciphertext": data.decode("ascii"), **_bound(context)}
        answer = await self._call("POST", f"{self._mount}/decrypt/{self._name}", body)
        try:
            return base64.b64decode(answer["plaintext"], validate=True)
        except (binascii.Error, ValueError):
            raise self._altered() from None

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        """The `data` of an answer. Raises _Refused, BadCredentials, httpx.HTTPError."""
        token = self._current_token()
        response = await self._send(method, path, token, body)
        if response.status_code == 403 and await self._is_unknown(token):
            raise BadCredentials(f"The key store does not accept the service's token for {self.uri}.")
        if response.status_code != 200:
            raise _Refused(response.status_code, _said(response))
        data: Mapping[str, Any] = response.json()["data"]
        return data

    async def _is_unknown(self, token: str) -> bool:
        # A refusal by policy and a token that has ended read the same; only who may ask about himself is known.
        return (await self._send("GET", "auth/token/lookup-self", token)).status_code in (401, 403)

    async def _send(
        self, method: str, path: str, token: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        if self._client is None:
            self._client = _open_client(self._server)
        return await self._client.request(method, f"/v1/{path}", json=body, headers={"X-Vault-Token": token})

    def _current_token(self) -> str:
        if self._token is None:
            self._token = self._read_token()
        return self._token

    def _meaning(self, error: Exception) -> StorageError:
        if not isinstance(error, _Refused):
            return KeyUnavailable(f"The key store of {self.uri} cannot be reached ({type(error).__name__}).")
        if error.status == 403:
            return KeyDenied(f"The key store refuses the service the use of {self.uri}.")
        if error.status == 404:
            return KeyDenied(f"There is no key {self.uri}.")
        if any(text in error.said for text in _REFUSALS):
            return KeyDenied(f"The key store refuses the use of {self.uri}: it, or this version, was taken away.")
        if _OTHER_KEY in error.said:
            return not_this_key(self.uri)
        if any(text in error.said for text in _CORRUPT):
            return self._altered()
        return KeyUnavailable(f"The key store of {self.uri} answered {error.status}.")


def parse(rest: str) -> tuple[str, str, str]:
    """Server, mount and name of `URL/MOUNT/NAME`. Raises InvalidKeyUri."""
    server, segments = split_server(f"vault:{rest}", rest)
    if len(segments) < 2 or segments[0] == "v1":
        raise InvalidKeyUri(
            f"'vault:{rest}' names no key.", hint="Write it as vault:https://SERVER:8200/MOUNT/NAME, without /v1."
        )
    return server, "/".join(segments[:-1]), segments[-1]


def token_of_environment() -> str:
    """$VAULT_TOKEN, else the content of the token file. Raises BadCredentials."""
    token = os.environ.get("VAULT_TOKEN", "")
    if not token:
        path = Path(os.environ.get("VAULT_TOKEN_FILE") or "~/.vault-token").expanduser()
        try:
            token = path.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise BadCredentials(
                f"There is no token for the key store: $VAULT_TOKEN is not set, and {path} cannot be read."
            ) from error
    if not token or not token.isascii() or not token.isprintable():
        raise BadCredentials("The token for the key store is empty, or no token.")
    return token


def _open_client(server: str) -> httpx.AsyncClient:
    authorities = os.environ.get("VAULT_CACERT")
    try:
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=authorities) if authorities else True
    except OSError as error:
        raise KeyUnavailable(f"The certificates in $VAULT_CACERT ({authorities}) cannot be read.") from error
    # Agents ask for the header, against requests that a browser could be made to send.
    headers = {"X-Vault-Request": "true"}
    if namespace := os.environ.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = namespace
    # Redirects are not followed: the token would go along.
    return httpx.AsyncClient(base_url=server, headers=headers, timeout=CONNECT_SECONDS, verify=verify)


def _problem(uri: str, found: Mapping[str, Any]) -> str | None:
    if found["type"] != _TYPE:
        return f"The key {uri} is of type {found['type']}; it must be {_TYPE}."
    if found.get("convergent_encryption"):
        return f"The key {uri} encrypts equal things to equal texts."
    if found.get("exportable") or found.get("allow_plaintext_backup"):
        return f"The key {uri} can be taken out of the key store."
    return None


def _bound(context: bytes) -> dict[str, str]:
    # `context` is what a derived key is derived by; others take no notice of it.
    return {"associated_data": _text(context), "context": _text(context)}


def _said(response: httpx.Response) -> str:
    try:
        return " ".join(str(each) for each in response.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return ""


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
