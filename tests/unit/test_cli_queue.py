"""`sealflow queue`: queues are made, filled and looked at, by people and by programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_items_are_added_and_listed(cli: Cli) -> None:
    assert cli("queue", "create", "Refunds", "--id", "{AB-1}", "--json").json == {"queue": "Refunds", "id": "{AB-1}"}
    added = cli("queue", "add", "ab-1", "--name", "R-1", "--value", '{"n": 1.5}', "--id", "r1", "--json").json
    assert (added["id"], added["value"], added["status"], added["priority"]) == ("r1", {"n": 1.5}, "Queued", "Normal")
    assert cli("queue", "add", "Refunds", "--name", "R-2", "--priority", "high").code == 0
    listed = cli("queue", "list", "refunds", "--json").json
    assert [each["name"] for each in listed] == ["R-2", "R-1"]
    assert "claim" not in listed[0]
    assert cli("queue", "list", "Refunds", "--status", "Processed", "--json").json == []
    assert cli("queue", "list").out == "Refunds\n"
    assert "Queued             Normal R-1\n" in cli("queue", "list", "Refunds").out


def test_what_is_wrong_is_said(cli: Cli) -> None:
    cli("queue", "create", "Refunds")
    missing = cli("queue", "add", "Other", "--name", "x", "--json")
    assert (missing.code, missing.error["code"]) == (3, "WorkQueueNotFound")
    wrong = cli("queue", "add", "Refunds", "--name", "x", "--priority", "soon", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "InvalidPriority")
    unknown = cli("queue", "list", "Refunds", "--status", "Lost", "--json")
    assert (unknown.code, unknown.error["code"]) == (2, "InvalidStatus")
    assert cli("queue", "add", "Refunds", "--name", "x", "--value", "{", "--json").error["code"] == "InvalidJson"


def test_a_queue_is_deleted_like_a_flow(cli: Cli) -> None:
    cli("queue", "create", "Refunds")
    cli("queue", "add", "Refunds", "--name", "R-1")
    done = cli("flow", "delete", "queue:Refunds")
    assert done.code == 0, done
    assert cli("queue", "list", "--json").json == []
    assert cli("verify").code == 0
