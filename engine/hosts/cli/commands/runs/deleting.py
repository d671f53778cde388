"""`runs delete`, `flow delete`, `flow retention`, `env delete`: what is not kept, and what is known of its copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Who
from ...errors import OK, UsageError
from ...moments import iso_ms
from ...output.writing import one_line, say, say_json
from ...session import environment as open_environment
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import Retention, Shredded

FlowName = Annotated[str, typer.Argument(metavar="FLOW", help="A flow's name or id.")]


def delete_runs(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or their unique beginnings.")],
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Shred ended runs: delete their histories and the keys that open them.

    With --json: {"runs","live","wal":"done|pending","backups":"until DATE|unknown"}.
    """

    async def work() -> Shredded:
        async with open_environment(home, environment) as env:
            return await env.retention.delete_runs(*runs)

    _tell(wait_for(work()), "", json)
    return OK


def delete_flow(
    flow: FlowName,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Shred a flow with all its versions and runs. Refused while one of its runs has not ended.

    With --json, as `runs delete`.
    """

    async def work() -> Shredded:
        async with open_environment(home, environment) as env:
            return await env.retention.delete_flow(flow)

    _tell(wait_for(work()), f"flow {flow} with all its versions, ", json)
    return OK


def retention(
    flow: FlowName,
    days: Annotated[
        int | None,
        typer.Option(
            "--keep-days", metavar="N", min=0, help="Keep runs that ended in the last N days.", show_default=False
        ),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option("--keep-runs", metavar="N", min=0, help="Keep the newest N runs.", show_default=False),
    ] = None,
    megabytes: Annotated[
        int | None,
        typer.Option(
            "--keep-mb", metavar="N", min=0, help="Keep the newest runs with N MB of history.", show_default=False
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--keep-all", help="Keep all runs.")] = False,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Show or set how long the runs of a flow are kept. Older runs are shredded while the environment is executed.

    All limits are set at once. Runs in flight are always kept. With --json: {"flow","keepDays","keepRuns","keepMb"}.
    """
    limits = (days, runs, megabytes)
    if everything and limits != (None, None, None):
        raise UsageError("--keep-all goes with no other limit.")

    async def work() -> Retention:
        from ......storage import Retention

        async with open_environment(home, environment) as env:
            if everything or limits != (None, None, None):
                await env.retention.set_limits(
                    flow, Retention(days, runs, None if megabytes is None else megabytes << 20)
                )
            return await env.retention.limits(flow)

    found = wait_for(work())
    kept_mb = None if found.size is None else found.size >> 20
    if json:
        say_json({"flow": flow, "keepDays": found.days, "keepRuns": found.runs, "keepMb": kept_mb})
        return OK
    parts = [
        *([f"for {found.days} days"] if found.days is not None else []),
        *([f"at most {found.runs:,}"] if found.runs is not None else []),
        *([f"at most {kept_mb:,} MB of history"] if kept_mb is not None else []),
    ]
    say(f"{one_line(flow)}: runs are kept {', '.join(parts) if parts else 'without limit'}")
    return OK


def delete_environment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Confirm. Nothing of it can be read afterwards.")] = False,
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Shred an environment: its flows, runs, connections and keys. Refused while it is in use.

    The service's key of it stays in the keystore, since its backups need that. With --json, as `runs delete`.
    """
    if not yes:
        raise UsageError(
            f"This deletes the environment {name} for good.", hint=f"If that is meant: sealflow env delete {name} --yes"
        )

    _tell(Acting(home, who).do(lambda acts: acts.delete_environment(name)), f"environment {name}, ", json)
    return OK


def report_json(found: Shredded) -> dict[str, Any]:
    """What is known of what was shredded, for programs."""
    until = found.backups_until_ms
    backups = "unknown" if until is None else f"until {(iso_ms(until) or '')[:10]}"
    return {"runs": found.runs, "live": "done", "wal": found.wal, "backups": backups}


def _tell(found: Shredded, what: str, json: bool) -> None:
    report = report_json(found)
    if json:
        say_json(report)
        return
    say(f"Shredded {one_line(what)}{found.runs:,} run{'s' if found.runs != 1 else ''}")
    say(f"live store: done; write-ahead log: {report['wal']}; backups and other copies: {report['backups']}")
    if found.wal == "pending":
        say("Somebody is reading the store. The executor completes it within the hour, as does the next deletion.")
