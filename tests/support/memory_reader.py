"""A process that reads everything of a run and keeps it, and says when that is refused.

    python memory_reader.py HOME ENVIRONMENT RUN

Lines: `read`, then `refused CODE`. It ends when its standard input does. What it reads is known to it from the store
only: neither its arguments nor its environment say it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import sealflow
from sealflow.storage import StorageError

BETWEEN = 0.02


async def subscribed(call: sealflow.Call) -> sealflow.ConnectorResponse:
    return sealflow.ConnectorResponse(202, {}, None)


async def kept_of(env: sealflow.Environment, run: sealflow.Run) -> list[Any]:
    """Everything that can be read of a run, as a program may keep it."""
    report = await run.report()
    async for action in report.actions():
        assert action
    following = run.follow()
    kept: list[Any] = [await run.snapshot(), report, following, await anext(following), await run.trace("first")]
    kept += [*await env.flows(), *await env.runs(), await env.flow("flow"), await env.connections.one("shared")]
    await env.connections.values("shared")
    async for piece in run.output("first"):
        assert piece
    return kept


async def main(home: str, name: str, run_id: str) -> None:
    async with sealflow.open(home) as engine:
        engine.connectors.register("http", subscribed)
        env = await engine.environment(name)
        await env.resume_unfinished()
        run = await env.run(run_id)
        kept = await kept_of(env, run)
        print("read", flush=True)
        while True:
            try:
                await run.status()
            except StorageError as error:
                async with env._watch._turn:  # until everything is dropped
                    print("refused", error.code, flush=True)
                break
            await asyncio.sleep(BETWEEN)
        await asyncio.to_thread(sys.stdin.read)
        assert kept


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
