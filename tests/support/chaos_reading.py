"""Runs as the oracle looks at them, read by a process that executes nothing."""

from __future__ import annotations

import json

import sealflow
from chaos_oracle import Seen


async def unfinished(env: sealflow.Environment) -> list[Seen]:
    """All that has not ended, as far as it is durable."""
    found = []
    for status in ("Running", "Waiting"):
        for run in await env.runs(status=status, limit=10_000):
            shown = await (await env.run(run.id)).snapshot()
            found.append(Seen(run.id, run.flow, shown.status, shown.actions))
    return found


async def everything(env: sealflow.Environment) -> list[Seen]:
    """Every run, with its records and what a replay of them finds."""
    found = []
    for listed in await env.runs(limit=10_000_000):
        run = await env.run(listed.id)
        shown, bundle = await run.snapshot(), await run.export(plaintext=True)
        records, replayed = json.loads(bundle)["records"], await sealflow.replay(bundle)
        found.append(Seen(run.id, listed.flow, shown.status, shown.actions, records, replayed.differences))
    return found
