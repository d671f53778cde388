"""What all remote key providers share: limits, a second login, and a wrap that is opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sealflow.storage import IntegrityError, KeyDenied, KeyUnavailable, StorageError, WrongKey
from sealflow.storage.keys.providers import remote
from sealflow.storage.keys.providers.remote import (
    BadCredentials,
    Described,
    RemoteKeys,
    version_id,
    version_of,
    version_text,
)
from sealflow.storage.port import KeyProvider, Wrapped

CONTEXT = b"context"


class Mirror(RemoteKeys):
    """A key store that turns texts around, and may fail before it does."""

    name = "mirror"

    def __init__(self) -> None:
        super().__init__("mirror:main", "main")
        self.described = Described("1")
        self.failures: list[Exception] = []
        self.asked = 0
        self.logins = 0
        self.hangs = False
        self.lies = False

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _log_in_again(self) -> None:
        self.logins += 1

    async def _describe(self) -> Described:
        await self._answer()
        return self.described

    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        return payload[::-1]

    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        await self._answer()
        return data if self.lies else data[::-1]

    async def _answer(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if self.failures:
            raise self.failures.pop(0)

    def _meaning(self, error: Exception) -> StorageError:
        return KeyUnavailable(type(error).__name__)


CALLS: list[Callable[[KeyProvider], Awaitable[object]]] = [
    lambda keys: keys.wrap(b"payload", CONTEXT),
    lambda keys: keys.unwrap(Wrapped(version_id("main", "1"), b"daolyap"), CONTEXT),
    lambda keys: keys.facts(),
]


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_is_not_waited_for_for_ever(
    call: Callable[[KeyProvider], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "TOTAL_SECONDS", 0.0)
    keys = Mirror()
    keys.hangs = True
    with pytest.raises(KeyUnavailable, match="no answer"):
        await call(keys)


async def test_a_caller_that_gives_up_is_not_told_of_an_outage() -> None:
    keys = Mirror()
    keys.hangs = True
    task = asyncio.ensure_future(keys.facts())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("call", CALLS)
async def test_a_login_is_renewed_once(call: Callable[[KeyProvider], Awaitable[object]]) -> None:
    keys = Mirror()
    keys.failures = [BadCredentials("ended")]
    await call(keys)
    assert keys.logins == 1
    keys.failures = [BadCredentials("ended"), BadCredentials("refused")]
    with pytest.raises(BadCredentials, match="refused"):
        await call(keys)
    assert keys.logins == 2


async def test_calls_at_once_renew_a_login_once() -> None:
    class Ended(Mirror):
        async def _answer(self) -> None:
            ended = self.logins == 0
            await asyncio.sleep(0)
            if ended:
                raise BadCredentials("ended")

    keys = Ended()
    assert len(await asyncio.gather(*(keys.facts() for _ in range(10)))) == 10
    assert keys.logins == 1


@pytest.mark.parametrize("error", [KeyDenied("no"), KeyUnavailable("no"), IntegrityError("no")])
async def test_other_failures_are_not_repeated(error: StorageError) -> None:
    keys = Mirror()
    keys.failures = [error]
    with pytest.raises(type(error)):
        await keys.facts()
    assert (keys.asked, keys.logins) == (1, 0)


@pytest.mark.parametrize("error", [KeyError("x"), OSError("x"), TimeoutError("x"), RuntimeError("x")])
async def test_no_other_exception_leaves_a_provider(error: Exception) -> None:
    keys = Mirror()
    keys.failures = [error]
    with pytest.raises(KeyUnavailable, match=type(error).__name__) as caught:
        await keys.facts()
    assert caught.value.__cause__ is error


async def test_a_wrap_that_does_not_open_is_not_used() -> None:
    keys = Mirror()
    keys.lies = True
    with pytest.raises(IntegrityError, match="does not open to the same again"):
        await keys.wrap(b"payload", CONTEXT)


async def test_a_key_with_a_problem_does_not_wrap() -> None:
    keys = Mirror()
    keys.described = Described("1", problem="too small")
    assert (await keys.facts()).problem == "too small"
    with pytest.raises(KeyDenied, match="too small"):
        await keys.wrap(b"payload", CONTEXT)


async def test_an_expired_key_has_a_problem_and_opens() -> None:
    keys = Mirror()
    wrapped = await keys.wrap(b"payload", CONTEXT)
    keys.described = Described("1", expires_ms=1)
    facts = await keys.facts()
    assert facts.problem is not None
    assert facts.expires_ms == 1
    with pytest.raises(KeyDenied, match="expired"):
        await keys.wrap(b"payload", CONTEXT)
    assert await keys.unwrap(wrapped, CONTEXT) == b"payload"


async def test_what_another_key_wrapped_is_refused_without_asking() -> None:
    keys = Mirror()
    with pytest.raises(WrongKey):
        await keys.unwrap(Wrapped(version_id("other", "1"), b"daolyap"), CONTEXT)
    assert keys.asked == 0


@pytest.mark.parametrize("version", ["1", "v12", "0123abcd/ef", ""])
def test_versions_are_told_apart_by_key(version: str) -> None:
    assert version_of("main", version_id("main", version)) == version
    assert version_id("main", version) != version_id("other", version)
    with pytest.raises(WrongKey):
        version_of("other", version_id("main", version))


def test_versions_are_shown_as_they_are() -> None:
    assert version_text(version_id("main", "v1")).startswith("v1@")
    assert version_text(b"\0" * 16) == "00" * 16
