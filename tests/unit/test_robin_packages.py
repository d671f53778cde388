"""Desktop flows in solutions of both generations: found beside cloud flows, read, checked and shown by an import."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from cli_session import Cli
from packages import as_bytes, customizations, packed, process, solution_xml, zipped
from sealflow.engine.desktop.syntax.problem import RobinError
from sealflow.engine.importers.desktop import DesktopFlow
from sealflow.engine.importers.packages import open_package
from sealflow.engine.runtime.flows.desktop_packages import reading_of

DESK = "11111111-2222-4333-8444-555555555503"
OTHER = "11111111-2222-4333-8444-555555555504"
SCRIPT = (
    "@INPUT Name : { 'Type': 'String' }\r\nText.Trim Text: Name TrimmedText=> t\r\nCALL s\r\n"
    "FUNCTION s\r\nEND FUNCTION\r\n"
)
SCREENS = {"Screens": [{"Name": "Page", "Controls": [{"Name": "Go"}]}]}
SCHEMA = {"schema": {"properties": {"Name": {"type": "string"}}, "type": "object"}}


def desk(guid: str, name: str, script: str | None = SCRIPT, kind: str = "2", state: int = 1) -> str:
    """A desktop flow as customizations.xml lists it; without a script as the first solutions did."""
    definition = f"<Definition>{escape(json.dumps(script))}</Definition>" if script is not None else ""
    return (
        f'<Workflow WorkflowId="{{{guid}}}" Name={quoteattr(name)}><JsonFileName>/Workflows/{name}.json</JsonFileName>'
        f"<Category>6</Category><UIFlowType>{kind}</UIFlowType><StateCode>{state}</StateCode>{definition}"
        f"<Inputs>{escape(json.dumps(SCHEMA))}</Inputs></Workflow>"
    )


def of(*processes: str, **files: str) -> dict[str, str]:
    return {"solution.xml": solution_xml(), "customizations.xml": customizations(processes), **files}


def first_generation(script: str) -> str:
    archive = zipped(
        {
            "script.robin": b"\xff\xfe" + script.encode("utf-16-le"),
            "controlRepo.appmask": json.dumps(SCREENS),
            "project.manifest": "{}",
        }
    )
    return json.dumps({"properties": {"definition": {"package": base64.b64encode(archive).decode()}}})


def desktop(files: dict[str, str]) -> tuple[DesktopFlow, ...]:
    return open_package(as_bytes(files), name="given").desktop


def test_a_solution_of_today() -> None:
    elements = "desktopflowbinaries/1/data/ControlRepository_1.json"
    (flow,) = desktop(of(desk(DESK, "Tidy"), **{elements: json.dumps(SCREENS)}))
    assert (flow.name, flow.id, flow.file, flow.inputs, flow.enabled) == (
        "Tidy", DESK, "customizations.xml", SCHEMA, True,
    )  # fmt: skip
    reading = reading_of(flow)
    assert reading.problems == ()
    assert [each.name for each in reading.script.inputs] == ["Name"]
    assert set(reading.script.subflows) == {"s"}
    assert reading.script.repositories == {"appmask": [SCREENS]}
    assert SCRIPT not in repr(flow)


def test_elements_go_to_the_flow_they_name() -> None:
    files = {
        "desktopflowbinaries/1/desktopflowbinary.xml": f"<b><workflowid>{OTHER.upper()}</workflowid></b>",
        "desktopflowbinaries/1/data/ControlRepository_1.json": json.dumps(SCREENS),
    }
    first, second = desktop(of(desk(DESK, "One"), desk(OTHER, "Two"), **files))
    assert dict(first.files) == {}
    assert list(second.files) == ["desktopflowbinaries/1/data/ControlRepository_1.json"]


def test_a_solution_of_the_first_generation() -> None:
    files = {"Workflows/Tidy.json": first_generation(SCRIPT)}
    (flow,) = desktop(of(desk(DESK, "Tidy", None, state=0), **files))
    assert (flow.file, flow.definition, flow.enabled) == ("Workflows/Tidy.json", "", False)
    reading = reading_of(flow)
    assert reading.problems == ()
    assert reading.script.repositories == {"appmask": [SCREENS]}


@pytest.mark.parametrize(
    "content",
    ["{}", '{"properties": {"definition": {"package": ""}}}', '{"properties": {"definition": {"package": "§"}}}', "[]"],
)
def test_a_flow_without_a_script_is_left_out(content: str) -> None:
    package = open_package(as_bytes(of(desk(DESK, "Tidy", None), **{"Workflows/Tidy.json": content})), name="given")
    assert package.desktop == ()
    assert ("NotACloudFlow", "'Tidy' is a desktop flow and is left out.") in [
        (each.code, each.message) for each in package.problems
    ]


def test_flows_of_earlier_recorders_are_left_out() -> None:
    assert desktop(of(desk(DESK, "Old", kind="0"))) == ()


@pytest.mark.parametrize(
    ("archive", "code"), [(b"PK\x03\x04 broken", "InvalidArchive"), (b"no archive", "NoDefinition")]
)
def test_an_archive_that_holds_nothing(archive: bytes, code: str) -> None:
    with pytest.raises(RobinError) as raised:
        reading_of(DesktopFlow("Tidy", DESK, "x", archive=archive))
    assert raised.value.code == code


# ---- as an import shows them


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def imported(cli: Cli, *processes: str, **files: str) -> Any:
    done = cli("flow", "import", packed(cli.folder, "desk.zip", of(*processes, **files)), "--dry-run", "--json")
    assert done.code == 0, done
    return done.json["desktopFlows"]


def test_an_import_checks_them(cli: Cli) -> None:
    bad = "SET a TO %b%\nUIAutomation.Click.Click Element: appmask['P']['G']"
    power = {"desktopflowbinaries/1/data/ManifestFile_1.json": '{"PowerFxEnabled":true}'}
    good, wrong = imported(cli, desk(DESK, "Good"), desk(OTHER, "Wrong", bad))
    assert good == {
        "flow": "Good", "file": "customizations.xml", "id": DESK, "kind": "desktop", "ok": True, "actions": 1,
        "deployedAs": None, "version": None, "created": None, "problems": [],
    }  # fmt: skip
    assert (wrong["ok"], [each["code"] for each in wrong["problems"]]) == (
        False,
        ["PercentOutsideText", "UnknownVariable", "WindowsOnlyAction"],
    )
    (refused,) = imported(cli, desk(DESK, "Fx"), **power)
    assert (refused["ok"], [each["code"] for each in refused["problems"]]) == (False, ["PowerFxFlow"])


def test_what_people_see(cli: Cli) -> None:
    archive = packed(cli.folder, "desk.zip", of(desk(DESK, "Tidy"), process(OTHER, "Rule", "r.json", 2)))
    done = cli("flow", "import", archive, "--dry-run")
    assert done.code == 0
    assert "customizations.xml: info NotACloudFlow: 'Rule' is a business rule and is left out." in done.out
    assert done.out.splitlines()[-1] == "  Tidy ok, not deployed (desktop flow, 1 action)"


# ---- as an import deploys them

GREET = (
    "@INPUT Name : { 'Type': 'String' }\r\n@OUTPUT Text : { 'Type': 'String' }\r\nSET Text TO $'''Hello %Name%'''\r\n"
)


def caller(guid: str) -> str:
    """A cloud flow of an export that calls a desktop flow by its id."""
    call = {
        "type": "OpenApiConnection",
        "runAfter": {},
        "inputs": {
            "host": {
                "connectionName": "shared_uiflow",
                "operationId": "RunUIFlow_V2",
                "apiId": "/providers/Microsoft.PowerApps/apis/shared_uiflow",
            },
            "parameters": {"uiFlowId": guid, "runMode": "attended", "item/Name": "Ada"},
        },
    }
    body = {"statusCode": 200, "body": "@outputs('Call')?['body/Text']"}
    answer = {"type": "Response", "kind": "Http", "runAfter": {"Call": ["Succeeded"]}, "inputs": body}
    definition = {
        "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
        "actions": {"Call": call, "Answer": answer},
    }
    return json.dumps(
        {"properties": {"connectionReferences": {}, "definition": definition}, "schemaVersion": "1.0.0.0"}
    )


def with_caller(*desktops: str) -> dict[str, str]:
    return of(process(OTHER, "Order", "Workflows/o.json"), *desktops, **{"Workflows/o.json": caller(DESK)})


def test_a_cloud_flow_finds_the_desktop_flow_beside_it(cli: Cli) -> None:
    done = cli("flow", "import", packed(cli.folder, "desk.zip", with_caller(desk(DESK.upper(), "Greet", GREET))))
    assert done.code == 0, done
    assert "  Greet version 1 deployed (desktop flow, 0 actions)" in done.out.splitlines()
    run = cli("run", "Order", "--json")
    assert run.json["response"]["body"] == "Hello Ada", run
    again = cli("flow", "import", "desk.zip", "--json").json["desktopFlows"]
    assert [(each["deployedAs"], each["version"], each["created"]) for each in again] == [("Greet", 1, False)]


def test_a_desktop_flow_that_cannot_run_is_left_out(cli: Cli) -> None:
    done = cli("flow", "import", packed(cli.folder, "desk.zip", with_caller(desk(DESK, "Wrong", "SET a TO %b%"))))
    assert done.code == 0, done
    assert "  Wrong cannot run, left out (desktop flow, 0 actions)" in done.out.splitlines()
    assert [each["flow"] for each in cli("flow", "list", "--json").json] == ["Order"]


def test_one_of_them_and_one_with_the_name_of_a_cloud_flow(cli: Cli) -> None:
    name = packed(cli.folder, "desk.zip", with_caller(desk(DESK, "Order", GREET)))
    done = cli("flow", "import", name, "--only", DESK)
    assert done.code == 0, done
    assert done.out.splitlines()[-1] == "next: sealflow run Order"
    assert [each["flow"] for each in cli("flow", "list", "--json").json] == ["Order"]
    assert cli("flow", "import", name, "-e", "all").code == 0
    assert {each["flow"] for each in cli("flow", "list", "-e", "all", "--json").json} == {"Order", f"Order ({DESK})"}
    assert cli("run", "Order", "-e", "all", "--json").json["response"]["body"] == "Hello Ada"


# ---- and a script alone


def test_checking_a_script(cli: Cli) -> None:
    (cli.folder / "tidy.robin").write_text("SET a TO b\n", "utf-8")
    done = cli("check", "tidy.robin")
    assert done.code == 2
    assert done.out == (
        "tidy.robin:1:10: error UnknownVariable: The variable 'b' is set nowhere.\n"
        "    next: Set it, or declare it as an @INPUT.\n"
        "tidy.robin: 1 error (desktop, 0 actions)\n"
    )
    (cli.folder / "tidy.robin").write_bytes("@INPUT b : {}\nText.Trim Text: b\n".encode("utf-16"))
    done = cli("check", "tidy.robin", "--json")
    assert (done.code, done.json) == (
        0, {"file": "tidy.robin", "ok": True, "kind": "desktop", "actions": 1, "problems": []},
    )  # fmt: skip


def test_leaving_windows_actions_to_fail(cli: Cli) -> None:
    (cli.folder / "click.robin").write_text("UIAutomation.Click.Click Element: appmask['P']['G']", "utf-8")
    assert cli("check", "click.robin").code == 2
    done = cli("check", "click.robin", "--allow-unsupported", "--json")
    assert (done.code, [each["severity"] for each in done.json["problems"]]) == (0, ["warning"])


def test_scanners_get_line_and_column_and_the_texts_of_the_reference(cli: Cli) -> None:
    (cli.folder / "a.robin").write_text("\nSET a TO %b%", "utf-8")
    log = cli("check", "a.robin", "--format", "sarif").json["runs"][0]
    found = {each["ruleId"]: each["locations"][0]["physicalLocation"]["region"] for each in log["results"]}
    assert found == {
        "PercentOutsideText": {"startLine": 2, "startColumn": 10},
        "UnknownVariable": {"startLine": 2, "startColumn": 11},
    }
    rules = {each["id"]: each["help"]["text"] for each in log["tool"]["driver"]["rules"]}
    assert rules["UnknownVariable"] == "Set it, or declare it as an @INPUT."
