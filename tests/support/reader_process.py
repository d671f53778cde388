"""A process that holds an environment open and reads one of its runs again and again, and says whenever that changes.

    python reader_process.py HOME ENVIRONMENT executes|reads

Lines: `run ID` (of the run that the executing one starts), `reads STATUS`, `refused CODE`. It ends with the run.
"""

from __future__ import annotations

import asyncio
import sys

import sealflow
from sealflow.storage import StorageError

BETWEEN = 0.02
FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "First": {"type": "Compose", "inputs": "@guid()"},
        "Hook": {
            "type": "HttpWebhook",
            "inputs": {"subscribe": {"method": "POST", "uri": "https://example.org/"}},
            "runAfter": {"First": ["Succeeded"]},
        },
        "Last": {
            "type": "Compose",
            "inputs": ["@outputs('First')", "@body('Hook')"],
            "runAfter": {"Hook": ["Succeeded"]},
        },
    },
}


async def accepted(call: sealflow.Call) -> sealflow.ConnectorResponse:
    return sealflow.ConnectorResponse(202, {}, None)


async def main(home: str, name: str, role: str) -> None:
    async with sealflow.open(home, resume=role == "executes") as engine:
        engine.connectors.register("http", accepted)
        env = await engine.environment(name)
        if role == "executes":
            (run,) = await env.start(await env.deploy("f", FLOW))
            async for entry in run.follow():
                if entry.code == "Subscribed":
                    break
            print("run", run.id, *(await run.callbacks()).values(), flush=True)
        else:
            (summary,) = await env.runs()
            run = await env.run(summary.id)
        told = ""
        while not told.endswith(("Succeeded", "Failed")):
            try:
                line = f"reads {(await run.snapshot()).status}"
            except StorageError as error:
                line = f"refused {error.code}"
            if line != told:
                print(line, flush=True)
                told = line
            await asyncio.sleep(BETWEEN)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
