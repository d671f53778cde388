"""`flow import` and `flow export` on a real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, compose
from packages import (
    CHILD_ID,
    PARENT_ID,
    child,
    flow_package,
    packed,
    project,
    solution,
    template,
    unpacked,
    workflow,
    zipped,
)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def answer(cli: Cli, flow: str, **body: Any) -> Any:
    done = cli("run", flow, "--input", json.dumps(body), "--json")
    assert done.code == 0, done
    return done.json["response"]["body"]


def test_a_solution_runs_and_its_child_is_found_by_id(cli: Cli) -> None:
    done = cli("flow", "import", packed(cli.folder, "orders.zip", solution()), "--json")
    assert done.code == 0
    found = done.json
    assert list(found) == [
        "package", "kind", "name", "version", "environment", "dryRun", "ok", "flows", "connections", "variables",
        "appSettings", "problems", "desktopFlows",
    ]  # fmt: skip
    assert (found["kind"], found["ok"], found["environment"]) == ("solution", True, "default")
    assert [(each["flow"], each["version"], each["created"], each["aliases"]) for each in found["flows"]] == [
        ("Gross & net", 1, True, [PARENT_ID]),
        ("Tax", 1, True, [CHILD_ID]),
    ]
    assert found["connections"] == [{"name": "so_mail", "connector": "shared_office365", "displayName": "Mail"}]
    assert {each["schemaName"]: each["hasValue"] for each in found["variables"]} == {
        "so_Key": False,
        "so_Open": False,
        "so_Rate": True,
    }
    assert answer(cli, "Gross & net", net=100) == {"gross": 125.0}
    assert answer(cli, CHILD_ID.upper(), net=10) == {"gross": 12.5}
    again = cli("flow", "import", "orders.zip", "--json").json
    assert [(each["version"], each["created"]) for each in again["flows"]] == [(1, False), (1, False)]


def test_what_people_see(cli: Cli) -> None:
    done = cli("flow", "import", packed(cli.folder, "orders.zip", solution()))
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "solution Orders 1.2.0.0: 2 flows"
    assert "  Gross & net version 1 deployed (power-automate)" in lines
    assert "  connection so_mail (shared_office365)" in lines
    assert "  variable so_Open (no value)" in lines
    assert lines[-1] == "next: sealflow run 'Gross & net'"
    assert "customizations.xml: info NotACloudFlow: 'On the desk' is a desktop flow and is left out." in lines


def test_a_dry_run_makes_nothing(cli: Cli) -> None:
    done = cli("flow", "import", packed(cli.folder, "orders.zip", solution()), "--dry-run", "--json")
    assert (done.code, done.json["dryRun"]) == (0, True)
    assert [each["id"] for each in done.json["flows"]] == [None, None]
    assert [path.name for path in cli.folder.iterdir()] == ["orders.zip"]


def test_parameters_and_another_environment(cli: Cli) -> None:
    packed(cli.folder, "orders.zip", solution())
    assert cli("flow", "import", "orders.zip", "--parameter", "so_Rate=2", "-e", "contoso").code == 0
    done = cli("run", "Tax", "-e", "contoso", "--input", '{"net": 3}', "--json")
    assert done.json["response"]["body"] == {"gross": 6}
    assert cli("flow", "import", "orders.zip", "--parameter", "nothing=2", "--json").error["code"] == "UnknownParameter"
    assert cli("flow", "import", "orders.zip", "--parameter", "so_Rate=much", "--json").error["code"] == "InvalidJson"


def test_one_flow_under_another_name_is_still_found(cli: Cli) -> None:
    unpacked(cli.folder, "app", project())
    several = cli("flow", "import", "app", "--as", "x", "--json")
    assert (several.code, several.error["code"]) == (2, "InvalidUsage")
    assert cli("flow", "import", "app", "--only", "none", "--json").error["code"] == "NotFound"
    assert cli("flow", "import", "app", "--only", "TAX", "--as", "vat").code == 0
    assert cli("flow", "import", "app", "--only", "gross/workflow.json").code == 0
    assert [each["flow"] for each in cli("flow", "list", "--json").json] == ["vat", "gross"]
    assert answer(cli, "gross", net=2) == {"gross": 3.0}


def test_of_two_flows_with_one_alias_the_last_deployed_is_called(cli: Cli) -> None:
    packed(cli.folder, "orders.zip", solution())
    cli("flow", "import", "orders.zip")
    cli("flow", "import", "orders.zip", "--only", "tax", "--as", "Other tax", "--parameter", "so_Rate=10")
    assert answer(cli, "Gross & net", net=1) == {"gross": 10.0}


def test_a_package_with_a_fault_is_refused_as_a_whole(cli: Cli) -> None:
    files = project()
    files["bad/workflow.json"] = json.dumps(
        {"definition": {"triggers": {}, "actions": {"A": {"type": "Nonsense"}}}, "kind": "Stateful"}
    )
    unpacked(cli.folder, "app", files)
    done = cli("flow", "import", "app", "--json")
    assert done.code == 2
    assert (done.error["code"], done.error["file"]) == ("UnknownActionType", "app")
    assert done.error["at"].startswith("bad/workflow.json#/definition/actions/A")
    assert [each["ok"] for each in done.lines[0]["flows"]] == [False, True, True]
    assert cli("flow", "list", "--json").code == 3
    shown = cli("flow", "import", "app")
    assert "  bad cannot be deployed" in shown.out.splitlines()
    assert "Nothing was deployed" in shown.err
    assert cli("flow", "import", "app", "--partial").code == 0
    assert [each["flow"] for each in cli("flow", "list", "--json").json] == ["gross", "tax"]


def test_a_file_that_is_missing_from_a_package(cli: Cli) -> None:
    files = solution()
    files.pop(f"Workflows/Tax-{CHILD_ID.upper()}.json")
    done = cli("flow", "import", packed(cli.folder, "orders.zip", files), "--json")
    assert (done.code, done.error["code"], done.error["at"]) == (2, "MissingFile", "customizations.xml")


def test_a_template(cli: Cli) -> None:
    definition = {**child(), "description": "[resourceGroup().location]"}
    cli.write("t.json", template(workflow("[parameters('n')]", definition), parameters={"n": {"type": "string"}}))
    done = cli("flow", "import", "t.json", "--parameter", 'n="orders"', "--location", "westeurope", "--json")
    assert (done.code, [each["flow"] for each in done.json["flows"]], done.json["problems"]) == (0, ["orders"], [])
    assert cli("flow", "show", "orders", "--json").json["definition"]["description"] == "westeurope"


def test_from_stdin(cli: Cli) -> None:
    done = cli("flow", "import", "-", "--json", stdin=zipped(flow_package()))
    assert (done.code, done.json["kind"]) == (0, "flow-package")


@pytest.mark.parametrize(
    ("name", "content", "exit_code", "code"),
    [
        ("none.zip", None, 3, "NotFound"),
        ("x.zip", zipped({"../x": "1"}), 2, "UnsafePath"),
        ("x.zip", zipped({"x.json": "\0" * 3_000_000}), 2, "ArchiveBomb"),
        ("x.zip", zipped({"readme.md": "x", "other.md": "y"}), 2, "NotAPackage"),
        ("x.zip", zipped(solution())[:-5], 2, "InvalidArchive"),
        ("x.json", b"{}", 2, "NoDefinition"),
        ("x.json", b"{", 2, "InvalidJson"),
        ("x.bin", b"\0\1\2\3", 2, "NotAPackage"),
    ],
)
def test_what_is_no_package(cli: Cli, name: str, content: bytes | None, exit_code: int, code: str) -> None:
    if content is not None:
        (cli.folder / name).write_bytes(content)
    done = cli("flow", "import", name, "--json")
    assert (done.code, done.error["code"]) == (exit_code, code)
    assert "internal" not in done.err
    assert not (cli.folder / ".sealflow").exists()


# ---- export


@pytest.fixture
def deployed(cli: Cli) -> Cli:
    cli.flow("f", {"A": compose(1)})
    cli("flow", "deploy", "f.json", "--name", "My flow")
    cli.flow("f", {"A": compose(2)})
    cli("flow", "deploy", "f.json", "--name", "My flow")
    return cli


@pytest.mark.parametrize("form", ["definition", "power-automate", "standard"])
@pytest.mark.parametrize("suffix", ["json", "zip"])
def test_export_and_import_again(deployed: Cli, form: str, suffix: str) -> None:
    done = deployed("flow", "export", "my flow", "--format", form, "--out", f"out.{suffix}", "--json")
    if form == "definition" and suffix == "zip":
        assert (done.code, done.error["code"]) == (2, "InvalidUsage")
        return
    assert done.code == 0
    assert done.json["version"] == 2
    assert done.json["bytes"] == (deployed.folder / f"out.{suffix}").stat().st_size
    back = deployed("flow", "import", f"out.{suffix}", "-e", "other", "--json")
    assert back.code == 0
    [flow] = back.json["flows"]
    ran = deployed("run", flow["flow"], "-e", "other", "--json")
    assert [action["outputs"] for action in ran.json["actions"]] == [2]


def test_export_of_an_older_version_and_to_stdout(deployed: Cli) -> None:
    done = deployed("flow", "export", "My flow", "--version", "1", "--out", "-")
    assert json.loads(done.out)["actions"]["A"]["inputs"] == 1
    note = deployed("flow", "export", "My flow", "--out", "x.json")
    assert "not encrypted" in note.err
    assert deployed("flow", "export", "none", "--out", "x.json", "--json").error["code"] == "NotFound"
    assert deployed("flow", "export", "My flow", "--version", "9", "--out", "x.json").code == 3
    assert deployed("flow", "export", "My flow").code == 2
