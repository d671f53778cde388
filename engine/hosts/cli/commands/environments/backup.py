"""`sealflow backup`: copies of an environment, with the keys in a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Who
from ...errors import OK, UsageError
from ...moments import clock_ms, iso_ms
from ...output.progress_line import RedrawnLine
from ...output.writing import note, one_line, paint, say, say_json, table
from ...session import again, wait_for

if TYPE_CHECKING:
    from ......storage import Backup, Copied, EnvironmentInfo

app = typer.Typer(help="Create, restore, list and expire backups.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="File of the backup. Its keys are in FILE.keys.")]


@app.command("create")
def create(
    file: File,
    expires: Annotated[
        int | None,
        typer.Option(
            "--expires",
            metavar="DAYS",
            min=1,
            max=36_500,
            help="When you must destroy FILE.keys. Default: never.",
            show_default=False,
        ),
    ] = None,
    environment: options.Environment = "default",
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Back up an environment. FILE has no keys; FILE.keys has the wrapped keys.

    Keep them apart: destroying FILE.keys destroys the backup. With --json:
    {"backup","environment","file","keys","createdTime","expires"}.
    """

    async def work() -> Backup:
        from ......storage import create_backup

        async with Acting(home, who).opened() as (_, administration):
            return await create_backup(administration, environment, file, expires_days=expires)

    made = wait_for(work())
    if json:
        say_json(_json(made, environment))
    else:
        say(f"Wrote {one_line(made.file)} and {one_line(made.file)}.keys ({made.id.hex()[:8]})")
        if made.expires_ms is not None:
            day = (iso_ms(made.expires_ms) or "")[:10]
            say(f"Destroy {one_line(made.file)}.keys on {day}; nothing does it for you.")
    return OK


@app.command("restore")
def restore(
    file: File,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            help="Name of the environment if it does not exist here.",
            show_default=False,
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            "--into",
            metavar="NAME",
            help="Restore into another environment that is empty and under the same key.",
            show_default=False,
        ),
    ] = None,
    enabled: Annotated[
        bool, typer.Option("--enabled", help="With --into: enable the flows that were enabled.")
    ] = False,
    revive: Annotated[bool, typer.Option("--revive", help="Also restore what was shredded since the backup.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm. This replaces everything in the environment.")] = False,
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Restore a backup. It replaces everything in its environment, or creates the environment again.

    What was shredded since is shredded again, unless with --revive. With --json: {"environment","id","createdTime"}.

    With --into, what it holds is sealed anew for another environment: flows with all versions, runs that have ended,
    connections. Runs in flight are left out, and flows start none there before `sealflow flow enable`, unless with
    --enabled: the first environment may go on. With --json also: "flows","runs","connections","leftOut".
    """
    if into is not None:
        if environment is not None or revive:
            raise UsageError("--into goes with neither --environment nor --revive.", hint="See --help.")
        return _into(file, into, enabled, who, json, home)
    if enabled:
        raise UsageError("--enabled belongs to --into.", hint="A backup that goes back keeps what is enabled.")
    if not yes:
        raise UsageError(
            "A backup replaces everything in its environment.",
            hint=f"If that is meant: sealflow backup restore {file} --yes",
        )

    async def work() -> EnvironmentInfo:
        from ......storage import restore_backup

        async with Acting(home, who).opened() as (_, administration):
            return await restore_backup(administration, file, environment, revive=revive)

    info = wait_for(work())
    if json:
        say_json({"environment": info.name, "id": info.id.hex(), "createdTime": iso_ms(info.created_ms)})
    else:
        say(f"Restored environment {one_line(info.name)} ({info.id.hex()})")
    return OK


def _into(file: Path, name: str, enabled: bool, who: str | None, json: bool, home: Path | None) -> int:
    from .....runtime.triggers.registration import copied

    progress = RedrawnLine()

    async def work() -> Copied:
        from ......storage import restore_into

        async with Acting(home, who).opened() as (_, administration):
            return await restore_into(
                administration,
                file,
                name,
                copy_trigger=copied(enabled),
                progress=lambda done, total: progress.show(f"{done:,} of {total:,} runs"),
            )

    try:
        made = wait_for(work())
    finally:
        progress.end()
    info = made.environment
    if json:
        counts = {"flows": made.flows, "runs": made.runs, "connections": made.connections, "leftOut": made.left_out}
        created = iso_ms(info.created_ms)
        say_json({"environment": info.name, "id": info.id.hex(), "createdTime": created, **counts})
        return OK
    say(
        f"Restored into {one_line(info.name)}: {_counted(made.flows, 'flow')}, {_counted(made.runs, 'run')}, "
        f"{_counted(made.connections, 'connection')}"
    )
    if made.left_out:
        note(f"{_counted(made.left_out, 'run')} in flight left out: they belong to the environment of the backup")
    if made.flows and not enabled:
        say(f"next: {again('flow enable FLOW', home=home, environment=info.name)}")
    return OK


@app.command("list")
def list_(json: options.Json = False, home: options.Home = None) -> int:
    """List the backups, oldest first.

    With --json: [{"backup","environment","file","keys","createdTime","expires"}].
    """

    async def work() -> list[tuple[Backup, str]]:
        from ......storage import Registry

        async with Acting(home).opened() as (engine, _):
            names = {info.id: info.name for info in await engine.environments()}
            found = await Registry(engine.store).all()
            return [(backup, names.get(backup.environment, backup.environment.hex())) for backup in found]

    found = wait_for(work())
    if json:
        say_json([_json(backup, name) for backup, name in found])
        return OK
    if not found:
        note("no backups on record")
        return OK
    rows = [
        [
            backup.id.hex()[:8],
            name,
            clock_ms(backup.created_ms),
            "never" if backup.expires_ms is None else (iso_ms(backup.expires_ms) or "")[:10],
            backup.file,
        ]
        for backup, name in found
    ]
    head, *lines = table(["BACKUP", "ENVIRONMENT", "CREATED", "EXPIRES", "FILE"], rows)
    say(paint(head, "bold"))
    for line in lines:
        say(line)
    return OK


@app.command("expire")
def expire(
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="Id of the backup, or the unique beginning of it.")],
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Mark a backup as destroyed. Sealflow then keeps no key for it.

    With --json: {"backup","environment","file","keys","createdTime","expires"}.
    """

    async def work() -> Backup:
        from ......storage import Registry, expire_backup

        async with Acting(home, who).opened() as (engine, administration):
            found = await Registry(engine.store).one(backup)
            await expire_backup(administration, found)
            return found

    gone = wait_for(work())
    if json:
        say_json(_json(gone, gone.environment.hex()))
    else:
        say(f"The backup {gone.id.hex()[:8]} is off the record")
    return OK


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _json(backup: Backup, environment: str) -> dict[str, Any]:
    return {
        "backup": backup.id.hex(),
        "environment": environment,
        "file": backup.file,
        "keys": f"{backup.file}.keys",
        "createdTime": iso_ms(backup.created_ms),
        "expires": iso_ms(backup.expires_ms),
    }
