"""The port of key providers: what wraps the keys of environments. No cipher, no plain values."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Wrapped(NamedTuple):
    """A wrapped environment key and the id of the key version that wrapped it."""

    kek: bytes
    data: bytes


class KeyFacts(NamedTuple):
    """What a provider knows about its key. `version` is the id of the version that `wrap` uses now.

    `recoverable`: a key deleted by mistake can be restored (soft delete with purge protection, a deletion guard, a
    waiting time); None if the provider cannot tell. `expires_ms`: Unix milliseconds, None for never. `problem` states
    why a policy must not use the key; None if it may.
    """

    version: bytes
    recoverable: bool | None = None
    expires_ms: int | None = None
    problem: str | None = None


class KeyProvider(Protocol):
    """Wraps and unwraps environment keys under a key that stays in the key store. One object for one named key.

    `name` is the kind of the provider, `uri` the address of the key (never a secret). `wrap` uses the current version
    of the key and returns its id. The key store itself opens the result again before `wrap` returns it: some clients
    wrap with a cached public key, which proves nothing. `unwrap` accepts what any version in the key store wrapped.
    Payloads are up to 160 bytes. `context` is authenticated if the key store can do that; the payload carries the same
    data in any case.

    Raises KeyDenied (a definite refusal), KeyUnavailable (no answer; also bad credentials of the service), WrongKey
    (made by another key), IntegrityError (altered); the service keystore also KeyMissing and KeystoreUnreadable. No
    other exception leaves a provider, and no message names a secret.
    """

    name: str
    uri: str

    async def wrap(self, payload: bytes, context: bytes) -> Wrapped: ...

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes: ...

    async def facts(self) -> KeyFacts:
        """Ask the key store about the key, without using it."""
        ...

    async def aclose(self) -> None: ...
