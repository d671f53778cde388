"""`policy approve|requests|refuse`, `env reset|sweep`, `env unlock --recovery` and regions on a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, compose
from sealflow.storage.administration.authorization import Acting

KEY, SPARE = "file:keys.json#main", "file:keys.json#spare"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """A folder with one run of the flow `old`, and two keys of a customer's."""
    for name in ("SEALFLOW_POLICY_LIMIT", "SEALFLOW_APPROVALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEALFLOW_ACTOR", "ann")
    cli = Cli(tmp_path, monkeypatch, capsys)
    cli.flow("old", {"A": compose("x")})
    assert cli("run", "old.json").code == 0
    for key in (KEY, SPARE):
        assert cli("key", "create", key).code == 0
    return cli


def status(cli: Cli) -> Any:
    found = cli("env", "status", "--json")
    assert found.code == 0, found.err
    return found.json


def test_an_act_that_takes_two(cli: Cli) -> None:
    assert cli("policy", "create", "four", "--key", KEY, "--approvals", "2").code == 0
    asked = cli("policy", "apply", "four", "--json")
    assert (asked.code, asked.error["code"]) == (4, "ApprovalNeeded")
    assert status(cli)["policy"] is None
    [request] = cli("policy", "requests", "--json").json
    assert request["request"] in asked.error["message"]
    assert {name: request[name] for name in ("act", "environment", "by", "status", "approver")} == {
        "act": "policy apply", "environment": "default", "by": "ann", "status": "Pending", "approver": None,
    }  # fmt: skip
    own = cli("policy", "approve", request["request"], "--json")
    assert (own.code, own.error["code"]) == (4, "NotPermitted")
    keyless = cli("policy", "approve", request["request"], "--as", "bob", "--role", "environment-administrator")
    assert keyless.code == 4
    told = cli("policy", "approve", request["request"][:8], "--as", "bob")
    assert told.out.startswith("Approved: ann may do 'policy apply of default' until ")
    assert told.out.endswith("next: ann gives the same command again\n")
    assert cli("policy", "apply", "four").code == 0
    assert status(cli)["policy"] == "four"
    assert cli("policy", "requests").err == "no requests\n"
    assert [each["status"] for each in cli("policy", "requests", "--all", "--json").json] == ["Used"]
    assert "approvals    2" in cli("policy", "show", "four").out
    for command in (["policy", "remove"], ["env", "reset", "default", "--yes"], ["env", "delete", "default", "--yes"]):
        assert cli(*command, "--json").error["code"] == "ApprovalNeeded"
    waiting = cli("policy", "requests").out
    assert [line.split()[1:3] for line in waiting.splitlines()[1:]] == [
        ["policy", "remove"], ["environment", "reset"], ["environment", "delete"],
    ]  # fmt: skip
    first = cli("policy", "requests", "--json").json[0]["request"]
    assert cli("policy", "reject", first, "--as", "bob").out == "Rejected: 'policy remove of default' by ann\n"
    assert cli("policy", "approve", first, "--as", "bob").code == 3
    assert cli("policy", "approve", "ffffffff", "--as", "bob").code == 3


def test_the_operator_asks_for_two(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("policy", "create", "one", "--key", KEY).code == 0
    monkeypatch.setenv("SEALFLOW_APPROVALS", "2")
    assert cli("policy", "apply", "one", "--json").error["code"] == "ApprovalNeeded"
    monkeypatch.setenv("SEALFLOW_APPROVALS", "3")
    wrong = cli("policy", "apply", "one", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "InvalidApprovals")


def test_a_plaintext_export_of_what_the_customers_key_seals(cli: Cli) -> None:
    assert (
        cli("runs", "export", "latest", "--plaintext", "--out", "a.json", "--role", "environment-administrator").code
        == 0
    )
    assert cli("policy", "create", "one", "--key", KEY).code == 0
    assert cli("policy", "create", "four", "--key", KEY, "--approvals", "2").code == 0
    assert cli("policy", "apply", "one").code == 0
    command = ["runs", "export", "latest", "--out", "b.json"]
    assert cli(*command, "--role", "environment-administrator").code == 0  # sealed
    refused = cli(*command, "--plaintext", "--role", "environment-administrator", "--json")
    assert (refused.code, refused.error["code"]) == (4, "NotPermitted")
    exported = cli(*command, "--plaintext", "--json").json
    acts = cli("audit", "list", "--act", "plaintext", "--json").json
    assert [(act["actor"], act["status"], act["detail"]) for act in acts] == [
        ("ann", "Running", {"run": exported["run"]}), ("ann", "Succeeded", {"run": exported["run"]}),
    ]  # fmt: skip
    cli("policy", "apply", "four")
    assert cli("policy", "approve", cli("policy", "requests", "--json").json[0]["request"], "--as", "bob").code == 0
    assert cli("policy", "apply", "four").code == 0
    (cli.folder / "b.json").unlink()
    assert cli(*command, "--plaintext", "--json").error["code"] == "ApprovalNeeded"
    assert not (cli.folder / "b.json").exists()
    assert cli("policy", "approve", cli("policy", "requests", "--json").json[0]["request"], "--as", "bob").code == 0
    assert cli(*command, "--plaintext").code == 0


def test_a_reset(cli: Cli) -> None:
    assert cli("policy", "create", "one", "--key", KEY).code == 0
    assert cli("policy", "apply", "one").code == 0
    assert cli("backup", "create", "kept").code == 0
    assert cli("backup", "create", "moved").code == 0
    for name in ("moved", "moved.keys"):
        (cli.folder / name).unlink()
    asked = cli("env", "reset", "default", "--json")
    assert (asked.code, asked.error["code"]) == (2, "InvalidUsage")
    assert "--yes" in asked.error["hint"]
    assert cli("runs", "list", "--json").json
    done = cli("env", "reset", "default", "--yes", "--json")
    assert done.json == {
        "environment": "default", "flows": 1, "runs": 1, "connections": 0, "wal": "done",
        "backups": [f"{cli.folder}/kept"],
        "left": [{"file": f"{cli.folder}/moved", "reason": "it is not there any more"}],
    }  # fmt: skip
    assert not (cli.folder / "kept.keys").exists()
    found = status(cli)
    assert (found["policy"], found["flows"], found["runs"], found["state"]) == (None, [], {}, "active")
    assert (found["operations"][-1]["kind"], found["operations"][-1]["status"]) == ("reset", "Succeeded")
    assert cli("runs", "list", "--json").json == []
    assert cli("policy", "delete", "one").code == 0
    assert cli("run", "old.json").code == 0
    again = cli("env", "reset", "default", "--yes").out
    assert again.startswith("Reset default: 1 flow, 1 run, 0 connections shredded; it is under the service's key\n")
    assert "not destroyed: " in again
    assert cli("env", "reset", "nope", "--yes").code == 3


def test_a_lost_key(cli: Cli) -> None:
    assert cli("policy", "create", "safe", "--key", KEY, "--recovery", SPARE).code == 0
    assert cli("policy", "apply", "safe").code == 0
    cli.flow("new", {"A": compose("y")})
    assert cli("run", "new.json").code == 0
    spare = f"file:{cli.folder}/keys.json#spare"
    assert status(cli)["recovery"] == [spare]
    shown = cli("env", "status").out
    assert f"recovery    {spare}\n" in shown
    assert (
        f"warning: the recovery copy opens the environment whatever becomes of its key, for whoever may use {spare}"
        in shown
    )
    assert f"recovery     {spare}" in cli("policy", "show", "safe").out
    assert cli("env", "lock").code == 0
    assert cli("key", "disable", KEY).code == 0
    assert cli("env", "unlock").code == 4
    assert cli("env", "unlock", "--recovery", "--role", "environment-administrator").code == 4
    opened = cli("env", "unlock", "--recovery")
    assert opened.out.startswith("The environment default is unlocked\n")
    found = status(cli)
    assert (found["state"], found["key"]["uri"], "recovery" in found) == ("active", spare, False)
    assert len(cli("runs", "list", "--json").json) == 2
    missing = cli("env", "unlock", "--recovery", "--json")
    assert (missing.code, missing.error["code"]) == (3, "RecordNotFound")


def test_what_is_overdue(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("policy", "create", "brief", "--key", KEY, "--delete-after", "7").code == 0
    assert "deletes      what was locked for 7 days" in cli("policy", "show", "brief").out
    assert cli("policy", "apply", "brief").code == 0
    assert cli("env", "lock").code == 0
    assert cli("key", "disable", KEY).code == 0
    assert cli("env", "purge").err == "no environment is overdue\n"
    [told] = [each for each in status(cli)["warnings"] if each.startswith("it is deleted from ")]
    assert "unless it is unlocked" in told
    real = Acting.opened

    def later(acting: Acting, *arguments: Any, **options: Any) -> Any:
        now = acting._store._now_ms
        if getattr(now, "__name__", "") != "much_later":

            def much_later() -> int:
                return now() + 8 * 86_400_000

            acting._store._now_ms = much_later
        return real(acting, *arguments, **options)

    monkeypatch.setattr(Acting, "opened", later)
    assert cli("env", "purge").out == "overdue: default\nnext: sealflow env purge --yes\n"
    assert cli("env", "purge", "--yes", "--json").json == {"overdue": ["default"], "deleted": ["default"]}
    assert cli("env", "list", "--json").json == []


def test_regions(cli: Cli) -> None:
    assert cli("env", "create", "west", "--location", "us").code == 0
    assert cli("env", "show", "west", "--json").json["location"] == "us"
    assert "location    us" in cli("env", "show", "west").out
    assert cli("policy", "create", "european", "--key", KEY, "--location", "eu").code == 0
    refused = cli("policy", "apply", "european", "--environment", "west", "--json")
    assert (refused.code, refused.error["code"]) == (2, "LocationMismatch")
    assert cli("policy", "apply", "european").code == 0
