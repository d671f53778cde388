"""`sealflow run`: its options, its output, its exit codes - on a real store."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, S, compose, http, wait


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def respond(body: Any, *after: str) -> dict[str, Any]:
    return {"type": "Response", "inputs": {"statusCode": 200, "body": body}, "runAfter": dict.fromkeys(after, S)}


def test_the_contract(cli: Cli) -> None:
    cli.flow("echo", {"Copy": compose("@triggerBody()"), "Response": respond("@outputs('Copy')", "Copy")})
    done = cli("run", "echo.json", "--input", '{"ü":1}', "--json")
    assert done.code == 0
    result = done.json
    assert list(result) == [
        "run", "flow", "version", "environment", "status", "code", "error", "response",
        "actions",
    ]  # fmt: skip
    assert (result["flow"], result["version"], result["environment"]) == ("echo", 1, "default")
    assert (result["status"], result["error"]) == ("Succeeded", None)
    assert result["response"]["statusCode"] == 200
    assert result["response"]["body"] == {"ü": 1}
    assert [action["path"] for action in result["actions"]] == ["/Copy", "/Response"]
    assert set(result["actions"][0]) == {
        "path", "name", "type", "status", "code", "inputs", "outputs", "error", "start", "end", "attempts"
    }  # fmt: skip
    assert result["actions"][0]["outputs"] == {"ü": 1}
    assert len(done.out.splitlines()) == 1
    assert "✓ Copy" in done.err
    assert "A new keystore was made" in done.err


def test_for_people(cli: Cli) -> None:
    cli.flow("echo", {"Copy": compose("@triggerBody()"), "Response": respond("@outputs('Copy')", "Copy")})
    done = cli("run", "echo.json", "--input", '"hi"')
    first, *lines = done.out.splitlines()
    assert first.startswith("echo version 1 (new), run ")
    run = first.rpartition(" ")[2]
    assert lines == [
        "✓ Copy",
        "✓ Response",
        lines[2],
        "response 200",
        "  hi",
        f"next: sealflow runs show {run}",
    ]
    assert lines[2].startswith("Succeeded")
    assert lines[2].endswith("2 actions: 2 succeeded")
    assert "\x1b" not in done.out + done.err


def test_the_same_content_is_the_same_version(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)})
    assert cli("run", "f.json", "--json").json["version"] == 1
    assert cli("run", "f.json", "--json").json["version"] == 1
    cli.flow("f", {"A": compose(2)})
    assert cli("run", "f.json", "--json").json["version"] == 2


def test_input_from_a_file_and_from_stdin(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@triggerBody()")})
    cli.write("body.json", [1, {"a": None}])
    assert cli("run", "f.json", "--json", "--input", "@body.json").json["actions"][0]["outputs"] == [1, {"a": None}]
    assert cli("run", "f.json", "--json", "--input", "@-", stdin="7").json["actions"][0]["outputs"] == 7
    assert cli("run", "f.json", "--json", "--input", "@none.json").code == 3
    broken = cli("run", "f.json", "--json", "--input", '{"a":')
    assert (broken.code, broken.error["code"]) == (2, "InvalidJson")
    word = cli("run", "f.json", "--json", "--input", "hello")
    assert "'\"hello\"'" in word.error["hint"]


def test_parameters(cli: Cli) -> None:
    parameters = {"n": {"type": "Int", "defaultValue": 1}, "s": {"type": "String"}}
    cli.flow("f", {"A": compose("@{parameters('s')}@{parameters('n')}")}, parameters=parameters)
    done = cli("run", "f.json", "--json", "--parameter", 's="x=y"', "--parameter", "n=5")
    assert done.json["actions"][0]["outputs"] == "x=y5"
    for wrong in (["s=word"], ["s"], ["=1"], ["n=[1"], ['n="no int"', 's="x"'], ["other=1", 's="x"'], ["n=1", "n=2"]):
        arguments = [part for each in wrong for part in ("--parameter", each)]
        assert cli("run", "f.json", *arguments).code == 2, wrong
    word = cli("run", "f.json", "--parameter", "s=word")
    assert "no JSON" in word.err
    assert """--parameter s='"word"'""" in word.err
    assert cli("run", "f.json").code == 2  # `s` has no default


def test_a_failed_run_is_1_and_says_why(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@int('x')"), "B": compose(1, "A")})
    done = cli("run", "f.json")
    assert done.code == 1
    lines = done.out.splitlines()
    assert "2 actions: 1 failed, 1 skipped" in lines[-3]
    assert lines[-2].startswith("  /A: InvalidTemplate: ")
    assert cli("run", "f.json", "--json").json["status"] == "Failed"


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Succeeded"])
def test_terminate(cli: Cli, status: str) -> None:
    error = {"runError": {"code": "E1", "message": "why"}} if status == "Failed" else {}
    cli.flow("f", {"End": {"type": "Terminate", "inputs": {"runStatus": status, **error}, "runAfter": {}}})
    done = cli("run", "f.json", "--json")
    assert (done.code, done.json["status"]) == (0 if status == "Succeeded" else 1, status)
    if error:
        assert "  E1: why" in cli("run", "f.json").out.splitlines()


def test_simulation_passes_delays_and_answers_calls(cli: Cli) -> None:
    until = {
        "type": "Until",
        "expression": "@equals(body('Get'), 'done')",
        "actions": {"Pause": wait(3600), "Get": http("Pause")},
        "limit": {"count": 5, "timeout": "P1D"},
        "runAfter": {"Ask": S},
    }
    cli.flow("f", {"Ask": http(), "Poll": until})
    plain = cli("run", "f.json", "--simulate", "--json")
    assert plain.code == 0
    assert plain.json["actions"][0]["outputs"] == {"statusCode": 200, "headers": {}, "body": {}}
    answers = [{"status": "Succeeded", "outputs": {"body": each}} for each in ("no", "done")]
    cli.write("m.json", {"get": answers, "Ask": {"outputs": {"statusCode": 404, "body": "gone"}}})
    failing = cli("run", "f.json", "--simulate", "--mocks", "m.json", "--json")
    assert failing.json["actions"][0]["status"] == "Failed"
    cli.write("m.json", {"get": answers})
    done = cli("run", "f.json", "--simulate", "--mocks", "m.json")
    assert "✓ Poll 2 iterations, 4 actions, 2 h" in done.out.splitlines()
    assert "simulated" in done.out.splitlines()[0]


def test_mocks_need_simulate_and_must_fit(cli: Cli) -> None:
    cli.flow("f", {"Ask": http()})
    cli.write("m.json", {"Aks": {}})
    cli.write("list.json", [])
    assert cli("run", "f.json", "--mocks", "m.json").code == 2
    assert cli("run", "f.json", "--simulate", "--mocks", "m.json").code == 2
    assert cli("run", "f.json", "--simulate", "--mocks", "list.json").code == 2
    assert cli("run", "f.json", "--simulate", "--mocks", "none.json").code == 3


def split(body: Any = None, **trigger: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http", "splitOn": "@triggerBody()", **trigger}}}


def test_split_on_gives_a_line_for_each_run(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@div(6, triggerBody())")}, **split())
    done = cli("run", "f.json", "--input", "[1, 2, 0]", "--json")
    assert done.code == 1
    assert [line["status"] for line in done.lines] == ["Succeeded", "Succeeded", "Failed"]
    assert [line["actions"][0]["outputs"] for line in done.lines] == [6, 3, None]
    assert len({line["run"] for line in done.lines}) == 3


def test_the_lines_of_several_runs_tell_which_run_they_belong_to(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@div(6, triggerBody())")}, **split())
    lines = cli("run", "f.json", "--input", "[1, 0]").out.splitlines()
    assert [line[:3] for line in lines if line.startswith("[")] == ["[1]", "[2]"] * 2 + ["[1]", "[2]"]
    assert lines[0].startswith("[1] f version 1 (new), run ")
    assert sorted(line.partition(":")[0] for line in lines[2:4]) == ["[1] ✓ A", "[2] ✗ A failed"]
    many = cli("run", "f.json", "--input", json.dumps([1] * 21))
    assert "more than 20 runs" in many.err
    assert "[21] Succeeded" in many.out


def test_split_on_without_input_is_noted(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)}, **split())
    done = cli("run", "f.json")
    assert done.code == 0
    assert "No --input was given, so splitOn has nothing to split" in done.err
    assert cli("run", "f.json", "--input", "[1]").err == ""


def test_a_timeout_before_the_run_has_begun_names_the_run(cli: Cli) -> None:
    cli.flow("f", {"Delay": wait(3600)})
    done = cli("run", "f.json", "--timeout", "0", "--json")
    assert done.code == 124
    (listed,) = cli("runs", "list", "--json").json
    assert listed["run"] in done.error["message"]
    assert done.error["hint"] == f"sealflow runs resume {listed['run']}"
    assert cli("runs", "cancel", "latest").code == 0


def test_a_trigger_that_starts_nothing(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)}, **split())
    done = cli("run", "f.json", "--input", "[]", "--json")
    assert (done.code, done.json["run"], done.json["status"], done.json["actions"]) == (0, None, "Skipped", [])
    condition = {"type": "Request", "kind": "Http", "conditions": [{"expression": "@equals(triggerBody(), 1)"}]}
    cli.flow("g", {"A": compose(1)}, triggers={"manual": condition})
    assert "no run started" in cli("run", "g.json", "--input", "2").out
    assert cli("run", "g.json", "--input", "1", "--json").json["status"] == "Succeeded"


def test_timeout_is_124_and_the_run_can_be_resumed(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1), "Delay": wait(3600, "A")})
    done = cli.left("run", "f.json", "--json")
    assert done.code == 124
    assert done.error["code"] == "WaitTimedOut"
    (listed,) = cli("runs", "list", "--json").json
    assert listed["status"] in ("Running", "Waiting")
    assert done.error["hint"] == f"sealflow runs resume {listed['run']}"
    assert cli("runs", "cancel", "latest").code == 0


def test_a_deployed_flow_runs_by_its_name(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)})
    assert cli("run", "f").code == 3  # no store yet
    assert not (cli.folder / ".sealflow").exists()
    cli("flow", "deploy", "f.json", "--name", "my flow")
    assert cli("run", "my flow", "--json").json["flow"] == "my flow"
    assert cli("run", "other").code == 3


def test_secured_values_are_not_shown(cli: Cli) -> None:
    secure = {"runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}}}
    cli.flow("f", {"A": {**compose("geheim"), **secure}})
    done = cli("run", "f.json", "--json")
    assert done.json["actions"][0]["outputs"] is None
    shown = cli("runs", "show", "latest", "--action", "A")
    assert "outputs: secured" in shown.out
    assert "geheim" not in shown.out + shown.err + done.out + done.err


@pytest.mark.parametrize(
    ("content", "code", "at"),
    [
        ("", "InvalidJson", "1:1"),
        ('{"a":\n  }', "InvalidJson", "2:3"),
        ("[1]", "NoDefinition", None),
        ({"definition": 5}, "NoDefinition", "/definition"),
        ({"triggers": {}, "actions": {"A": {"type": "Nonsense"}}}, "UnknownActionType", "/actions/A/type"),
        (
            {"triggers": {}, "actions": {name: compose(1, after) for name, after in (("A", "B"), ("B", "A"))}},
            "RunAfterCycle",
            "/actions/A/runAfter",
        ),
        (
            {"definition": {"triggers": {}, "actions": {"A": compose("@outputs('Z')")}}},
            "UnknownAction",
            "/definition/actions/A/inputs",
        ),
    ],
)
def test_invalid_files_are_2_and_make_no_run(cli: Cli, content: Any, code: str, at: str | None) -> None:
    cli.write("f.json", content)
    done = cli("run", "f.json", "--json")
    assert done.code == 2
    assert done.error["code"] == code
    assert done.error.get("at") == at
    assert done.error["file"] == "f.json"
    assert "Traceback" not in done.err


def test_missing_and_unreadable_files(cli: Cli) -> None:
    assert cli("run", "none.json").code == 3
    assert cli("run", "folder/none").code == 3
    assert cli("run", ".").code == 2
    assert not (cli.folder / ".sealflow").exists()


def test_the_file_of_another_key(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.flow("f", {"A": compose(1)})
    cli("run", "f.json")
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(tmp_path / "other" / "keystore.json"))
    missing = cli("run", "f.json", "--json")
    assert (missing.code, missing.error["code"]) == (4, "KeyMissing")
    cli("run", "f.json", "--home", str(tmp_path / "elsewhere"))
    wrong = cli("run", "f.json", "--json")
    assert wrong.code == 4
    assert "Traceback" not in wrong.err


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)})
    cli.folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert cli("run", "f.json").code == 4
    finally:
        cli.folder.chmod(stat.S_IRWXU)


def test_a_home_that_is_a_file(cli: Cli) -> None:
    cli.flow("f", {"A": compose(1)})
    cli.write("home", "text")
    done = cli("run", "f.json", "--home", "home", "--json")
    assert done.code == 4
    assert (cli.folder / "home").read_text() == "text"


def test_home_comes_from_the_option_then_the_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.flow("f", {"A": compose(1)})
    monkeypatch.setenv("SEALFLOW_HOME", str(cli.folder / "by-variable"))
    done = cli("run", "f.json")
    assert "--home" not in done.out
    assert (cli.folder / "by-variable").is_dir()
    named = cli("run", "f.json", "--home", "by option")
    assert "--home 'by option'" in named.out.splitlines()[-1]
    assert (cli.folder / "by option").is_dir()
    assert not (cli.folder / ".sealflow").exists()


def test_full_shows_what_is_cut(cli: Cli) -> None:
    cli.flow("f", {"Response": respond("@{concat(string(range(0, 1000)), 'end')}")})
    assert "end" not in cli("run", "f.json").out.splitlines()[-2][:2_100].removesuffix("(3,890 characters)")
    assert "characters; --full shows them" in cli("run", "f.json").out
    assert cli("run", "f.json", "--full").out.splitlines()[-2].endswith("end")


def test_json_of_unusual_texts(cli: Cli) -> None:
    cli.flow("f", {"A": compose("@triggerBody()")})
    text = 'a\u2028b\x1b[2J"\\ \U0001f600'
    done = cli("run", "f.json", "--json", "--input", json.dumps(text))
    assert done.json["actions"][0]["outputs"] == text
    assert "\x1b" not in done.out


def test_a_client_tracking_id_is_shown(cli: Cli) -> None:
    correlation = {"clientTrackingId": "@triggerBody()?['order']"}
    trigger = {"manual": {"type": "Request", "kind": "Http", "correlation": correlation}}
    cli.flow("tracked", {"C": {**compose(1), "trackedProperties": {"n": "@action().outputs"}}}, triggers=trigger)
    done = cli("run", "tracked.json", "--input", '{"order": "A-7"}', "--json")
    assert done.json["tracking"] == "A-7"
    assert done.json["actions"][0]["trackedProperties"] == {"n": 1}
    assert "client tracking id A-7" in cli("runs", "show", "latest").out
