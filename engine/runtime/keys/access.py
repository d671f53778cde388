"""What a room needs of an open environment whose key may be revoked at any time.

`environment.session.Access` provides all of it. Each protocol names what one kind of user needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ....storage import EnvironmentLocked, ExecutorLost, StoreClosed, Vault
from ...revocable import Revocable
from ..flows.library import Library
from ..workers.clock import Clock

Dropped = EnvironmentLocked | ExecutorLost
"""Why everything that was open is dropped."""

R = TypeVar("R", bound=Revocable)


class Explains(Protocol):
    """Gives the error to raise for one that arose because the key was revoked meanwhile."""

    def explained(self, error: Dropped | StoreClosed) -> Dropped | None:
        """Return the error to raise in place of `error`, or None to raise that one."""
        ...


class Holder(Protocol):
    """An object that keeps plain values, e.g. a run in flight."""

    def let_go(self) -> None:
        """Drop everything that the key has opened."""
        ...


class Holding(Explains, Protocol):
    """Knows the objects that must drop their values when the key is revoked."""

    def holds(self, holder: Holder) -> None:
        """Notify this object when the key is revoked."""
        ...

    @property
    def forgotten(self) -> bool:
        """Whether the keys were dropped."""
        ...

    def revoked(self) -> Dropped | StoreClosed:
        """Return the error of an object that was read before the key was revoked."""
        ...


class Opened(Explains, Protocol):
    """The store and the library of an environment, and its clock."""

    clock: Clock

    @property
    def vault(self) -> Vault:
        """The open vault. Raises EnvironmentLocked, EnvironmentSuspended."""
        ...

    @property
    def library(self) -> Library:
        """The flows. Raises EnvironmentLocked, EnvironmentSuspended."""
        ...

    def given(self, value: R) -> R:
        """Empty this object when the key is revoked."""
        ...


class Watched(Protocol):
    """What the watch of a key checks, drops and restores. `doubt` is called when something hints at a lock."""

    doubt: Callable[[], None]

    @property
    def vault(self) -> Vault:
        """The open vault. Raises EnvironmentLocked, EnvironmentSuspended."""
        ...

    @property
    def lock_epoch(self) -> int | None:
        """The lock epoch of the store when it was opened; None while it is closed."""
        ...

    @property
    def executes(self) -> bool:
        """Whether this process has executed runs of the environment."""
        ...

    @property
    def vacant(self) -> bool:
        """Whether this process executed runs before and does not now."""
        ...

    def use_settings(self, settings: Mapping[str, Any] | None) -> None:
        """Apply these settings of the environment from now on."""
        ...

    async def drop(self, error: Dropped) -> None:
        """Drop everything that the key has opened; every use raises `error` from now on."""
        ...

    def admit(self, vault: Vault) -> None:
        """Use this vault: the key is available again."""
        ...

    async def retake(self) -> None:
        """Execute runs again, unless another process does."""
        ...
