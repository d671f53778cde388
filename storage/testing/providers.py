"""The suite that every key provider passes, the built-in ones and yours.

Subclass `ProviderContract` in a test module, give it a `key_server` fixture with a key store that the suite may order
about, and pytest (with asyncio support) runs the rest:

    class TestMine(ProviderContract):
        @pytest.fixture
        def key_server(self): return MyKeyServer()

No test framework is needed to import this; the checks are plain assertions, and what a key store cannot do at all is
skipped with that reason.
"""

# ruff: noqa: S101 - this is a test suite, only that it is shipped

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple, Protocol
from unittest import SkipTest

from ..errors import IntegrityError, KeyDenied, KeyUnavailable, StorageError, WrongKey
from ..port import KeyProvider, Wrapped

CONTEXT = b"the place of the suite's key"
MOST_BYTES = 160
MANY = 50


class Change(NamedTuple):
    """Something that happens to a key of that name in the key store, behind the provider's back; and how it is put
    right again, None where that cannot be.
    """

    make: Callable[[str], Awaitable[None]]
    undo: Callable[[str], Awaitable[None]] | None


class KeyServer(Protocol):
    """A key store for tests. A change that it does not have is None.

    `binds_context` says whether it authenticates the context, `secrets` what must never be shown (tokens, PINs, keys),
    in each form in which it could be.
    """

    binds_context: bool
    disabling: Change | None
    revoking: Change | None
    """Takes the service's access to the key away."""
    deleting: Change | None
    outage: Change | None

    async def make_key(self, name: str) -> None:
        """A new key that a policy may use. Names are those of the suite: short, lower case."""
        ...

    async def new_version(self, name: str) -> None: ...

    def provider(self, name: str) -> KeyProvider:
        """A new provider of the key of that name."""
        ...

    def secrets(self) -> Sequence[bytes]: ...


class ProviderContract:
    """The promises of `port.KeyProvider`."""

    async def test_what_is_wrapped_is_unwrapped(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            for size in (1, 119, MOST_BYTES):
                payload = os.urandom(size)
                wrapped = await provider.wrap(payload, CONTEXT)
                assert await provider.unwrap(wrapped, CONTEXT) == payload
                assert await provider.unwrap(wrapped, CONTEXT) == payload, "a second time"

    async def test_wrapping_hides_the_payload(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            payload = os.urandom(64)
            first, second = await provider.wrap(payload, CONTEXT), await provider.wrap(payload, CONTEXT)
            assert first.data != second.data
            assert all(form not in b"".join(first) for form in _forms(payload[:24]))

    async def test_another_process_opens_it(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            wrapped = await provider.wrap(b"payload", CONTEXT)
        async with _closing(key_server.provider("main")) as other:
            assert await other.unwrap(wrapped, CONTEXT) == b"payload"
            assert other.uri == provider.uri

    async def test_altered_data_is_refused(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            wrapped = await provider.wrap(b"payload", CONTEXT)
            for data in _altered(wrapped.data):
                await refused(provider.unwrap(wrapped._replace(data=data), CONTEXT), IntegrityError, WrongKey)
            assert await provider.unwrap(wrapped, CONTEXT) == b"payload"

    async def test_versions_of_no_key_are_refused(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            wrapped = await provider.wrap(b"payload", CONTEXT)
            tag = wrapped.kek[wrapped.kek.rfind(b"@") :]
            for kek in (b"", b"\xff\xfe", os.urandom(16), b"1@00000000", b"../../other" + tag, b"\xff" + tag):
                await refused(provider.unwrap(wrapped._replace(kek=kek), CONTEXT), WrongKey)

    async def test_another_key_does_not_open_it(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider, made(key_server, "other") as other:
            wrapped = await provider.wrap(b"payload", CONTEXT)
            await refused(other.unwrap(wrapped, CONTEXT), WrongKey)
            own = await other.wrap(b"payload", CONTEXT)
            await refused(other.unwrap(Wrapped(own.kek, wrapped.data), CONTEXT), WrongKey, IntegrityError)

    async def test_another_context_is_refused(self, key_server: KeyServer) -> None:
        if not key_server.binds_context:
            raise SkipTest("this key store does not authenticate the context; the payload carries the same facts")
        async with made(key_server) as provider:
            wrapped = await provider.wrap(b"payload", CONTEXT)
            for context in (b"", CONTEXT + b"!"):
                await refused(provider.unwrap(wrapped, context), IntegrityError, WrongKey)

    async def test_a_good_key_has_no_problem(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            facts = await provider.facts()
            assert facts.problem is None
            assert facts.recoverable is not False
            assert facts.expires_ms is None
            assert facts.version == (await provider.facts()).version

    async def test_new_versions_are_followed(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            before = await provider.wrap(b"before", CONTEXT)
            assert before.kek == (await provider.facts()).version
            await key_server.new_version("main")
            facts = await provider.facts()
            assert facts.version != before.kek
            assert facts.problem is None
            after = await provider.wrap(b"after", CONTEXT)
            assert after.kek == facts.version
            async with _closing(key_server.provider("main")) as fresh:
                for each in (provider, fresh):
                    assert await each.unwrap(before, CONTEXT) == b"before"
                    assert await each.unwrap(after, CONTEXT) == b"after"

    async def test_a_disabled_key_is_a_refusal(self, key_server: KeyServer) -> None:
        await self._is_refused(key_server, key_server.disabling, "disable a key")

    async def test_a_deleted_key_is_a_refusal(self, key_server: KeyServer) -> None:
        await self._is_refused(key_server, key_server.deleting, "delete a key")

    async def test_lost_access_is_a_refusal(self, key_server: KeyServer) -> None:
        await self._is_refused(key_server, key_server.revoking, "take access away")

    async def test_an_outage_is_no_refusal(self, key_server: KeyServer) -> None:
        await self._fails_as(KeyUnavailable, key_server, key_server.outage, "be out of reach")

    async def _is_refused(self, server: KeyServer, change: Change | None, what: str) -> None:
        await self._fails_as(KeyDenied, server, change, what)

    async def _fails_as(self, error: type[StorageError], server: KeyServer, change: Change | None, what: str) -> None:
        """The first call after the change already, whatever it is, and of a provider that was never asked before."""
        if change is None:
            raise SkipTest(f"this key store cannot {what}")
        async with made(server) as provider:
            wrapped = await provider.wrap(b"payload", CONTEXT)
            calls: list[Callable[[KeyProvider], Awaitable[object]]] = [
                lambda provider: provider.unwrap(wrapped, CONTEXT),
                lambda provider: provider.wrap(b"payload", CONTEXT),
                lambda provider: provider.facts(),
            ]
            for call in calls:
                assert await provider.unwrap(wrapped, CONTEXT) == b"payload"
                await change.make("main")
                await refused(call(provider), error)
                async with _closing(server.provider("main")) as fresh:
                    await refused(call(fresh), error)
                if change.undo is None:
                    break
                await change.undo("main")
            else:
                assert await provider.unwrap(wrapped, CONTEXT) == b"payload"
                assert await provider.unwrap(await provider.wrap(b"new", CONTEXT), CONTEXT) == b"new"

    async def test_many_calls_at_once(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            payloads = [os.urandom(32) for _ in range(3)]
            wrapped = [await provider.wrap(payload, CONTEXT) for payload in payloads]
            opened = await asyncio.gather(*(provider.unwrap(wrapped[n % 3], CONTEXT) for n in range(MANY)))
            assert opened == [payloads[n % 3] for n in range(MANY)]

    async def test_nothing_secret_is_shown(self, key_server: KeyServer) -> None:
        payload = os.urandom(48)
        with _log() as lines:
            async with made(key_server) as provider:
                wrapped = await provider.wrap(payload, CONTEXT)
                shown = [repr(provider), str(provider), provider.uri, provider.name]
                await provider.unwrap(wrapped, CONTEXT)
                shown += await _failure(provider.unwrap(wrapped._replace(data=wrapped.data[:-1]), CONTEXT))
                for change in (key_server.disabling, key_server.revoking, key_server.outage, key_server.deleting):
                    if change is not None:
                        await change.make("main")
                        shown += await _failure(provider.unwrap(wrapped, CONTEXT))
                        shown += await _failure(provider.wrap(payload, CONTEXT))
                        if change.undo is not None:
                            await change.undo("main")
        everything = "\n".join([*shown, *lines]).encode("utf-8", "surrogatepass")
        for secret in (payload, *key_server.secrets()):
            assert not any(form in everything for form in _forms(secret)), "a secret was shown"

    async def test_closing_twice_is_closing(self, key_server: KeyServer) -> None:
        async with made(key_server) as provider:
            await provider.wrap(b"payload", CONTEXT)
            await provider.aclose()
            await provider.aclose()
        await key_server.provider("main").aclose()


@asynccontextmanager
async def made(server: KeyServer, name: str = "main") -> AsyncIterator[KeyProvider]:
    """The provider of a new key, closed at the end."""
    await server.make_key(name)
    async with _closing(server.provider(name)) as provider:
        yield provider


@asynccontextmanager
async def _closing(provider: KeyProvider) -> AsyncIterator[KeyProvider]:
    try:
        yield provider
    finally:
        await provider.aclose()


async def refused(call: Awaitable[object], *errors: type[StorageError]) -> StorageError:
    """The error that the call raises, which must be one of these."""
    try:
        await call
    except errors as error:
        return error
    raise AssertionError(f"expected one of {', '.join(error.__name__ for error in errors)}")


async def _failure(call: Awaitable[object]) -> list[str]:
    """Everything that the error of a call and its causes show."""
    error: BaseException | None = await refused(call, StorageError)
    shown = []
    while error is not None:
        shown += [str(error), repr(error), str(getattr(error, "hint", "")), repr(error.args)]
        error = error.__cause__ or error.__context__
    return shown


def _altered(data: bytes) -> Iterator[bytes]:
    for at in (0, len(data) // 2, len(data) - 1):
        yield data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    yield from (b"", data[:-1], data[: len(data) // 2], data + b"\0", bytes(len(data)))


def _forms(secret: bytes) -> Iterator[bytes]:
    """How bytes may look in a text."""
    yield from (secret, secret.hex().encode(), repr(secret)[2:-1].encode())
    if len(secret) >= 12:
        # Base64 is found by its middle, which does not depend on what stands around.
        for before in range(3):
            yield base64.b64encode(bytes(before) + secret)[4:-4]


@contextmanager
def _log() -> Iterator[list[str]]:
    """Collects everything that is logged, by anybody and at any level that is not closed off."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Collect()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
