"""Whole command lines on an environment in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli, compose
from postgres_server import PostgresServer, shared_server

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_the_command_line_works_on_it(cli: Cli, postgres: PostgresServer) -> None:
    on = ("--environment", "prod")
    for command in (
        ("env", "create", "prod", "--database", postgres.url),
        ("flow", "deploy", cli.flow("order", {"C": compose(1), "D": compose("@outputs('C')", "C")}), *on),
        ("run", "order", *on),
        ("key", "create", "file:keys.json#main"),
        ("policy", "create", "contoso", "--key", "file:keys.json#main"),
        ("policy", "apply", "contoso", *on),
        ("policy", "migrate", "--full", *on),
        ("run", "order", *on),
        ("env", "lock", "prod"),
        ("env", "unlock", "prod"),
        ("runs", "show", "latest", *on),
        ("flow", "disable", "order", *on),
        ("key", "rotate", *on),
        ("verify",),
        ("backup", "create", "copy", *on),
        ("runs", "delete", "latest", *on),
        ("backup", "restore", "copy", "--yes"),
        ("env", "delete", "prod", "--yes"),
        ("backup", "restore", "copy", "--environment", "again", "--revive", "--yes"),
    ):
        done = cli(*command)
        assert done.code == 0, f"{command}: {done.out}{done.err}"
    listed = cli("runs", "list", "--environment", "again", "--json").json
    assert [run["status"] for run in listed] == ["Succeeded"] * len(listed)
    assert listed


def test_where_it_is(cli: Cli, postgres: PostgresServer) -> None:
    assert cli("env", "create", "prod", "--database", postgres.url).code == 0
    assert cli("env", "show", "prod", "--json").json["store"] == postgres.url
    assert cli("env", "create", "PROD", "--database", postgres.url).code == 2


def test_a_url_with_a_password_is_refused(cli: Cli) -> None:
    refused = cli("env", "create", "prod", "--database", "postgresql://me:s3cret@host/db")
    assert refused.code == 2
    assert "s3cret" not in refused.out + refused.err
    assert "PGPASSWORD" in refused.err
    assert "prod" not in cli("env", "list").out
