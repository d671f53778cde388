"""The service keystore: one small file that holds a key-encryption key for each environment, away from the data it
protects.

It lies in `$SEALFLOW_KEYSTORE`, or in the user's configuration directory, never inside a store's folder. The file is
readable by its owner only and, with a passphrase, sealed as a whole. Losing it loses the data; a missing keystore
beside an existing store is an error and never a reason to make a new one.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import AlreadyThere, IntegrityError, KeyMissing, KeystoreUnreadable, NotDedicated, WrongKey
from ..format.envelope import KEY_BYTES, SALT_BYTES, KeyEncryptionKey, PassphraseKey, does_not_open, random_key, same
from ..format.purposes import Role
from ..port import KeyFacts, Wrapped
from .secret_file import locked_secret, read_secret, replace_secret, resolved

_FORMAT, _COMMITTED = 1, 2
"""Of a clear file, and of one that is sealed and names its key. Earlier versions sealed files of format 1."""

log = logging.getLogger("sealflow")


class Keystore:
    """The keystore file at `path`. `$SEALFLOW_PASSPHRASE`, else what `passphrase` answers, seals it.

    It is asked for once, and only if the file is, or is to be, sealed. A clear file becomes sealed with the next key
    that is added to it. A `path` that is a symbolic link stays one: the file it names is read, locked and replaced.
    `created` turns True when this object makes the file: the moment to show `first_run_notice`. Raises
    KeystoreUnreadable if the variable is set but empty.
    """

    def __init__(self, path: Path, *, passphrase: Callable[[], str] | None = None) -> None:
        self.path = Path(os.path.abspath(path))
        # Once: what a link names later would be another keystore.
        self._file = resolved(self.path)
        self.created = False
        self._passphrase = _from_environment() or passphrase
        self._secret: PassphraseKey | None = None
        self._warned = False

    def __repr__(self) -> str:
        return f"Keystore({str(self.path)!r})"

    @classmethod
    def default(cls, path: Path | None = None, *, passphrase: Callable[[], str] | None = None) -> Keystore:
        """The keystore of this user: `path`, else `$SEALFLOW_KEYSTORE`, else keystore.json in the user's configuration
        directory.

        `passphrase` is a prompt, which is called only for a keystore that is sealed already, and if
        `$SEALFLOW_PASSPHRASE` is not set.
        """
        named = os.environ.get("SEALFLOW_KEYSTORE")
        if path is None and named:
            path = Path(named).expanduser()
        elif path is None:
            from platformdirs import user_config_path

            path = user_config_path("sealflow", appauthor=False) / "keystore.json"
        keystore = cls(path)
        if keystore._passphrase is None and passphrase is not None and keystore._is_sealed():
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
        try:
            return self._file.exists()
        except OSError as error:  # a folder that may not be entered
            raise KeystoreUnreadable(f"The keystore {self.path} cannot be read: {error.strerror}.") from error

    def refuse_inside(self, folder: Path) -> None:
        """Raises KeystoreUnreadable if the keystore lies in this folder: a key beside the data it protects is
        decoration.
        """
        given = Path(os.path.abspath(folder))
        for inside in (given, given.resolve()):
            # A link in the folder does not put the key there, but whoever copies the folder by following links does.
            for path in (self.path, resolved(self.path.parent) / self.path.name, self._file):
                if path.is_relative_to(inside):
                    raise KeystoreUnreadable(
                        f"The keystore {self.path} lies inside the store's folder {folder}.",
                        hint="Set SEALFLOW_KEYSTORE to a place outside of it.",
                    )

    def provider(self, environment: bytes, role: Role = Role.ENVIRONMENT) -> ServiceKeys:
        """The key provider of one environment, or of a control store."""
        return ServiceKeys(self, environment, role)

    def has(self, environment: bytes) -> bool:
        """Whether the keystore has a key for this environment."""
        return self.exists() and environment.hex() in self._read()["keys"]

    def add(self, environment: bytes, role: Role = Role.ENVIRONMENT) -> None:
        """Makes a key for a new environment or control store, durably; one that is there already stays.

        Raises StoreNotWritable, StoreFull, WrongKey (passphrase), KeystoreUnreadable.
        """
        with locked_secret(self._file, "keystore"):
            new = not self.exists()
            document = {"keys": {}} if new else self._read()
            if environment.hex() in document["keys"]:
                return
            document["keys"][environment.hex()] = base64.b64encode(random_key()).decode("ascii")
            if role == Role.CONTROL:
                document["control"] = [*document.get("control", ()), environment.hex()]
            self._write(document)
            self.created = self.created or new

    def add_version(self, environment: bytes) -> None:
        """Makes a new version of an environment's key, durably: it wraps from now on, the earlier ones still open.

        Raises KeyMissing, StoreNotWritable, StoreFull, WrongKey (passphrase), KeystoreUnreadable.
        """
        with locked_secret(self._file, "keystore"):
            document = self._read() if self.exists() else {"keys": {}}
            entry = document["keys"].get(environment.hex())
            if entry is None:
                raise KeyMissing(f"The keystore {self.path} has no key for this store.")
            versions = entry if isinstance(entry, list) else [entry]
            document["keys"][environment.hex()] = [*versions, base64.b64encode(random_key()).decode("ascii")]
            self._write(document)

    def export(self, environment: bytes, path: Path) -> None:
        """Makes another keystore, durably, with the keys of this environment and of the control stores alone.

        It is sealed by the same passphrase, where this one is. Raises AlreadyThere, and as `keys`.
        """
        self.keys(environment)  # that it is one of an environment
        document = self._read()
        control = [each for each in document.get("control", ()) if each in document["keys"]]
        other = Keystore(path, passphrase=self._passphrase)
        with locked_secret(other._file, "keystore"):
            if other.exists():
                raise AlreadyThere(f"There is a file {path} already.", hint="Choose another name.")
            other._secret = self._secret
            other._write(
                {"control": control, "keys": {each: document["keys"][each] for each in _of(environment, control)}}
            )

    def refuse_others(self, environment: bytes) -> None:
        """Raises NotDedicated if there is a key of another environment here."""
        document = self._read() if self.exists() else {"keys": {}}
        others = set(document["keys"]) - set(_of(environment, document.get("control", [])))
        if others:
            raise NotDedicated(
                f"The keystore {self.path} has the keys of {len(others)} other "
                f"environment{'s' if len(others) > 1 else ''}."
            )

    def keys(self, environment: bytes, role: Role = Role.ENVIRONMENT) -> list[KeyEncryptionKey]:
        """The versions of an environment's key, newest last. Raises KeyMissing, WrongKey (passphrase),
        KeystoreUnreadable, IntegrityError (it is the key of a control store, or the other way round).
        """
        if not self.exists():
            raise KeyMissing(f"The keystore {self.path} is missing, but the store is there.")
        document = self._read()
        entry = document["keys"].get(environment.hex())
        if entry is None:
            raise KeyMissing(f"The keystore {self.path} has no key for this store: it was made with another keystore.")
        if (environment.hex() in document.get("control", ())) != (role == Role.CONTROL):
            raise IntegrityError("A control store and an environment's store were put in each other's place.")
        return [self._key(each) for each in (entry if isinstance(entry, list) and entry else [entry])]

    def _key(self, entry: Any) -> KeyEncryptionKey:
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
            document = json.loads(read_secret(self._file, "keystore"))
        except OSError as error:
            raise KeystoreUnreadable(f"The keystore {self.path} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise KeystoreUnreadable(
                f"The keystore {self.path} is damaged.", hint="Restore it from its backup."
            ) from error
        if not isinstance(document, dict) or document.get("format") not in (_FORMAT, _COMMITTED):
            raise KeystoreUnreadable(
                f"{self.path} is no keystore that this version knows.", hint="Check SEALFLOW_KEYSTORE."
            )
        return document

    def _is_sealed(self) -> bool:
        return self.exists() and "sealed" in self._document()

    def _read(self) -> dict[str, Any]:
        """The opened document: `keys` by id, and under `control` the ids of control stores."""
        document = self._document()
        if "sealed" in document:
            try:
                salt = base64.b64decode(document["salt"], validate=True)
                sealed = base64.b64decode(document["sealed"], validate=True)
                if len(salt) != SALT_BYTES:
                    raise ValueError("the salt's length")
                commitment = None
                if document["format"] == _COMMITTED:
                    commitment = base64.b64decode(document["commitment"], validate=True)
            except (KeyError, ValueError, TypeError) as error:
                raise KeystoreUnreadable(
                    f"The keystore {self.path} is damaged.", hint="Restore it from its backup."
                ) from error
            content = self._passphrase_key(salt).open(sealed, commitment)
            try:
                document = json.loads(content)
                if not isinstance(document, dict):
                    raise ValueError("the document's type")
            except (ValueError, RecursionError):
                raise does_not_open() from None
        elif self._passphrase is not None and not self._warned:
            self._warned = True
            log.warning("the keystore is not sealed yet: the passphrase will seal it when the next key is added")
        if not isinstance(document.get("keys"), dict) or not isinstance(document.get("control", []), list):
            raise KeystoreUnreadable(f"The keystore {self.path} is damaged.", hint="Restore it from its backup.")
        return document

    def _write(self, document: dict[str, Any]) -> None:
        document = {"format": _FORMAT, "control": document.get("control", []), "keys": document["keys"]}
        if self._passphrase is not None or self._is_sealed():
            key = self._secret or self._passphrase_key(None)
            document = {
                "format": _COMMITTED,
                "salt": base64.b64encode(key.salt).decode("ascii"),
                "commitment": base64.b64encode(key.commitment).decode("ascii"),
                "sealed": base64.b64encode(key.seal(json.dumps(document).encode("utf-8"))).decode("ascii"),
            }
        replace_secret(self._file, json.dumps(document, indent=1).encode("utf-8"), "keystore")

    def _passphrase_key(self, salt: bytes | None) -> PassphraseKey:
        """The key of the passphrase, made once for a salt: it is slow by design."""
        if self._secret is None or self._secret.salt != salt:
            if self._passphrase is None:
                raise WrongKey(
                    f"The keystore {self.path} is sealed with a passphrase.", hint="Set SEALFLOW_PASSPHRASE."
                )
            passphrase = self._passphrase()
            if not passphrase:
                raise WrongKey("The passphrase is empty.", hint="Give one, or set SEALFLOW_PASSPHRASE.")
            self._secret = PassphraseKey(passphrase, salt)
        return self._secret


class ServiceKeys:
    """The key provider that wraps an environment's key under its entry in the service keystore."""

    name = "service"
    uri = "service:"

    def __init__(self, keystore: Keystore, environment: bytes, role: Role) -> None:
        self._keystore = keystore
        self._environment = environment
        self._role = role

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        """Wraps under the newest version of this environment's entry. Raises KeyMissing without one."""
        key = self._keys()[-1]
        return Wrapped(key.kid, key.wrap(context, payload))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises KeyMissing, WrongKey (the entry is another key), IntegrityError (the row was altered)."""
        for key in self._keys():
            if same(key.kid, wrapped.kek):
                return key.unwrap(context, wrapped.data)
        raise WrongKey(f"The key in {self._keystore.path} is not the one that made this store.")

    async def facts(self) -> KeyFacts:
        """Raises KeyMissing without an entry."""
        return KeyFacts(self._keys()[-1].kid)

    def _keys(self) -> list[KeyEncryptionKey]:
        return self._keystore.keys(self._environment, self._role)

    async def aclose(self) -> None:
        """Nothing is held open."""


def _of(environment: bytes, control: list[str]) -> list[str]:
    """The entries of a keystore for one environment."""
    return [*control, environment.hex()]


def _from_environment() -> Callable[[], str] | None:
    given = os.environ.get("SEALFLOW_PASSPHRASE")
    if given == "":
        # A variable that was meant to be filled in: a keystore that is silently not sealed would be the worse answer.
        raise KeystoreUnreadable(
            "SEALFLOW_PASSPHRASE is set but empty.", hint="Give it the passphrase, or unset it to work without one."
        )
    return None if given is None else lambda: given
