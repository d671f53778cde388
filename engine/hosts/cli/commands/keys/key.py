"""`sealflow key`: customers' keys in files, and the keys of an environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK, UsageError
from ...moments import clock_ms, iso_ms
from ...output.writing import note, one_line, say, say_json, say_table
from ...session import again, opened, wait_for
from ..environments.status import domain_label, key_json
from .migrating import followed, operation_json, operation_line

if TYPE_CHECKING:
    from ......storage import EnvironmentStatus, Operation
    from ......storage.keys.key_state import KeyState
    from ......storage.keys.providers.file import FileKey
    from ......storage.maintenance.status import EnvironmentKeyUse

app = typer.Typer(
    help="Rotate and inspect the keys of environments, and manage customers' keys in files.", no_args_is_help=True
)

FileUri = Annotated[str, typer.Argument(metavar="file:PATH#NAME", help="A key in a file of the customer's own.")]


# ---- keys in files


@app.command("create")
def create(uri: FileUri, who: Who = None, json: options.Json = False, home: options.Home = None) -> int:
    """Create a key in a file, for one machine and for tests.

    What is done to such a key is on record in the store's audit, where there is a store at this place. Other keys are
    made with the tools of their key store. With --json: {"key","versions","enabled"}.
    """
    from ......storage.keys.providers.file import create_key

    told = _changed(uri, create_key, "create", Acting(home, who))
    return _tell(told, "Created {key}", json, next_step="policy create NAME --key {key}")


@app.command("disable")
def disable(uri: FileUri, who: Who = None, json: options.Json = False, home: options.Home = None) -> int:
    """Disable a key in a file. Environments under it are locked within the probe time of their policy.

    With --json: {"key","versions","enabled"}.
    """
    from ......storage.keys.providers.file import disable_key

    return _tell(_changed(uri, disable_key, "disable", Acting(home, who)), "{key} is disabled", json)


@app.command("enable")
def enable(uri: FileUri, who: Who = None, json: options.Json = False, home: options.Home = None) -> int:
    """Enable a key in a file. Environments that it locked stay locked until `env unlock`.

    With --json: {"key","versions","enabled"}.
    """
    from ......storage.keys.providers.file import enable_key

    told = _changed(uri, enable_key, "enable", Acting(home, who))
    return _tell(told, "{key} is enabled", json, next_step="env unlock NAME")


@app.command("add-version")
def add_version(uri: FileUri, who: Who = None, json: options.Json = False, home: options.Home = None) -> int:
    """Add a version to a key in a file. It wraps new keys; earlier versions still unwrap.

    With --json: {"key","versions","enabled"}.
    """
    from ......storage.keys.providers.file import add_version as add

    told = _changed(uri, add, "add-version", Acting(home, who))
    return _tell(told, "{key} has version {versions}", json, next_step="key rotate --environment NAME")


@app.command("list")
def list_(
    uri: Annotated[str, typer.Argument(metavar="file:PATH", help="A file with keys.")], json: options.Json = False
) -> int:
    """List the keys of a file.

    With --json: [{"key","versions","enabled"}].
    """
    from ......storage.keys.providers.file import list_keys, parse

    rest = _rest(uri)
    path = parse(rest)[0] if "#" in rest else Path(rest).expanduser()
    found = list_keys(path)
    if json:
        say_json([_file_key_json(path, key) for key in found])
        return OK
    rows = [[key.name, str(key.versions), "enabled" if key.enabled else "disabled"] for key in found]
    say_table(["KEY", "VERSIONS", "STATE"], rows)
    return OK


def _changed(uri: str, change: Callable[[Path, str], FileKey], verb: str, acting: Acting) -> dict[str, Any]:
    from ......storage.keys.providers.file import parse

    path, name = parse(_rest(uri))
    told = _file_key_json(path, change(path, name))
    try:
        wait_for(_recorded(verb, told, acting))
    except Exception as error:  # the key is the customer's: what becomes of it does not depend on a store
        note(f"not on record: {one_line(getattr(error, 'message', type(error).__name__))}")
    return told


async def _recorded(verb: str, told: dict[str, Any], acting: Acting) -> None:
    """Put on record what was done to a key, where there is a store to do that in."""
    from ....embedded import home_folder

    if not (home_folder(acting.home) / "control.db").exists():
        return
    async with acting.opened() as (_, acts):
        detail = {"versions": told["versions"], "enabled": told["enabled"]}
        await acts.audit.record(acts.actor.name, f"key {verb}", told["key"], "Succeeded", detail)


def _tell(told: dict[str, Any], text: str, as_json: bool, *, next_step: str | None = None) -> int:
    if as_json:
        say_json(told)
        return OK
    say(one_line(text.format_map(told)))
    if next_step is not None:
        say(f"next: sealflow {one_line(next_step.format_map(told))}")
    return OK


def _rest(uri: str) -> str:
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme.lower() != "file" or not rest:
        raise UsageError(
            f"'{uri}' is no key in a file.",
            code="InvalidKeyUri",
            hint="Write it as file:PATH#NAME. Keys elsewhere are made and disabled with the tools of their key store.",
        )
    return rest


def _file_key_json(path: Path, key: FileKey) -> dict[str, Any]:
    from ......storage.keys.providers.file import uri_of

    return {"key": uri_of(path, key.name), "versions": key.versions, "enabled": key.enabled}


# ---- the keys of an environment


@app.command("rotate")
def rotate(
    environment: options.Environment = "default",
    data_keys: Annotated[
        bool, typer.Option("--data-keys", help="Also make a new environment key, and wrap everything by it.")
    ] = False,
    service: Annotated[
        bool, typer.Option("--service", help="Under a policy: the service's own keys there instead of the customer's.")
    ] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Rotate: wrap the keys of an environment with the newest version of the key above them.

    Nothing is sealed anew. With --data-keys a new environment key seals what is new, and the keys of runs, flows and
    connections are wrapped by it; after an interruption that goes on with whoever executes the environment next, as
    `sealflow worker --once`. Under a policy, what is still under the service's key stays there: see `policy migrate`.

    With --json: {"environment","policy","domain","operation"}.
    """
    if service and data_keys:
        raise UsageError(
            "--data-keys makes a new key for what is new, and under a policy that is the customer's.",
            hint="Leave --service out, or --data-keys.",
        )

    async def work() -> tuple[KeyState, Operation | None]:
        async with Acting(home, who, role).opened() as (engine, acts):
            state = await acts.rotate(environment, data_keys=data_keys, service=service)
            if not data_keys:
                return state, None
            env = await engine.environment(environment, create=False)
            left = await env.keys.pick_up()
            return state, None if left is None else await followed(env, left, as_json=json)

    state, operation = wait_for(work())
    if json:
        say_json(
            {
                "environment": environment,
                "policy": None if state.cover is None else state.cover.name,
                "domain": state.domain_name(state.domain),
                "operation": None if operation is None else operation_json(operation),
            }
        )
        return OK
    say(f"The keys of {one_line(environment)} are wrapped by the newest version of the key above them")
    if operation is not None:
        say(operation_line(operation))
    say(f"next: {again('key retire' if data_keys else 'key status', home=home, environment=environment)}")
    return OK


@app.command("status")
def status(environment: options.Environment = "default", json: options.Json = False, home: options.Home = None) -> int:
    """Show the keys of an environment: what wraps each key, what it wraps, and why an earlier key is still needed.

    With --json: {"environment","state","policy","key":{"uri","version"},"keys":[{"domain","number","version","key_id",
    "kek","live","createdTime","scopes":{KIND:COUNT}}]}.
    """

    async def work() -> EnvironmentStatus:
        async with opened(home) as engine:
            return await engine.environment_status(environment)

    found = wait_for(work())
    if json:
        say_json({**key_json(found), "keys": [_use_json(found, use) for use in found.keys]})
        return OK
    say(f"environment {one_line(found.environment.name)}, {found.condition}, key {one_line(found.uri)}")
    rows = [
        [
            domain_label(found, use.domain), f"{use.domain}.{use.version}", use.key_id[:16], use.kek[:16],
            clock_ms(use.created_ms), "live" if use.live else "earlier", _scopes(use),
        ]
        for use in found.keys
    ]  # fmt: skip
    say_table(["DOMAIN", "KEY", "KEY ID", "WRAPPED BY", "CREATED", "STATE", "WRAPS"], rows)
    for use in found.keys:
        if not use.live and use.scopes:
            note(f"{use.domain}.{use.version} is still needed for {_scopes(use)}")
    if any(not use.live for use in found.keys):
        needed = any(use.scopes for use in found.keys if not use.live)
        say(f"next: {again('policy migrate' if needed else 'key retire', home=home, environment=environment)}")
    return OK


@app.command("retire")
def retire(
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Delete the earlier keys of an environment that nothing needs any more.

    With --json: {"environment","retired":[{"number","version"}]}.
    """

    gone = Acting(home, who, role).do(lambda acts: acts.retire(environment))
    if json:
        retired = [{"number": number, "version": version} for number, version in gone]
        say_json({"environment": environment, "retired": retired})
    elif gone:
        say(f"Retired {', '.join(f'{number}.{version}' for number, version in gone)} of {one_line(environment)}")
    else:
        say(f"{one_line(environment)} has no earlier keys")
    return OK


def _use_json(status: EnvironmentStatus, use: EnvironmentKeyUse) -> dict[str, Any]:
    return {
        "domain": status.state.domain_name(use.domain),
        "number": use.domain,
        "version": use.version,
        "key_id": use.key_id,
        "kek": use.kek,
        "live": use.live,
        "createdTime": iso_ms(use.created_ms),
        "scopes": dict(use.scopes),
    }


def _scopes(use: EnvironmentKeyUse) -> str:
    """`3 runs, 1 flow`."""
    names = (f"{count:,} {kind.replace('_', ' ')}{'' if count == 1 else 's'}" for kind, count in use.scopes.items())
    return ", ".join(names) or "-"
