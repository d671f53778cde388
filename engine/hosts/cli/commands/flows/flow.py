"""`sealflow flow`: deployed flows and their versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import options
from ...errors import OK, UsageError, about
from ...output.damage import damaged_error, damaged_id, exit_code, say_damaged
from ...output.writing import note, one_line, say, say_json, say_table, shown
from ...session import again, environment, wait_for

if TYPE_CHECKING:
    from ......storage import CorruptRecord
    from .....runtime.flows.library import Flow
    from .....runtime.flows.script_files import FlowSource
    from .....runtime.observe.summaries import FlowDetail, FlowSummary
    from .....runtime.observe.trigger_info import TriggerInfo

app = typer.Typer(help="Deploy, list, inspect, import and export flows.", no_args_is_help=True)


@app.command("list")
def list_(environment: options.Environment = "default", json: options.Json = False, home: options.Home = None) -> int:
    """List the deployed flows.

    With --json: [{"flow","id","version","createdTime","changedTime","enabled"}]. A flow that was changed outside of
    Sealflow and does not open has only "id" and "error":{"code","message","hint"}, one whose trigger does not open is
    there twice; the exit code is 1 then.
    """
    from ...moments import clock_ms, iso_ms

    found, damaged = wait_for(_list(home, environment))
    if json:
        say_json(
            [
                {
                    "flow": flow.name,
                    "id": flow.id,
                    "version": flow.version,
                    "createdTime": iso_ms(flow.created_ms),
                    "changedTime": iso_ms(flow.updated_ms),
                    "enabled": flow.enabled,
                }
                for flow in found
            ]
            + [{"flow": None, "id": damaged_id(each), "error": damaged_error(each)} for each in damaged]
        )
        return exit_code(damaged)
    rows = [
        [flow.name, str(flow.version), clock_ms(flow.created_ms), clock_ms(flow.updated_ms), _state(flow.enabled)]
        for flow in found
    ]
    if rows:
        say_table(["FLOW", "VERSION", "CREATED", "CHANGED", "STATE"], rows)
    elif not damaged:
        note("no flows")
    say_damaged(damaged, home=home, environment=environment)
    return exit_code(damaged)


def _state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


async def _list(home: Path | None, name: str) -> tuple[list[FlowSummary], list[CorruptRecord]]:
    damaged: list[CorruptRecord] = []
    async with environment(home, name) as env:
        return await env.flows(damaged=damaged), damaged


@app.command("show")
def show(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="A flow's name or id.")],
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="Version. Default: the newest.", show_default=False),
    ] = None,
    definition: Annotated[bool, typer.Option("--definition", help="Print only the definition, as JSON.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also print the trigger's callback URL, which is a secret.")
    ] = False,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Show a flow: its versions, its trigger, its last firings and its actions.

    With --json: {"flow","id","version","versions","dialect","kind","createdTime","enabled","nextTime","problem",
    "firings":[{"time","scheduledTime","status","code","runs","message"?}],"definition","callbackUrl"? (--full)}.
    """
    from .switch import trigger_json

    found, trigger = wait_for(_show(home, environment, flow, version))
    if json:
        from ...moments import iso_ms

        say_json(
            {
                "flow": found.name,
                "id": found.id,
                "version": found.version,
                "versions": found.versions,
                "dialect": found.dialect,
                "kind": found.kind,
                "createdTime": iso_ms(found.created_ms),
                **trigger_json(trigger),
                "definition": found.definition,
                **({"callbackUrl": trigger.callback_url} if full else {}),
            }
        )
    elif definition:
        say(shown(found.definition, full=True))
    else:
        _show_flow(found, trigger)
        if full and trigger.callback_url is not None:
            say(f"callback  {trigger.callback_url}")
    return OK


async def _show(home: Path | None, name: str, flow: str, version: int | None) -> tuple[FlowDetail, TriggerInfo]:
    async with environment(home, name) as env:
        return await env.flow(flow, version), await env.trigger(flow)


def _show_flow(found: FlowDetail, trigger_info: TriggerInfo) -> None:
    from .....cloud import Action, parse
    from ...moments import clock_ms
    from .switch import trigger_lines

    definition = parse(found.definition)
    say(f"{one_line(found.name)} version {found.version} of {found.versions}")
    say(f"id {found.id}, {found.dialect} ({found.kind}), created {clock_ms(found.created_ms)}")
    for parameter in definition.parameters:
        say(f"parameter {one_line(parameter.name)}: {parameter.type}{'' if parameter.has_default else ', required'}")
    for trigger in definition.triggers:
        kind = f" ({one_line(trigger.kind)})" if trigger.kind else ""
        say(f"trigger   {one_line(trigger.name)}: {one_line(str(trigger.raw['type']))}{kind}")
    for line in trigger_lines(trigger_info):
        say(line)
    waiting: list[tuple[Action, int]] = [(action, 0) for action in reversed(definition.actions)]
    while waiting:
        action, depth = waiting.pop()
        say(f"{'  ' * (depth + 1)}{one_line(action.name)}: {one_line(str(action.raw['type']))}")
        inner = [each for branch in action.branches for each in branch.actions]
        waiting.extend((each, depth + 1) for each in reversed(inner))


@app.command("deploy")
def deploy(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A flow's file.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Name of the flow. Default: the file name without its ending.",
            show_default=False,
        ),
    ] = None,
    flow: options.OfPackage = None,
    dialect: options.Dialect = options.DialectChoice.auto,
    artifacts: options.Artifacts = None,
    allow_unsupported: options.AllowUnsupported = False,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Check a flow and store it, encrypted. The same content does not create a new version.

    FILE as for `sealflow run`.

    With --json: {"flow","id","version","created","dialect","kind","environment"}.
    """
    from .run import read_flow, with_artifacts, with_unsupported_allowed

    if name is not None and not name.strip():
        raise UsageError("--name needs a name.")
    source = read_flow(file, flow)
    if artifacts is not None:
        source = with_artifacts(source, artifacts)
    if allow_unsupported:
        source = with_unsupported_allowed(source)
    deployed, where = wait_for(_deploy(home, environment, file, source, name, dialect.value))
    if json:
        say_json(
            {
                "flow": deployed.name,
                "id": deployed.id.hex(),
                "version": deployed.version,
                "created": deployed.created,
                "dialect": deployed.dialect,
                "kind": deployed.kind,
                "environment": where,
            }
        )
    else:
        state = "deployed" if deployed.created else "unchanged"
        say(f"{one_line(deployed.name)} version {deployed.version} {state} ({deployed.dialect})")
        import shlex

        say(f"next: {again(f'run {shlex.quote(deployed.name)}', home=home, environment=environment)}")
    return OK


async def _deploy(
    home: Path | None, where: str, file: str, source: FlowSource, name: str | None, dialect: str
) -> tuple[Flow, str]:
    from .run import deployed

    async with environment(home, where, create=True) as env:
        with about(file):
            return await deployed(env, file, source, dialect, name), env.name
