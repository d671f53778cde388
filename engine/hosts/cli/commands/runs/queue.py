"""`sealflow queue`: the work queues of desktop flows - made, filled, looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...arguments import given_json
from ...errors import OK
from ...output.writing import one_line, say, say_json
from ...session import environment, wait_for

if TYPE_CHECKING:
    from .....runtime.desktop.machine_queues import QueuedRun
    from .....runtime.desktop.work_queues import QueueItem

app = typer.Typer(help="Create, fill and list work queues, and list waiting desktop flows.", no_args_is_help=True)

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="A work queue's name or id.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The queue's name.")],
    id: Annotated[str, typer.Option("--id", metavar="ID", help="Id that imported scripts use for this queue.")] = "",
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create a work queue. An existing queue keeps its items.

    With --json: {"queue","id"}.
    """
    wait_for(_create(home, environment, name, id))
    if json:
        say_json({"queue": name, "id": id or None})
    else:
        say(f"work queue {one_line(name)}")
    return OK


async def _create(home: Path | None, where: str, name: str, id: str) -> None:
    async with environment(home, where, create=True) as env:
        await env.queues.create(name, id=id)


@app.command()
def add(
    queue: Queue,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the item.")],
    value: Annotated[
        str, typer.Option("--value", metavar="JSON|@FILE|@-", help="Value of the item.", show_default=False)
    ] = "null",
    priority: Annotated[str, typer.Option("--priority", metavar="LEVEL", help="High, Normal or Low.")] = "Normal",
    id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="Id of the item. An item that waits already is not added again.",
            show_default=False,
        ),
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Add an item to a work queue.

    With --json the item: {"id","name","value","status","priority","notes","result","enqueued","run"}.
    """
    item = wait_for(_add(home, environment, queue, name, given_json(value, "--value"), priority, id))
    if json:
        say_json(_shown(item))
    else:
        say(f"{one_line(item.name)} is queued as {one_line(item.id)}")
    return OK


async def _add(
    home: Path | None, where: str, queue: str, name: str, value: Any, priority: str, id: str | None
) -> QueueItem:
    async with environment(home, where) as env:
        return await env.queues.add(queue, name, value, priority=priority, id=id)


@app.command("list")
def list_(
    queue: Annotated[
        str | None, typer.Argument(metavar="[QUEUE]", help="A work queue's name or id.", show_default=False)
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help="List only items with this status.", show_default=False),
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """List the work queues, or the items of one.

    With --json a list of names; of a QUEUE its items:
    [{"id","name","value","status","priority","notes","result","enqueued","run"}].
    """
    if queue is None:
        names = wait_for(_names(home, environment))
        if json:
            say_json(names)
        for name in [] if json else names:
            say(one_line(name))
        return OK
    items = wait_for(_items(home, environment, queue, status))
    if json:
        say_json([_shown(item) for item in items])
    for item in [] if json else items:
        result = f": {one_line(item.result)}" if item.result else ""
        say(f"{item.status:18} {item.priority:6} {one_line(item.name)}{result}")
    return OK


async def _names(home: Path | None, where: str) -> list[str]:
    async with environment(home, where) as env:
        return await env.queues.names()


async def _items(home: Path | None, where: str, queue: str, status: str | None) -> list[QueueItem]:
    async with environment(home, where) as env:
        return await env.queues.items(queue, status=status)


@app.command("runs")
def runs(
    group: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="A machine group's name.", show_default=False)
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """List the desktop flows that wait for a machine or run on one, in order.

    With --json: [{"run","flow","group","state","priority","status","requestedTime","parent"}]; `state` is Running,
    NextToRun or Queued.
    """
    from ...moments import clock_ms

    found = wait_for(_runs(home, environment, group))
    if json:
        say_json([_shown_run(each) for each in found])
    for each in [] if json else found:
        what = f"{one_line(each.flow)} {each.run}"
        say(f"{each.state:10} {each.priority:7} {clock_ms(each.requested_ms)} {one_line(each.group)}: {what}")
    return OK


async def _runs(home: Path | None, where: str, group: str | None) -> list[QueuedRun]:
    async with environment(home, where) as env:
        return await env.machines.runs(group)


def _shown_run(run: QueuedRun) -> dict[str, Any]:
    from ...moments import iso_ms

    shown = {name: getattr(run, name) for name in ("run", "flow", "group", "state", "priority", "status")}
    return {**shown, "requestedTime": iso_ms(run.requested_ms), "parent": run.parent}


def _shown(item: QueueItem) -> dict[str, Any]:
    return {name: value for name, value in item.to_json().items() if name != "claim"}
