"""A customer's own keystore file: named keys, each with its versions, that may be disabled.

It is meant for one machine and for tests: a service that may read the file may also copy it, so taking it away proves
less than a key store does. The file is opened anew for every call. A file that is missing or cannot be read is an
outage, a key that is disabled or no longer in the file a refusal. The state of a key is authenticated by the key
itself, so that editing the file cannot enable it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import (
    AlreadyThere,
    IntegrityError,
    InvalidKeyUri,
    KeyDenied,
    KeystoreUnreadable,
    KeyUnavailable,
    RecordNotFound,
    WrongKey,
)
from ...format.envelope import KEY_BYTES, KeyEncryptionKey, lp, random_key, same
from ...port import KeyFacts, Wrapped
from ..secret_file import locked_secret, read_secret, replace_secret, resolved

_FORMAT = 1
_WHAT = "key file"

_Change = Callable[[list[bytes], bool], tuple[list[bytes], bool]]


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key in the file, without the key itself: its name, how many versions it has, and whether it may be used."""

    name: str
    versions: int
    enabled: bool


class FileKeys:
    """The provider of one named key in a file."""

    name = "file"

    def __init__(self, path: Path, key: str) -> None:
        self.path = Path(os.path.abspath(path))
        self.key = key
        self.uri = uri_of(path, key)

    def __repr__(self) -> str:
        return f"FileKeys({self.uri!r})"

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        """Wraps under the newest version. Raises KeyDenied, KeyUnavailable, IntegrityError."""
        newest = (await self._keys())[-1]
        return Wrapped(newest.kid, newest.wrap(context, payload))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises KeyDenied, KeyUnavailable, WrongKey (none of this key's versions), IntegrityError."""
        for key in await self._keys():
            if same(key.kid, wrapped.kek):
                return key.unwrap(context, wrapped.data)
        raise WrongKey(f"The key '{self.key}' in {self.path} is not the one that wrapped this.", hint=_RIGHT_KEY)

    async def facts(self) -> KeyFacts:
        return KeyFacts((await self._keys())[-1].kid)

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _keys(self) -> list[KeyEncryptionKey]:
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[KeyEncryptionKey]:
        try:
            document = _document(self.path)
        except (OSError, KeystoreUnreadable) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is open to other users or has no such path"
            hint = _MISSING if isinstance(error, FileNotFoundError) else None
            raise KeyUnavailable(f"The key file {self.path} cannot be read: {reason}.", hint=hint) from error
        entry = document["keys"].get(self.key)
        if entry is None:
            raise KeyDenied(f"There is no key '{self.key}' in {self.path} any more.")
        keys, enabled = _opened(self.path, self.key, entry)
        if not enabled:
            raise KeyDenied(f"The key '{self.key}' in {self.path} is disabled.")
        return keys


_RIGHT_KEY = "Put the key file back that made it, or check the name of the key."
_MISSING = "Put the key file back, or check its name; a new one is made by: sealflow key create file:PATH#NAME"


def parse(rest: str) -> tuple[Path, str]:
    """PATH and NAME of `PATH#NAME`. Raises InvalidKeyUri."""
    path, _, name = rest.rpartition("#")
    if not path or not name:
        raise InvalidKeyUri(
            f"'file:{rest}' names no key.", hint="Write it as file:PATH#NAME, e.g. file:keys.json#main."
        )
    return Path(path).expanduser(), name


def uri_of(path: Path, name: str) -> str:
    """The address of a key in a file, the same from any folder."""
    return f"file:{os.path.abspath(path)}#{name}"


def create_key(path: Path, name: str) -> FileKey:
    """Makes a key, and the file if it is not there. Durable on return.

    Raises AlreadyThere, KeystoreUnreadable, IntegrityError, StoreNotWritable, StoreFull.
    """
    file = resolved(Path(os.path.abspath(path)))
    with locked_secret(file, _WHAT):
        document = _document(file) if file.exists() else {"keys": {}}
        if name in document["keys"]:
            raise AlreadyThere(f"There is a key '{name}' in {path} already.")
        document["keys"][name] = _entry(name, [random_key()], enabled=True)
        _write(file, document)
    return FileKey(name, 1, enabled=True)


def add_version(path: Path, name: str) -> FileKey:
    """A new version of a key: from now on it wraps, and the earlier ones still open. Durable on return.

    Raises RecordNotFound, KeystoreUnreadable, IntegrityError, StoreNotWritable, StoreFull.
    """
    return _change(path, name, lambda keys, enabled: ([*keys, random_key()], enabled))


def disable_key(path: Path, name: str) -> FileKey:
    """From now on every use of the key is refused. Raises as `add_version`."""
    return _change(path, name, lambda keys, _: (keys, False))


def enable_key(path: Path, name: str) -> FileKey:
    """The key may be used again. Raises as `add_version`."""
    return _change(path, name, lambda keys, _: (keys, True))


def list_keys(path: Path) -> list[FileKey]:
    """The keys of a file, by name. Raises RecordNotFound, KeystoreUnreadable, IntegrityError."""
    file = resolved(Path(os.path.abspath(path)))
    found = []
    for name, entry in sorted(_existing(file)["keys"].items()):
        keys, enabled = _opened(file, name, entry)
        found.append(FileKey(name, len(keys), enabled))
    return found


def _change(path: Path, name: str, change: _Change) -> FileKey:
    file = resolved(Path(os.path.abspath(path)))
    with locked_secret(file, _WHAT):
        document = _existing(file)
        entry = document["keys"].get(name)
        if entry is None:
            raise RecordNotFound(f"There is no key '{name}' in {path}.")
        _, enabled = _opened(file, name, entry)
        keys, enabled = change(_raw(file, name, entry), enabled)
        document["keys"][name] = _entry(name, keys, enabled=enabled)
        _write(file, document)
    return FileKey(name, len(keys), enabled)


# --- the file


def _existing(file: Path) -> dict[str, Any]:
    try:
        return _document(file)
    except FileNotFoundError:
        raise RecordNotFound(f"There is no key file {file}.") from None
    except OSError as error:
        raise KeystoreUnreadable(f"The key file {file} cannot be read: {error.strerror}.") from error


def _document(file: Path) -> dict[str, Any]:
    """Raises OSError, KeystoreUnreadable, IntegrityError (damaged)."""
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(read_secret(file, _WHAT))
    if (
        not isinstance(document, dict)
        or document.get("format") != _FORMAT
        or not isinstance(document.get("keys"), dict)
    ):
        raise _damaged(file)
    return document


def _write(file: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps({"format": _FORMAT, "keys": document["keys"]}, indent=1)
    replace_secret(file, text.encode("utf-8"), _WHAT)


def _entry(name: str, keys: list[bytes], *, enabled: bool) -> dict[str, Any]:
    state = _state(name, [KeyEncryptionKey(key) for key in keys], enabled)
    return {
        "enabled": enabled,
        "versions": [base64.b64encode(key).decode("ascii") for key in keys],
        "mac": base64.b64encode(state).decode("ascii"),
    }


def _opened(file: Path, name: str, entry: Any) -> tuple[list[KeyEncryptionKey], bool]:
    """The versions of a key, oldest first, and whether it is enabled. Raises IntegrityError."""
    keys = [KeyEncryptionKey(key) for key in _raw(file, name, entry)]
    enabled = entry.get("enabled")
    try:
        mac = base64.b64decode(entry.get("mac"), validate=True)
    except (binascii.Error, ValueError, TypeError):
        mac = b""
    if type(enabled) is not bool or not same(mac, _state(name, keys, enabled)):
        raise _damaged(file)
    return keys, enabled


def _raw(file: Path, name: str, entry: Any) -> list[bytes]:
    try:
        keys = [base64.b64decode(key, validate=True) for key in entry["versions"]]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise _damaged(file) from None
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise _damaged(file)
    return keys


def _state(name: str, keys: list[KeyEncryptionKey], enabled: bool) -> bytes:
    kids = lp(*(key.kid for key in keys))
    return keys[-1].certify(b"key file entry", name.encode("utf-8", "surrogatepass"), bytes([enabled]), kids)


def _damaged(file: Path) -> IntegrityError:
    return IntegrityError(f"The key file {file} is damaged, or was edited.", hint="Restore it from its backup.")
