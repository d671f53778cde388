"""What a use of an environment says when its key is taken away under way: that it is locked or suspended, and not what
happened to fail first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ....storage import EnvironmentLocked, ExecutorLost, StoreClosed
from .access import Explains

P = ParamSpec("P")
T = TypeVar("T")


class Keyed(Protocol):
    """Whoever needs an environment's key for what it does."""

    @property
    def _access(self) -> Explains:
        """Explains the errors of a revoked key."""
        ...


K = TypeVar("K", bound=Keyed)


def keyed(method: Callable[Concatenate[K, P], Awaitable[T]]) -> Callable[Concatenate[K, P], Coroutine[Any, Any, T]]:
    """A method that needs the key: what it raises where that was dropped says why."""

    @wraps(method)
    async def call(self: K, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, *args, **kwargs)
        except (EnvironmentLocked, ExecutorLost, StoreClosed) as error:
            told = self._access.explained(error)
            if told is None:
                raise
            raise told from error

    return call
