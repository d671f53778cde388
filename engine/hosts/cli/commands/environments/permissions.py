"""`sealflow env permissions`: what the flows of an environment can reach and use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK, UsageError
from ...output.writing import one_line, say, say_json
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import EnvironmentInfo

app = typer.Typer(help="Show or change what the flows of an environment can reach and use.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ENV", callback=options.environment_name, help="The environment's name.")]


class DefaultChoice(StrEnum):
    """Which addresses flows can reach where no rule matches."""

    none = "none"
    public = "public"
    private = "private"
    local = "local"


@app.command("show")
def show(environment: Name, json: options.Json = False, home: options.Home = None) -> int:
    """Show what the flows of an environment can reach and use.

    With --json: {"environment","egress":{"default","rules":[{"action","target"}]},"desktop":{"folders":[{"path",
    "write"}],"mapping","scripts","applications","answers","culture","timeZone","browser"}}. "desktop" has only what is
    set. "egress.default" is null if it is not set: then `worker` uses "public", and commands and programs that run
    flows use "local".
    """
    return _say(wait_for(_read(Acting(home), environment)), json)


@app.command("set")
def set_(
    environment: Name,
    allow_egress: Annotated[
        list[str] | None,
        typer.Option("--allow-egress", metavar="TARGET", help="Allow connections to a target. Repeatable."),
    ] = None,
    deny_egress: Annotated[
        list[str] | None,
        typer.Option("--deny-egress", metavar="TARGET", help="Deny connections to a target. Repeatable."),
    ] = None,
    remove_egress: Annotated[
        list[str] | None,
        typer.Option("--remove-egress", metavar="TARGET", help="Remove the rule for a target. Repeatable."),
    ] = None,
    egress_default: Annotated[
        DefaultChoice | None,
        typer.Option("--egress-default", help="What flows reach if no rule matches.", show_default=False),
    ] = None,
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="PATH[:ro]", help="Let desktop flows use a folder; :ro to read. Repeatable."),
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="C:=PATH[:ro]", help="Map a Windows drive or share to a folder. Repeatable."),
    ] = None,
    scripts: Annotated[
        list[str] | None,
        typer.Option(
            "--scripts", metavar="LANGUAGE", help="Run scripts in python, powershell, javascript or shell. Repeatable."
        ),
    ] = None,
    application: Annotated[
        list[str] | None,
        typer.Option("--application", metavar="NAME", help="Let desktop flows start and end a program. Repeatable."),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="TITLE=VALUE", help="Answer dialogs with this title; * for all others."),
    ] = None,
    culture: Annotated[
        str | None, typer.Option("--culture", metavar="NAME", help="Format of numbers and dates in desktop flows.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="ZONE", help="Time zone of desktop flows: Europe/Berlin.")
    ] = None,
    browser: Annotated[
        str | None, typer.Option("--browser", metavar="PATH", help="The browser to use, a Chromium.")
    ] = None,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Change what the flows of an environment can reach and use.

    TARGET is HOST, *.HOST, * (any host), ADDRESS or NETWORK/BITS, with :PORT or :FIRST-LAST if needed. IPv6 targets
    with a port stand in brackets: [fd00::/8]:5432.

    A deny rule wins over an allow rule. The default decides the rest: none, public (public addresses), private (public
    and private addresses), local (loopback too). Link-local addresses and metadata services of clouds are always
    denied. Processes that run flows use a change of rules within five seconds.

    Desktop flows use no files, scripts or programs until you allow them. A mapped folder is allowed for writing unless
    you allow it with :ro. A process that runs desktop flows uses the permissions that it read when it started.

    With --json: as `env permissions show`.
    """
    egress: dict[str, Any] = {
        "allow": tuple(allow_egress or ()),
        "deny": tuple(deny_egress or ()),
        "remove": tuple(remove_egress or ()),
        "default": None if egress_default is None else egress_default.value,
    }
    desktop = _desktop(folder or [], map or [], answer or []) | {
        "scripts": tuple(each.lower() for each in scripts or []),
        "applications": tuple(application or []),
        "culture": culture,
        "time_zone": time_zone,
        "browser": browser,
    }
    if not any((*egress.values(), *desktop.values())):
        raise UsageError(
            "No change was given.",
            hint="For example: sealflow env permissions set ENV --allow-egress api.example.com:443",
        )
    change, detail = _changes(egress, desktop)
    return _say(wait_for(_change(Acting(home, who, role), environment, change, detail, "set")), json)


@app.command("reset")
def reset(
    environment: Name,
    egress: Annotated[bool, typer.Option("--egress", help="Reset only the rules about connections.")] = False,
    desktop: Annotated[bool, typer.Option("--desktop", help="Reset only the permissions of desktop flows.")] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Remove all rules and permissions of an environment.

    With --json: as `env permissions show`.
    """
    from .....runtime.desktop.settings import DESKTOP
    from .....runtime.environment.egress_settings import EGRESS

    chosen = {EGRESS: egress, DESKTOP: desktop}
    removed = [name for name, wanted in chosen.items() if wanted] or list(chosen)

    def change(settings: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in removed}

    detail = {name: {"reset": True} for name in removed}
    return _say(wait_for(_change(Acting(home, who, role), environment, change, detail, "reset")), json)


def _desktop(folders: Iterable[str], maps: Iterable[str], answers: Iterable[str]) -> dict[str, Any]:
    """What the options about folders, drives and dialogs mean."""
    pairs = [_pair(each, "--map") for each in maps]
    mapped = {name: _absolute(path) for name, path in pairs}
    read_only = {mapped[name]: False for name, path in pairs if path.endswith(":ro")}
    given = {_absolute(each): not each.endswith(":ro") for each in folders}
    return {
        "mapping": mapped,
        "folders": {**read_only, **given},
        "answers": dict(_pair(each, "--answer") for each in answers),
    }


def _absolute(path: str) -> str:
    return str(Path(path.removesuffix(":ro")).absolute())


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{option} takes NAME=VALUE, not '{text}'.")
    return name, value


def _changes(
    egress: Mapping[str, Any], desktop: Mapping[str, Any]
) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]:
    """One change of the settings for all options, and what the audit records about it."""
    from .....runtime.desktop import settings as desktop_settings
    from .....runtime.environment import egress_settings

    steps: list[Callable[[dict[str, Any]], dict[str, Any]]] = []
    detail: dict[str, Any] = {}
    if any(egress.values()):
        steps.append(lambda settings: egress_settings.changed(settings, **egress))
        detail |= egress_settings.told(**egress)
    if any(desktop.values()):
        steps.append(lambda settings: desktop_settings.changed(settings, **desktop))
        detail |= desktop_settings.told(**desktop)

    def change(settings: dict[str, Any]) -> dict[str, Any]:
        for step in steps:
            settings = step(settings)
        return settings

    return change, detail


async def _read(acting: Acting, environment: str) -> EnvironmentInfo:
    async with acting.opened(environment) as (engine, _):
        return await engine.store.environment(environment)


async def _change(
    acting: Acting,
    environment: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    detail: dict[str, Any],
    verb: str,
) -> EnvironmentInfo:
    async with acting.opened(environment) as (_, acts):
        return await acts.allow(environment, change, told=detail, act=f"environment permissions {verb}")


def _say(info: EnvironmentInfo, as_json: bool) -> int:
    from .....runtime.desktop.settings import DESKTOP
    from .....runtime.environment.egress_settings import shown

    egress, desktop = shown(info.settings), dict((info.settings or {}).get(DESKTOP) or {})
    if as_json:
        say_json({"environment": info.name, "egress": egress, "desktop": desktop})
        return OK
    say(f"environment {one_line(info.name)}")
    for line in (*_egress_lines(egress), *_desktop_lines(desktop)):
        say(line)
    return OK


def _egress_lines(egress: Mapping[str, Any]) -> Iterable[str]:
    yield "connections"
    yield f"  default      {egress['default'] or 'public for workers, local elsewhere (not set)'}"
    for each in egress["rules"]:
        yield f"  {each['action']:<12} {one_line(each['target'])}"
    yield "  always deny  link-local addresses and metadata services of clouds"


def _desktop_lines(desktop: Mapping[str, Any]) -> Iterable[str]:
    yield "desktop flows"
    for each in desktop.get("folders", []):
        yield f"  folder       {one_line(each['path'])}{'' if each['write'] else ' (read only)'}"
    for name, path in desktop.get("mapping", {}).items():
        yield f"  {name:<12} {one_line(path)}"
    for key in ("scripts", "applications"):
        if desktop.get(key):
            yield f"  {key:<12} {', '.join(map(one_line, desktop[key]))}"
    for title, value in desktop.get("answers", {}).items():
        yield f"  answer       {one_line(title)}: {one_line(str(value))}"
    for key, label in (("culture", "culture"), ("timeZone", "time zone"), ("browser", "browser")):
        if desktop.get(key):
            yield f"  {label:<12} {one_line(desktop[key])}"
    if not desktop:
        yield "  nothing is allowed"
