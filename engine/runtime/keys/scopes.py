"""What a use of an environment says when its key is taken away under way: that it is locked or suspended, and not what
happened to fail first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from ....storage import EnvironmentLocked, ExecutorLost, StoreClosed

if TYPE_CHECKING:
    from ..environment.session import Access

P = ParamSpec("P")
T = TypeVar("T")


class Keyed(Protocol):
    """Whoever needs an environment's key for what it does."""

    _access: Access


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
