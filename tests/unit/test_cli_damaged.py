"""One damaged row makes no list unusable: it is shown with what is wrong, and the rest as ever."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sealflow
from cli_session import Cli
from command_lines import CommandLine
from makers import OAUTH, compose, flow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three flows, one of them disabled, three runs of the first one, and two connections."""
    folder = tmp_path_factory.mktemp("template")

    async def fill() -> None:
        async with sealflow.open(folder / "home", keystore=folder / "keystore.json") as engine:
            env = await engine.environment("default")
            for name in ("a", "b", "c"):
                await env.deploy(name, flow(c=compose(1)))
            for _ in range(3):
                await env.start("a")
            for name in ("one", "two"):
                await env.connections.create(name, OAUTH, {"token": "t"}, connector="test")
            await env.disable("c")
            await env.idle()

    asyncio.run(fill())
    return folder


@pytest.fixture
def cli(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = Cli(tmp_path, monkeypatch, capsys)
    shutil.copytree(template / "home", cli.folder / ".sealflow")
    (tmp_path / "keys").mkdir()
    shutil.copy2(template / "keystore.json", tmp_path / "keys" / "keystore.json")
    return cli


def damage(cli: Cli, sql: str) -> None:
    (path,) = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount == 1


def told(done: CommandLine) -> str:
    """The damaged line of a list, whose exit code and next step are as they should be."""
    assert done.code == 1
    assert "sealflow verify" in done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("damaged")]
    return line


RUNS = {
    "a head": "UPDATE runs SET head = zeroblob(200) WHERE id = 2",
    "a summary": "UPDATE runs SET summary = zeroblob(200) WHERE id = 2",
    "a clear column": "UPDATE runs SET started_ms = started_ms + 1 WHERE id = 2",
    "a column of another type": "UPDATE runs SET started_ms = 'x' WHERE id = 2",
    "its key": "UPDATE keys SET wrapped = zeroblob(60) WHERE scope = (SELECT run_id FROM runs WHERE id = 2)",
    "no key": "DELETE FROM keys WHERE scope = (SELECT run_id FROM runs WHERE id = 2)",
}


@pytest.mark.parametrize("what", RUNS)
def test_runs(cli: Cli, what: str) -> None:
    before = cli("runs", "list", "--json").json
    damaged = before[1]["run"]
    damage(cli, RUNS[what])
    line = told(cli("runs", "list"))
    assert damaged in line
    assert line.rstrip().endswith(")")
    done = cli("runs", "list", "--json")
    assert done.code == 1
    *rest, wrong = done.json
    assert rest == [before[0], before[2]]
    assert (wrong["run"], wrong["status"], wrong["start"]) == (damaged, "Damaged", None)
    assert wrong["error"]["code"] in ("TamperedHistory", "IntegrityError", "NotARecord")
    assert "sealflow verify" in wrong["error"]["hint"]
    assert cli("runs", "show", damaged).code != 0


@pytest.mark.parametrize("what", ["a head", "a column of another type"])
def test_the_other_runs_are_chosen_and_found(cli: Cli, what: str) -> None:
    before = cli("runs", "list", "--json").json
    damage(cli, RUNS[what])
    assert cli("runs", "show", before[0]["run"]).code == 0
    assert cli("runs", "show", before[2]["run"][:30]).code == 0
    assert cli("runs", "show", before[1]["run"][:30]).code not in (0, 3)
    assert [run["run"] for run in cli("runs", "list", "--limit", "1", "--json").json][:1] == [before[0]["run"]]
    assert cli("runs", "list", "--flow", "a", "--json").json[:2] == [before[0], before[2]]
    assert cli("runs", "list", "--status", "Failed", "--json").json in ([], cli("runs", "list", "--json").json[2:])
    assert cli("verify").code == 1


FLOWS = {
    "a record": "UPDATE flows SET record = zeroblob(200) WHERE id = 2",
    "an index": "UPDATE flows SET name_index = zeroblob(16) WHERE id = 2",
    "a key of another domain": "UPDATE keys SET key_version = 1, wrapped = zeroblob(60) "
    "WHERE kind = 2 AND scope = (SELECT flow_id FROM flows WHERE id = 2)",
    "no key": "DELETE FROM keys WHERE kind = 2 AND scope = (SELECT flow_id FROM flows WHERE id = 2)",
}


@pytest.mark.parametrize("what", FLOWS)
def test_flows(cli: Cli, what: str) -> None:
    before = cli("flow", "list", "--json").json
    damage(cli, FLOWS[what])
    assert before[1]["id"] in told(cli("flow", "list"))
    *rest, wrong = cli("flow", "list", "--json").json
    assert rest == [before[0], before[2]]
    assert (wrong["flow"], wrong["id"]) == (None, before[1]["id"])
    assert wrong["error"]["code"] in ("IntegrityError", "NotARecord")
    assert [run["flow"] for run in cli("runs", "list", "--json").json] == ["a"] * 3
    assert cli("run", "a").code == 0
    assert cli("flow", "show", "b").code != 0
    status = cli("env", "status", "--json")
    assert status.code == 1
    assert [flow["name"] for flow in status.json["flows"]] == ["a", "c"]
    (told_of,) = status.json["damaged"]
    assert (told_of["kind"], told_of["id"]) == ("flow", before[1]["id"])
    assert before[1]["id"] in told(cli("env", "status"))


def test_a_flow_whose_row_is_gone(cli: Cli) -> None:
    before = cli("flow", "list", "--json").json
    (path,) = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM flows WHERE id = 2")
    assert before[1]["id"] in told(cli("flow", "list"))
    assert before[1]["id"] in told(cli("env", "status"))


def test_a_trigger(cli: Cli) -> None:
    damage(cli, "UPDATE triggers SET record = zeroblob(100)")
    assert "trigger of flow" in told(cli("flow", "list"))
    *flows, wrong = cli("flow", "list", "--json").json
    assert {flow["flow"]: flow["enabled"] for flow in flows} == {"a": True, "b": True, "c": False}
    assert wrong["id"] == flows[2]["id"]


@pytest.mark.parametrize("change", ["record = zeroblob(200)", "name_index = zeroblob(16)", "updated_ms = 1"])
def test_connections(cli: Cli, change: str) -> None:
    before = cli("connection", "list", "--json").json
    (path,) = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as connection:
        ids = [row[0].hex() for row in connection.execute("SELECT connection_id FROM connections ORDER BY created_ms")]
    damage(cli, f"UPDATE connections SET {change} WHERE connection_id = x'{ids[0]}'")
    line = told(cli("connection", "list"))
    *rest, wrong = cli("connection", "list", "--json").json
    assert wrong["connection"] is None
    assert wrong["id"] == ids[0]
    assert ids[0] in line
    assert rest == [each for each in before if each in rest]
    assert len(rest) == 1
    status = cli("env", "status", "--json")
    assert status.code == 1
    assert [each["name"] for each in status.json["connections"]] == [rest[0]["connection"]]
    assert [each["kind"] for each in status.json["damaged"]] == ["connection"]


def test_an_operation(cli: Cli) -> None:
    assert cli("key", "rotate", "--data-keys").code == 0
    assert cli("policy", "migrate").code == 0
    damage(cli, "UPDATE operations SET record = zeroblob(100) WHERE rowid = (SELECT min(rowid) FROM operations)")
    done = cli("env", "status", "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.json["damaged"]] == ["operation"]
    assert len(done.json["flows"]) == 3


@pytest.mark.parametrize(
    ("table", "what"),
    [("policies", "Policy "), ("assignments", "The assignment of environment "), ("environments", "Environment ")],
)
def test_an_error_of_the_control_store_says_what_it_is_about(cli: Cli, table: str, what: str) -> None:
    cli("key", "create", "file:keys.json#main")
    assert cli("policy", "create", "p", "--key", "file:keys.json#main").code == 0
    assert cli("policy", "apply", "p").code == 0
    with closing(sqlite3.connect(cli.folder / ".sealflow" / "control.db")) as database, database:
        database.execute(f"UPDATE {table} SET record = zeroblob(90)")
    refused = cli("policy", "list", "--json")
    assert (refused.code, refused.error["code"]) == (4, "NotARecord")
    assert refused.error["message"].startswith(what)
    found = cli("verify", "--json")
    assert (found.code, found.json["ok"]) == (1, False)
    assert any(each["problem"] for each in found.json["problems"])
