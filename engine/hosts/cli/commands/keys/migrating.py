"""Migrating an environment's keys from a command: begun, followed with its progress, and told of at its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TextIO

from .....errors import SealflowError
from ...errors import InterruptedRunError
from ...moments import iso_ms
from ...output.writing import coloured, redraw, write

if TYPE_CHECKING:
    from ......storage import Administration, Operation
    from ....embedded import Engine, Environment

PLAIN_PERIOD: Final = 2.0
"""Seconds between two lines of progress where they are not drawn over each other."""


class OperationFailedError(SealflowError):
    """Work on the keys that ended as Failed."""

    code = "OperationFailed"


class OperationProgress:
    """Draws how far an operation is: over the same line on a terminal, elsewhere a line every now and then."""

    def __init__(self, stream: TextIO, *, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._redrawn = coloured(stream)
        self._now = now
        self._begun: tuple[float, int] | None = None
        self._told = 0.0
        self._open = False

    def show(self, operation: Operation) -> None:
        """Take in how far it is now."""
        now = self._now()
        if self._begun is None:
            self._begun, self._told = (now, operation.done), now
        text = progress_text(operation, operation.done - self._begun[1], now - self._begun[0])
        if self._redrawn:
            redraw(self._stream, text)
            self._stream.flush()
            self._open = True
        elif now - self._told >= PLAIN_PERIOD:
            self._told = now
            write(self._stream, text)
            self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            redraw(self._stream)
            self._open = False


def progress_text(operation: Operation, done: int, seconds: float) -> str:
    """`migrate: 512 of 10,000, 128/s, 74 s left`, where `done` of it took `seconds`."""
    from ...output.progress import duration_text

    text = f"{operation.kind}: {operation.done:,} of {operation.total:,}"
    if done <= 0 or seconds <= 0:
        return text
    rate = done / seconds
    left = (operation.total - operation.done) / rate
    return f"{text}, {rate:,.0f}/s, {duration_text(round(left * 10_000_000))} left"


async def migrate(
    engine: Engine, administration: Administration, name: str, *, full: bool, detach: bool, as_json: bool
) -> Operation:
    """Begin a migration and wait for its end, unless `detach`ed. Raises OperationFailedError."""
    env = await engine.environment(name, create=False)
    async with administration.migrating(env.name, full=full):
        operation = await env.keys.begin_migration(full=full)
    return operation if detach else await followed(env, operation, as_json=as_json)


async def followed(env: Environment, operation: Operation, *, as_json: bool) -> Operation:
    """Wait for the end of an operation, and show how far it is. Raises OperationFailedError."""
    import asyncio

    progress = OperationProgress(sys.stderr if as_json else sys.stdout)
    progress.show(operation)
    try:
        ended = await env.keys.follow(operation, progress.show)
    except asyncio.CancelledError:
        raise InterruptedRunError("Interrupted. What is left stays on record.", hint=_going_on(operation)) from None
    finally:
        progress.end()
    if ended.error is not None:
        raise OperationFailedError(
            f"The operation '{ended.kind}' failed after {ended.done:,} of {ended.total:,}: {ended.error}.",
            hint="The same command again goes on with what is left.",
        )
    return ended


def _going_on(operation: Operation) -> str:
    if operation.kind.startswith("migrate"):
        return "The same command again goes on with it."
    return "It goes on with the next process that executes the environment: sealflow worker --once"


def operation_json(operation: Operation) -> dict[str, Any]:
    """An operation for programs."""
    return {
        "kind": operation.kind,
        "status": operation.status,
        "done": operation.done,
        "total": operation.total,
        "startTime": iso_ms(operation.created_ms),
        "endTime": iso_ms(operation.ended_ms),
        "error": operation.error,
    }


def operation_line(operation: Operation) -> str:
    """An operation for people."""
    from ......storage.administration.audit_events import ACTS
    from ...output.progress import duration_text

    text = f"{operation.kind}: {operation.status}"
    if operation.kind not in ACTS:  # which are done at once
        text += f", {operation.done:,} of {operation.total:,}"
    if operation.ended_ms is not None:
        text += f" in {duration_text((operation.ended_ms - operation.created_ms) * 10_000)}"
    return text if operation.error is None else f"{text} ({operation.error})"
