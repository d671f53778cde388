"""What key stores were asked, for the audit: each wrapping, unwrapping and probe, without a byte of a key.

One record for each key and outcome, with how many calls there were: when an environment was opened, or its keys
changed. Probes are many and say the same: they are on record when the answer changes, at most an hour after the last
one otherwise, and at the end. So is what a process has unwrapped by the service's own keystore, which is asked each
time that somebody looks whether an environment is locked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from ..errors import StorageError, StoreNotWritable
from ..port import KeyFacts, KeyProvider, Wrapped

log = logging.getLogger("sealflow")

WRAP: Final = "key wrap"
UNWRAP: Final = "key unwrap"
PROBE: Final = "key probe"
CALLS: Final = frozenset({WRAP, UNWRAP, PROBE})

T = TypeVar("T")

SERVICE_ACTOR: Final = "sealflow"
"""Who asks where no administrator does."""

SUMMARY_MS: Final = 3_600_000

Record = Callable[[str, str, str | None, dict[str, Any]], Awaitable[None]]
"""Puts a call on record: who, what, the code of its failure, and the facts. Raises StorageError."""


class KeyCalls:
    """The calls of one process for one environment, of customers' key stores. `service` are those of the service's
    keystore, of which every unwrapping is one of many (`sums`), and which are told of at the same times.
    """

    def __init__(
        self, record: Record, now_ms: Callable[[], int], *, sums: bool = False, service: KeyCalls | None = None
    ) -> None:
        self._actor = SERVICE_ACTOR
        self._record = record
        self._now_ms = now_ms
        self._sums = sums
        self._service = service
        self._made: dict[tuple[str, str, str | None], int] = {}
        self._probes: dict[str, _Probes] = {}
        self._due: list[tuple[str, str | None, dict[str, Any]]] = []
        self._probing = False

    @property
    def actor(self) -> str:
        """In whose name the calls are made."""
        return self._actor

    @actor.setter
    def actor(self, name: str) -> None:
        self._actor = name
        if self._service is not None:
            self._service.actor = name

    def watched(self, provider: KeyProvider) -> KeyProvider:
        """The provider, whose calls are noted."""
        return _Watched(provider, self._note)

    def watched_aside(self, provider: KeyProvider, post: Callable[[Callable[[], None]], None]) -> KeyProvider:
        """The same, for probes from another thread: `post` has them noted by this one."""
        return _Watched(provider, lambda call, uri, code: post(lambda: self._note_probe(uri, code)))

    def probing(self, probing: bool) -> None:
        """Whether what is unwrapped now is only asked to know whether the key is given."""
        self._probing = probing

    def _note(self, call: str, uri: str, code: str | None) -> None:
        if call == UNWRAP and (self._probing or self._sums):
            self._note_probe(uri, code)
            return
        place = (call, uri, code)
        self._made[place] = self._made.get(place, 0) + 1
        if call == UNWRAP and uri not in self._probes:  # what a probe's answer is compared with
            self._probes[uri] = _Probes(code, self._now_ms())

    def _note_probe(self, uri: str, code: str | None) -> None:
        now = self._now_ms()
        known = self._probes.get(uri)
        if known is None or known.code != code:
            if known is not None:
                self._summarise(uri, known)
            self._probes[uri] = known = _Probes(code, now)
            known.count = 1
            self._summarise(uri, known)
            return
        known.count += 1
        if now - known.told_ms >= SUMMARY_MS:
            self._summarise(uri, known)

    def _summarise(self, uri: str, probes: _Probes) -> None:
        if probes.count:
            detail = {"key": uri, "calls": probes.count, "since": probes.told_ms}
            self._due.append((UNWRAP if self._sums else PROBE, probes.code, detail))
        probes.count, probes.told_ms = 0, self._now_ms()

    async def tell(self) -> None:
        """Puts on record what is to be put there by now. A store that cannot be written stops nothing."""
        made, self._made = self._made, {}
        due, self._due = self._due, []
        due += [(call, code, {"key": uri, "calls": count}) for (call, uri, code), count in made.items()]
        for kind, code, detail in due:
            try:
                await self._record(self.actor, kind, code, detail)
            except StoreNotWritable as error:
                log.info("calls of a key store are not on record: %s", error.message)
            except StorageError as error:
                log.error("calls of a key store could not be put on record: %s", error.code)
        if self._service is not None:
            await self._service.tell()

    async def close(self) -> None:
        """The same, with the probes of the last while. The service's calls go on, in nobody's name."""
        for uri, probes in self._probes.items():
            self._summarise(uri, probes)
        self._probes.clear()
        await self.tell()
        self.actor = SERVICE_ACTOR


class _Probes:
    """How often a key was asked for with the same outcome since that was last on record."""

    def __init__(self, code: str | None, now_ms: int) -> None:
        self.code = code
        self.told_ms = now_ms
        self.count = 0


class _Watched:
    """A provider that says what it was asked, and how that went."""

    def __init__(self, provider: KeyProvider, note: Callable[[str, str, str | None], None]) -> None:
        self._provider = provider
        self._note = note
        self.name = provider.name
        self.uri = provider.uri

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped:
        return await self._noted(WRAP, self._provider.wrap(payload, context))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return await self._noted(UNWRAP, self._provider.unwrap(wrapped, context))

    async def _noted(self, call: str, work: Awaitable[T]) -> T:
        try:
            answer = await work
        except StorageError as error:
            self._note(call, self.uri, error.code)
            raise
        self._note(call, self.uri, None)
        return answer

    async def facts(self) -> KeyFacts:
        return await self._provider.facts()

    async def aclose(self) -> None:
        await self._provider.aclose()
