"""Keys in Azure Key Vault: `azure:VAULT-URL/keys/NAME`, by RSA-OAEP with SHA-256.

The service logs in as `DefaultAzureCredential` finds it: environment variables, workload identity, managed identity.
It needs get, wrapKey and unwrapKey of the one key. Key Vault cannot bind a context; what is wrapped carries the same
facts. Microsoft's client wraps by itself with the public half, which proves nothing: every wrap is opened remotely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm

from ...errors import InvalidKeyUri, KeyDenied, KeyUnavailable, StorageError
from .addresses import split_server
from .remote import CONNECT_SECONDS, BadCredentials, Described, RemoteKeys, not_this_key

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.keyvault.keys import KeyVaultKey
    from azure.keyvault.keys.crypto.aio import CryptographyClient

_ALGORITHM: Final = KeyWrapAlgorithm.rsa_oaep_256
_TYPES: Final = ("RSA", "RSA-HSM")
_BITS: Final = (2048, 3072, 4096)
_VERSION: Final = re.compile(r"[0-9a-f]{32}")
_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}")


class _Login(NamedTuple):
    client: KeyClient
    credential: AsyncTokenCredential


class AzureKeys(RemoteKeys):
    """The provider of one key in a vault. `credential` makes a login, `options` go to Microsoft's client."""

    name = "azure"

    def __init__(
        self,
        vault: str,
        key: str,
        *,
        credential: Callable[[], AsyncTokenCredential] = DefaultAzureCredential,
        options: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"azure:{vault}/keys/{key}", key)
        self._vault = vault
        self._new_credential = credential
        self._options = {
            "retry_total": 0,
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": CONNECT_SECONDS,
            **(options or {}),
        }
        self._open: _Login | None = None
        self._retired: _Login | None = None
        self._versions: dict[str, CryptographyClient] = {}

    async def aclose(self) -> None:
        for _ in range(2):
            await self._log_in_again()

    async def _log_in_again(self) -> None:
        # Calls may be under way by the old client: it is closed when the next one has to go.
        closing, self._retired, self._open = self._retired, self._open, None
        self._versions.clear()  # they use the client's connections
        if closing is not None:
            await closing.client.close()
            await closing.credential.close()

    def _client(self) -> KeyClient:
        if self._open is None:
            credential = self._new_credential()
            self._open = _Login(KeyClient(self._vault, credential, **self._options), credential)
        return self._open.client

    def _crypto(self, version: str) -> CryptographyClient:
        if version not in self._versions:
            client = self._client().get_cryptography_client(self.key, key_version=version)
            self._versions[version] = client
        return self._versions[version]

    async def _describe(self) -> Described:
        key = await self._client().get_key(self.key)
        properties = key.properties
        if not properties.enabled:
            raise KeyDenied(f"The key {self.uri} is disabled.")
        level = properties.recovery_level
        expires = properties.expires_on
        return Described(
            version=properties.version or "",
            # Without "Purgeable" in it, nobody can delete the key for good before its time.
            recoverable=None if level is None else "Purgeable" not in level and "Recoverable" in level,
            expires_ms=None if expires is None else int(expires.timestamp() * 1000),
            problem=_problem(self.uri, key),
        )

    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        # Anew each time: the client keeps the attributes it has seen, and refuses or allows by them.
        client = self._client().get_cryptography_client(self.key, key_version=version)
        return (await client.wrap_key(_ALGORITHM, payload)).encrypted_key

    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        if not _VERSION.fullmatch(version):
            raise not_this_key(self.uri)
        return (await self._crypto(version).unwrap_key(_ALGORITHM, data)).key

    def _meaning(self, error: Exception) -> StorageError:
        status = error.status_code if isinstance(error, HttpResponseError) else None
        if status == 401 or isinstance(error, ClientAuthenticationError):
            return BadCredentials(f"Azure does not accept the service's credentials for {self.uri}.")
        if status == 400:
            return self._altered()
        if status == 403:
            return KeyDenied(f"The vault refuses the use of {self.uri}{_reason(error)}.")
        if status == 404:
            return KeyDenied(f"The key {self.uri} or the version that is needed is not in the vault.")
        told = f"answered {status}" if status is not None else f"cannot be reached ({type(error).__name__})"
        return KeyUnavailable(f"The vault of {self.uri} {told}.")


def parse(rest: str) -> tuple[str, str]:
    """Vault and name of `VAULT-URL/keys/NAME`. Raises InvalidKeyUri."""
    uri = f"azure:{rest}"
    vault, segments = split_server(uri, rest)
    if len(segments) == 3 and segments[0] == "keys":
        raise InvalidKeyUri(f"'{uri}' names a version.", hint="Leave it out: new versions of the key are followed.")
    if len(segments) != 2 or segments[0] != "keys" or not _NAME.fullmatch(segments[1]):
        raise InvalidKeyUri(f"'{uri}' names no key.", hint="Write it as azure:https://NAME.vault.azure.net/keys/KEY.")
    if not vault.startswith("https:"):
        raise InvalidKeyUri(f"'{uri}' would be asked without TLS.", hint="Write the vault as https://...")
    return vault, segments[1]


def _problem(uri: str, key: KeyVaultKey) -> str | None:
    kind = str(getattr(key.key_type, "value", key.key_type))
    if kind not in _TYPES:
        return f"The key {uri} is of type {kind}; it must be RSA or RSA-HSM."
    bits = int.from_bytes(getattr(key.key, "n", None) or b"", "big").bit_length()
    if bits not in _BITS:
        return f"The key {uri} has {bits} bits; it must have 2048, 3072 or 4096."
    allowed = {str(getattr(each, "value", each)) for each in key.key_operations}
    if not {"wrapKey", "unwrapKey"} <= allowed:
        return f"The key {uri} is not meant to wrap and unwrap keys."
    starts = key.properties.not_before
    if starts is not None and starts > datetime.now(UTC):
        return f"The key {uri} is not valid before {starts:%Y-%m-%d %H:%M} UTC."
    return None


def _reason(error: Exception) -> str:
    """The vault's own word for a refusal, e.g. ` (KeyDisabled)`."""
    inner = getattr(getattr(error, "error", None), "innererror", None)
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return f" ({code})" if isinstance(code, str) and code.isalnum() else ""
