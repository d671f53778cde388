"""`verify`, `backup`, and what deletes: `runs delete`, `flow delete`, `flow retention`, `env delete`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli_session import Cli, compose, wait


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = Cli(tmp_path, monkeypatch, capsys)
    made.flow("f", {"A": compose({"secret": "canary"})})
    for _ in range(2):
        assert made("run", "f.json").code == 0
    return made


def run_ids(cli: Cli) -> list[str]:
    return [each["run"] for each in cli("runs", "list", "--json").json]


def change(cli: Cli, sql: str) -> None:
    (path,) = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount > 0


def test_all_as_written(cli: Cli) -> None:
    found = cli("verify", "--json")
    assert (found.code, found.json["ok"], found.json["problems"]) == (0, True, [])
    assert found.json["checked"] > 10
    assert cli("verify").out.endswith("verified, all as written\n")
    assert cli("verify", "--environment", "default", "--run", run_ids(cli)[0]).code == 0


def test_every_problem_is_told_with_its_run(cli: Cli) -> None:
    newest, oldest = run_ids(cli)
    change(cli, "UPDATE pages SET record = zeroblob(99)")
    found = cli("verify", "--json")
    assert found.code == 1
    assert found.json["ok"] is False
    assert {each["run"] for each in found.json["problems"]} == {newest, oldest}
    assert list(found.json["problems"][0]) == ["run", "at", "problem"]
    assert found.json["problems"][0]["at"] == "default: record 1"
    text = cli("verify", "--environment", "default")
    assert text.code == 1
    assert f"wrong  run {oldest}, record 1: " in text.out
    one = cli("verify", "--run", newest, "--json")
    assert [each["run"] for each in one.json["problems"]] == [newest]


def test_which_environment_is_meant_where_none_is_named(cli: Cli) -> None:
    """An anchor says so itself; otherwise the default one, or the only one."""
    far = ("--home", "far")
    assert cli("verify", "--write-anchor", "x", "--home", "nowhere").code == 3
    cli("run", "f.json", "--environment", "second", *far)
    assert cli("verify", "--write-anchor", "second.anchor", *far).code == 0
    assert cli("runs", "delete", "latest", "--environment", "second", *far).code == 0
    cli("env", "create", "third", *far)
    assert cli("verify", "--anchor", "second.anchor", *far).code == 0
    several = cli("verify", "--write-anchor", "x", *far, "--json")
    assert (several.code, several.error["code"]) == (2, "InvalidUsage")
    assert "second, third" in several.error["hint"]
    elsewhere = cli("verify", "--anchor", "second.anchor", "--json")
    assert (elsewhere.code, elsewhere.error["code"]) == (2, "InvalidAnchor")
    cli.write("no.anchor", "{}")
    assert cli("verify", "--anchor", "no.anchor", "--json").error["code"] == "InvalidAnchor"


def test_an_anchor_is_written_and_compared_with(cli: Cli) -> None:
    made = cli("verify", "--write-anchor", "default.anchor", "--json")
    assert made.json["anchor"] == "default.anchor"
    assert json.loads((cli.folder / "default.anchor").read_bytes())["sequence"] == 1
    newest, oldest = run_ids(cli)
    assert cli("runs", "delete", newest).code == 0
    assert cli("verify", "--anchor", "default.anchor").code == 0
    run = oldest.replace("-", "")
    change(cli, "DELETE FROM pages WHERE run = 1")
    change(cli, "DELETE FROM runs WHERE id = 1")
    change(cli, f"DELETE FROM keys WHERE scope = x'{run}'")
    assert cli("verify").code == 0
    found = cli("verify", "--anchor", "default.anchor", "--json")
    assert [each["run"] for each in found.json["problems"]] == [oldest]


def test_no_anchor_is_written_while_anything_is_wrong(cli: Cli) -> None:
    change(cli, "UPDATE pages SET record = zeroblob(99)")
    assert cli("verify", "--write-anchor", "default.anchor").code == 1
    assert not (cli.folder / "default.anchor").exists()


def test_what_cannot_be_verified(cli: Cli) -> None:
    assert cli("verify", "--run", "zzz").code == 2
    assert cli("verify", "--run", "0" * 32).code == 3
    assert cli("verify", "--run", "0" * 32, "--write-anchor", "a").code == 2
    assert cli("verify", "--environment", "none").code == 3
    assert cli("verify", "--anchor", "none").code == 3
    cli.write("broken", "{}")
    assert cli("verify", "--anchor", "broken", "--json").json["error"]["code"] == "InvalidAnchor"
    cli("env", "lock")
    assert cli("verify", "--environment", "default").code == 4


def test_a_locked_environment_keeps_nobody_from_verifying_the_others(cli: Cli) -> None:
    cli("env", "create", "other")
    assert cli("env", "lock", "default").code == 0
    found = cli("verify", "--json")
    assert found.code == 1
    assert [each["at"] for each in found.json["problems"]] == ["default: environment"]
    assert "not verified" in found.json["problems"][0]["problem"]
    assert "EnvironmentLocked" in found.json["problems"][0]["problem"]
    path = cli.folder / ".sealflow" / "control.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM audit WHERE number = 2")
    assert {each["at"] for each in cli("verify", "--json").json["problems"]} == {
        "control store: audit", "default: environment", "other: audit",
    }  # fmt: skip
    alone = cli("verify", "--environment", "default", "--json")
    assert (alone.code, alone.json["error"]["hint"]) == (4, "Unlock it first: sealflow env unlock default")


def test_runs_and_flows_are_deleted(cli: Cli) -> None:
    newest, _ = run_ids(cli)
    found = cli("runs", "delete", newest, "--json")
    assert found.json == {"runs": 1, "live": "done", "wal": "done", "backups": "unknown"}
    assert cli("runs", "show", newest).code == 3
    assert cli("runs", "delete", newest).code == 3
    assert "Shredded flow f with all its versions, 1 run\n" in cli("flow", "delete", "f").out
    assert cli("flow", "list", "--json").json == []
    cli.flow("slow", {"W": wait(9000)})
    assert cli.left("run", "slow.json").code == 124
    assert cli("runs", "delete", "latest", "--json").json["error"]["code"] == "RunInFlight"
    assert cli("flow", "delete", "slow", "--json").json["error"]["code"] == "RunInFlight"
    assert cli("env", "delete", "default", "--yes").code != 0
    assert cli("verify").code == 0


def test_retention_is_shown_set_and_applied(cli: Cli) -> None:
    assert "without limit" in cli("flow", "retention", "f").out
    found = cli("flow", "retention", "f", "--keep-runs", "1", "--keep-days", "30", "--keep-mb", "5", "--json")
    assert found.json == {"flow": "f", "keepDays": 30, "keepRuns": 1, "keepMb": 5}
    told = cli("flow", "retention", "f").out
    assert told == "f: runs are kept for 30 days, at most 1, at most 5 MB of history\n"
    newest = run_ids(cli)[0]
    assert cli("worker", "--once").code == 0
    assert run_ids(cli) == [newest]
    assert cli("flow", "retention", "f", "--keep-all", "--json").json["keepRuns"] is None
    assert cli("flow", "retention", "f", "--keep-all", "--keep-days", "1").code == 2
    assert cli("flow", "retention", "none").code == 3


def test_backup_files_that_are_missing_or_damaged(cli: Cli) -> None:
    assert cli("backup", "create", "b").code == 0
    assert cli("backup", "create", "b").code == 2
    missing = cli("backup", "restore", "none", "--yes", "--json")
    assert (missing.code, missing.json["error"]["code"]) == (3, "RecordNotFound")
    keys = cli.folder / "b.keys"
    content = keys.read_bytes()
    keys.write_bytes(content[:-40])
    damaged = cli("backup", "restore", "b", "--yes", "--json")
    assert (damaged.code, damaged.json["error"]["code"]) == (2, "InvalidBackup")
    keys.unlink()
    assert cli("backup", "restore", "b", "--yes").code == 3
    keys.write_bytes(content)
    other = cli("backup", "restore", "b", "--yes", "--environment", "other", "--json")
    assert (other.code, other.json["error"]["code"]) == (2, "Conflict")
    assert cli("backup", "restore", "b", "--yes").code == 0


def test_an_environment_is_backed_up_deleted_and_restored(cli: Cli) -> None:
    runs = run_ids(cli)
    made = cli("backup", "create", "b", "--expires", "30", "--json").json
    assert list(made) == ["backup", "environment", "file", "keys", "createdTime", "expires"]
    assert (cli.folder / "b.keys").exists()
    assert cli("backup", "list", "--json").json == [made]
    assert made["backup"][:8] in cli("backup", "list").out
    until = made["expires"][:10]
    assert cli("runs", "delete", runs[0], "--json").json["backups"] == f"until {until}"
    assert cli("backup", "restore", "b").code == 2
    assert cli("backup", "restore", "b", "--yes").code == 0
    assert run_ids(cli) == runs[1:]
    assert cli("backup", "restore", "b", "--yes", "--revive").code == 0
    assert run_ids(cli) == runs
    assert cli("env", "delete", "default").code == 2
    assert f"until {until}" in cli("env", "delete", "default", "--yes").out
    assert cli("env", "list", "--json").json == []
    assert cli("backup", "restore", "b", "--yes").code == 2
    assert cli("backup", "restore", "b", "--yes", "--environment", "again", "--json").json["environment"] == "again"
    assert len(cli("runs", "list", "--environment", "again", "--json").json) == 2
    assert cli("backup", "expire", made["backup"][:6]).code == 0
    assert cli("backup", "list", "--json").json == []
    acts = {each["act"] for each in cli("audit", "list", "--json").json}
    assert {"backup create", "backup restore", "backup expire", "environment delete"} <= acts
