"""`machine-group`, `queue runs` and `worker --desktop`, as somebody uses them who has never seen them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import sealflow
from cli_session import Cli
from desktop_callers import GREETING, calling
from sealflow.engine.runtime.flows.script_files import ScriptSource


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_before_there_is_a_store_both_commands_say_how_to_make_it(cli: Cli) -> None:
    for command in (("env", "permissions", "show", "prod"), ("machine-group", "list", "-e", "prod")):
        missing = cli(*command, "--json")
        assert (missing.code, missing.json["error"]["code"]) == (3, "NotFound")
        assert "sealflow env create prod" in missing.json["error"]["hint"]


def test_groups_are_made_changed_shown_and_removed(cli: Cli) -> None:
    assert cli("env", "create", "prod").code == 0
    none = cli("machine-group", "list", "-e", "prod")
    assert none.out == "no machine group: desktop flows run in the process that calls them\n"
    assert cli("machine-group", "create", "Robots", "-e", "prod").out == "Robots\n"
    options = ("--connection", "c1", "--machine", "PC-7", "--queue-timeout", "60")
    made = cli("machine-group", "create", "Finance", "-e", "prod", *options)
    assert made.out == "Finance: connection c1, machine PC-7, waits at most 60 minutes\n"
    limits = ("--sessions", "2", "--queue-timeout", "0")
    finance = cli("machine-group", "update", "finance", "-e", "prod", *limits, "--json").json
    assert {key: value for key, value in finance.items() if key != "id"} == {
        "environment": "prod",
        "name": "Finance",
        "sessions": 2,
        "connections": ["c1"],
        "machines": ["PC-7"],
    }
    assert cli("machine-group", "show", "FINANCE", "-e", "prod", "--json").json == finance
    listed = cli("machine-group", "list", "-e", "prod", "--json").json
    assert [each["name"] for each in listed["groups"]] == ["Robots", "Finance"]
    assert {"environment": "prod", **listed["groups"][1]} == finance
    assert cli("machine-group", "delete", "robots", "-e", "prod").out == "Deleted machine group Robots\n"
    assert cli("machine-group", "list", "-e", "prod").out == "Finance: 2 at once, connection c1, machine PC-7\n"
    acts = {each["act"]: each["detail"] for each in cli("audit", "list", "--act", "machine group", "--json").json}
    assert acts["machine group delete"] == {"group": "Robots"}
    assert acts["machine group update"] == {"group": "finance", "sessions": 2, "minutes": 0}


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("machine-group", "delete", "Other", "-e", "prod"), 3, "NotFound"),
        (("machine-group", "show", "Other", "-e", "prod"), 3, "NotFound"),
        (("machine-group", "update", "Other", "-e", "prod"), 3, "NotFound"),
        (("machine-group", "create", "robots", "-e", "prod"), 2, "AlreadyThere"),
        (("machine-group", "create", "Other", "--connection", "robots", "-e", "prod"), 2, "InvalidSetting"),
        (("machine-group", "create", "Other", "--sessions", "0", "-e", "prod"), 2, "InvalidUsage"),
        (("queue", "runs", "Other", "--environment", "prod"), 3, "NotFound"),
        (("worker", "--group", "Robots", "--environment", "prod"), 2, "InvalidUsage"),
        (("worker", "--desktop", "--once", "--environment", "prod"), 2, "InvalidUsage"),
        (("worker", "--desktop", "--environment", "none"), 2, "NoMachineGroup"),
        (("worker", "--desktop", "--group", "Other", "--environment", "prod"), 3, "NotFound"),
        (("worker", "--desktop", "--environment", "prod"), 2, "NeedsDatabase"),
    ],
)
def test_what_is_wrong_is_said(cli: Cli, arguments: tuple[str, ...], code: int, error: str) -> None:
    assert cli("env", "create", "none").code == 0
    assert cli("env", "create", "prod").code == 0
    assert cli("machine-group", "create", "Robots", "-e", "prod").code == 0
    refused = cli(*arguments, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (code, error)


def test_a_call_runs_through_the_queue_of_a_store_in_a_file(cli: Cli) -> None:
    (cli.folder / "greet.robin").write_text(GREETING)
    (cli.folder / "caller.json").write_text(json.dumps(calling({"uiFlowId": "greet", "item/Who": "Ada"})))
    assert cli("env", "create", "default").code == 0
    assert cli("machine-group", "create", "Robots", "-e", "default").code == 0
    assert cli("flow", "deploy", "greet.robin").code == 0
    ran = cli("run", "caller.json", "--json")
    assert ran.json["response"]["body"]["greeting"] == "Hello Ada"
    assert cli("queue", "runs", "--json").json == []
    assert cli("queue", "runs").out == ""
    assert cli("machine-group", "delete", "Robots").code == 0


async def _queued(text: str) -> None:
    """Leave a run in the queue, as a process does that ends."""
    async with sealflow.open() as engine:
        env = await engine.environment()
        await env.deploy("long", ScriptSource("long", text))
        await env.start(await env.deploy("caller", calling({"uiFlowId": "long", "runPriority": "High"})))
        async with asyncio.timeout(120):
            while not await env.machines.runs():
                await asyncio.sleep(0)


def test_a_group_that_something_is_for_is_not_removed(cli: Cli) -> None:
    assert cli("env", "create", "default").code == 0
    assert cli("machine-group", "create", "Robots", "-e", "default").code == 0
    asyncio.run(_queued("LOOP WHILE (1) = (1)\n    WAIT 20\nEND\n"))
    (queued,) = cli("queue", "runs", "Robots", "--json").json
    assert (queued["flow"], queued["group"], queued["priority"]) == ("long", "Robots", "High")
    assert queued["run"] in cli("queue", "runs").out
    refused = cli("machine-group", "delete", "Robots", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "GroupInUse")
    for run in (queued["run"], queued["parent"]):
        assert cli("runs", "cancel", run).code == 0
    assert cli("queue", "runs", "--json").json == []
    assert cli("machine-group", "delete", "Robots").code == 0
