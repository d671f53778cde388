"""`sealflow machine-group`: the groups of machines that execute an environment's desktop flows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK
from ...output.writing import one_line, say, say_json
from ...session import environment as opened_environment
from ...session import wait_for

if TYPE_CHECKING:
    from .....runtime.desktop.machine_groups import MachineGroup

app = typer.Typer(help="Create, update, list and delete groups of machines for desktop flows.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The machine group's name.")]
Connections = Annotated[
    list[str] | None,
    typer.Option("--connection", metavar="NAME", help="Send calls with this connection to the group. Repeatable."),
]
Machines = Annotated[
    list[str] | None,
    typer.Option("--machine", metavar="NAME", help="Send calls that name this machine to the group. Repeatable."),
]
Sessions = Annotated[
    int | None,
    typer.Option(
        "--sessions",
        metavar="N",
        min=1,
        help="Desktop flows that one machine executes at once. Default: 1.",
        show_default=False,
    ),
]
QueueTimeout = Annotated[
    int | None,
    typer.Option(
        "--queue-timeout",
        metavar="MINUTES",
        min=0,
        help="How long a call waits for a machine; 0 for no limit. Default: no limit.",
        show_default=False,
    ),
]


@app.command("list")
def list_(environment: options.Environment = "default", json: options.Json = False, home: options.Home = None) -> int:
    """List the machine groups of an environment.

    With --json: {"environment","groups":[{"name","id","sessions","connections"?,"machines"?,"queueMinutes"?}]}.
    """
    groups = wait_for(_read(Acting(home), environment))
    if json:
        say_json({"environment": environment, "groups": [_json(each) for each in groups]})
        return OK
    for each in groups:
        say(_line(each))
    if not groups:
        say("no machine group: desktop flows run in the process that calls them")
    return OK


@app.command()
def show(
    name: Name, environment: options.Environment = "default", json: options.Json = False, home: options.Home = None
) -> int:
    """Show a machine group.

    With --json: {"environment","name","id","sessions","connections"?,"machines"?,"queueMinutes"?}.
    """
    from .....runtime.desktop.machine_groups import named

    return _say(environment, named(wait_for(_read(Acting(home), environment)), name), json)


@app.command()
def create(
    name: Name,
    connection: Connections = None,
    machine: Machines = None,
    sessions: Sessions = None,
    queue_timeout: QueueTimeout = None,
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create a machine group.

    Calls of desktop flows wait in the queue of their group until a machine takes them. A machine is a process of
    `sealflow worker --desktop`, or the one worker of a store in a file. A group without connections and machines takes
    all calls that no other group takes. Without any group, a desktop flow runs in the process that calls it. Processes
    that run already use the groups that they read when they started.

    With --json: as `machine-group show`.
    """
    given = _given(connection, machine, sessions, queue_timeout)
    return _say(environment, wait_for(_put(Acting(home, who, role), environment, name, given, "create")), json)


@app.command()
def update(
    name: Name,
    connection: Connections = None,
    machine: Machines = None,
    sessions: Sessions = None,
    queue_timeout: QueueTimeout = None,
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Add connections and machines to a machine group, or change its limits.

    With --json: as `machine-group show`.
    """
    given = _given(connection, machine, sessions, queue_timeout)
    return _say(environment, wait_for(_put(Acting(home, who, role), environment, name, given, "update")), json)


@app.command()
def delete(
    name: Name,
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Delete a machine group. No desktop flow may be in its queue.

    With --json: {"environment","deleted"}.
    """
    deleted = wait_for(_delete(Acting(home, who, role), environment, name))
    if json:
        say_json({"environment": environment, "deleted": deleted})
    else:
        say(f"Deleted machine group {one_line(deleted)}")
    return OK


def _given(
    connections: list[str] | None, machines: list[str] | None, sessions: int | None, minutes: int | None
) -> dict[str, Any]:
    return {"connections": connections or [], "machines": machines or [], "sessions": sessions, "minutes": minutes}


async def _read(acting: Acting, environment: str) -> tuple[MachineGroup, ...]:
    from .....runtime.desktop.machine_groups import groups_of

    async with acting.opened(environment) as (engine, _):
        return groups_of((await engine.store.environment(environment)).settings)


async def _put(acting: Acting, environment: str, name: str, given: dict[str, Any], verb: str) -> MachineGroup:
    from .....runtime.desktop.machine_groups import changed, groups_of, named, needs_new

    def change(settings: dict[str, Any]) -> dict[str, Any]:
        if verb == "create":
            needs_new(groups_of(settings), name)
        else:
            named(groups_of(settings), name)
        return changed(settings, name, **given)

    detail = {"group": name, **{key: value for key, value in given.items() if value not in (None, [])}}
    return named(await _change(acting, environment, change, detail, verb), name)


async def _delete(acting: Acting, environment: str, name: str) -> str:
    from .....errors import SealflowError
    from .....runtime.desktop.machine_groups import named, without

    group = named(await _read(acting, environment), name)
    if waiting := await _waiting(acting.home, environment, group.name):
        raise SealflowError(
            f"Machine group '{group.name}' has {waiting} desktop flow{'s' if waiting > 1 else ''} in its queue.",
            code="GroupInUse",
            hint=f"List them with: sealflow queue runs {group.name}. Cancel them, or wait until they end.",
        )
    await _change(acting, environment, lambda kept: without(kept, name), {"group": group.name}, "delete")
    return group.name


async def _change(
    acting: Acting,
    environment: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    detail: dict[str, Any],
    verb: str,
) -> tuple[MachineGroup, ...]:
    from .....runtime.desktop.machine_groups import groups_of

    async with acting.opened(environment) as (_, acts):
        info = await acts.allow(environment, change, told=detail, act=f"machine group {verb}")
        return groups_of(info.settings)


async def _waiting(home: Path | None, environment: str, name: str) -> int:
    async with opened_environment(home, environment) as env:
        return len(await env.machines.runs(name))


def _json(group: MachineGroup) -> dict[str, Any]:
    return {"name": group.name, **group.to_json()}


def _say(environment: str, group: MachineGroup, as_json: bool) -> int:
    if as_json:
        say_json({"environment": environment, **_json(group)})
    else:
        say(_line(group))
    return OK


def _line(group: MachineGroup) -> str:
    parts = [f"{group.sessions} at once"] if group.sessions > 1 else []
    parts += [f"connection {one_line(each)}" for each in group.connections]
    parts += [f"machine {one_line(each)}" for each in group.machines]
    if group.minutes is not None:
        parts.append(f"waits at most {group.minutes} minutes")
    return one_line(group.name) + (f": {', '.join(parts)}" if parts else "")
