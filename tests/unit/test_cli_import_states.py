"""`flow import` and `flow export`: flows that are off, ids and connections on their way out and back, single flows."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, compose
from packages import CHILD_ID, PARENT_ID, child, flow_json, packed, project, solution, template, unpacked, workflow
from sealflow.engine.runtime.flows.packages import Archive


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def states(cli: Cli) -> dict[str, bool]:
    return {flow["flow"]: flow["enabled"] for flow in cli("flow", "list", "--json").json}


def solution_with_one_off(state: int) -> dict[str, str]:
    files = solution()
    # The first process is the parent's.
    files["customizations.xml"] = files["customizations.xml"].replace(
        "<StateCode>1</StateCode>", f"<StateCode>{state}</StateCode>", 1
    )
    return files


@pytest.mark.parametrize("state", [0, 2])
def test_a_flow_that_is_off_in_its_solution_is_imported_disabled(cli: Cli, state: int) -> None:
    packed(cli.folder, "orders.zip", solution_with_one_off(state))
    done = cli("flow", "import", "orders.zip")
    assert "  Gross & net version 1 deployed (power-automate), disabled as in the package" in done.out.splitlines()
    assert "info FlowIsOff: 'Gross & net' is off in the package" in done.out
    assert done.out.splitlines()[-1] == "next: sealflow run Tax"
    assert states(cli) == {"Gross & net": False, "Tax": True}


def test_a_flow_that_is_there_stays_as_it_is(cli: Cli) -> None:
    packed(cli.folder, "orders.zip", solution_with_one_off(0))
    cli("flow", "import", "orders.zip")
    cli("flow", "enable", "Gross & net")
    assert "disabled as in" not in cli("flow", "import", "orders.zip").out
    assert states(cli) == {"Gross & net": True, "Tax": True}


def test_states_of_projects_and_templates(cli: Cli) -> None:
    files = project()
    settings = {"Values": {"Workflows.gross.FlowState": "Disabled", "Workflows.tax.FlowState": "Enabled"}}
    files["local.settings.json"] = json.dumps(settings)
    unpacked(cli.folder, "app", files)
    assert cli("flow", "import", "app", "-e", "app").code == 0
    assert [flow["enabled"] for flow in cli("flow", "list", "-e", "app", "--json").json] == [False, True]
    resource = workflow("orders", child())
    resource["properties"]["state"] = "[parameters('state')]"
    cli.write("t.json", template(resource, parameters={"state": {"type": "string", "defaultValue": "Disabled"}}))
    done = cli("flow", "import", "t.json")
    assert done.out.splitlines()[-1] == "next: sealflow flow enable orders"
    assert states(cli) == {"orders": False}
    assert cli("flow", "import", "t.json", "-e", "on", "--parameter", 'state="Enabled"').code == 0
    assert [flow["enabled"] for flow in cli("flow", "list", "-e", "on", "--json").json] == [True]


def test_the_parameter_file_beside_a_template_counts(cli: Cli) -> None:
    cli.write("t.json", template(workflow("[parameters('n')]", child()), parameters={"n": {"type": "string"}}))
    cli.write("t.parameters.json", json.dumps({"parameters": {"n": {"value": "beside"}}}))
    done = cli("flow", "import", "t.json", "--json")
    assert [flow["flow"] for flow in done.json["flows"]] == ["beside"]
    given = cli("flow", "import", "t.json", "--json", "--parameter", 'n="given"')
    assert [flow["flow"] for flow in given.json["flows"]] == ["given"]


def test_a_value_that_the_template_does_not_allow(cli: Cli) -> None:
    declared = {"env": {"type": "string", "defaultValue": "qa", "allowedValues": ["dev", "prod"]}}
    cli.write("t.json", template(workflow("orders", child()), parameters=declared))
    refused = cli("flow", "import", "t.json", "--json")
    assert (refused.code, refused.error["code"]) == (2, "ValueNotAllowed")
    assert refused.error["at"].endswith("/parameters/env/defaultValue")
    assert cli("check", "t.json").code == 2
    assert cli("flow", "import", "t.json", "--parameter", 'env="PROD"').code == 0
    again = cli("flow", "import", "t.json", "--parameter", 'env="test"', "--json")
    assert again.error["at"].endswith("#/parameters/env")


@pytest.mark.parametrize("broken", ["", "{"])
def test_one_flow_is_taken_though_another_is_missing_or_broken(cli: Cli, broken: str) -> None:
    files = solution()
    other = f"Workflows/Gross-{PARENT_ID.upper()}.json"
    if broken:
        files[other] = broken
    else:
        del files[other]
    packed(cli.folder, "orders.zip", files)
    assert cli("flow", "import", "orders.zip").code == 2
    done = cli("flow", "import", "orders.zip", "--only", "Tax", "--json")
    assert (done.code, done.json["ok"]) == (0, True)
    assert states(cli) == {"Tax": True}
    assert cli("run", "orders.zip", "--flow", "Tax", "--input", '{"net": 4}').code == 0
    assert cli("flow", "import", "orders.zip", "--only", "Gross & net").code == 3


@pytest.mark.parametrize("content", ["x", "<a/>"])
def test_an_archive_of_one_text_is_no_package(cli: Cli, content: str) -> None:
    packed(cli.folder, "none.zip", {"a.txt": content})
    assert cli("flow", "import", "none.zip", "--json").error["code"] == "NotAPackage"


def test_a_name_with_a_slash_is_a_name(cli: Cli) -> None:
    cli("flow", "deploy", cli.flow("f", {"A": compose(1)}), "--name", "My Parent / Flow")
    assert cli("run", "My Parent / Flow").code == 0
    missing = cli("run", "some/where.json", "--json")
    assert (missing.code, missing.error["code"]) == (3, "NotFound")


def test_the_hint_of_a_missing_parameter_is_a_command_that_works(cli: Cli) -> None:
    parameters = {"The name (so_name)": {"type": "String"}, "n": {"type": "Int"}}
    cli.flow("f", {"A": compose("@parameters('The name (so_name)')")}, parameters=parameters)
    given: list[str] = []
    for _ in parameters:
        hint = cli("run", "f.json", *given, "--json").error["hint"]
        given += shlex.split(hint[hint.index("--parameter") :])
    assert cli("run", "f.json", *given).code == 0


# ---- out and back


def test_children_are_still_called_in_another_environment(cli: Cli) -> None:
    cli("flow", "import", packed(cli.folder, "orders.zip", solution()))
    for flow in ("Gross & net", "Tax"):
        assert cli("flow", "export", flow, "--format", "power-automate", "--out", f"{flow[:3]}.zip").code == 0
        assert cli("flow", "import", f"{flow[:3]}.zip", "-e", "other").code == 0
    done = cli("run", "Gross & net", "-e", "other", "--input", '{"net": 100}', "--json")
    assert (done.code, done.json["status"]) == (0, "Succeeded")
    assert cli("run", CHILD_ID, "-e", "other", "--input", '{"net": 1}').code == 0


def test_connections_are_exported(cli: Cli) -> None:
    reference = {"connection": {"connectionReferenceLogicalName": "so_mail"}, "api": {"name": "shared_office365"}}
    cli.write("f.json", flow_json(child(), {"mail": reference}))
    cli("flow", "deploy", "f.json")
    cli("flow", "export", "f", "--format", "power-automate", "--out", "f.zip")
    files = {path: json.loads(data) for path, data in Archive((cli.folder / "f.zip").read_bytes()).items()}
    [apis] = [value for path, value in files.items() if path.endswith("/apisMap.json")]
    [connections] = [value for path, value in files.items() if path.endswith("/connectionsMap.json")]
    resources: dict[str, Any] = files["manifest.json"]["resources"]
    assert resources[apis["mail"]]["name"] == "shared_office365"
    assert resources[connections["mail"]]["dependsOn"] == [apis["mail"]]
    [flow] = [each for each in resources.values() if each["type"] == "Microsoft.Flow/flows"]
    assert flow["dependsOn"] == [apis["mail"], connections["mail"]]
    back = cli("flow", "import", "f.zip", "-e", "other", "--json").json
    assert [(each["name"], each["connector"]) for each in back["connections"]] == [("mail", "shared_office365")]
