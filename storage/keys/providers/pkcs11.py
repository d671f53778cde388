"""AES keys in a hardware security module: `pkcs11:…` (RFC 7512), by AES-GCM with the context as associated data.

The key never leaves the token. All secret keys of one label are the versions of a key; the one with the greatest id is
the current one. The PIN comes from the file that `pin-source` names, which nobody else may read, else from
$SEALFLOW_PKCS11_PIN; a PIN that the token has refused is never tried again. The driver is `module-path`, else
$SEALFLOW_PKCS11_MODULE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, TypeVar, cast

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, ObjectClass, SecretKey
from pkcs11.types import DecryptMixin, EncryptMixin

from ...errors import InvalidKeyUri, KeyDenied, KeystoreUnreadable, KeyUnavailable, StorageError
from ..secret_file import read_secret
from .pkcs11_module import PIN_REFUSED, TokenName, module_at
from .pkcs11_uri import KeyAddress
from .remote import BadCredentials, Described, RemoteKeys, not_this_key

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_BYTES: Final = 32
_VERSION: Final = re.compile(r"((?:[0-9a-f]{2})*)\.((?:[0-9a-f]{2})*)")

_Answer = TypeVar("_Answer")


class PKCS11Keys(RemoteKeys):
    """The provider of one key in a token."""

    name = "pkcs11"

    def __init__(self, address: KeyAddress) -> None:
        super().__init__(address.uri, f"{address.label or ''};{(address.id or b'').hex()}")
        self._token = TokenName(address.token, address.serial)
        self._label = address.label
        self._id = address.id
        self._pin_file = address.pin
        self._module = module_at(_module_path(address.module))

    async def aclose(self) -> None:
        await self._module.leave(self._token, self)

    async def _log_in_again(self) -> None:
        """Nothing is kept after a refused login; a PIN that was changed since is read by the next one."""

    async def _ask(self, call: Callable[[pkcs11.Session], _Answer]) -> _Answer:
        return await self._module.ask(self._token, self._pin, self, call)

    async def _describe(self) -> Described:
        return await self._ask(self._current)

    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        return await self._ask(lambda session: _encrypted(session, self._version(session, version), payload, context))

    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        return await self._ask(lambda session: self._opened(session, version, data, context))

    # --- in the driver's thread

    def _keys(self, session: pkcs11.Session) -> list[SecretKey]:
        """The versions, the current one last. Raises NoSuchKey."""
        wanted: dict[Attribute, object] = {Attribute.CLASS: ObjectClass.SECRET_KEY}
        if self._label is not None:
            wanted[Attribute.LABEL] = self._label
        if self._id is not None:
            wanted[Attribute.ID] = self._id
        found = [key for key in session.get_objects(wanted) if isinstance(key, SecretKey)]
        if not found:
            raise pkcs11.NoSuchKey(f"no key {self.key}")
        return sorted(found, key=lambda key: int.from_bytes(key[Attribute.ID], "big"))

    def _version(self, session: pkcs11.Session, version: str) -> SecretKey:
        """Raises WrongKey, and KeyDenied for a version that is gone or may not be used."""
        match = _VERSION.fullmatch(version)
        if match is None:
            raise not_this_key(self.uri)
        for key in self._keys(session):
            if key[Attribute.ID].hex() == match[1]:
                if _check_value(key) != match[2]:
                    raise not_this_key(self.uri)
                return key
        raise KeyDenied(f"The version {match[1]} of {self.uri} is not in the token any more.")

    def _current(self, session: pkcs11.Session) -> Described:
        key = self._keys(session)[-1]
        self._check_enabled(key)
        return Described(
            version=f"{key[Attribute.ID].hex()}.{_check_value(key)}",
            # Tokens are backed up by their own means, of which this interface says nothing.
            recoverable=True if _attribute(key, Attribute.DESTROYABLE) is False else None,
            expires_ms=_expires_ms(key),
            problem=self._problem(session, key),
        )

    def _check_enabled(self, key: SecretKey) -> None:
        if not (isinstance(key, EncryptMixin) and isinstance(key, DecryptMixin)):
            raise KeyDenied(f"The key {self.uri} is not allowed to encrypt and decrypt.")

    def _problem(self, session: pkcs11.Session, key: SecretKey) -> str | None:
        if _attribute(key, Attribute.KEY_TYPE) != KeyType.AES or _attribute(key, Attribute.VALUE_LEN) != _KEY_BYTES:
            return f"The key {self.uri} is no AES key of 256 bits."
        if _attribute(key, Attribute.EXTRACTABLE) is not False or _attribute(key, Attribute.SENSITIVE) is not True:
            return f"The key {self.uri} can be taken out of the token."
        if Mechanism.AES_GCM not in session.token.slot.get_mechanisms():
            return f"The token of {self.uri} does not have AES-GCM."
        return None

    def _opened(self, session: pkcs11.Session, version: str, data: bytes, context: bytes) -> bytes:
        key = self._version(session, version)
        self._check_enabled(key)
        if len(data) < _NONCE_BYTES + _TAG_BYTES:
            raise self._altered()
        try:
            return _decrypted(key, data, context)
        except pkcs11.PKCS11Error as error:
            # Drivers do not agree on what to call altered data, and some only say that something went wrong. If the
            # key opens what it has just wrapped, it was the data; if not, this raises what is wrong with the token.
            _decrypted(key, _encrypted(session, key, b"probe", context), context)
            raise self._altered() from error

    def _pin(self) -> str:
        if self._pin_file is None:
            pin = os.environ.get("SEALFLOW_PKCS11_PIN", "")
        else:
            try:
                pin = read_secret(self._pin_file, "PIN file").decode("utf-8").rstrip("\r\n")
            except (OSError, ValueError, KeystoreUnreadable) as error:
                raise BadCredentials(f"The file with the PIN of {self.uri} cannot be read.") from error
        if not pin:
            raise BadCredentials(f"There is no PIN for {self.uri}.", hint=_PIN)
        return pin

    def _meaning(self, error: Exception) -> StorageError:
        if isinstance(error, pkcs11.NoSuchKey):
            return KeyDenied(f"There is no key {self.uri}.")
        if isinstance(error, pkcs11.PinLocked):
            return KeyDenied(f"The token of {self.uri} has locked the PIN.")
        if isinstance(error, PIN_REFUSED):
            return BadCredentials(f"The token of {self.uri} does not accept the PIN.", hint=_PIN)
        return KeyUnavailable(f"The token of {self.uri} cannot be used ({type(error).__name__}).")


_PIN = "Put it into the file that pin-source names, or into SEALFLOW_PKCS11_PIN."


def _module_path(given: Path | None) -> str:
    """Raises InvalidKeyUri."""
    own = os.environ.get("SEALFLOW_PKCS11_MODULE")
    if own and given is not None and Path(own) != given:
        # A driver runs inside the service: whoever runs the service may settle which one.
        raise InvalidKeyUri(f"The address names the driver {given}, but SEALFLOW_PKCS11_MODULE another one.")
    path = Path(own or "") if given is None else given
    if not path.is_absolute():
        raise InvalidKeyUri(
            "The address of the key names no driver.", hint="Add module-path=/PATH, or set SEALFLOW_PKCS11_MODULE."
        )
    return str(path)


def _encrypted(session: pkcs11.Session, key: SecretKey, payload: bytes, context: bytes) -> bytes:
    nonce = session.generate_random(_NONCE_BYTES * 8)
    assert isinstance(key, EncryptMixin)  # noqa: S101 (was checked: the key may encrypt)
    sealed = key.encrypt(payload, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, context))
    return nonce + cast(bytes, sealed)  # an iterator of them for an iterator only


def _decrypted(key: SecretKey, data: bytes, context: bytes) -> bytes:
    assert isinstance(key, DecryptMixin)  # noqa: S101 (was checked: the key may decrypt)
    nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
    return cast(bytes, key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=_gcm(nonce, context)))


def _gcm(nonce: bytes, context: bytes) -> GCMParams:
    return GCMParams(nonce, context, _TAG_BYTES * 8)


def _attribute(key: SecretKey, attribute: Attribute) -> object:
    """An attribute, None where the driver does not know it or the value is empty (a date)."""
    try:
        return key[attribute]
    except (pkcs11.PKCS11Error, ValueError):
        return None


def _check_value(key: SecretKey) -> str:
    """Three bytes that the token derives from the key (PKCS#11, CKA_CHECK_VALUE), in hex; empty where it does not."""
    found = _attribute(key, Attribute.CHECK_VALUE)
    return found.hex() if isinstance(found, bytes) else ""


def _expires_ms(key: SecretKey) -> int | None:
    found = _attribute(key, Attribute.END_DATE)
    if not isinstance(found, date):
        return None
    # The last day on which it may be used.
    return int(datetime.combine(found + timedelta(days=1), time(), UTC).timestamp() * 1000)
