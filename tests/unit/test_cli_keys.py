"""`sealflow key`, `policy`, `env status|lock|unlock` and `audit` on a real store, with keys in a file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli, compose
from sealflow.storage.keys.provider_calls import CALLS

KEY = "file:keys.json#main"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """A folder with one run of the flow `old`, and a customer's key."""
    monkeypatch.delenv("SEALFLOW_POLICY_LIMIT", raising=False)
    monkeypatch.setenv("SEALFLOW_ACTOR", "ann")
    cli = Cli(tmp_path, monkeypatch, capsys)
    cli.flow("old", {"A": compose("x")})
    cli.flow("new", {"A": compose("y")})
    assert cli("run", "old.json").code == 0
    assert cli("key", "create", KEY).code == 0
    return cli


@pytest.fixture
def covered(cli: Cli) -> Cli:
    """The same, under the policy `contoso`, with a run of `new` as well."""
    assert cli("policy", "create", "contoso", "--key", KEY).code == 0
    assert cli("policy", "apply", "contoso").code == 0
    assert cli("run", "new.json").code == 0
    return cli


def status(cli: Cli) -> Any:
    found = cli("env", "status", "--json")
    assert found.code == 0, found.err
    return found.json


def domains(cli: Cli) -> dict[str | None, str]:
    return {flow["name"]: flow["domain"] for flow in status(cli)["flows"]}


# ---- keys in files


def test_keys_in_a_file(cli: Cli) -> None:
    uri = f"file:{cli.folder}/keys.json#main"
    assert cli("key", "list", "file:keys.json", "--json").json == [{"key": uri, "versions": 1, "enabled": True}]
    added = cli("key", "add-version", KEY)
    assert added.out == f"{uri} has version 2\nnext: sealflow key rotate --environment NAME\n"
    assert cli("key", "disable", KEY, "--json").json == {"key": uri, "versions": 2, "enabled": False}
    assert cli("key", "list", KEY).out.splitlines()[1].split() == ["main", "2", "disabled"]
    assert cli("key", "enable", KEY).out.startswith(f"{uri} is enabled\n")


@pytest.mark.parametrize(
    ("command", "code", "exit_code"),
    [
        (["create", KEY], "AlreadyThere", 2),
        (["create", "file:keys.json"], "InvalidKeyUri", 2),
        (["create", "aws:arn:aws:kms:eu-central-1:1:key/2"], "InvalidKeyUri", 2),
        (["disable", "keys.json#main"], "InvalidKeyUri", 2),
        (["disable", "file:keys.json#other"], "RecordNotFound", 3),
        (["list", "file:missing.json"], "RecordNotFound", 3),
    ],
)
def test_keys_that_cannot_be(cli: Cli, command: list[str], code: str, exit_code: int) -> None:
    refused = cli("key", *command, "--json")
    assert (refused.code, refused.error["code"]) == (exit_code, code)


# ---- policies


def test_a_policy_from_its_making_to_its_end(cli: Cli) -> None:
    made = cli(
        "policy", "create", "contoso", "--key", KEY, "--location", "eu", "--reader", "bob", "--probe", "60",
        "--grace", "0", "--json",
    )  # fmt: skip
    uri = f"file:{cli.folder}/keys.json#main"
    shown = cli("policy", "show", "CONTOSO", "--json").json
    assert shown == made.json
    assert {name: shown[name] for name in shown if name not in ("id", "createdTime")} == {
        "policy": "contoso", "key": uri, "location": "eu", "owner": "ann", "readers": ["bob"], "probe": 60.0,
        "grace": 0.0, "allConnections": False, "approvals": 1, "recovery": None, "deleteAfter": None,
        "environments": [],
    }  # fmt: skip
    assert cli("policy", "grant", "contoso", "--reader", "eve").out == "eve may put environments under contoso\n"
    applied = cli("policy", "apply", "contoso", "--as", "eve", "--json")
    assert applied.json == {"environment": "default", "policy": "contoso", "domain": "customer:contoso"}
    assert cli("policy", "show", "contoso").out.splitlines()[-1] == "environments default"
    kept = cli("policy", "delete", "contoso", "--json")
    assert (kept.code, kept.error["code"]) == (2, "Conflict")
    removed = cli("policy", "remove", "--json")
    assert removed.json == {"environment": "default", "policy": None, "domain": "service"}
    assert cli("policy", "delete", "contoso", "--json").json == {"policy": "contoso", "deleted": True}
    assert cli("policy", "list").err == "no policies\n"
    assert cli("policy", "show", "contoso").code == 3


def test_who_may_not(cli: Cli) -> None:
    assert cli("policy", "create", "contoso", "--key", KEY).code == 0
    for command in (
        ["policy", "apply", "contoso", "--as", "carl"],
        ["policy", "apply", "contoso", "--role", "key-administrator"],
        ["policy", "create", "other", "--key", KEY, "--role", "environment-administrator"],
        ["policy", "migrate", "--role", "environment-administrator"],
        ["key", "rotate", "--role", "environment-administrator"],
        ["key", "retire", "--role", "environment-administrator"],
        ["env", "lock", "--role", "key-administrator"],
        ["env", "unlock", "--role", "key-administrator"],
    ):
        refused = cli(*command, "--json")
        assert (refused.code, refused.error["code"]) == (4, "NotPermitted"), command
    assert status(cli)["policy"] is None
    nobody = cli("policy", "apply", "contoso", "--as", " ", "--json")
    assert (nobody.code, nobody.error["code"]) == (2, "InvalidActor")


def test_how_many_environments_may_be_covered(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("policy", "create", "contoso", "--key", KEY).code == 0
    assert cli("env", "create", "second").code == 0
    monkeypatch.setenv("SEALFLOW_POLICY_LIMIT", "1")
    assert cli("policy", "apply", "contoso").code == 0
    full = cli("policy", "apply", "contoso", "--environment", "second", "--json")
    assert (full.code, full.error["code"]) == (4, "PolicyLimit")
    assert "SEALFLOW_POLICY_LIMIT" in full.error["hint"]
    monkeypatch.setenv("SEALFLOW_POLICY_LIMIT", "many")
    wrong = cli("policy", "apply", "contoso", "--environment", "second", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "InvalidPolicyLimit")


def test_what_is_not_there(cli: Cli) -> None:
    assert cli("policy", "create", "contoso", "--key", KEY).code == 0
    for command, kind in (
        (["policy", "apply", "nope"], "policies"),
        (["policy", "health", "nope"], "policies"),
        (["policy", "apply", "contoso", "--environment", "nope"], "environments"),
        (["policy", "migrate", "--environment", "nope"], "environments"),
        (["key", "status", "--environment", "nope"], "environments"),
        (["env", "status", "nope"], "environments"),
        (["env", "lock", "nope"], "environments"),
    ):
        missing = cli(*command, "--json")
        assert missing.code == 3, (command, missing.err)
        assert missing.error["hint"].endswith(f"list` shows the {kind}.")


def test_a_policy_needs_a_key_that_is_given(cli: Cli) -> None:
    cli("key", "disable", KEY)
    denied = cli("policy", "create", "contoso", "--key", KEY, "--json")
    assert (denied.code, denied.error["code"]) == (4, "KeyDenied")
    away = cli("policy", "create", "contoso", "--key", "file:away.json#main", "--json")
    assert (away.code, away.error["code"]) == (4, "KeyUnavailable")


# ---- an environment under a policy


def test_what_was_there_stays_and_what_is_new_goes_to_the_customer(covered: Cli) -> None:
    found = status(covered)
    assert list(found) == [
        "environment", "state", "policy", "key", "flows", "connections", "runs", "operations", "warnings",
    ]  # fmt: skip
    assert (found["environment"], found["state"], found["policy"]) == ("default", "active", "contoso")
    assert found["key"]["uri"] == f"file:{covered.folder}/keys.json#main"
    assert domains(covered) == {"old": "service", "new": "customer:contoso"}
    assert found["runs"] == {"service": 1, "customer:contoso": 1}
    [told] = [warning for warning in found["warnings"] if "flows still under the service key" in warning]
    assert "sealflow policy migrate --environment default" in told
    shown = covered("env", "status").out
    assert "flow        old  service" in shown
    assert "warning: flows still under the service key: 1 of 2" in shown


def test_migration_moves_everything(covered: Cli) -> None:
    done = covered("policy", "migrate", "--json")
    assert done.code == 0
    assert (done.json["kind"], done.json["status"], done.json["error"]) == ("migrate", "Succeeded", None)
    found = status(covered)
    assert set(domains(covered).values()) == {"customer:contoso"}
    assert found["runs"] == {"customer:contoso": 2}
    applied, operation = found["operations"]
    assert (applied["kind"], applied["status"]) == ("apply", "Succeeded")
    assert {name: operation[name] for name in ("kind", "status", "done", "total")} == {
        "kind": "migrate", "status": "Succeeded", "done": done.json["done"], "total": done.json["total"],
    }  # fmt: skip
    assert any("backup from before" in warning for warning in found["warnings"])
    assert covered("runs", "list", "--json").code == 0
    assert covered("policy", "migrate", "--full").out.startswith("migrate --full: Succeeded")
    assert not any("backup from before" in warning for warning in status(covered)["warnings"])


def test_a_detached_migration_is_done_by_the_next_executor(covered: Cli) -> None:
    left = covered("policy", "migrate", "--detach")
    assert left.out.startswith("migrate: Running")
    assert status(covered)["operations"][-1]["status"] == "Running"
    assert covered("worker", "--once").code == 0
    assert status(covered)["operations"][-1]["status"] == "Succeeded"
    assert set(domains(covered).values()) == {"customer:contoso"}


def test_rotation(covered: Cli) -> None:
    before = status(covered)
    covered("key", "add-version", KEY)
    rotated = covered("key", "rotate", "--json")
    assert rotated.json == {
        "environment": "default", "policy": "contoso", "domain": "customer:contoso", "operation": None,
    }  # fmt: skip
    after = status(covered)
    assert after["key"]["version"] != before["key"]["version"]
    assert after["flows"] == before["flows"]
    assert covered("key", "rotate", "--data-keys", "--json").json["operation"]["status"] == "Succeeded"
    keys = covered("key", "status", "--json").json["keys"]
    assert [(each["domain"], each["version"], each["live"]) for each in keys] == [
        ("service", 1, True), ("customer:contoso", 1, False), ("customer:contoso", 2, True),
    ]  # fmt: skip
    assert keys[1]["scopes"] == {}
    assert keys[2]["scopes"]["flow"] == 1  # what was there before the policy stays with the service
    assert domains(covered) == {"old": "service", "new": "customer:contoso"}
    assert covered("key", "status").out.splitlines()[-1] == "next: sealflow key retire"
    retired = covered("key", "retire", "--json").json
    assert retired["retired"] == [{"number": keys[1]["number"], "version": 1}]
    assert covered("key", "retire").out == "default has no earlier keys\n"
    assert covered("run", "new").code == 0
    assert set(domains(covered)) == {"old", "new"}


def test_the_service_s_own_keys_of_a_covered_environment_are_rotated(covered: Cli) -> None:
    def wrapped_by() -> dict[str, str]:
        return {each["domain"]: each["kek"] for each in covered("key", "status", "--json").json["keys"]}

    before = wrapped_by()
    assert set(before) == {"service", "customer:contoso"}
    assert covered("key", "rotate", "--service").code == 0
    after = wrapped_by()
    assert after["service"] != before["service"]
    assert after["customer:contoso"] == before["customer:contoso"]
    assert covered("run", "new").code == 0
    assert covered("run", "old").code == 0
    assert covered("key", "rotate", "--service", "--data-keys").code == 2


def test_an_earlier_key_that_is_needed_is_kept(covered: Cli) -> None:
    # As an interruption between the rotation and the migration behind it would leave it.
    async def rotate() -> None:
        async with sealflow.open(covered.folder / ".sealflow") as engine:
            await engine.administration().rotate("default", data_keys=True)

    asyncio.run(rotate())
    shown = covered("key", "status")
    assert "2.1 is still needed for 1 run, 1 flow" in shown.err
    assert shown.out.splitlines()[-1] == "next: sealflow policy migrate"
    kept = covered("key", "retire", "--json")
    assert (kept.code, kept.error["code"]) == (2, "Conflict")
    assert "policy migrate" in kept.error["hint"]


def test_removal_gives_everything_back(covered: Cli) -> None:
    assert covered("policy", "remove").out == "The environment default is under the service's key\n"
    found = status(covered)
    assert (found["policy"], found["key"]["uri"], found["warnings"]) == (None, "service:", [])
    assert domains(covered) == {"old": "service", "new": "service"}
    assert found["runs"] == {"service": 2}
    covered("key", "disable", KEY)
    assert covered("run", "new").code == 0


def test_an_exchange_of_policies(covered: Cli) -> None:
    covered("key", "create", "file:other.json#main")
    covered("policy", "create", "fabrikam", "--key", "file:other.json#main")
    assert covered("policy", "apply", "fabrikam").code == 0
    covered("key", "disable", KEY)
    assert domains(covered) == {"old": "service", "new": "customer:fabrikam"}
    assert covered("run", "new").code == 0


# ---- locked


def test_a_locked_environment_tells_of_itself_but_of_nothing_sealed(covered: Cli) -> None:
    assert covered("env", "lock", "--json").json == {"environment": "default", "state": "locked"}
    found = status(covered)
    assert (found["state"], found["policy"]) == ("locked", "contoso")
    assert domains(covered) == {"old": "service", None: "customer:contoso"}
    assert found["runs"] == {"service": 1, "customer:contoso": 1}
    assert found["warnings"][0].startswith("locked since ")
    shown = covered("env", "status").out
    assert "flow        (sealed)  customer:contoso" in shown
    assert "new" not in shown
    for command in (
        ["run", "old"], ["runs", "list"], ["flow", "list"], ["flow", "deploy", "old.json"], ["connection", "list"],
        ["policy", "migrate"], ["key", "rotate"], ["policy", "remove"],
    ):  # fmt: skip
        refused = covered(*command, "--json")
        assert (refused.code, refused.error["code"]) == (4, "EnvironmentLocked"), command
        assert "env unlock" in refused.error["hint"], command
    assert covered("env", "unlock", "--json").json == {"environment": "default", "state": "active"}
    assert covered("run", "new").code == 0


def test_a_bundle_of_a_locked_environment_is_denied_and_others_are_still_found(covered: Cli) -> None:
    covered("runs", "export", "latest", "--out", "locked")
    covered("flow", "deploy", "old.json", "--environment", "second")
    covered("run", "old", "--environment", "second")
    covered("runs", "export", "latest", "--environment", "second", "--out", "open")
    covered("env", "lock")
    assert covered("replay", "open").code == 0
    refused = covered("replay", "locked", "--json")
    assert (refused.code, refused.error["code"]) == (4, "EnvironmentLocked")


def test_a_denied_key_lets_nothing_be_read_and_does_not_unlock(covered: Cli) -> None:
    covered("key", "disable", KEY)
    assert covered("policy", "health", "contoso").code == 4
    found = status(covered)
    assert found["state"] != "active"
    assert domains(covered) == {"old": "service", None: "customer:contoso"}
    assert any("is disabled" in warning for warning in found["warnings"])
    covered("env", "lock")
    for _ in range(2):
        kept = covered("env", "unlock", "--json")
        assert (kept.code, kept.error["code"]) == (4, "KeyDenied")
    covered("key", "enable", KEY)
    assert covered("env", "unlock").code == 0
    assert covered("policy", "health", "contoso", "--json").json == {
        "policy": "contoso", "health": "healthy", "detail": None,
    }  # fmt: skip


def test_unlocking_says_so_where_only_the_key_is_missing(covered: Cli) -> None:
    covered("key", "disable", KEY)
    told = covered("env", "unlock", "--json")
    assert (told.code, told.error["code"]) == (4, "KeyDenied")
    (covered.folder / "keys.json").rename(covered.folder / "away.json")
    told = covered("env", "unlock", "--json")
    assert (told.code, told.error["code"]) == (4, "KeyUnavailable")


# ---- audit


def test_the_audit(covered: Cli) -> None:
    covered("env", "lock", "--as", "bob")
    acts = covered("audit", "list", "--json").json
    assert [act["number"] for act in acts] == list(range(1, len(acts) + 1))
    done = [act for act in acts if act["act"] not in CALLS]
    assert covered("audit", "list", "--no-calls", "--json").json == done
    uri = f"file:{covered.folder}/keys.json#main"
    assert [(act["actor"], act["act"], act["subject"], act["status"]) for act in done] == [
        ("ann", "environment create", "default", "Succeeded"),
        ("ann", "key create", uri, "Succeeded"),
        ("ann", "policy create", "contoso", "Succeeded"),
        ("ann", "policy apply", "default", "Running"),
        ("ann", "policy apply", "default", "Succeeded"),
        ("bob", "environment lock", "default", "Running"),
        ("bob", "environment lock", "default", "Succeeded"),
    ]
    assert len(covered("audit", "list", "--limit", "2").out.splitlines()) == 3
    applied = covered("audit", "list", "--act", "policy apply", "--json").json
    assert [act["status"] for act in applied] == ["Running", "Succeeded"]
    assert covered("audit", "verify", "--json").json == {"ok": True, "checked": len(acts), "problem": None}
    assert covered("audit", "export", "acts.jsonl", "--json").json == {"file": "acts.jsonl", "acts": len(acts)}
    lines = (covered.folder / "acts.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == acts
    assert covered("audit", "export", "-").lines == acts


def test_what_is_done_to_a_key_in_a_file_is_on_record(cli: Cli) -> None:
    """Also the refusal to make it twice leaves no trace: nothing was done."""
    cli("key", "disable", KEY, "--as", "kim")
    cli("key", "enable", KEY)
    cli("key", "add-version", KEY)
    cli("key", "create", KEY)
    acts = cli("audit", "list", "--act", "key", "--no-calls", "--json").json
    assert [(act["actor"], act["act"], act["status"], act["detail"]) for act in acts] == [
        ("ann", "key create", "Succeeded", {"versions": 1, "enabled": True}),
        ("kim", "key disable", "Succeeded", {"versions": 1, "enabled": False}),
        ("ann", "key enable", "Succeeded", {"versions": 1, "enabled": True}),
        ("ann", "key add-version", "Succeeded", {"versions": 2, "enabled": True}),
    ]
    # Without a store at this place, or with one that cannot be written, the key is changed all the same.
    assert cli("key", "disable", KEY, "--home", "elsewhere").code == 0
    (cli.folder / ".sealflow" / "control.db").write_bytes(b"no database")
    told = cli("key", "enable", KEY)
    assert (told.code, told.err.startswith("not on record: ")) == (0, True)


def test_an_audit_that_was_changed(covered: Cli) -> None:
    with closing(sqlite3.connect(covered.folder / ".sealflow" / "control.db")) as database:
        database.execute("DELETE FROM audit WHERE number = 2")
        database.commit()
    found = covered("audit", "verify", "--json")
    assert found.code == 1
    assert (found.json["ok"], found.json["checked"]) == (False, 1)
    assert "number 2" in found.json["problem"]
    assert covered("audit", "verify").out.startswith("1 act verified, then: ")
    assert covered("audit", "list").code == 4


def test_an_audit_of_which_nothing_is_wanted(cli: Cli) -> None:
    assert cli("env", "list", "--home", "other").code == 3
    assert cli("env", "create", "first", "--home", "other").code == 0
    told = cli("audit", "list", "--home", "other", "--json").json
    assert [(act["act"], act["detail"] and act["detail"].get("key")) for act in told] == [
        ("environment create", None), ("key wrap", "service:"),
    ]  # fmt: skip
    assert cli("audit", "list", "--act", "policy", "--home", "other").err == "nothing on record\n"
    assert cli("audit", "verify", "--home", "other").out == "2 acts verified\n"
