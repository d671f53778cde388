"""`sealflow flow enable`, `flow disable`, and what `flow show` says of a flow's trigger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...errors import OK
from ...output.writing import one_line, say, say_json
from ...session import environment, wait_for

if TYPE_CHECKING:
    from .....runtime.observe.trigger_info import TriggerInfo

Name = Annotated[str, typer.Argument(metavar="FLOW", help="A flow's name or id.")]

_SHOWN_FIRINGS = 5


def enable(
    flow: Name, environment: options.Environment = "default", json: options.Json = False, home: options.Home = None
) -> int:
    """Enable a flow. A new flow is enabled.

    With --json: {"flow","enabled"}.
    """
    return _switch(home, environment, flow, True, json)


def disable(
    flow: Name, environment: options.Environment = "default", json: options.Json = False, home: options.Home = None
) -> int:
    """Disable a flow: no run starts by its trigger, by hand or from another flow. Runs in flight continue.

    With --json: {"flow","enabled"}.
    """
    return _switch(home, environment, flow, False, json)


def _switch(home: Path | None, where: str, flow: str, enabled: bool, json: bool) -> int:
    name = wait_for(_carry_out(home, where, flow, enabled))
    if json:
        say_json({"flow": name, "enabled": enabled})
    else:
        say(f"{one_line(name)} is {'enabled' if enabled else 'disabled'}")
    return OK


async def _carry_out(home: Path | None, where: str, flow: str, enabled: bool) -> str:
    async with environment(home, where) as env:
        await (env.enable(flow) if enabled else env.disable(flow))
        return (await env.flow(flow)).name


def trigger_json(found: TriggerInfo) -> dict[str, Any]:
    """The part of `flow show --json` about the trigger."""
    from ...moments import iso_ms

    return {
        "enabled": found.enabled,
        "nextTime": iso_ms(found.next_ms),
        "problem": found.problem,
        "firings": found.history,
    }


def trigger_lines(found: TriggerInfo) -> list[str]:
    """The lines of `flow show` about the trigger."""
    from ...moments import clock_ms

    lines = []
    if not found.enabled:
        lines.append("disabled")
    elif found.problem is not None:
        lines.append(f"cannot fire: {one_line(found.problem['message'])}")
    elif found.next_ms is not None:
        lines.append(f"next      {clock_ms(found.next_ms)}")
    elif not found.registered and found.kind != "called":
        lines.append("next      when a worker runs: `sealflow worker`")
    for each in found.history[:_SHOWN_FIRINGS]:
        runs = f", run {each['runs'][0]}" if each["runs"] else ""
        more = f" and {len(each['runs']) - 1} more" if len(each["runs"]) > 1 else ""
        told = f": {one_line(each['message'])}" if "message" in each else ""
        lines.append(
            f"fired     {each['time'][:19].replace('T', ' ')} {each['status']} {each['code']}{runs}{more}{told}"
        )
    return lines
