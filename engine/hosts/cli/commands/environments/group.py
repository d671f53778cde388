"""`sealflow env group`: the groups of machines that execute an environment's desktop flows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK, UsageError
from ...output.writing import one_line, say, say_json
from ...session import environment as opened_environment
from ...session import wait_for

if TYPE_CHECKING:
    from .....runtime.desktop.machine_groups import MachineGroup


def group(
    environment: Annotated[
        str, typer.Argument(metavar="ENV", callback=options.environment_name, help="The environment's name.")
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A machine group's name.", show_default=False)
    ] = None,
    connection: Annotated[
        list[str] | None,
        typer.Option("--connection", metavar="NAME", help="Calls of this connection go to the group. Repeatable."),
    ] = None,
    machine: Annotated[
        list[str] | None,
        typer.Option("--machine", metavar="NAME", help="So do connections that name this machine. Repeatable."),
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(
            "--sessions",
            metavar="N",
            min=1,
            help="How many runs a machine executes at once. Default: 1.",
            show_default=False,
        ),
    ] = None,
    queue_timeout: Annotated[
        int | None,
        typer.Option(
            "--queue-timeout",
            metavar="MINUTES",
            min=0,
            help="How long a run may wait for a machine; 0 for ever.",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the group; nothing may wait for it.")] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Make a machine group, say more of it, or show the groups.

    Calls of desktop flows wait in the queue of their group until a machine of it takes them: a process of `sealflow
    worker --desktop`, or the one worker of a store in a file. A group without connections and machines takes the calls
    that no other takes. Without any group a desktop flow runs where it is called. Processes that are open keep the
    groups that there were when they began.

    With --json: {"environment","groups":[{"name","id","sessions","connections"?,"machines"?,"queueMinutes"?}]}.
    """
    said: dict[str, Any] = {
        "connections": connection or [],
        "machines": machine or [],
        "sessions": sessions,
        "minutes": queue_timeout,
    }
    if name is None and (remove or any(each not in (None, []) for each in said.values())):
        raise UsageError("Which machine group is meant?", hint="sealflow env group ENV NAME")
    acting = Acting(home, who, role)
    groups = wait_for(_remove(acting, environment, name or "") if remove else _put(acting, environment, name, said))
    if json:
        shown = [{"name": each.name, **each.to_json()} for each in groups]
        say_json({"environment": environment, "groups": shown})
        return OK
    say(f"environment {one_line(environment)}: machine groups")
    for each in groups:
        say(f"  {_line(each)}")
    if not groups:
        say("  none: desktop flows run where they are called")
    return OK


async def _put(acting: Acting, environment: str, name: str | None, said: dict[str, Any]) -> tuple[MachineGroup, ...]:
    from .....runtime.desktop.machine_groups import changed, groups_of

    async with acting.opened(environment) as (engine, acts):
        if name is None:
            env = await engine.environment(environment, create=False)
            info = next(each for each in await engine.environments() if each.name == env.name)
        else:
            told = {"group": name, **{key: value for key, value in said.items() if value not in (None, [])}}
            info = await acts.allow(environment, lambda kept: changed(kept, name, **said), told=told)
        return groups_of(info.settings)


async def _remove(acting: Acting, environment: str, name: str) -> tuple[MachineGroup, ...]:
    from .....errors import SealflowError
    from .....runtime.desktop.machine_groups import groups_of, without

    if waiting := await _waiting(acting.home, environment, name):
        raise SealflowError(
            f"{waiting} desktop run{'s are' if waiting > 1 else ' is'} for the machine group '{name}'.",
            code="GroupInUse",
            hint=f"`sealflow queue runs {name}` shows them; cancel them, or let them end.",
        )
    async with acting.opened(environment) as (_, acts):
        info = await acts.allow(environment, lambda kept: without(kept, name), told={"group": name, "removed": True})
        return groups_of(info.settings)


async def _waiting(home: Path | None, environment: str, name: str) -> int:
    async with opened_environment(home, environment) as env:
        return len(await env.machines.runs(name))


def _line(group: MachineGroup) -> str:
    parts = [f"{group.sessions} at once"] if group.sessions > 1 else []
    parts += [f"connection {one_line(each)}" for each in group.connections]
    parts += [f"machine {one_line(each)}" for each in group.machines]
    if group.minutes is not None:
        parts.append(f"waits for {group.minutes} minutes at most")
    return one_line(group.name) + (f": {', '.join(parts)}" if parts else "")
