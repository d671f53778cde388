"""Wrapped keys: the keys of the environment, the keys of scopes, and the state that covers them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..format.purposes import Kind
from .changes import Changes


class EnvironmentKeyRow(NamedTuple):
    """A wrapped environment key. `mac` is made with the live service key, `predecessor_mac` with the version before."""

    domain: int
    version: int
    kek: bytes
    kid: bytes
    wrapped: bytes
    policy_epoch: int
    mac: bytes
    predecessor_mac: bytes | None
    created_ms: int


class KeyStateRow(NamedTuple):
    """The policy that covers the environment, and whether the environment is locked. A commit writes the row only if
    exactly one of the two epochs is one more than the stored one (0 without a row).
    """

    epoch: int
    lock_epoch: int
    record: bytes


class Guard(NamedTuple):
    """What a commit assumes: the lock epoch that its writer knows, and the epoch if it chose a domain."""

    lock_epoch: int
    epoch: int | None = None


class KeyCount(NamedTuple):
    """How many scope keys of one kind an environment key wraps."""

    kind: int
    domain: int
    key_version: int
    scopes: int


class KeyRow(NamedTuple):
    """A wrapped scope key. Deleting the row shreds the scope. `domain` and `key_version` name the environment key that
    wrapped it.
    """

    kind: int
    scope: bytes
    generation: int
    domain: int
    key_version: int
    kid: bytes
    wrapped: bytes


@dataclass(slots=True)
class KeyChanges(Changes):
    """What a commit does to keys. `replaced` and `rewrapped` rows must exist; so must `retired` ones, and no scope key
    may need them.
    """

    state: KeyStateRow | None = None
    environment_keys: list[EnvironmentKeyRow] = field(default_factory=list)
    inserts: list[KeyRow] = field(default_factory=list)
    replaced: list[EnvironmentKeyRow] = field(default_factory=list)
    retired: list[tuple[int, int]] = field(default_factory=list)
    """Domain and version of environment keys to remove."""
    rewrapped: list[KeyRow] = field(default_factory=list)
    dropped_generations: list[tuple[int, bytes, int]] = field(default_factory=list)
    """Kind, scope and the generation below which all are removed."""

    def without(self, runs: Collection[bytes]) -> None:
        self.inserts[:] = [row for row in self.inserts if row.kind != Kind.RUN or row.scope not in runs]


class KeyStore(Protocol):
    """Reads the wrapped keys of a store and the state that covers them."""

    async def environment_keys(self) -> list[EnvironmentKeyRow]:
        """Return all environment keys."""
        ...

    async def state(self) -> KeyStateRow | None:
        """Return the key state; None in a new store."""
        ...

    async def newest(self, kind: int, scopes: Sequence[bytes]) -> list[KeyRow]:
        """Return the newest generation of each of these scopes. A scope without a key is left out."""
        ...

    async def generations(self, kind: int, scope: bytes) -> list[KeyRow]:
        """Return all generations of one scope, oldest first."""
        ...

    async def wrapped_by(
        self, domain: int, key_version: int | None, limit: int, after: int = 0
    ) -> list[tuple[int, KeyRow]]:
        """Return up to `limit` scope keys that an environment key wraps, each with the number that orders it, with
        numbers above `after`. Without `key_version`, all environment keys of the domain count.
        """
        ...

    async def counts(self) -> list[KeyCount]:
        """Return the number of scopes for each kind and environment key."""
        ...
