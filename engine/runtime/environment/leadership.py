"""The role of the process that executes an environment, handed to one that fires its triggers.

A command that executes only what it was asked for (a run, work on keys) fires no triggers. A worker that starts
meanwhile asks for the role; the command then records the answers of the calls that are under way, leaves everything
else as it stands, and goes on as any other process does: it reads the store, and asks the worker.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ....storage import Vault
from .executor import Executor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ASK_SECONDS: Final = 20.0
"""How long a worker waits for the role."""

_ASK_PAUSE: Final = 0.1


async def hand_over(executor: Executor) -> None:
    """Stop executing here, so that another process goes on with everything; nothing is lost or called twice."""
    executor.parting = True
    await executor.key_work.close()
    await executor.answered()
    aside = list(executor.live.values())
    for run in aside:
        executor.eviction.put_aside(run)
    await executor.vault.workers.release([run.log.run_id for run in aside])
    await executor.vault.flush()
    await executor.close(patience=0)
    await executor.vault.workers.hand_over()


async def ask_for(vault: Vault, execute: Callable[[], Awaitable[Executor | None]]) -> Executor | None:
    """Ask the process that executes the environment for its role, and wait while it hands that over; None where it
    does not.
    """
    workers = vault.workers
    loop = asyncio.get_running_loop()
    end = loop.time() + ASK_SECONDS
    try:
        while await workers.ask_for_role(True) and loop.time() < end:
            await asyncio.sleep(_ASK_PAUSE)
            if (executor := await execute()) is not None:
                return executor
        return await execute()  # it has ended meanwhile
    finally:
        await workers.ask_for_role(False)
