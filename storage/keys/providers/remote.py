"""What all key stores behind a network or a driver have in common: one try within ten seconds, a second one after a
fresh login, and a wrapped key that is opened again before anybody relies on it.

A provider says how to look at its key, wrap and unwrap, and what its client's errors mean. Repeating later is the
caller's business.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from ...errors import IntegrityError, KeyDenied, KeyUnavailable, StorageError, WrongKey
from ...format.envelope import digest, same
from ...port import KeyFacts, Wrapped

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 10.0

_Answer = TypeVar("_Answer")


class BadCredentials(KeyUnavailable):
    """The service itself could not log in, or its login has ended. That says nothing about the customer's key."""

    default_hint = "Renew the service's own credentials for the key store; it is tried again by itself."


class Described(NamedTuple):
    """A key as its key store describes it. `version` is the current one, in the key store's own words; the rest as in
    `KeyFacts`.
    """

    version: str
    recoverable: bool | None = None
    expires_ms: int | None = None
    problem: str | None = None


class RemoteKeys(ABC):
    """The provider of one named key in a key store.

    `key` names the key within its key store: what another key wrapped is told by it, without asking.
    """

    name: str

    def __init__(self, uri: str, key: str) -> None:
        self.uri = uri
        self.key = key
        self._logins = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        """Wraps under the current version. Raises KeyDenied (also for a key that has expired or must not be used),
        KeyUnavailable, IntegrityError.
        """
        return await self._asked(lambda: self._wrap_and_open(payload, context))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises KeyDenied, KeyUnavailable, WrongKey, IntegrityError."""
        version = version_of(self.key, wrapped.kek)
        return await self._asked(lambda: self._unwrap(version, wrapped.data, context))

    async def facts(self) -> KeyFacts:
        """Raises KeyDenied (also for a key that is disabled), KeyUnavailable."""
        found = await self._asked(self._checked)
        return KeyFacts(version_id(self.key, found.version), found.recoverable, found.expires_ms, found.problem)

    @abstractmethod
    async def aclose(self) -> None:
        """Closes what is open; it is opened again when it is needed."""

    @abstractmethod
    async def _describe(self) -> Described:
        """The key as it is now. Raises KeyDenied if it is disabled or gone, or whatever `_meaning` knows."""

    @abstractmethod
    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        """The payload, wrapped by this version."""

    @abstractmethod
    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        """The payload. The version comes from a stored row: it may be any text."""

    @abstractmethod
    def _meaning(self, error: Exception) -> StorageError:
        """What an error of the key store's client means."""

    @abstractmethod
    async def _log_in_again(self) -> None:
        """Drops the login, before it awaits anything, so that the next call makes a new one. Other calls may be under
        way with the old one.
        """

    async def _checked(self) -> Described:
        found = await self._describe()
        if found.problem is None and found.expires_ms is not None and found.expires_ms <= time.time() * 1000:
            # It still opens what it has wrapped, in every key store that knows such a date.
            return found._replace(problem=f"The key {self.uri} has expired.")
        return found

    async def _wrap_and_open(self, payload: bytes, context: bytes) -> Wrapped:
        found = await self._checked()
        if found.problem is not None:
            raise KeyDenied(found.problem, hint="Change the key, or give the policy another one.")
        data = await self._wrap(found.version, payload, context)
        # Some clients wrap by themselves with a public key that they kept: only opening asks the key store.
        if not same(await self._unwrap(found.version, data, context), payload):
            raise IntegrityError(f"What {self.uri} wrapped does not open to the same again.", hint=_ASK_THE_STORE)
        return Wrapped(version_id(self.key, found.version), data)

    async def _asked(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                login = self._logins
                try:
                    return await self._tried(call)
                except BadCredentials:
                    if login == self._logins:  # nobody else has renewed it in the meantime
                        self._logins += 1
                        await self._log_in_again()
                    return await self._tried(call)
        except TimeoutError as error:
            raise KeyUnavailable(f"{self.uri} gave no answer within {TOTAL_SECONDS:.0f} seconds.") from error

    async def _tried(self, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await call()
        except StorageError:
            raise
        except Exception as error:
            raise self._meaning(error) from error

    def _altered(self) -> IntegrityError:
        return IntegrityError(
            f"A wrapped environment key was altered, or the key at {self.uri} was replaced by another of that name.",
            hint="Restore the original key, or the store's rows from a backup.",
        )


_ASK_THE_STORE = "Check the key store: it must answer with what it was given."
_VERSION_ID = re.compile(rb"([!-~]*)@[0-9a-f]{8}")


def version_id(key: str, version: str) -> bytes:
    """The id of a key's version, as rows hold it: the version in the key store's own words, `@`, and eight characters
    that tell this key from others.
    """
    tag = digest(key.encode("utf-8", "surrogatepass")).hex()[:8]
    return f"{version}@{tag}".encode("ascii")


def version_of(key: str, kek: bytes) -> str:
    """The version that an id names. Raises WrongKey for a version of another key."""
    match = _VERSION_ID.fullmatch(kek)
    version = "" if match is None else match[1].decode("ascii")
    if match is None or not same(version_id(key, version), kek):
        raise not_this_key(key)
    return version


def version_text(kek: bytes) -> str:
    """The id of any key version for people: as it is where it is a text, in hex where it was derived from the key."""
    return kek.decode("ascii") if _VERSION_ID.fullmatch(kek) else kek.hex()


def not_this_key(key: str) -> WrongKey:
    """The error for what another key has wrapped."""
    return WrongKey(
        f"The key {key} is not the one that wrapped this.", hint="Check the address of the key: another one wrapped it."
    )
