"""`sealflow connection`: the connections of an environment. Secrets come from files, stdin or variables, and never
from the command line, which other users of the machine can see.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...arguments import json_object, read_file
from ...errors import OK, UsageError, about
from ...moments import clock_ms, iso_ms
from ...output.damage import damaged_error, damaged_id, exit_code, say_damaged
from ...output.writing import note, one_line, say, say_json, say_table
from ...session import again, wait_for
from ...session import environment as opened_environment
from .status import class_of

if TYPE_CHECKING:
    from ......connectors.api_properties import ApiProperties, ParameterSet
    from ......storage import CorruptRecord
    from .....runtime.environment.connections import ConnectionDetail

app = typer.Typer(help="Create, list, inspect and delete connections.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")]

_STDIN = ("-", "@-")
_FROM = "KEY=@FILE, KEY=- (stdin) or KEY=env:NAME"


@app.command("create")
def create(
    name: Name,
    properties: Annotated[
        str, typer.Option("--properties", metavar="FILE", help="The connector's apiProperties.json.")
    ],
    parameter_set: Annotated[
        str | None,
        typer.Option("--set", metavar="SET", help="Parameter set, if the connector has several.", show_default=False),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            "--value",
            metavar="KEY=VALUE",
            help=f"A parameter, repeatable. A secret only as {_FROM}.",
            show_default=False,
        ),
    ] = None,
    connector: Annotated[
        str | None,
        typer.Option(
            "--connector",
            metavar="ID",
            help="Id of the connector. Default: the name of the file's folder.",
            show_default=False,
        ),
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create a connection. Its values are encrypted. The connector's properties decide which key encrypts them.

    With --json as `connection show`.
    """
    with about(properties):
        found = _properties(properties)
        chosen = found.choose(parameter_set)
    values = _values(value or (), chosen, stdin_taken=properties == "-")
    if connector is None:
        connector = "connector" if properties == "-" else Path(properties).resolve().parent.name

    async def work() -> ConnectionDetail:
        async with opened_environment(home, environment, create=True) as env:
            return await env.connections.create(name, found, values, connector=connector, parameter_set=parameter_set)

    made = wait_for(work())
    if json:
        say_json(_connection_json(made))
    else:
        kind = class_of(made.info.oauth)
        say(f"Created the connection {one_line(made.info.name)} ({kind}, {one_line(made.domain)})")
    return OK


@app.command("list")
def list_(environment: options.Environment = "default", json: options.Json = False, home: options.Home = None) -> int:
    """List the connections, oldest first.

    With --json: an array of what `connection show` gives. A connection that was changed outside of Sealflow and does
    not open has only "connection": null, "id" and "error":{"code","message","hint"}; the exit code is 1 then.
    """
    damaged: list[CorruptRecord] = []

    async def work() -> list[ConnectionDetail]:
        async with opened_environment(home, environment) as env:
            return await env.connections.all(damaged=damaged)

    found = wait_for(work())
    if json:
        wrong = [{"connection": None, "id": damaged_id(each), "error": damaged_error(each)} for each in damaged]
        say_json([*map(_connection_json, found), *wrong])
        return exit_code(damaged)
    rows = [
        [
            each.info.name,
            each.info.connector,
            class_of(each.info.oauth) or "",
            each.domain,
            clock_ms(each.info.created_ms),
        ]
        for each in found
    ]
    if rows:
        say_table(["CONNECTION", "CONNECTOR", "CLASS", "DOMAIN", "CREATED"], rows)
    elif not damaged:
        note("no connections")
    say_damaged(damaged, home=home, environment=environment)
    return exit_code(damaged)


@app.command("show")
def show(
    name: Name, environment: options.Environment = "default", json: options.Json = False, home: options.Home = None
) -> int:
    """Show a connection. Secrets are never shown.

    With --json: {"connection","connector","class","parameterSet","domain","key_id","createdTime","parameters":{NAME:
    VALUE or null},"secured":[NAME]}.
    """

    async def work() -> ConnectionDetail:
        async with opened_environment(home, environment) as env:
            return await env.connections.one(name)

    found = wait_for(work())
    if json:
        say_json(_connection_json(found))
        return OK
    info = found.info
    say(f"connection {one_line(info.name)} ({info.id.hex()})")
    say(f"connector  {one_line(info.connector)}")
    say(f"class      {class_of(info.oauth)}")
    if info.parameter_set is not None:
        say(f"set        {one_line(info.parameter_set)}")
    say(f"domain     {one_line(found.domain)}, key {info.key_id[:16]}")
    say(f"created    {clock_ms(info.created_ms)}")
    for parameter, shown in found.parameters.items():
        say(f"parameter  {one_line(parameter)}: {'(secret)' if shown is None else one_line(shown)}")
    return OK


@app.command("delete")
def delete(
    name: Name, environment: options.Environment = "default", json: options.Json = False, home: options.Home = None
) -> int:
    """Delete a connection and its key.

    With --json: {"connection","deleted"}.
    """

    async def work() -> str:
        async with opened_environment(home, environment) as env:
            found = (await env.connections.one(name)).info.name
            await env.connections.delete(name)
            return found

    deleted = wait_for(work())
    if json:
        say_json({"connection": deleted, "deleted": True})
    else:
        say(f"Deleted the connection {one_line(deleted)}")
        say(f"next: {again('connection list', home=home, environment=environment)}")
    return OK


def _properties(file: str) -> ApiProperties:
    from ......connectors.api_properties import read_api_properties

    return read_api_properties(json_object(file, "--properties"))


def _values(given: Iterable[str], chosen: ParameterSet, *, stdin_taken: bool) -> dict[str, str]:
    """The parameters of `KEY=VALUE`. No message repeats a value: it may be a secret in the wrong place."""
    values: dict[str, str] = {}
    for each in given:
        key, sign, text = each.partition("=")
        if not sign or not key:
            raise UsageError("--value needs KEY=VALUE.", hint=f"A secret is given as {_FROM}.")
        parameter = chosen.parameter(key)
        if key in values:
            raise UsageError(f"--value gives '{key}' twice.")
        if text in _STDIN and stdin_taken:
            raise UsageError(f"--value {key}: only one thing can come from stdin.")
        stdin_taken = stdin_taken or text in _STDIN
        found = _fetched(key, text)
        if found is None and parameter.secured:
            raise UsageError(
                f"The parameter '{key}' is a secret: it is not taken from the command line, which others can see.",
                code="SecretAsArgument",
                hint=f"Give it as {_FROM.replace('KEY', key)}, and change it if it was a real one.",
            )
        values[key] = text if found is None else found
    return values


def _fetched(key: str, text: str) -> str | None:
    """The value from a file, stdin or a variable; None for one that is given as it is."""
    if text.startswith("env:"):
        found = os.environ.get(text[4:])
        if found is None:
            raise UsageError(f"--value {key}: there is no variable '{text[4:]}' in the environment.")
        return found
    if text != "-" and not text.startswith("@"):
        return None
    name = "-" if text in _STDIN else text[1:]
    try:
        return read_file(name).decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        what = "The input" if name == "-" else f"The file '{name}'"
        raise UsageError(f"--value {key}: {what} is not text in UTF-8.") from None


def _connection_json(found: ConnectionDetail) -> dict[str, Any]:
    info = found.info
    return {
        "connection": info.name,
        "connector": info.connector,
        "class": class_of(info.oauth),
        "parameterSet": info.parameter_set,
        "domain": found.domain,
        "key_id": info.key_id,
        "createdTime": iso_ms(info.created_ms),
        "parameters": dict(found.parameters),
        "secured": list(found.secured),
    }
