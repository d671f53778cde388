"""`--artifacts` of run, flow deploy and flow import, and a Standard project that brings its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli

ACTION: dict[str, Any] = {
    "type": "Liquid",
    "kind": "JsonToText",
    "inputs": {"content": "@triggerBody()", "map": {"source": "LogicApp", "name": "Greet"}},
}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    made = Cli(tmp_path, monkeypatch, capsys)
    made.flow("greet", {"Greet": ACTION})
    maps = made.folder / "project" / "Artifacts" / "Maps"
    maps.mkdir(parents=True)
    (maps / "Greet.liquid").write_text("Hello, {{ content.name }}", "utf-8")
    return made


def outputs(done: Any) -> Any:
    assert done.code == 0, done
    return done.json["actions"][0]["outputs"]


def test_run_takes_the_maps_of_a_folder_and_keeps_them_with_the_flow(cli: Cli) -> None:
    done = cli("run", "greet.json", "--artifacts", "project/Artifacts", "--input", '{"name":"Ada"}', "--json")
    assert outputs(done) == {"body": "Hello, Ada"}
    assert outputs(cli("run", "greet", "--input", '{"name":"Eve"}', "--json")) == {"body": "Hello, Eve"}


def test_deploying_without_them_says_what_is_missing_and_how_to_give_it(cli: Cli) -> None:
    done = cli("flow", "deploy", "greet.json")
    assert done.code == 2
    assert "ArtifactNotFound" in done.err
    assert "--artifacts DIR" in done.err
    assert cli("flow", "deploy", "greet.json", "--artifacts", "project").code == 0


@pytest.mark.parametrize("name", ["Greet", ""])
def test_a_simulated_run_needs_no_maps(cli: Cli, name: str) -> None:
    action = {**ACTION, "inputs": {**ACTION["inputs"], "map": {"source": "LogicApp", "name": name}}}
    cli.flow("greet", {"Greet": action})
    assert cli("run", "greet.json").code == 2
    done = cli("run", "greet.json", "--simulate", "--input", "{}", "--json")
    assert outputs(done) == {"statusCode": 200, "headers": {}, "body": {}}
    assert "simulated answer" in done.err
    mocks = cli.write("mocks.json", {"Greet": {"outputs": {"body": "Hi"}}})
    done = cli("run", "greet.json", "--simulate", "--mocks", mocks, "--input", "{}", "--json")
    assert outputs(done) == {"body": "Hi"}


def test_a_folder_that_is_not_there(cli: Cli) -> None:
    assert cli("run", "greet.json", "--artifacts", "nowhere").code == 3
    assert cli("flow", "deploy", "greet.json", "--artifacts", "project").code == 0
    assert cli("run", "greet", "--artifacts", "project").code == 2


def test_check_names_what_will_be_needed(cli: Cli) -> None:
    done = cli("check", "greet.json", "--json")
    assert [problem["code"] for problem in done.json["problems"]] == ["ArtifactNeeded"]
    assert done.code == 0


def test_a_standard_project_is_imported_with_its_artifacts(cli: Cli) -> None:
    flow = cli.folder / "project" / "greet" / "workflow.json"
    flow.parent.mkdir()
    definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": {"Greet": ACTION}}
    flow.write_text(json.dumps({"kind": "Stateful", "definition": definition}), "utf-8")
    (cli.folder / "project" / "host.json").write_text("{}", "utf-8")
    assert cli("flow", "import", "project").code == 0
    assert outputs(cli("run", "greet", "--input", '{"name":"Ada"}', "--json")) == {"body": "Hello, Ada"}


def test_import_takes_maps_for_a_package_that_has_none(cli: Cli) -> None:
    assert cli("flow", "import", "greet.json").code == 2
    assert cli("flow", "import", "greet.json", "--artifacts", "project").code == 0


def test_an_exported_project_has_its_artifacts_and_can_be_imported(cli: Cli) -> None:
    assert cli("flow", "deploy", "greet.json", "--artifacts", "project").code == 0
    assert cli("flow", "export", "greet", "--format", "standard", "--out", "greet.zip").code == 0
    assert cli("flow", "import", "greet.zip", "--environment", "other").code == 0
    done = cli("run", "greet", "--environment", "other", "--input", '{"name":"Ada"}', "--json")
    assert outputs(done) == {"body": "Hello, Ada"}
