"""`sealflow worker`, `flow enable` and `flow disable`: triggers from the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli, compose
from sealflow.engine.hosts.cli.commands.environments import worker
from sealflow.engine.runtime.keys import unlock_wait as patience

DAILY = {"T": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_once_fires_what_is_due_and_says_so(cli: Cli) -> None:
    cli("flow", "deploy", cli.flow("daily", {"a": compose("@trigger().name")}, triggers=DAILY))
    assert "when a worker runs" in cli("flow", "show", "daily").out
    done = cli("worker", "--once")
    fired, ended = done.out.splitlines()
    assert done.code == 0
    assert fired[9:] == "daily fired: Succeeded OK, 1 run"
    assert ended.endswith("of daily ended: Succeeded")
    assert cli("worker", "--once", "--json").out == ""
    shown = cli("flow", "show", "daily", "--json").json
    assert shown["enabled"] is True
    assert shown["nextTime"] > shown["firings"][0]["time"]
    assert [firing["code"] for firing in shown["firings"]] == ["OK"]
    assert "fired     " in cli("flow", "show", "daily").out


def test_json_lines_of_a_worker(cli: Cli) -> None:
    cli("flow", "deploy", cli.flow("daily", {"a": compose(1)}, triggers=DAILY))
    fired, ended = cli("worker", "--once", "--json").lines
    assert (fired["event"], fired["flow"], fired["version"], fired["status"]) == ("fired", "daily", 1, "Succeeded")
    assert ended == {"event": "ended", "run": fired["runs"][0], "flow": "daily", "status": "Succeeded"}


def test_a_trigger_that_cannot_fire_is_shown(cli: Cli) -> None:
    rule = {"frequency": "Day", "interval": "@int('0')"}
    cli("flow", "deploy", cli.flow("f", {"a": compose(1)}, triggers={"T": {"type": "Recurrence", "recurrence": rule}}))
    assert cli("worker", "--once").out == ""
    assert "cannot fire: " in cli("flow", "show", "f").out
    assert cli("flow", "show", "f", "--json").json["problem"]["code"] == "InvalidRecurrence"


def test_a_disabled_flow_is_refused(cli: Cli) -> None:
    cli("flow", "deploy", cli.flow("daily", {"a": compose(1)}, triggers=DAILY))
    assert cli("flow", "disable", "DAILY").out == "daily is disabled\n"
    assert cli("flow", "list", "--json").json[0]["enabled"] is False
    assert "disabled" in cli("flow", "show", "daily").out
    refused = cli("run", "daily", "--json")
    assert (refused.code, refused.error["code"]) == (4, "FlowDisabled")
    assert cli("worker", "--once").out == ""
    assert cli("flow", "enable", "daily", "--json").json == {"flow": "daily", "enabled": True}
    assert cli("run", "daily").code == 0
    assert cli("flow", "enable", "nothing").code == 3


def test_a_worker_needs_an_environment(cli: Cli) -> None:
    assert cli("worker").code == 3


@pytest.mark.parametrize("second", [False, True])
def test_a_signal_ends_the_worker(cli: Cli, monkeypatch: pytest.MonkeyPatch, second: bool) -> None:
    """The first one lets a run that goes on come to its end; the second one does not wait for it."""
    slow = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour" if second else "Second"}}}
    cli("flow", "deploy", cli.flow("daily", {"w": slow}, triggers=DAILY))
    fired = worker._Log.fired

    def told(log: Any, each: Any) -> None:
        fired(log, each)
        for _ in range(2 if second else 1):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(worker._Log, "fired", told)
    threads = set(threading.enumerate())
    done = cli("worker", "--json", "--grace", "60")
    assert done.code == 0
    events = [json.loads(line)["event"] for line in done.out.splitlines()]
    assert events == (["fired"] if second else ["fired", "ended"])
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)  # told to end, and perhaps not there yet
        assert not thread.is_alive(), thread
    assert [run["status"] for run in cli("runs", "list", "--json").json] == ["Waiting" if second else "Succeeded"]


def test_a_dedicated_worker_has_the_keys_of_one_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        cli("env", "create", name)
    cli("flow", "deploy", cli.flow("daily", {"a": compose(1)}, triggers=DAILY), "--environment", "one")
    refused = cli("worker", "--once", "--dedicated", "--environment", "one", "--json")
    assert (refused.code, refused.error["code"]) == (4, "NotDedicated")
    single = "single.json"
    assert cli("key", "export", single, "--environment", "one", "--json").json["environment"] == "one"
    assert cli("key", "export", single, "--environment", "one").code == 2
    assert cli("key", "export", "x.json", "--environment", "none").code == 3
    monkeypatch.setenv("SEALFLOW_KEYSTORE", single)
    assert cli("worker", "--once", "--dedicated", "--environment", "one").code == 0
    assert cli("runs", "list", "--environment", "two").code == 4


def test_a_worker_takes_at_least_one_run(cli: Cli) -> None:
    assert cli("worker", "--once", "--concurrency", "0").code == 2


def test_a_worker_that_starts_while_locked_waits_and_begins(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("flow", "deploy", cli.flow("daily", {"a": compose(1)}, triggers=DAILY))
    assert cli("env", "lock").code == 0
    assert cli("worker", "--once", "--json").error["code"] == "EnvironmentLocked"
    unlocking = threading.Thread(target=asyncio.run, args=(_unlock(),))
    waiting, begin = worker._Log.waiting, worker._Log.begin

    def waits(log: Any, error: Any) -> None:
        waiting(log, error)
        unlocking.start()

    def begins(log: Any, environment: str) -> None:
        begin(log, environment)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(patience, "PERIOD", 0.01)
    monkeypatch.setattr(worker._Log, "waiting", waits)
    monkeypatch.setattr(worker._Log, "begin", begins)
    done = cli("worker", "--json", "--grace", "60")
    unlocking.join()
    assert done.code == 0
    assert done.err.splitlines()[:2] == [
        "The environment default is locked (by an administrator). The worker waits.",
        "  next: An administrator unlocks it: sealflow env unlock default",
    ]
    assert "executing the environment default" in done.err
    assert {run["flow"] for run in cli("runs", "list", "--json").json} <= {"daily"}


def test_a_signal_ends_a_worker_that_waits(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("env", "create", "default").code == 0
    assert cli("env", "lock").code == 0
    monkeypatch.setattr(worker._Log, "waiting", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert cli("worker").code == 0


async def _unlock() -> None:
    async with sealflow.open() as engine:
        await engine.administration("maria").unlock("default")
