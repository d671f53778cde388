"""Work that runs side by side and ends together, on task groups of anyio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run `work` while the body runs, and cancel it when the body ends. Raises what either of them raises."""

    async def run() -> None:
        await work

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            yield
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        work.close()  # it may have been cancelled before it began


async def before(lapse: Awaitable[object], work: Awaitable[T]) -> T | None:
    """Return the result of `work`, or None and cancel it if `lapse` ends first. Raises what either of them raises."""

    async def end() -> None:
        await lapse
        scope.cancel()

    with anyio.CancelScope() as scope:
        async with beside(end()):
            return await work
    return None
