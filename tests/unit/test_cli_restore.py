"""`sealflow backup restore --into`: what a backup holds, in another environment under the same key."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli, compose, wait


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def backed_up(cli: Cli) -> None:
    """`contoso` with two flows, one of them disabled, two ended runs, one waiting, and a connection; `other`, empty."""
    on = ("--environment", "contoso")
    properties = cli.write(
        "properties.json", {"properties": {"connectionParameters": {"token": {"type": "oauthSetting"}}}}
    )
    for command in (
        ("env", "create", "contoso"),
        ("env", "create", "other"),
        ("flow", "deploy", cli.flow("order", {"C": compose("@triggerBody()")}), *on),
        ("flow", "deploy", cli.flow("wait", {"W": wait(3600)}), *on),
        ("run", "order", "--input", "1", *on),
        ("run", "order", "--input", "2", *on),
        ("flow", "disable", "wait", *on),
        ("connection", "create", "office", "--properties", properties, *on),
        ("backup", "create", "copy", *on),
    ):
        done = cli(*command)
        assert done.code == 0, f"{command}: {done.out}{done.err}"


def test_into_another_environment(cli: Cli) -> None:
    backed_up(cli)
    done = cli("backup", "restore", "copy", "--into", "other")
    assert done.code == 0, done.err
    assert "Restored into other: 2 flows, 2 runs, 1 connection" in done.out
    assert "flow enable FLOW --environment other" in done.out
    on = ("--environment", "other")
    first, other = (cli("runs", "list", "--environment", name, "--json").json for name in ("contoso", "other"))
    assert other == first
    shown = cli("runs", "show", first[0]["run"], *on, "--json").json
    assert shown["actions"][0]["outputs"] == 2
    assert [flow["enabled"] for flow in cli("flow", "list", *on, "--json").json] == [False, False]
    assert cli("run", "order", *on).code != 0
    assert cli("flow", "enable", "order", *on).code == 0
    assert cli("run", "order", "--input", "3", *on).code == 0
    assert [each["connection"] for each in cli("connection", "list", *on, "--json").json] == ["office"]
    assert cli("verify").code == 0


def test_flows_may_come_enabled(cli: Cli) -> None:
    backed_up(cli)
    done = cli("backup", "restore", "copy", "--into", "other", "--enabled", "--json")
    assert {name: done.json[name] for name in ("environment", "flows", "runs", "connections", "leftOut")} == {
        "environment": "other", "flows": 2, "runs": 2, "connections": 1, "leftOut": 0,
    }  # fmt: skip
    listed = cli("flow", "list", "--environment", "other", "--json").json
    assert {flow["flow"]: flow["enabled"] for flow in listed} == {"order": True, "wait": False}


def test_why_not(cli: Cli) -> None:
    backed_up(cli)
    for command in (
        ("key", "create", "file:keys.json#main"),
        ("policy", "create", "contoso", "--key", "file:keys.json#main"),
        ("policy", "apply", "contoso", "--environment", "other"),
    ):
        assert cli(*command).code == 0
    refused = cli("backup", "restore", "copy", "--into", "other", "--json")
    assert (refused.code, refused.error["code"]) == (2, "Conflict")
    assert "sealflow policy remove --environment other" in refused.error["hint"]
    assert cli("backup", "restore", "copy", "--into", "missing").code == 3
    assert cli("backup", "restore", "copy", "--into", "contoso").code == 2
    assert cli("backup", "restore", "copy", "--into", "other", "--revive").code == 2
    assert cli("backup", "restore", "copy", "--enabled", "--yes").code == 2
    assert cli("flow", "list", "--environment", "other", "--json").json == []
