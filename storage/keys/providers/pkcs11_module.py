"""Drivers of PKCS#11 tokens in this process: each has a thread of its own, and one session for each token.

A process logs in to a token once, for all its sessions, and a driver is initialised once for all its tokens. So both
belong to the process and not to a provider. Sessions are not made for several threads, and a token that hangs holds up
its own thread only. After a fault the driver is initialised anew: some never notice that a token is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import pkcs11
from pkcs11.constants import TokenFlag

from ...format.envelope import digest, same
from .remote import BadCredentials

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Library  # noqa: N812 (a class, which its package names in lower case)

PIN_REFUSED: Final = (
    pkcs11.PinExpired, pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.UserPinNotInitialized,
)  # fmt: skip
_SESSION_LOST: Final = (
    pkcs11.ObjectHandleInvalid, pkcs11.KeyHandleInvalid, pkcs11.SessionClosed, pkcs11.SessionHandleInvalid,
    pkcs11.UserNotLoggedIn,
)  # fmt: skip
_DRIVER_IS_SOUND: Final = (*PIN_REFUSED, pkcs11.PinLocked, pkcs11.MechanismInvalid, pkcs11.AttributeTypeInvalid)

_Answer = TypeVar("_Answer")


class TokenName(NamedTuple):
    """A token by its label or its serial number, or both."""

    label: str | None
    serial: str | None


class Module:
    """The driver at `path`. Everything is done in its thread; methods named with `_` run there."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pkcs11")
        self._library: Library | None = None
        self._failed = False
        self._sessions: dict[TokenName, pkcs11.Session] = {}
        self._users: dict[TokenName, set[int]] = {}
        self._refused: dict[TokenName, bytes] = {}

    async def ask(
        self, token: TokenName, pin: Callable[[], str], user: object, call: Callable[[pkcs11.Session], _Answer]
    ) -> _Answer:
        """What `call` answers in a session that is logged in, on behalf of `user`, until he leaves.

        Tried a second time, in a new session, when the session had ended. Raises BadCredentials, PKCS11Error, and what
        `call` and `pin` raise; NoSuchKey only if the token itself is there.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, token, pin, user, call)

    async def leave(self, token: TokenName, user: object) -> None:
        """`user` needs the token no more; without any the session is closed, and the process logged out."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave, token, user)

    def _leave(self, token: TokenName, user: object) -> None:
        users = self._users.get(token, set())
        users.discard(id(user))
        session = None if users else self._sessions.pop(token, None)
        if session is not None and not self._failed:
            with suppress(pkcs11.PKCS11Error):
                session.close()

    def _run(
        self, token: TokenName, pin: Callable[[], str], user: object, call: Callable[[pkcs11.Session], _Answer]
    ) -> _Answer:
        self._users.setdefault(token, set()).add(id(user))
        try:
            try:
                return call(self._session(token, pin))
            except _SESSION_LOST:
                self._failed = True
                return call(self._session(token, pin))
        except pkcs11.NoSuchKey:
            # A token that was pulled out has no keys either: only one that is there says something about its keys.
            self._token(token)
            raise
        except pkcs11.PKCS11Error as error:
            self._failed = not isinstance(error, _DRIVER_IS_SOUND)
            raise

    def _session(self, token: TokenName, pin: Callable[[], str]) -> pkcs11.Session:
        self._load()
        session = self._sessions.get(token)
        if session is None:
            session = self._sessions[token] = self._log_in(token, pin)
        else:
            session.generate_random(64)  # tells whether the session has ended, before anything depends on it
        return session

    def _load(self) -> Library:
        if self._library is None:
            self._library = pkcs11.lib(self._path)
        elif self._failed:
            self._sessions.clear()
            self._library.reinitialize()
        self._failed = False
        return self._library

    def _token(self, name: TokenName) -> pkcs11.Token:
        serial = None if name.serial is None else name.serial.encode("utf-8")
        try:
            return self._load().get_token(token_label=name.label, token_serial=serial)
        except pkcs11.PKCS11Error:
            self._failed = True
            raise

    def _log_in(self, name: TokenName, pin: Callable[[], str]) -> pkcs11.Session:
        token = self._token(name)
        secret = pin()
        known = digest(secret.encode("utf-8", "surrogatepass"))
        if same(self._refused.get(name, b""), known):
            raise BadCredentials("The token has refused this PIN before: it is not tried again.")
        if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise BadCredentials("The token would lock itself after one more wrong PIN: log in to it by hand first.")
        try:
            return token.open(user_pin=secret)
        except pkcs11.UserAlreadyLoggedIn:  # the program that embeds Sealflow has done that
            return token.open()
        except PIN_REFUSED:
            self._refused[name] = known
            raise


_modules: dict[str, Module] = {}


def module_at(path: str) -> Module:
    """The one driver of that path in this process; it is loaded when it is needed."""
    return _modules.setdefault(path, Module(path))
