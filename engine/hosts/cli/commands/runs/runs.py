"""`sealflow runs`: look at runs, follow, resume, cancel and export them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...arguments import write_file
from ...errors import FAILED, OK, UsageError
from ...output.damage import damaged_error, damaged_id, exit_code, say_damaged
from ...output.writing import (
    json_text,
    note,
    one_line,
    paint,
    printable,
    say,
    say_json,
    say_json_object,
    say_json_with,
    shown,
    table,
)
from ...session import again, environment, wait_for

if TYPE_CHECKING:
    from ......storage import CorruptRecord
    from .....kernel import Entry
    from .....runtime.environment.environment import Environment
    from .....runtime.observe.report import RunReport
    from .....runtime.observe.run import Run
    from .....runtime.observe.summaries import RunSummary
    from ...output.watching import Watch

PAGE = 1_000
"""Actions on a page of `runs show`, unless --limit says otherwise."""

app = typer.Typer(help="List, inspect, follow, resume, cancel and export runs.", no_args_is_help=True)


@app.command("list")
def list_(
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help="Running, Waiting, Succeeded, Failed, ...", show_default=False),
    ] = None,
    flow: Annotated[
        str | None, typer.Option("--flow", metavar="NAME", help="Only runs of this flow.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="An ISO time, or 30m, 2h, 7d ago.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="As --since.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Maximum number of runs.")] = 30,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """List runs, newest first.

    With --json: [{"run","flow","version","status","start","end","parent"}], times in UTC. A run that was changed
    outside of Sealflow and does not open has the status Damaged and "error":{"code","message","hint"}; the exit code is
    1 then.
    """
    from ...moments import moment_ms

    chosen = {
        "status": status,
        "flow": flow,
        "since_ms": moment_ms(since, "--since") if since is not None else None,
        "until_ms": moment_ms(until, "--until") if until is not None else None,
        "limit": limit,
    }
    found, damaged = wait_for(_list(home, environment, chosen))
    if json:
        say_json([*map(_run_json, found), *map(_damaged_json, damaged)])
        return exit_code(damaged)
    if found:
        _show_list(found)
        if len(found) == limit:
            note(f"the newest {limit}; --limit shows more")
    elif not damaged:
        note("no runs")
    say_damaged(damaged, home=home, environment=environment)
    return exit_code(damaged)


async def _list(home: Path | None, name: str, chosen: dict[str, Any]) -> tuple[list[RunSummary], list[CorruptRecord]]:
    damaged: list[CorruptRecord] = []
    async with environment(home, name) as env:
        return await env.runs(**chosen, damaged=damaged), damaged


def _damaged_json(each: CorruptRecord) -> dict[str, Any]:
    unknown = dict.fromkeys(("flow", "version", "start", "end", "parent"))
    if each.kind == "flow":  # of runs that are listed, without its name
        return {"run": None, "id": damaged_id(each), **unknown, "status": "Damaged", "error": damaged_error(each)}
    return {"run": damaged_id(each), **unknown, "status": "Damaged", "error": damaged_error(each)}


def _run_json(run: RunSummary) -> dict[str, Any]:
    from ...moments import iso_ms

    return {
        "run": run.id,
        "flow": run.flow,
        "version": run.version,
        "status": run.status,
        "start": iso_ms(run.started_ms),
        "end": iso_ms(run.ended_ms),
        "parent": run.parent,
    }


def _show_list(runs: Sequence[RunSummary]) -> None:
    from ...moments import clock_ms
    from ...output.progress import duration_text
    from ...output.watching import coloured_status

    rows = [
        [
            run.id,
            f"{one_line(run.flow, 40)} v{run.version}",
            clock_ms(run.started_ms),
            duration_text((run.ended_ms - run.started_ms) * 10_000) if run.ended_ms is not None else "",
            run.status,
        ]
        for run in runs
    ]
    head, *lines = table(["RUN", "FLOW", "STARTED", "TOOK", "STATUS"], rows)
    say(paint(head, "bold"))
    for line, run in zip(lines, runs, strict=True):
        say(line.removesuffix(run.status) + coloured_status(run.status))


@app.command("show")
def show(
    run: options.RunId,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="PATH", help="Show one action, by path or name.", show_default=False),
    ] = None,
    trace: Annotated[
        bool, typer.Option("--trace", help="With --action: show the value of every part of its expressions.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, help="Show N actions, in the order of their start.", show_default=False
        ),
    ] = None,
    offset: Annotated[
        int | None,
        typer.Option("--offset", metavar="N", min=0, help="Skip N actions.", show_default=False),
    ] = None,
    environment: options.Environment = "default",
    full: options.Full = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Show a run: its actions as a tree, its failures and its response. Or show one action with its values.

    Of a loop the first iterations and those with failures are shown. --full shows every action and whole values, 1,000
    actions at a time: --offset and --limit say which. With --full also the URLs (--json: "callbacks", by path) at which
    actions wait for their callbacks: whoever knows one can answer.

    With --json, the object that `sealflow run --json` prints, with all actions; with --limit or --offset a page of
    them, and "total", how many there are, and "next", the offset of the next page or null. With --action, one of
    "actions".

    With --trace, every expression of the action with its value and those of its parts, evaluated again from the stored
    history. With --json: {"run","path","type","status","code","expressions":[{"pointer","text","evaluated","value" or
    "error" or "secured","parts":[{"expression","value" or "error" or "secured"}]}],"leftOut"}.
    """
    if trace and action is None:
        raise UsageError("--trace belongs to one action: give it with --action.", hint=f"sealflow runs show {run}")
    paged = limit is not None or offset is not None
    if action is not None:
        if paged:
            raise UsageError("--limit and --offset are about all actions, --action about one.")
        wait_for(_show_action(home, environment, run, action, trace, full, json))
    elif json:
        wait_for(_show_json(home, environment, run, full, (offset or 0, limit) if paged else None))
    else:
        page = (offset or 0, limit or PAGE) if paged or full else None
        wait_for(_show_run(home, environment, run, full, page))
    return OK


async def _show_action(
    home: Path | None, name: str, run_id: str, action: str, traced: bool, full: bool, as_json: bool
) -> None:
    from .action import show_action, show_trace

    async with environment(home, name) as env:
        run = await env.run(run_id)
        if traced:
            trace = await run.trace(action)
            say_json_object(trace.to_json()) if as_json else show_trace(trace, full)
        else:
            found = await run.action(action)
            say_json(found) if as_json else show_action(found, full)


async def _show_json(
    home: Path | None, name: str, run_id: str, full: bool, page: tuple[int, int | None] | None
) -> None:
    async with environment(home, name) as env:
        run = await env.run(run_id)
        report = await run.report()
        head = report.head()
        if full:
            head["callbacks"] = await run.callbacks()
        offset, limit = page or (0, None)
        if page is not None:
            end = report.total if limit is None else offset + limit
            head |= {"total": report.total, "next": end if end < report.total else None}
        await say_json_with(head, "actions", report.actions_json(json_text, offset, limit))


async def _show_run(home: Path | None, name: str, run_id: str, full: bool, page: tuple[int, int] | None) -> None:
    from ...output.tree import Overview, action_lines
    from ...output.watching import causes, last_line

    async with environment(home, name) as env:
        run = await env.run(run_id)
        result = await run.report()
        say(f"run {result.run}")
        say(f"{one_line(result.flow)} version {result.version}, environment {one_line(result.environment)}")
        if result.tracking != result.run:
            say(f"client tracking id {one_line(result.tracking)}")
        if page is None:
            overview = Overview(result.failed_paths, certain=result.failures_known)
            async for action in result.actions(wanted=overview.wants):
                overview.take(action)
            lines = overview.lines()
        else:
            actions = [action async for action in result.actions(*page)]
            lines = action_lines(actions, whole=len(actions) == result.total)
        for line in lines:
            say(f"  {line}")
        if page is not None:
            _tell_page(result, page, again(f"runs show {result.run}", home=home, environment=name), full)
        say(last_line(result, sys.stdout))
        for line in causes(result):
            say(f"  {line}")
        if result.response is not None:
            say(f"response {result.response.get('statusCode')}")
            if "secured" in result.response:
                say("  secured")
            elif result.response.get("body") is not None:
                say(f"  {shown(result.response['body'], full=full, indent=2)}")
        for path, url in (await run.callbacks()).items() if full else ():
            say(f"callback of {printable(path)}: {printable(url)}")


def _tell_page(result: RunReport, page: tuple[int, int], command: str, full: bool) -> None:
    offset, limit = page
    left = result.total - offset - limit
    if left > 0:
        options = f"{' --full' if full else ''}{f' --limit {limit}' if limit != PAGE else ''}"
        say(f"  … {left:,} more actions; next: {command}{options} --offset {offset + limit}")
    elif offset and offset >= result.total:
        note(f"There are only {result.total:,} actions.")


@app.command("follow")
def follow(
    run: options.RunId,
    environment: options.Environment = "default",
    timeout: options.Timeout = None,
    full: options.Full = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Follow a run from its first action until it ends. The exit code is that of `sealflow run`."""
    from ...output.watching import Watch

    watch = Watch(json, full, timeout, home=home, environment=environment)
    return wait_for(_follow(run, watch))


async def _follow(run_id: str, watch: Watch) -> int:
    async with environment(watch.home, watch.environment) as env:

        async def begin(_: Callable[[Entry], None]) -> list[Run]:
            return [await env.run(run_id)]

        return await watch.carry_out(begin, _headline)


@app.command("resume")
def resume(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id, its beginning, or 'latest'.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Resume every unfinished run of the environment.")] = False,
    environment: options.Environment = "default",
    timeout: options.Timeout = None,
    full: options.Full = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Resume an unfinished run, for example after a crash, Ctrl-C or --timeout.

    No finished action runs again. A call that was under way is repeated with the same inputs and the same idempotency
    key. With --json, one line for each run, as `sealflow run --json` prints it.
    """
    from ...output.watching import Watch

    if (run is None) != all_:
        raise UsageError("Give either a RUN or --all.", hint="sealflow runs list --status Running")
    watch = Watch(json, full, timeout, home=home, environment=environment)
    return wait_for(_resume(run, watch))


async def _resume(run_id: str | None, watch: Watch) -> int:
    async with environment(watch.home, watch.environment) as env:

        async def begin(changed: Callable[[Entry], None]) -> Sequence[Run]:
            if run_id is None:
                return await env.resume_unfinished()
            found = await env.run(run_id)
            if not await found.resume(changed):
                note(f"The run {found.id} has ended already.")
            return [found]

        code = await watch.carry_out(begin, _headline)
        if run_id is None:
            await _tell_left(env, {run.id for run in watch.runs})
        if not watch.runs:
            note("no unfinished runs")
        return code


async def _tell_left(env: Environment, resumed: set[str]) -> None:
    """Raises the error of a run that could not be resumed with the others."""
    for status in ("Running", "Waiting"):
        for left in await env.runs(status=status, limit=1_000_000):
            if left.id not in resumed:
                await (await env.run(left.id)).resume()


async def _headline(run: Run) -> str:
    return f"{one_line(await run.flow())} version {run.version}, run {run.id}"


@app.command("cancel")
def cancel(
    run: options.RunId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Reason, stored with the run.")] = (
        "The run was cancelled."
    ),
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Cancel a run. Calls in progress are abandoned.

    With --json: {"run","cancelled","status"}; "cancelled" is false for a run that had ended.
    """
    done, identity, status = wait_for(_cancel(home, environment, run, reason))
    if json:
        say_json({"run": identity, "cancelled": done, "status": status})
    elif done and status == "Cancelled":
        say(f"Cancelled run {identity}")
    elif done:
        say(f"Asked for run {identity} to be cancelled; its status is {status}.")
    else:
        say(f"Run {identity} had ended already: {status}.")
    return OK if done or status == "Cancelled" else FAILED


_CANCEL_PATIENCE = 5.0
"""Seconds that another process, which executes the run, is waited for."""


async def _cancel(home: Path | None, name: str, run_id: str, reason: str) -> tuple[bool, str, str]:
    async with environment(home, name) as env:
        found = await env.run(run_id)
        done = await found.cancel(reason)
        if done:
            try:
                await found.wait(_CANCEL_PATIENCE)
            except TimeoutError:
                pass
        return done, found.id, await found.status()


@app.command("export")
def export(
    run: options.RunId,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="File to write; '-' is stdout.")],
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Write readable JSON, not an encrypted bundle.")
    ] = False,
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Export the history of a run as a bundle for `sealflow replay`, encrypted for its environment.

    Under a policy --plaintext is an act of a key administrator, and on record.

    With --json: {"run","file","bytes","sealed"}.
    """
    if out == "-" and json:
        raise UsageError("--json and --out - both want stdout.")
    identity, data = wait_for(_export(Acting(home, who, role), environment, run, plaintext))
    write_file(out, data, secret=True)
    if plaintext:
        note(f"warning: {one_line(out)} is NOT encrypted: the definition and all values of the run are in the clear.")
    if json:
        say_json({"run": identity, "file": out, "bytes": len(data), "sealed": not plaintext})
    elif out != "-":
        kind = "plaintext" if plaintext else "sealed to its environment"
        say(f"Wrote {one_line(out)} ({len(data):,} bytes, {kind})")
        say(f"next: {again(f'replay {_quoted(out)}', home=home)}")
    return OK


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


async def _export(acting: Acting, name: str, run_id: str, plaintext: bool) -> tuple[str, bytes]:
    if not plaintext:
        async with environment(acting.home, name) as env:
            found = await env.run(run_id)
            return found.id, await found.export()
    async with acting.opened() as (engine, acts):
        env = await engine.environment(name, create=False)
        found = await env.run(run_id)
        return found.id, await found.export(plaintext=True, acts=acts)
