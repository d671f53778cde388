"""`sealflow env move`: an environment goes into a database, back into a file, or into another database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Who
from ...errors import OK, UsageError
from ...moments import iso_ms
from ...output.writing import note, one_line, say, say_json
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import Moved

_FLOW_FAILED = 1


def move(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment's name.")],
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Move to this PostgreSQL database.", show_default=False),
    ] = None,
    file: Annotated[bool, typer.Option("--file", help="Move to a file in the home folder.")] = False,
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Move an environment to another store, with its unfinished runs.

    Workers need not be stopped: they let go, and go on at the new place. The copy is sealed by fresh keys and verified
    before it counts; then the keys of the old place are destroyed. Interrupted at any moment, the same command goes on;
    one to where the environment is gives the move up. With --json: {"environment","store","flows","runs","inFlight",
    "verified","resumed","givenUp","source":"destroyed|left","reason","wal":"done|pending",
    "backups":"until DATE|unknown"}; "left" exits with 1.
    """
    if (database is None) != file:
        raise UsageError(
            "Say where to: --database URL, or --file.", hint=f"For example: sealflow env move {name} --file"
        )
    told: list[str] = []

    def progress(what: str, done: int) -> None:
        if not json and (not told or told[-1] != what):
            told.append(what)
            note(f"{what}…")

    async def work() -> Moved:
        from ......storage import move_environment

        async with Acting(home, who).opened() as (_, administration):
            return await move_environment(administration, name, database, progress=progress)

    found = wait_for(work())
    report = _report(found)
    if json:
        say_json(report)
    else:
        for line in _lines(found, report):
            say(line)
    return OK if found.left is None else _FLOW_FAILED


def _report(found: Moved) -> dict[str, Any]:
    until = found.backups_until_ms
    return {
        "environment": found.environment.name,
        "store": found.environment.database or "file",
        "flows": found.flows,
        "runs": found.runs,
        "inFlight": found.in_flight,
        "verified": found.checked,
        "resumed": found.resumed,
        "givenUp": found.given_up,
        "source": "destroyed" if found.left is None else "left",
        "reason": found.left,
        "wal": "pending" if found.wal_pending else "done",
        "backups": "unknown" if until is None else f"until {(iso_ms(until) or '')[:10]}",
    }


def _lines(found: Moved, report: dict[str, Any]) -> list[str]:
    name, store = one_line(found.environment.name), one_line(report["store"])
    if found.given_up:
        return [f"{name} stays in {store}; of the move that was begun nothing is left"]
    if found.resumed:
        lines = [f"{name} is in {store}; what an earlier attempt had left is done"]
    else:
        counted = ((found.flows, "flow"), (found.runs, "run"))
        told = ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counted)
        lines = [
            f"Moved {name} to {store}: {told} ({found.in_flight:,} in flight), "
            f"{found.checked:,} rows and pages verified there"
        ]
    if found.left is None:
        return [
            *lines,
            f"keys at the old place: destroyed; write-ahead log: {report['wal']}; backups and other copies: "
            f"{report['backups']}",
        ]
    return [
        lines[0].replace("; what an earlier attempt had left is done", ""),
        f"keys at the old place: NOT destroyed: {one_line(found.left)}",
        "next: the same command again",
    ]
