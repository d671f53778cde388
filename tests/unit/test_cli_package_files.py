"""`run` and `flow deploy` of package files, and `Environment.deploy`: one flow is used, of several one is chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sealflow
from cli_session import Cli
from packages import child, flow_package, packed, project, solution, template, unpacked, workflow, zipped

RATES = {"net": 100}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def one_of_the_project() -> dict[str, str]:
    return {path: content for path, content in project().items() if not path.startswith("gross/")}


def test_a_package_with_one_flow_runs_under_the_flows_name(cli: Cli) -> None:
    for file in (
        packed(cli.folder, "export.zip", flow_package()),
        unpacked(cli.folder, "site", one_of_the_project()),
        packed(cli.folder, "site.zip", one_of_the_project()),
    ):
        done = cli("run", file, "--input", json.dumps(RATES), "--json")
        assert done.code == 0, done
        assert done.json["flow"].lower() == "tax"
        assert done.json["response"]["body"]["gross"] in (119.0, 150.0)


def test_a_template_with_one_workflow_keeps_the_files_name(cli: Cli) -> None:
    cli.write("prices.json", template(workflow("tax", child())))
    assert cli("run", "prices.json", "--input", json.dumps(RATES), "--json").json["flow"] == "prices"


def test_of_several_flows_one_is_named(cli: Cli) -> None:
    cli.write("both.json", template(workflow("first", child()), workflow("second", child("2.0"))))
    for file, names in (
        (packed(cli.folder, "orders.zip", solution()), "Gross & net, Tax"),
        (unpacked(cli.folder, "site", project()), "gross, tax"),
        ("both.json", "first, second"),
    ):
        for command in (("run",), ("flow", "deploy")):
            refused = cli(*command, file, "--json")
            assert (refused.code, refused.error["code"]) == (2, "SeveralFlows")
            assert names in refused.error["message"]
            assert "--flow NAME" in refused.error["hint"]
            assert "flow import" in refused.error["hint"]
    assert not (cli.folder / ".sealflow").exists()
    assert cli("flow", "deploy", "orders.zip", "--flow", "tax", "--json").json["flow"] == "Tax"
    assert cli("flow", "deploy", "site", "--flow", "tax", "--name", "t", "--json").json["flow"] == "t"
    second = cli("run", "both.json", "--flow", "second", "--input", json.dumps(RATES), "--json").json
    assert (second["flow"], second["response"]["body"]) == ("second", {"gross": 200.0})


def test_a_flow_that_the_package_has_not(cli: Cli) -> None:
    refused = cli("run", packed(cli.folder, "export.zip", flow_package()), "--flow", "nope", "--json")
    assert (refused.code, refused.error["code"]) == (3, "NotFound")
    assert "Tax" in refused.error["hint"]
    cli("run", "export.zip", "--input", json.dumps(RATES))
    assert cli("run", "Tax", "--flow", "Tax", "--json").error["code"] == "InvalidUsage"


def test_what_is_wrong_with_a_package(cli: Cli) -> None:
    (cli.folder / "cut.zip").write_bytes(zipped(flow_package())[:200])
    assert cli("run", "cut.zip", "--json").error["code"] == "InvalidArchive"
    other = packed(cli.folder, "other.zip", {"a.txt": "b", "c.txt": "d"})
    assert cli("run", other, "--json").error["code"] == "NotAPackage"
    broken = {path: "{" if path.endswith("definition.json") else text for path, text in flow_package().items()}
    refused = cli("run", packed(cli.folder, "broken.zip", broken), "--json")
    assert refused.code == 2
    assert "definition.json" in refused.error["at"]


def test_an_empty_name_is_refused(cli: Cli) -> None:
    cli.write("f.json", child())
    assert cli("flow", "deploy", "f.json", "--name", "", "--json").error["code"] == "InvalidUsage"


async def test_a_program_deploys_packages_too(tmp_path: Path) -> None:
    packed(tmp_path, "orders.zip", solution())
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment()
        with pytest.raises(sealflow.DefinitionError, match="Gross & net, Tax"):
            await env.deploy("tax", tmp_path / "orders.zip")
        flow = await env.deploy("tax", tmp_path / "orders.zip", flow="Tax")
        (run,) = await env.start(flow, RATES)
        assert (await run.response())["body"] == {"gross": 125.0}
        with pytest.raises(sealflow.NotFound):
            await env.deploy("tax", tmp_path / "missing.zip")
