"""The suite for key providers notices providers that break its rules."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from key_servers import FileServer
from sealflow.storage import IntegrityError, KeyDenied, KeyUnavailable, StorageError
from sealflow.storage.port import KeyFacts, KeyProvider, Wrapped
from sealflow.storage.testing.providers import ProviderContract

log = logging.getLogger("sealflow.test")


class Faulty:
    """The provider of a key file, with one fault."""

    name = "faulty"

    def __init__(self, inner: KeyProvider, fault: str) -> None:
        self._inner = inner
        self._fault = fault
        self.uri = inner.uri
        self._kept: dict[bytes, bytes] = {}
        self._facts: KeyFacts | None = None

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        if self._fault == "wraps in the clear":
            return Wrapped((await self._inner.facts()).version, payload)
        if self._fault == "ignores the context":
            context = b""
        if self._fault == "wraps without asking" and self._kept:
            return Wrapped(b"kept", payload)
        wrapped = await self._inner.wrap(payload, context)
        if self._fault == "wraps without asking":
            self._kept[wrapped.data] = payload
        if self._fault == "logs":
            log.debug("wrapping %s", payload.hex())
        return wrapped

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        if self._fault == "ignores the context":
            context = b""
        if self._fault == "keeps what it opened" and wrapped.data in self._kept:
            return self._kept[wrapped.data]
        try:
            payload = await self._inner.unwrap(wrapped, context)
        except IntegrityError:
            if self._fault == "opens anything":
                return wrapped.data
            raise
        except StorageError as error:
            if self._fault == "takes an outage for a refusal" and isinstance(error, KeyUnavailable):
                raise KeyDenied("no") from error
            if self._fault == "takes a refusal for an outage" and isinstance(error, KeyDenied):
                raise KeyUnavailable("no") from error
            if self._fault == "raises anything":
                raise OSError("no") from error
            raise
        self._kept[wrapped.data] = payload
        return payload

    async def facts(self) -> KeyFacts:
        if self._fault != "never looks again":
            return await self._inner.facts()
        if self._facts is None:
            self._facts = await self._inner.facts()
        return self._facts

    async def aclose(self) -> None:
        if self._fault == "closes once":
            assert not hasattr(self, "_closed"), "closed before"
            self._closed = True
        await self._inner.aclose()


class FaultyServer(FileServer):
    fault = ""

    def provider(self, name: str) -> KeyProvider:
        return Faulty(super().provider(name), self.fault)

    def secrets(self) -> Sequence[bytes]:
        return []


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("wraps in the clear", "test_wrapping_hides_the_payload"),
        ("ignores the context", "test_another_context_is_refused"),
        ("wraps without asking", "test_a_disabled_key_is_a_refusal"),
        ("keeps what it opened", "test_a_disabled_key_is_a_refusal"),
        ("opens anything", "test_altered_data_is_refused"),
        ("takes an outage for a refusal", "test_an_outage_is_no_refusal"),
        ("takes a refusal for an outage", "test_a_deleted_key_is_a_refusal"),
        ("raises anything", "test_another_key_does_not_open_it"),
        ("never looks again", "test_new_versions_are_followed"),
        ("logs", "test_nothing_secret_is_shown"),
        ("closes once", "test_closing_twice_is_closing"),
    ],
)
async def test_the_suite_notices(tmp_path: Path, fault: str, test: str) -> None:
    suite = ProviderContract()
    server = FaultyServer(tmp_path / "faulty")
    server.fault = fault
    with pytest.raises((AssertionError, StorageError, OSError)):
        await getattr(suite, test)(server)
    await getattr(suite, test)(FaultyServer(tmp_path / "sound"))
