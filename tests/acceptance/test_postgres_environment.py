"""Whole command lines on an environment in PostgreSQL, two processes on one, and takeover after a death."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sealflow
from cli_session import Cli, compose, wait
from postgres_server import PostgresServer, shared_server
from sealflow.storage import ExecutorLost

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


async def test_two_processes_and_takeover(tmp_path: Path, postgres: PostgresServer) -> None:
    definition = {
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "actions": {"C": compose(1), "W": wait(3600, "C"), "D": compose(2, "W")},
    }
    home, keystore = tmp_path / "home", tmp_path / "keys.json"
    async with sealflow.open(home, keystore=keystore) as one, sealflow.open(home, keystore=keystore) as two:
        info = await one.create_environment("prod", database=postgres.url)
        first, second = await one.environment("prod"), await two.environment("prod")
        await first.deploy("f", definition)
        (run,) = await first.start("f")
        await second.start("f")  # by way of the inbox: the other one executes

        # The first one is taken for dead: no heartbeat of it has come.
        admin = await asyncpg.connect(postgres.url)
        await admin.execute(
            f"UPDATE \"sealflow_{info.id.hex()}\".executor SET expires = clock_timestamp() - interval '1 s'"
        )
        await admin.close()
        taken = await second.run(run.id)
        assert await taken.cancel()
        assert {each.id: each.status for each in await second.runs()}[run.id] == "Cancelled"
        with pytest.raises(ExecutorLost):
            await first.start("f")
        while (started := await _started(first)) is None:  # its memory is dropped and its store opened again
            await asyncio.sleep(0)
        while started.id not in {each.id for each in await second.runs()}:  # the new executor takes it in
            await asyncio.sleep(0)


async def _started(environment: sealflow.Environment) -> sealflow.Run | None:
    try:
        return (await environment.start("f"))[0]
    except ExecutorLost:
        return None
