"""The service keystore: one small file that holds a key-encryption key for each environment, away from the data it
protects.

It lies in `$SEALFLOW_KEYSTORE`, or in the user's configuration directory, never inside a store's folder. The file is
readable by its owner only and, with a passphrase, sealed as a whole. Losing it loses the data; a missing keystore
beside an existing store is an error and never a reason to make a new one.
"""

from __future__ import annotations

import base64
import binascii
import errno
import fcntl
import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .envelope import KEY_BYTES, KeyEncryptionKey, PassphraseKey, random_key
from .errors import KeyMissing, KeystoreUnreadable, StorageError, StoreFull, StoreNotWritable, WrongKey
from .port import Wrapped

_FORMAT = 1


class Keystore:
    """The keystore file at `path`. `passphrase` is asked for once, and only if the file is, or is to be, sealed with
    one.

    `created` turns True when this object makes the file: the moment to show `first_run_notice`.
    """

    def __init__(self, path: Path, *, passphrase: Callable[[], str] | None = None) -> None:
        self.path = Path(path).absolute()
        self.created = False
        self._passphrase = passphrase
        self._secret: PassphraseKey | None = None

    def __repr__(self) -> str:
        return f"Keystore({str(self.path)!r})"

    @classmethod
    def default(cls, *, passphrase: Callable[[], str] | None = None) -> Keystore:
        """The keystore of this user: `$SEALFLOW_KEYSTORE`, else keystore.json in the user's configuration directory.

        `$SEALFLOW_PASSPHRASE` comes before `passphrase` (a prompt, which is called only for a keystore that is sealed
        already).
        """
        named = os.environ.get("SEALFLOW_KEYSTORE")
        if named:
            path = Path(named).expanduser()
        else:
            from platformdirs import user_config_path

            path = user_config_path("sealflow", appauthor=False) / "keystore.json"
        given = os.environ.get("SEALFLOW_PASSPHRASE")
        if given:
            return cls(path, passphrase=lambda: given)
        keystore = cls(path)
        if passphrase is not None and keystore._is_sealed():
            keystore._passphrase = passphrase
        return keystore

    def first_run_notice(self) -> str:
        """What a person must know about a keystore that was just made: where it is, what losing it means, how to back
        it up.
        """
        name = shlex.quote(str(self.path))
        return (
            f"A new keystore was made: {self.path}\n"
            "Everything Sealflow stores can be read with this file only. If it is lost, the data is lost.\n"
            f"Back it up now, somewhere else:  cp {name} /path/to/a/safe/place/"
        )

    def exists(self) -> bool:
        return self.path.exists()

    def refuse_inside(self, folder: Path) -> None:
        """Raises KeystoreUnreadable if the keystore lies in this folder: a key beside the data it protects is
        decoration.
        """
        if self.path.resolve().is_relative_to(folder.resolve()):
            raise KeystoreUnreadable(
                f"The keystore {self.path} lies inside the store's folder {folder}.",
                hint="Set SEALFLOW_KEYSTORE to a place outside of it.",
            )

    def provider(self, environment: bytes) -> ServiceKeys:
        """The key provider of one environment."""
        return ServiceKeys(self, environment)

    def has(self, environment: bytes) -> bool:
        """Whether the keystore has a key for this environment."""
        return self.exists() and environment.hex() in self._read()

    def add(self, environment: bytes) -> None:
        """Makes a key for a new environment, durably; one that is there already stays.

        Raises StoreNotWritable, StoreFull, WrongKey (passphrase), KeystoreUnreadable.
        """
        with self._locked():
            new = not self.exists()
            keys = {} if new else self._read()
            if environment.hex() in keys:
                return
            keys[environment.hex()] = base64.b64encode(random_key()).decode("ascii")
            self._write(keys)
            self.created = self.created or new

    def key(self, environment: bytes) -> KeyEncryptionKey:
        """The key of an environment. Raises KeyMissing, WrongKey (passphrase), KeystoreUnreadable."""
        if not self.exists():
            raise KeyMissing(f"The keystore {self.path} is missing, but the store is there.")
        entry = self._read().get(environment.hex())
        if entry is None:
            raise KeyMissing(f"The keystore {self.path} has no key for this store: it was made with another keystore.")
        try:
            key = base64.b64decode(entry, validate=True)
        except (binascii.Error, ValueError, TypeError):
            key = b""
        if len(key) != KEY_BYTES:
            raise KeystoreUnreadable(f"The keystore {self.path} is damaged.", hint="Restore it from its backup.")
        return KeyEncryptionKey(key)

    # --- the file

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.path.read_bytes())
        except OSError as error:
            raise KeystoreUnreadable(f"The keystore {self.path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise KeystoreUnreadable(
                f"The keystore {self.path} is damaged.", hint="Restore it from its backup."
            ) from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise KeystoreUnreadable(
                f"{self.path} is no keystore that this version knows.", hint="Check SEALFLOW_KEYSTORE."
            )
        return document

    def _is_sealed(self) -> bool:
        return self.exists() and "sealed" in self._document()

    def _read(self) -> dict[str, str]:
        document = self._document()
        if "sealed" in document:
            try:
                salt = base64.b64decode(document["salt"], validate=True)
                sealed = base64.b64decode(document["sealed"], validate=True)
                document = json.loads(self._passphrase_key(salt).open(sealed))
            except (KeyError, ValueError, TypeError) as error:
                raise KeystoreUnreadable(f"The keystore {self.path} is damaged.") from error
        keys = document.get("keys")
        if not isinstance(keys, dict):
            raise KeystoreUnreadable(f"The keystore {self.path} is damaged.", hint="Restore it from its backup.")
        return keys

    def _write(self, keys: dict[str, str]) -> None:
        sealed = self._is_sealed() if self.exists() else self._passphrase is not None
        document: dict[str, Any] = {"format": _FORMAT, "keys": keys}
        if sealed:
            key = self._secret or self._passphrase_key(None)
            document = {
                "format": _FORMAT,
                "salt": base64.b64encode(key.salt).decode("ascii"),
                "sealed": base64.b64encode(key.seal(json.dumps(document).encode("utf-8"))).decode("ascii"),
            }
        with _mapped(self.path):
            _replace(self.path, json.dumps(document, indent=1).encode("utf-8"))

    def _passphrase_key(self, salt: bytes | None) -> PassphraseKey:
        """The key of the passphrase, made once for a salt: it is slow by design."""
        if self._secret is None or self._secret.salt != salt:
            if self._passphrase is None:
                raise WrongKey(
                    f"The keystore {self.path} is sealed with a passphrase.", hint="Set SEALFLOW_PASSPHRASE."
                )
            self._secret = PassphraseKey(self._passphrase(), salt)
        return self._secret

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Processes that add keys at the same moment do so one after the other."""
        with _mapped(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


class ServiceKeys:
    """The key provider that wraps an environment's key under its entry in the service keystore."""

    name = "service"

    def __init__(self, keystore: Keystore, environment: bytes) -> None:
        self._keystore = keystore
        self._environment = environment

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        """Wraps under this environment's entry. Raises KeyMissing without one."""
        key = self._keystore.key(self._environment)
        return Wrapped(key.kid, key.wrap(context, payload))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises KeyMissing, WrongKey (the entry is another key), IntegrityError (the row was altered)."""
        key = self._keystore.key(self._environment)
        if key.kid != wrapped.kek:
            raise WrongKey(f"The key in {self._keystore.path} is not the one that made this store.")
        return key.unwrap(context, wrapped.data)


def _replace(path: Path, data: bytes) -> None:
    """Writes the file whole or not at all, durably: a crash leaves the old one."""
    import tempfile  # slow to import, and only a new key needs it

    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise os_error(error, path, "keystore") from error


def os_error(error: OSError, path: Path, what: str) -> StorageError:
    """The storage error of an operating system's error on writing."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"The disk is full: the {what} {path} cannot be written.")
    return StoreNotWritable(f"The {what} {path} cannot be written: {error.strerror}.")
