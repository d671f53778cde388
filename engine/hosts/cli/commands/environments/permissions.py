"""`sealflow env permissions`: what the flows of an environment may reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK, UsageError
from ...output.writing import one_line, say, say_json
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import EnvironmentInfo

app = typer.Typer(help="Show or change what the flows of an environment may reach.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ENV", callback=options.environment_name, help="The environment's name.")]


class DefaultChoice(StrEnum):
    """What is reached where no rule says anything."""

    none = "none"
    public = "public"
    private = "private"
    local = "local"


@app.command("show")
def show(environment: Name, json: options.Json = False, home: options.Home = None) -> int:
    """Show what the flows of an environment may reach.

    With --json: {"environment","egress":{"default","rules":[{"action","target"}]},"desktop"}. "default" is null where
    none was set: then `worker` uses "public", and commands and programs that run flows use "local". "desktop" is what
    `env allow` shows.
    """
    return _say(environment, wait_for(_read(Acting(home), environment)), json)


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
        typer.Option("--egress-default", help="What is reached where no rule matches.", show_default=False),
    ] = None,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Change what the flows of an environment may connect to.

    TARGET is HOST, *.HOST, * (any host), ADDRESS or NETWORK/BITS, with :PORT or :FIRST-LAST if needed. IPv6 targets
    with a port stand in brackets: [fd00::/8]:5432.

    A deny rule wins over an allow rule. The default decides the rest: none, public (public addresses), private (public
    and private addresses), local (loopback too). Link-local addresses and metadata services of clouds are always
    denied. Processes that run flows use the change within five seconds.

    With --json: as `env permissions show`.
    """
    given: dict[str, Any] = {
        "allow": tuple(allow_egress or ()),
        "deny": tuple(deny_egress or ()),
        "remove": tuple(remove_egress or ()),
        "default": None if egress_default is None else egress_default.value,
    }
    if not any(given.values()):
        raise UsageError(
            "No change was given.",
            hint="For example: sealflow env permissions set ENV --allow-egress api.example.com:443",
        )

    from .....runtime.environment.egress_settings import changed, told

    info = wait_for(
        _change(Acting(home, who, role), environment, lambda kept: changed(kept, **given), told(**given), "set")
    )
    return _say(environment, info, json)


@app.command("reset")
def reset(
    environment: Name,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Remove all egress rules of an environment, and its default.

    What `env allow` has allowed stays. With --json: as `env permissions show`.
    """
    from .....runtime.environment.egress_settings import EGRESS, without

    detail = {EGRESS: {"reset": True}}
    return _say(environment, wait_for(_change(Acting(home, who, role), environment, without, detail, "reset")), json)


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


def _say(environment: str, info: EnvironmentInfo, as_json: bool) -> int:
    from .....runtime.desktop.settings import DESKTOP
    from .....runtime.environment.egress_settings import shown

    egress = shown(info.settings)
    if as_json:
        say_json(
            {"environment": info.name, "egress": egress, "desktop": dict((info.settings or {}).get(DESKTOP) or {})}
        )
        return OK
    for line in _lines(info.name, egress):
        say(line)
    return OK


def _lines(environment: str, egress: dict[str, Any]) -> Iterable[str]:
    yield f"environment {one_line(environment)}: what its flows may connect to"
    yield f"  default      {egress['default'] or 'public for workers, local elsewhere (not set)'}"
    for each in egress["rules"]:
        yield f"  {each['action']:<12} {one_line(each['target'])}"
    yield "  always deny  link-local addresses and metadata services of clouds"
