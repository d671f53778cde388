"""`sealflow connection`: made with secrets that never stand on the command line, sealed by the key of their class."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli

SECRET = "hunter2-canary"
SETS = {
    "properties": {
        "connectionParameterSets": {
            "values": [
                {
                    "name": "ApiKey",
                    "parameters": {
                        "key": {"type": "securestring", "uiDefinition": {"constraints": {"required": "true"}}},
                        "region": {"type": "string"},
                    },
                },
                {"name": "SignIn", "parameters": {"token": {"type": "OauthSetting"}}},
            ]
        }
    }
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = Cli(tmp_path, monkeypatch, capsys)
    (cli.folder / "desk").mkdir()
    cli.write("desk/apiProperties.json", SETS)
    cli.write("secret.txt", f"{SECRET}\r\n")
    assert cli("env", "create", "default").code == 0
    return cli


def create(cli: Cli, name: str, *more: str, **options: Any) -> Any:
    return cli("connection", "create", name, "--properties", "desk/apiProperties.json", *more, "--json", **options)


def test_secrets_come_from_files_stdin_and_variables(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", SECRET)
    for name, form, stdin in (("a", "@secret.txt", ""), ("b", "-", f"{SECRET}\n"), ("c", "env:DESK_KEY", "")):
        made = create(cli, name, "--set", "apikey", "--value", f"key={form}", "--value", "region=eu", stdin=stdin)
        assert made.code == 0, made.err
        found = made.json
        assert found.pop("key_id")
        assert found.pop("createdTime")
        assert found == {
            "connection": name,
            "connector": "desk",
            "class": "non-oauth",
            "parameterSet": "ApiKey",
            "domain": "service",
            "parameters": {"key": None, "region": "eu"},
            "secured": ["key"],
        }
        assert SECRET not in made.out + made.err
    assert values(cli) == [{"key": SECRET, "region": "eu"}] * 3


def values(cli: Cli) -> list[Any]:
    async def read() -> list[Any]:
        async with sealflow.open(cli.folder / ".sealflow") as engine:
            env = await engine.environment(create=False)
            return [await env.connections.values(each.info.name) for each in await env.connections.all()]

    return asyncio.run(read())


@pytest.mark.parametrize("value", [f"key={SECRET}", f"key=  {SECRET}", f"={SECRET}", SECRET])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(cli: Cli, value: str) -> None:
    refused = create(cli, "a", "--set", "ApiKey", "--value", value)
    assert refused.code == 2
    assert refused.error["code"] in ("SecretAsArgument", "InvalidUsage")
    assert SECRET not in refused.out + refused.err
    assert cli("connection", "list", "--json").json == []


@pytest.mark.parametrize(
    ("more", "code", "exit_code"),
    [
        ([], "UnknownParameterSet", 2),
        (["--set", "other"], "UnknownParameterSet", 2),
        (["--set", "ApiKey"], "MissingParameter", 2),
        (["--set", "ApiKey", "--value", "kye=@secret.txt"], "UnknownParameter", 2),
        (["--set", "ApiKey", "--value", "key=@secret.txt", "--value", "key=-"], "InvalidUsage", 2),
        (["--set", "ApiKey", "--value", "key=-", "--value", "region=-"], "InvalidUsage", 2),
        (["--set", "ApiKey", "--value", "key=env:NO_SUCH_VARIABLE"], "InvalidUsage", 2),
        (["--set", "ApiKey", "--value", "key=@missing.txt"], "NotFound", 3),
    ],
)
def test_what_cannot_be_a_connection(cli: Cli, more: list[str], code: str, exit_code: int) -> None:
    refused = create(cli, "a", *more)
    assert (refused.code, refused.error["code"]) == (exit_code, code)


def test_a_secret_that_is_no_text(cli: Cli) -> None:
    refused = create(cli, "a", "--set", "ApiKey", "--value", "key=-", stdin=b"\xff\xfe\x00")
    assert (refused.code, refused.error["code"]) == (2, "InvalidUsage")


def test_names_are_taken_once_and_found_in_any_case(cli: Cli) -> None:
    assert create(cli, "Desk", "--set", "SignIn").code == 0
    again = create(cli, "desk", "--set", "SignIn")
    assert (again.code, again.error["code"]) == (2, "AlreadyThere")
    shown = cli("connection", "show", "DESK")
    assert shown.out.splitlines()[0].startswith("connection Desk (")
    assert cli("connection", "delete", "desk").out.startswith("Deleted the connection Desk\n")
    gone = cli("connection", "show", "Desk", "--json")
    assert (gone.code, gone.error["code"]) == (3, "RecordNotFound")
    assert cli("connection", "delete", "Desk").code == 3
    assert cli("connection", "list").err == "no connections\n"


def test_lists_and_shows_for_people(cli: Cli) -> None:
    made = cli(
        "connection", "create", "a", "--properties", "desk/apiProperties.json", "--set", "ApiKey",
        "--value", "key=@secret.txt", "--connector", "shared_desk",
    )  # fmt: skip
    assert made.out == "Created the connection a (non-oauth, service)\n"
    head, line = cli("connection", "list").out.splitlines()
    assert head.split() == ["CONNECTION", "CONNECTOR", "CLASS", "DOMAIN", "CREATED"]
    assert line.split()[:4] == ["a", "shared_desk", "non-oauth", "service"]
    shown = cli("connection", "show", "a").out
    assert "set        ApiKey\n" in shown
    assert "parameter  key: (secret)\n" in shown


def test_whose_key_seals_a_connection_shows_in_the_stored_bytes(cli: Cli) -> None:
    assert create(cli, "before", "--set", "SignIn").code == 0
    cli("key", "create", "file:keys.json#main")
    cli("policy", "create", "contoso", "--key", "file:keys.json#main")
    assert cli("policy", "apply", "contoso").code == 0
    assert create(cli, "oauth", "--set", "SignIn").json["domain"] == "customer:contoso"
    assert create(cli, "plain", "--set", "ApiKey", "--value", "key=@secret.txt").json["domain"] == "service"
    status = cli("env", "status", "--json").json
    found = {each["name"]: (each["class"], each["domain"]) for each in status["connections"]}
    assert found == {
        "before": ("oauth", "customer:contoso"),
        "oauth": ("oauth", "customer:contoso"),
        "plain": ("non-oauth", "service"),
    }
    keys = {each["domain"]: each["key_id"] for each in cli("key", "status", "--json").json["keys"]}
    assert {each["key_id"] for each in status["connections"] if each["class"] == "oauth"} == {keys["customer:contoso"]}
    assert {each["key_id"] for each in status["connections"] if each["class"] == "non-oauth"} == {keys["service"]}
    [store] = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(store)) as database:
        # A record names the scope key that sealed it (its 32 bytes from the fifth), whose row names the environment
        # key that wraps it.
        stored = database.execute(
            "SELECT hex(e.kid) FROM connections "
            "JOIN keys ON keys.kid = substr(connections.record, 5, 32) "
            "JOIN environment_keys AS e ON e.domain = keys.domain AND e.version = keys.key_version "
            "ORDER BY connections.created_ms"
        ).fetchall()
    assert [kid.lower() for (kid,) in stored] == [each["key_id"] for each in status["connections"]]


def test_a_policy_may_cover_all_connections(cli: Cli) -> None:
    assert create(cli, "plain", "--set", "ApiKey", "--value", "key=@secret.txt").code == 0
    cli("key", "create", "file:keys.json#main")
    cli("policy", "create", "contoso", "--key", "file:keys.json#main", "--all-connections")
    assert cli("policy", "apply", "contoso").code == 0
    assert cli("connection", "show", "plain", "--json").json["domain"] == "customer:contoso"
