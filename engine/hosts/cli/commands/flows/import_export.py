"""`sealflow flow import` and `sealflow flow export`: flows in the packages of other tools, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .....errors import DefinitionError, NotFound
from ... import options
from ...arguments import pairs, read_file, write_file
from ...errors import OK, UsageError, about
from ...output.writing import note, one_line, paint, printable, say, say_json
from ...session import again, environment, wait_for

if TYPE_CHECKING:
    from .....cloud import Problem, Source
    from .....importers.packages import Package
    from .....runtime.flows.library import Flow
    from .import_desktop import CheckedDesktop

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


class FormChoice(StrEnum):
    """What `flow export` writes."""

    definition = "definition"
    power_automate = "power-automate"
    standard = "standard"


def _with_artifacts(found: Package, artifacts: Path) -> tuple[Source, ...]:
    """The flows of a package, with the maps and schemas of a folder."""
    from .run import with_artifacts

    return tuple(cast("Source", with_artifacts(source, artifacts)) for source in found.flows)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A flow of the package with its problems, and what became of it."""

    source: Source
    name: str
    problems: tuple[Problem, ...]
    flow: Flow | None = None

    @property
    def disabled(self) -> bool:
        """Whether it was off in the package and is new here."""
        return not self.source.enabled and self.flow is not None and self.flow.created and self.flow.version == 1

    @property
    def ok(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)

    def place(self, problem: Problem) -> str:
        return f"{self.source.file}#{problem.at}" if problem.at else self.source.file

    def to_json(self) -> dict[str, Any]:
        return {
            "flow": self.name,
            "file": self.source.file,
            "id": self.flow.id.hex() if self.flow is not None else None,
            "version": self.flow.version if self.flow is not None else None,
            "created": self.flow.created if self.flow is not None else None,
            "kind": self.source.kind,
            "aliases": list(self.source.aliases),
            "ok": self.ok,
            "problems": [{**problem.to_json(), "at": self.place(problem)} for problem in self.problems],
        }


def import_(
    package: Annotated[
        str, typer.Argument(metavar="PACKAGE", help="A zip, a project's folder, or one file; '-' reads from stdin.")
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            metavar="NAME=JSON",
            help="Value of a parameter, or of an environment variable by schema name. Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Deploy the one flow under another name.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="FLOW", help="Import only this flow. Repeatable.", show_default=False),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Leave out flows that cannot be deployed.")] = False,
    artifacts: options.Artifacts = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what the package contains.")] = False,
    subscription: Annotated[
        str | None, typer.Option("--subscription", metavar="ID", help="For ARM templates.", show_default=False)
    ] = None,
    resource_group: Annotated[
        str | None, typer.Option("--resource-group", metavar="NAME", help="For ARM templates.", show_default=False)
    ] = None,
    location: Annotated[
        str | None, typer.Option("--location", metavar="NAME", help="For ARM templates.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="ID", help="For ARM templates.", show_default=False)
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Deploy the flows of a package. If one has an error, none is deployed.

    Solutions and flow packages of Power Automate, Logic Apps Standard projects, ARM templates. Child flows keep the
    ids by which their parents call them. Connections are listed, never their secrets. Desktop flows of a solution are
    deployed too; one that cannot run here is left out, and said so.

    With --json: {"package","kind","name","version","environment","dryRun","ok","flows":[{"flow","file","id","version",
    "created","kind","aliases","ok","problems"}],"connections":[{"name","connector","displayName"}],
    "variables":[{"name","schemaName","type","hasValue"}],"appSettings":[],"problems":[{"code","severity","at",
    "message"}],"desktopFlows":[{"flow","file","id","kind","ok","actions","deployedAs","version","created",
    "problems"}]}. An error follows as a line of
    its own.
    """
    from .....cloud.arm.deployment import Deployment
    from . import import_desktop

    parts = {
        "subscription": subscription,
        "resource_group": resource_group,
        "location": location,
        "tenant": tenant,
    }
    deployment = Deployment(
        pairs(parameter or [], "--parameter"), **{key: value for key, value in parts.items() if value is not None}
    )
    with about(package):
        found = _read(package, deployment)
        if artifacts is not None:
            found = replace(found, flows=_with_artifacts(found, artifacts))
        chosen = _chosen(found, only or [], name)
    if only:
        found = replace(found, problems=found.shared_problems())
    errors = [problem for problem in found.problems if problem.severity == "error"]
    refused = bool(errors) or not all(each.ok for each in chosen)
    good = [each for each in chosen if each.ok]
    desktop = import_desktop.checked(found, only or [], [each.name for each in chosen])
    can_run = any(each.ok for each in desktop)
    deploys = not dry_run and (bool(good) or can_run) and (not refused or partial)
    if deploys:
        deployed, desktop, where = wait_for(_deploy(home, environment, good, desktop))
        chosen = [deployed.get(id(each), each) for each in chosen]
    else:
        where = environment
    if json:
        report = _report(package, found, chosen, where, dry_run)
        say_json({**report, "desktopFlows": [each.to_json() for each in desktop]})
    else:
        _show(package, found, chosen)
        import_desktop.show(desktop)
    if refused and not (partial and (good or can_run)):
        raise _refusal(package, errors, chosen)
    if deploys and not json:
        say(f"next: {again(_next(chosen, desktop), home=home, environment=environment)}")
    return OK


def _next(chosen: list[_Checked], desktop: list[CheckedDesktop]) -> str:
    """What to do with the first flow that starts runs, else with the first."""
    import shlex

    if not any(each.flow is not None for each in chosen):
        return f"run {shlex.quote(next(each.deployed.name for each in desktop if each.deployed is not None))}"
    deployed = [each for each in chosen if each.flow is not None]
    first = next((each for each in deployed if not each.disabled), deployed[0])
    return f"{'flow enable' if first.disabled else 'run'} {shlex.quote(first.name)}"


def _read(package: str, deployment: Any) -> Package:
    from .....importers.packages import open_package
    from .....runtime.flows.packages import package_of, read_package

    files: Mapping[str, bytes]
    if package == "-":
        files, stem = package_of(read_file(package), "stdin"), "stdin"
    else:
        path = Path(package)
        files, stem = read_package(path), path.resolve().stem if path.is_file() else path.resolve().name
    found = open_package(files, name=stem, deployment=deployment)
    if not found.flows and not found.desktop and not any(problem.severity == "error" for problem in found.problems):
        raise DefinitionError(
            "There is no flow in the package.", code="NoDefinition", hint="Export it again, with its flows."
        )
    return found


def _chosen(package: Package, only: list[str], name: str | None) -> list[_Checked]:
    from .....cloud import check
    from .....runtime.flows.flow_file import is_called
    from . import import_desktop

    sources = list(package.flows)
    if only:
        named = [each for each in only if any(import_desktop.is_called(flow, each) for flow in package.desktop)]
        unknown = [
            each for each in only if each not in named and not any(is_called(source, each) for source in sources)
        ]
        if unknown:
            names = ", ".join([*(each.name for each in sources), *(flow.name for flow in package.desktop)][:10])
            raise NotFound(f"The package has no flow '{unknown[0]}'.", hint=f"It has: {names}.")
        sources = [source for source in sources if any(is_called(source, each) for each in only)]
    if name is not None:
        if not name.strip():
            raise UsageError("--as needs a name.")
        if len(sources) != 1:
            raise UsageError(
                f"--as names one flow, and the package has {len(sources)}.", hint="Choose one with --only FLOW."
            )
        # Other flows may call it by the name it had.
        source = sources[0]
        sources = [replace(source, name=name, aliases=tuple(dict.fromkeys((*source.aliases, source.name))))]
    return [_Checked(source, source.name, tuple(check(source))) for source in sources]


async def _deploy(
    home: Path | None, where: str, chosen: list[_Checked], desktop: list[CheckedDesktop]
) -> tuple[dict[int, _Checked], list[CheckedDesktop], str]:
    """Desktop flows first: the cloud flows beside them call them."""
    from . import import_desktop

    done: dict[int, _Checked] = {}
    async with environment(home, where, create=True) as env:
        desktop = await import_desktop.deployed(env, desktop)
        for each in chosen:
            with about(each.source.file):
                flow = await env.deploy(each.name, each.source, enabled=each.source.enabled)
                done[id(each)] = replace(each, flow=flow)
        return done, desktop, env.name


def _refusal(package: str, errors: list[Problem], chosen: list[_Checked]) -> DefinitionError:
    """The first error as the command's; all of them were shown."""
    faults = [(problem, problem.at) for problem in errors]
    faults += [
        (problem, each.place(problem)) for each in chosen for problem in each.problems if problem.severity == "error"
    ]
    first, at = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    error = DefinitionError(
        f"Nothing was deployed: {first.message}{more}",
        at=at,
        code=first.code,
        hint=first.hint or "--only FLOW takes one flow, --partial leaves out those that cannot be deployed.",
    )
    error.add_note(package)
    return error


def _report(package: str, found: Package, chosen: list[_Checked], environment: str, dry_run: bool) -> dict[str, Any]:
    return {
        "package": package,
        "kind": found.kind,
        "name": found.name,
        "version": found.version,
        "environment": environment,
        "dryRun": dry_run,
        "ok": all(each.ok for each in chosen) and not any(each.severity == "error" for each in found.problems),
        "flows": [each.to_json() for each in chosen],
        "connections": [
            {"name": each.name, "connector": each.connector, "displayName": each.display_name}
            for each in found.connections
        ],
        "variables": [
            {
                "name": each.name,
                "schemaName": each.schema_name,
                "type": each.type,
                "hasValue": each.value is not None,
            }
            for each in found.variables
        ],
        "appSettings": list(found.app_settings),
        "problems": [problem.to_json() for problem in found.problems],
    }


def _show(package: str, found: Package, chosen: list[_Checked]) -> None:
    version = f" {one_line(found.version)}" if found.version else ""
    count = f"{len(chosen)} flow" if len(chosen) == 1 else f"{len(chosen)} flows"
    say(f"{found.kind} {one_line(found.name or package)}{version}: {count}")
    for problem in found.problems:
        _show_problem(problem, problem.at)
    for each in chosen:
        for problem in each.problems:
            _show_problem(problem, each.place(problem))
    for each in chosen:
        say(f"  {one_line(each.name)} {_fate(each)}")
    for connection in found.connections:
        connector = f" ({one_line(connection.connector)})" if connection.connector else ""
        say(f"  connection {one_line(connection.name)}{connector}")
    for variable in found.variables:
        say(f"  variable {one_line(variable.schema_name)}{'' if variable.value is not None else ' (no value)'}")
    for setting in found.app_settings:
        say(f"  app setting {one_line(setting)} (not imported)")


def _fate(each: _Checked) -> str:
    if each.flow is not None:
        state = "deployed" if each.flow.created else "unchanged"
        off = ", disabled as in the package" if each.disabled else ""
        return f"version {each.flow.version} {state} ({each.flow.dialect}){off}"
    return "ok, not deployed" if each.ok else paint("cannot be deployed", "red")


def _show_problem(problem: Problem, at: str) -> None:
    severity = paint(problem.severity, _COLOURS[problem.severity])
    say(f"{one_line(at)}: {severity} {problem.code}: {printable(problem.message)}")
    if problem.hint:
        say(f"    next: {printable(problem.hint)}")


def export(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="A flow's name or id.")],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="File to write; a package if it ends with .zip. '-' is stdout.",
            show_default=False,
        ),
    ],
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", min=1, help="Version. Default: the newest.", show_default=False),
    ] = None,
    form: Annotated[FormChoice, typer.Option("--format", help="Format of the file.")] = FormChoice.definition,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Export a deployed flow to a file for other tools. The file is not encrypted.

    `definition` is the bare definition; `power-automate` an export, or with .zip a flow package; `standard` is
    workflow.json, or with .zip a project. Values that were given to parameters are not written.

    With --json: {"flow","version","format","out","bytes"}.
    """
    data, name, number = wait_for(_export(home, environment, flow, version, form, out))
    write_file(out, data)
    if json and out != "-":
        say_json({"flow": name, "version": number, "format": form.value, "out": out, "bytes": len(data)})
    elif not json:
        note(f"Wrote {one_line(name)} version {number} to {one_line(out)} ({len(data):,} bytes, not encrypted)")
    return OK


async def _export(
    home: Path | None, where: str, flow: str, version: int | None, form: FormChoice, out: str
) -> tuple[bytes, str, int]:
    from .....importers.export import Exported, document_of, package_of
    from .....runtime.flows.packages import write_archive

    async with environment(home, where) as env:
        found = await env.flow(flow, version)
    exported = Exported(
        found.name, found.id, found.definition, found.artifacts, aliases=found.aliases, connections=found.connections
    )
    if out.lower().endswith(".zip"):
        return write_archive(package_of(exported, form.value)), found.name, found.version
    return document_of(exported, form.value), found.name, found.version
