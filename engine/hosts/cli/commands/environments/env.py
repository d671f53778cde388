"""`sealflow env`: environments, each with its own store and keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ... import options
from ...errors import OK
from ...output.writing import one_line, say, say_json, say_table
from ...session import opened, tell_first_run, wait_for

app = typer.Typer(help="Create, list, inspect, lock, move and delete environments.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", callback=options.environment_name, help="The environment's name.")]

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Store the environment in this PostgreSQL database: postgresql://USER@HOST:PORT/DATABASE."
    ),
]

Location = Annotated[
    str | None,
    typer.Option(
        "--location",
        metavar="L",
        help="Region of the environment. Policies of other regions are refused.",
        show_default=False,
    ),
]

MOST_COUNTED = 1_000
"""Runs that `show` counts at most."""


@app.command("create")
def create(
    name: Name,
    database: Database = None,
    location: Location = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create an environment with its own store and keys.

    The store is a file in the home folder, or with --database a schema in a PostgreSQL database. The URL has no
    password: that comes from PGPASSWORD, ~/.pgpass or a service file. With --json: {"environment","id","createdTime"}.
    """
    made = wait_for(_create(home, name, database, location))
    if json:
        say_json(made)
    else:
        say(f"Created environment {one_line(name)} ({made['id']})")
    return OK


async def _create(home: Path | None, name: str, database: str | None, location: str | None) -> dict[str, Any]:
    async with opened(home, create=True) as engine:
        made = await engine.create_environment(name, database=database, location=location)
        tell_first_run(engine)
        return _environment_json(made)


@app.command("list")
def list_(json: options.Json = False, home: options.Home = None) -> int:
    """List the environments, oldest first.

    With --json: [{"environment","id","createdTime"}].
    """
    found = wait_for(_list(home))
    if json:
        say_json(found)
        return OK
    say_table(
        ["ENVIRONMENT", "ID", "CREATED"],
        [[each["environment"], each["id"], each["createdTime"][:19]] for each in found],
    )
    return OK


async def _list(home: Path | None) -> list[dict[str, Any]]:
    async with opened(home) as engine:
        return [_environment_json(each) for each in await engine.environments()]


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The environment's name.")] = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Show an environment: where its store is, and what it contains.

    With --json: {"environment","id","createdTime","location","home","store","flows","runs":{STATUS:COUNT},"lastRun"};
    of the newest 1,000 runs.
    """
    found = wait_for(_show(home, name))
    if json:
        say_json(found)
        return OK
    say(f"environment {one_line(found['environment'])} ({found['id']})")
    say(f"created     {found['createdTime'][:19]}Z")
    say(f"store       {one_line(found['store'])}")
    if found["location"] is not None:
        say(f"location    {one_line(found['location'])}")
    say(f"flows       {found['flows']}")
    some = ", ".join(f"{count} {status}" for status, count in found["runs"].items())
    total = sum(found["runs"].values())
    say(f"runs        {some or '0'}{f' (of the newest {MOST_COUNTED:,})' if total == MOST_COUNTED else ''}")
    if found["lastRun"] is not None:
        say(f"last run    {found['lastRun']}")
    return OK


async def _show(home: Path | None, name: str) -> dict[str, Any]:
    async with opened(home) as engine:
        env = await engine.environment(name, create=False)
        info = next(each for each in await engine.environments() if each.name == env.name)
        runs = await env.runs(limit=MOST_COUNTED)
        counted: dict[str, int] = {}
        for run in runs:
            counted[run.status] = counted.get(run.status, 0) + 1
        return {
            **_environment_json(info),
            "location": info.location,
            "home": str(engine.home.absolute()),
            "store": str(engine.home.absolute()) if info.database is None else info.database,
            "flows": len(await env.flows()),
            "runs": counted,
            "lastRun": runs[0].id if runs else None,
        }


def _environment_json(info: Any) -> dict[str, Any]:
    from ...moments import iso_ms

    return {"environment": info.name, "id": info.id.hex(), "createdTime": iso_ms(info.created_ms)}
