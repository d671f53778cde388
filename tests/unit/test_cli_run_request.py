"""`sealflow run --header`, `--query` and `--path`: the request that a run's trigger sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli, compose


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_headers_queries_and_parameters_of_the_path(cli: Cli) -> None:
    inputs = {"method": "GET", "relativePath": "/orders/{id}"}
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": inputs}}
    read = "@concat(triggerOutputs()['headers']['X-A'], triggerOutputs()['queries']['q'], "
    cli.flow("f", {"A": compose(read + "triggerOutputs()['relativePathParameters']['id'])")}, triggers=trigger)
    done = cli("run", "f.json", "--header", "X-A=1=1", "--query", "q=é", "--path", "id=7", "--json")
    assert [action["outputs"] for action in done.json["actions"]] == ["1=1é7"]


@pytest.mark.parametrize("option", ["--header", "--query", "--path"])
def test_what_is_no_pair(cli: Cli, option: str) -> None:
    cli.flow("f", {"A": compose(1)})
    for arguments in ([option, "secret"], [option, "a=1", option, "a=2"]):
        refused = cli("run", "f.json", *arguments, "--json")
        assert (refused.code, refused.error["code"]) == (2, "InvalidUsage")
        assert "secret" not in refused.error["message"]


def test_a_trigger_that_is_no_request_has_no_queries(cli: Cli) -> None:
    daily = {"T": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}}
    cli.flow("f", {"A": compose(1)}, triggers=daily)
    refused = cli("run", "f.json", "--query", "a=1", "--json")
    assert (refused.code, refused.error["code"]) == (2, "NoRequest")
    assert cli("run", "f.json").code == 0
