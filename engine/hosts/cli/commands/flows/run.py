"""`sealflow run`: deploy a file under its stem, start it, show what happens."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .....errors import DefinitionError, NotFound
from ... import options
from ...arguments import given_json, json_object, pairs, read_file, texts
from ...errors import UsageError, about
from ...output.writing import note, one_line, say, say_json
from ...session import DEFAULT_ENVIRONMENT, again, environment, wait_for

if TYPE_CHECKING:
    from .....kernel import Entry
    from .....runtime.environment.environment import Environment
    from .....runtime.flows.library import Flow
    from .....runtime.flows.script_files import FlowSource
    from .....runtime.observe.run import Run
    from ...output.watching import Watch


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A flow's file, or the name of a deployed flow.")],
    input: Annotated[
        str | None,
        typer.Option("--input", metavar="JSON|@FILE|@-", help="Body of the trigger's request.", show_default=False),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=JSON", help="Value of a parameter. Repeatable.", show_default=False),
    ] = None,
    header: options.Headers = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query", metavar="NAME=VALUE", help="Query parameter of the request. Repeatable.", show_default=False
        ),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="NAME=VALUE",
            help="Path parameter of the request (relativePath). Repeatable.",
            show_default=False,
        ),
    ] = None,
    environment: options.Environment = "default",
    simulate: Annotated[bool, typer.Option("--simulate", help="Simulate all calls. Delays end at once.")] = False,
    mocks: Annotated[
        str | None,
        typer.Option(
            "--mocks", metavar="FILE", help="Mock responses by action name, for --simulate.", show_default=False
        ),
    ] = None,
    flow: options.OfPackage = None,
    dialect: options.Dialect = options.DialectChoice.auto,
    artifacts: options.Artifacts = None,
    allow_unsupported: options.AllowUnsupported = False,
    timeout: options.Timeout = None,
    full: options.Full = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Run a flow and show every action as it runs.

    FILE is a definition, {"definition": ...}, a Power Automate export, an ARM template or workflow.json. It is
    deployed under its stem; the same content again is the same version. A solution, a flow package and a project's
    folder with one flow (--flow says which, where there are several) are deployed under the flow's own name. With
    splitOn, one run starts for each element.

    Mocks: {"Action_name": {"status","outputs"}}, or a list of such, one for each iteration or attempt. An action
    without one gets its static result, else {"statusCode":200,"headers":{},"body":{}}.

    With --json the last line of stdout (with splitOn: one line for each run) is
    {"run","flow","version","environment","status","code","error","response","actions":[{"path","name","type","status","code","inputs",
    "outputs","error","start","end","attempts"}]}; progress goes to stderr. Where the trigger starts no run, "run" is
    null and "status" is "Skipped".

    Exit codes: 0 Succeeded, 1 Failed, Cancelled or TimedOut, 2 invalid, 3 not found, 4 locked or denied, 124 --timeout.
    """
    from ...output.watching import Watch

    if mocks is not None and not simulate:
        raise UsageError("--mocks needs --simulate.", hint="Without it, calls are made for real.")
    watch = Watch(json, full, timeout, simulated=simulate, home=home, environment=environment)
    given = {} if input is None else {"body": given_json(input, "--input")}
    answers: Any = json_object(mocks, "--mocks") if mocks is not None else simulate or None
    arguments = {
        **given,
        "headers": texts(header or [], "--header"),
        "queries": texts(query or [], "--query"),
        "path": texts(path or [], "--path"),
        "parameters": pairs(parameter or [], "--parameter"),
        "simulate": answers,
    }
    source = _source(file, flow, watch)
    if source is None and flow is not None:
        raise UsageError("--flow needs a package: a deployed flow is named in the place of FILE.")
    if artifacts is not None:
        if source is None:
            raise UsageError("--artifacts needs a flow's file: a deployed flow has its own.")
        source = with_artifacts(source, artifacts)
    if allow_unsupported:
        if source is None:
            raise UsageError("--allow-unsupported needs a flow's file. For a deployed flow, use it with `flow deploy`.")
        source = with_unsupported_allowed(source)
    return wait_for(_run(file, source, dialect.value, arguments, watch))


async def _run(file: str, source: FlowSource | None, dialect: str, arguments: dict[str, Any], watch: Watch) -> int:
    async with environment(watch.home, watch.environment, create=source is not None) as env:
        with about(file):
            target = await _target(env, file, source, dialect, watch)

            async def begin(changed: Callable[[Entry], None]) -> list[Run]:
                runs = await env.start(target.start, on_change=changed, **arguments)
                if runs and "body" not in arguments and await _splits(env, target):
                    note("No --input was given, so splitOn has nothing to split: one run is started, without a body.")
                return runs

            async def headline(run: Run) -> str:
                where = f", environment {one_line(env.name)}" if watch.environment != DEFAULT_ENVIRONMENT else ""
                return f"{target}, run {run.id}{where}{', simulated' if watch.simulated else ''}"

            code = await watch.carry_out(begin, headline)
        if not watch.runs:
            _tell_skipped(target, env.name, watch)
        return code


async def _splits(env: Environment, target: _Target) -> bool:
    """Whether the flow's trigger has splitOn."""
    from .....cloud import parse

    detail = await env.flow(target.name, target.version)
    if detail.kind == "desktop":
        return False
    return any(trigger.split_on is not None for trigger in parse(detail.definition).triggers)


@dataclass(frozen=True, slots=True)
class _Target:
    """The flow that is to run: what `Environment.start` takes, and what people are told."""

    start: Flow | str
    name: str
    version: int
    new: bool

    def __str__(self) -> str:
        return f"{one_line(self.name)} version {self.version}{' (new)' if self.new else ''}"


def _source(file: str, flow: str | None, watch: Watch) -> FlowSource | None:
    """The flow in a file; None where there is no such file but there may be a deployed flow of this name."""
    from ....embedded import home_folder

    try:
        return read_flow(file, flow)
    except NotFound:
        looks_like_a_file = Path(file).suffix in (".json", ".robin", ".zip") or Path(file).exists()
        if looks_like_a_file or not home_folder(watch.home).exists():
            raise
        return None  # names of flows may hold a '/'


def read_flow(file: str, flow: str | None = None) -> FlowSource:
    """The flow in a file or package, `flow` where it holds several. No store is opened before this has worked."""
    from .....runtime.flows.flow_file import flow_of, read_flow_file

    if file != "-" and Path(file).is_dir():
        with about(file):
            return read_flow_file(Path(file), flow)
    content = read_file(file)
    with about(file):
        return flow_of(content, "stdin" if file == "-" else Path(file).name, flow)


def with_artifacts(source: FlowSource, folder: Path) -> FlowSource:
    """The flow with the maps and schemas of a folder, on top of those that came with it."""
    from .....cloud.artifacts import read_artifacts
    from .....runtime.flows.packages import read_package
    from .....runtime.flows.script_files import ScriptSource

    if isinstance(source, ScriptSource):
        raise UsageError("--artifacts is for cloud flows: a desktop flow has no maps and schemas.")
    with about(str(folder)):
        given = read_artifacts(read_package(folder))
    own = source.artifacts or {}
    return replace(source, artifacts={kind: {**own.get(kind, {}), **texts} for kind, texts in given.items()})


def with_unsupported_allowed(source: FlowSource) -> FlowSource:
    """The desktop flow, whose actions that cannot run here are to fail when they are reached."""
    from .....runtime.flows.script_files import ScriptSource

    if not isinstance(source, ScriptSource):
        raise UsageError("--allow-unsupported is for desktop flows: a cloud flow is refused as a whole.")
    return replace(source, allow_unsupported=True)


async def _target(env: Environment, file: str, source: FlowSource | None, dialect: str, watch: Watch) -> _Target:
    if source is not None:
        flow = await deployed(env, file, source, dialect, simulated=watch.simulated)
        for message in flow.missing:
            note(f"{message} Its action gets a simulated answer.")
        return _Target(flow, flow.name, flow.version, flow.created)
    try:
        detail = await env.flow(file)
    except NotFound:
        raise NotFound(
            f"There is neither a file nor a deployed flow '{file}'.",
            hint=again("flow list", home=watch.home, environment=watch.environment),
        ) from None
    return _Target(detail.name, detail.name, detail.version, False)


async def deployed(
    env: Environment, file: str, source: FlowSource, dialect: str, name: str | None = None, *, simulated: bool = False
) -> Flow:
    """Deploy the flow of a file under `name`, else its name in its package, else the file's stem.

    `simulated`: maps and schemas may be missing. Raises DefinitionError.
    """
    own = source.name if source.file else "stdin" if file == "-" else Path(file).stem
    try:
        return await env.deploy(own if name is None else name, source, dialect=dialect, simulated=simulated)
    except DefinitionError as fault:
        if fault.hint is None:
            fault.hint = f"`sealflow check {shlex.quote(file)}` shows every problem of the file."
        raise


def _tell_skipped(target: _Target, environment: str, watch: Watch) -> None:
    text = f"{target}: no run started. A trigger condition is false, or splitOn has nothing to split."
    if not watch.as_json:
        say(text)
        return
    note(text)
    say_json(
        {
            "run": None,
            "flow": target.name,
            "version": target.version,
            "environment": environment,
            "status": "Skipped",
            "code": "TriggerSkipped",
            "error": None,
            "response": None,
            "actions": [],
        }
    )
