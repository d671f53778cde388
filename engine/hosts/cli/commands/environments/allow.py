"""`sealflow env allow`: what the desktop flows of an environment may touch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK, UsageError
from ...output.writing import one_line, say, say_json
from ...session import wait_for


def allow(
    environment: Annotated[
        str, typer.Argument(metavar="ENV", callback=options.environment_name, help="The environment's name.")
    ],
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", metavar="PATH[:ro]", help="A folder that flows see; :ro to read only. Repeatable."),
    ] = None,
    map: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="C:=PATH[:ro]", help="What a drive or share of Windows is here. Repeatable."),
    ] = None,
    scripts: Annotated[
        list[str] | None,
        typer.Option("--scripts", metavar="LANGUAGE", help="python, powershell, javascript or shell. Repeatable."),
    ] = None,
    application: Annotated[
        list[str] | None,
        typer.Option("--application", metavar="NAME", help="A program that flows may start and end. Repeatable."),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="TITLE=VALUE", help="What a dialog of this title gets; * for all others."),
    ] = None,
    culture: Annotated[str | None, typer.Option(metavar="NAME", help="How numbers and dates are written.")] = None,
    time_zone: Annotated[str | None, typer.Option(metavar="ZONE", help="The time zone, e.g. Europe/Berlin.")] = None,
    browser: Annotated[str | None, typer.Option(metavar="PATH", help="The browser to use, a Chromium.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Undo everything that was allowed before.")] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Allow the desktop flows of an environment what is off by default, or show what they are allowed.

    A mapped folder is allowed as well, to be written to unless it is allowed read-only. Runs that are under way keep
    what they had when their process began.

    With --json: {"environment","desktop":{"folders":[{"path","write"}],"mapping","scripts","applications","answers",
    "culture","timeZone","browser"}}, without what is not set.
    """
    pairs = [_pair(each, "--map") for each in map or []]
    mapped = {name: str(Path(path.removesuffix(":ro")).absolute()) for name, path in pairs}
    read_only = {mapped[name]: False for name, path in pairs if path.endswith(":ro")}
    given: dict[str, Any] = {
        "mapping": mapped,
        "folders": {**read_only, **_folders(folder or [])},
        "scripts": tuple(each.lower() for each in scripts or []),
        "applications": tuple(application or []),
        "answers": dict(_pair(each, "--answer") for each in answer or []),
        "culture": culture,
        "time_zone": time_zone,
        "browser": browser,
        "forget": reset,
    }
    shown = wait_for(_allow(Acting(home, who, role), environment, given))
    if json:
        say_json({"environment": environment, "desktop": shown})
        return OK
    for line in _lines(environment, shown):
        say(line)
    return OK


async def _allow(acting: Acting, environment: str, given: dict[str, Any]) -> dict[str, Any]:
    from .....runtime.desktop.settings import DESKTOP, changed, told

    async with acting.opened(environment) as (engine, acts):
        if any(given.values()):
            info = await acts.allow(environment, lambda kept: changed(kept, **given), told=told(**given))
        else:
            env = await engine.environment(environment, create=False)
            info = next(each for each in await engine.environments() if each.name == env.name)
        return dict((info.settings or {}).get(DESKTOP) or {})


def _folders(given: Iterable[str]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for each in given:
        read_only = each.endswith(":ro")
        found[str(Path(each.removesuffix(":ro")).absolute())] = not read_only
    return found


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{option} takes NAME=VALUE, not '{text}'.")
    return name, value


def _lines(environment: str, shown: dict[str, Any]) -> Iterable[str]:
    yield f"environment {one_line(environment)}: what its desktop flows are allowed"
    for each in shown.get("folders", []):
        yield f"  folder       {one_line(each['path'])}{'' if each['write'] else ' (read only)'}"
    for name, path in shown.get("mapping", {}).items():
        yield f"  {name:<12} {one_line(path)}"
    for key in ("scripts", "applications"):
        if shown.get(key):
            yield f"  {key:<12} {', '.join(map(one_line, shown[key]))}"
    for title, value in shown.get("answers", {}).items():
        yield f"  answer       {one_line(title)}: {one_line(str(value))}"
    for key, label in (("culture", "culture"), ("timeZone", "time zone"), ("browser", "browser")):
        if shown.get(key):
            yield f"  {label:<12} {one_line(shown[key])}"
    if not shown:
        yield "  nothing"
