"""Sealflow in a plain script: deploy a flow, run it, look at what it did.

    python examples/embed/script.py

It keeps its data in .sealflow/ of the current folder (or $SEALFLOW_HOME), sealed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import sealflow

FLOW = Path(__file__).parent.parent / "cloud" / "hello.json"


async def main() -> None:
    async with sealflow.open() as engine:
        environment = await engine.environment("contoso")
        flow = await environment.deploy("hello", FLOW)
        [run] = await environment.start(flow, {"name": "Ada"})
        result = await run.result()
        print(result.status, result.response)
        for action in result.actions:
            print(action["path"], action["status"], action["outputs"])


if __name__ == "__main__":
    asyncio.run(main())
