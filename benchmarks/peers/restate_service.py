"""The service that Restate calls in restate_steps.py; hypercorn serves `application`, in the peer's
environment.
"""

from __future__ import annotations

from typing import Any

import restate
from load import payload

in_a_row = restate.Workflow("InARow")
side_by_side = restate.Workflow("SideBySide")


@in_a_row.main("run")
async def run_in_a_row(context: restate.WorkflowContext, asked: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = asked["body"]
    for number in range(asked["steps"]):

        async def step(number: int = number, body: dict[str, Any] = body) -> dict[str, Any]:
            return payload(number)

        body = await context.run_typed(f"step{number}", step)
    return body


@side_by_side.main("run")
async def run_side_by_side(context: restate.WorkflowContext, asked: dict[str, Any]) -> int:
    async def step() -> dict[str, Any]:
        return payload(1)

    steps = [context.run_typed(f"step{number}", step) for number in range(asked["steps"])]
    return len(await restate.gather(*steps))


application = restate.app([in_a_row, side_by_side])
