"""`eval`, `check` and the command line itself: nothing here opens a store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_session import Cli, compose
from sealflow.engine.hosts.cli import main


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


# ---- eval


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("@add(1, 2)", 3),
        ("add(1, 2)", 3),
        ("sum: @{add(1, 2)}", "sum: 3"),
        ("@@add", "@add"),
        ("plain", "plain"),
        ("@createArray('ü', null, true)", ["ü", None, True]),
        ("@json('{\"a\":[1.5]}')", {"a": [1.5]}),
    ],
)
def test_eval_json(cli: Cli, expression: str, value: Any) -> None:
    done = cli("eval", expression, "--json")
    assert (done.code, done.json) == (0, {"value": value})
    assert done.err == ""


def test_eval_for_people(cli: Cli) -> None:
    assert cli("eval", "@concat('a', 'b')").out == "ab\n"
    assert cli("eval", "@createArray(1)").out == "[\n  1\n]\n"
    assert cli("eval", "@null").out == "null\n"


def test_eval_in_a_context(cli: Cli) -> None:
    context = {
        "variables": {"x": 2},
        "parameters": {"p": "q"},
        "trigger": {"outputs": {"body": {"n": 5}}},
        "actions": {"Get it": {"status": "Succeeded", "outputs": {"body": [1, 2]}}},
        "items": {"Loop": "i"},
        "now": "2026-01-02T03:04:05.0000000Z",
    }
    cli.write("c.json", context)
    names = ("variables('x')", "parameters('p')", "triggerBody()['n']", "length(body('Get_it'))", "items('Loop')")
    expression = "".join(f"@{{{name}}}" for name in (*names, "utcNow('d')"))
    assert cli("eval", expression, "--context", "c.json").out == "2q52i1/2/2026\n"
    assert cli("eval", "@variables('x')", "--context", "-", "--json", stdin=json.dumps(context)).json == {"value": 2}


def test_eval_without_now_takes_the_clock(cli: Cli) -> None:
    assert cli("eval", "@greater(utcNow(), '2026')", "--json").json == {"value": True}


def test_eval_errors(cli: Cli) -> None:
    done = cli("eval", "@foo(1)", "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "InvalidTemplate"
    assert "'foo'" in done.json["error"]["message"]
    told = cli("eval", "@foo(1)")
    assert (told.code, told.out) == (2, "")
    assert "error: " in told.err
    assert cli("eval").code == 2
    assert cli("eval", "@add(1,2)", "--batch", "f").code == 2
    assert cli("eval", "x", "--context", "missing.json").code == 3
    cli.write("list.json", [1])
    assert cli("eval", "x", "--context", "list.json", "--json").error["code"] == "InvalidUsage"


def test_eval_batch_answers_every_line_in_order(cli: Cli) -> None:
    lines = [
        json.dumps({"expression": "@add(1, 1)"}),
        "{broken",
        json.dumps({"expression": "@variables('v')", "context": {"variables": {"v": "\u2028x"}}}),
        json.dumps({"expression": 5}),
        "[1]",
        json.dumps({"expression": "@nope()"}),
        "",
        json.dumps({"expression": "x", "context": [1]}),
        '{"expression": NaN}',
        '{"expression": "@guid()"}',
        "[" * 100_000,
        json.dumps({"expression": "@json(concat(" + ",".join(["'" + "[" * 100 + "'"] * 60) + "))"}),
        json.dumps({"expression": "@add(2, 2)"}),
    ]
    cli.write("b.jsonl", "\n".join(lines))
    done = cli("eval", "--batch", "b.jsonl")
    assert done.code == 0
    answers = [json.loads(line) for line in done.out.split("\n") if line]
    assert len(answers) == len(lines) - 1
    assert [next(iter(answer)) for answer in answers] == [
        "value", "error", "value", "error", "error", "error", "error", "error", "value", "error", "error", "value",
    ]  # fmt: skip
    assert answers[0] == {"value": 2}
    assert answers[2] == {"value": "\u2028x"}
    assert answers[-1] == {"value": 4}
    assert cli("eval", "--batch", "-", stdin="\n".join(lines)).out.count("\n") == len(answers)
    assert cli("eval", "--batch", "missing").code == 3


def test_eval_batch_takes_the_context_given_for_all(cli: Cli) -> None:
    cli.write("c.json", {"variables": {"v": 1}})
    line = json.dumps({"expression": "@variables('v')"})
    assert cli("eval", "--batch", "-", "--context", "c.json", stdin=line).json == {"value": 1}


# ---- check


def test_check_json_is_one_line_a_file(cli: Cli) -> None:
    good = cli.flow("good", {"A": compose(1)})
    bad = cli.flow("bad", {"A": compose("@foo()"), "B": {"type": "Nonsense", "runAfter": {"A": ["Succeeded"]}}})
    broken = cli.write("broken.json", '{"a":\n  oops}')
    done = cli("check", good, bad, broken, "missing.json", "--json")
    assert done.code == 2
    first, second, third, fourth = done.lines
    assert first == {"file": good, "ok": True, "kind": "cloud/logic-apps", "actions": 1, "problems": []}
    assert second["ok"] is False
    assert second["actions"] == 2
    assert {problem["at"] for problem in second["problems"]} == {"/actions/A/inputs", "/actions/B/type"}
    assert third["problems"][0]["at"] == "2:3"
    assert (fourth["file"], fourth["problems"][0]["code"]) == ("missing.json", "NotFound")
    for problem in second["problems"]:
        assert {"code", "severity", "at", "message"} <= set(problem)


def test_check_for_people(cli: Cli) -> None:
    bad = cli.flow("bad", {"A": compose("@foo()")})
    done = cli("check", bad, cli.flow("good", {"A": compose(1)}))
    assert done.code == 2
    lines = done.out.splitlines()
    assert lines[0].startswith("bad.json:/actions/A/inputs: error ")
    assert lines[-3] == "bad.json: 1 error (cloud/logic-apps, 1 action)"
    assert lines[-2] == "good.json: ok (cloud/logic-apps, 1 action)"
    assert lines[-1] == "2 files: 1 ok, 1 with errors (1 in all)"
    assert cli("check", "good.json").code == 0


def test_check_reads_stdin(cli: Cli) -> None:
    text = json.dumps({"triggers": {"m": {"type": "Request"}}, "actions": {}})
    assert cli("check", "-", "--json", stdin=text).json["ok"] is True


# ---- the command line itself


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["nothing"],
        ["run", "--wrong", "x"],
        ["runs"],
        ["runs", "list", "--limit", "0"],
        ["run", "f", "--dialect", "x"],
    ],
)
def test_wrong_usage_is_2(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.code == 2


def test_wrong_usage_with_json(cli: Cli) -> None:
    done = cli("run", "--json", "--wrong")
    assert done.code == 2
    assert done.error["code"] == "InvalidUsage"
    assert "sealflow run --help" in done.error["hint"]


def test_help_and_version(cli: Cli) -> None:
    for verb in ("run", "check", "eval", "runs", "flow", "env", "replay"):
        done = cli(verb, "--help")
        assert done.code == 0
        assert done.out.startswith(f"Usage: sealflow {verb}")
    for family, verbs in {
        "runs": ("list", "show", "follow", "export", "resume", "cancel"),
        "flow": ("list", "show", "deploy"),
        "env": ("create", "list", "show"),
    }.items():
        for verb in verbs:
            text = cli(family, verb, "--help").out
            assert "--json" in text
            assert "--home" in text
    assert cli().code == 0
    assert cli("--version").out.startswith("sealflow 0.")


COMMAND = "import sys; from sealflow.engine.hosts.cli import main; sys.exit(main())"


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    lines = "\n".join(['{"expression":"@range(0, 1000)"}'] * 500)
    (tmp_path / "b").write_text(lines)
    command = [sys.executable, "-c", COMMAND, "eval", "--batch", str(tmp_path / "b")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_pure_commands_load_neither_store_nor_event_loop() -> None:
    code = """
import sys
from sealflow.engine.hosts.cli import main
main(["eval", "@add(1,2)"])
main(["check", sys.argv[1]])
heavy = ("asyncio", "cryptography", "sealflow.storage", "rich", "httpx", "aiosqlite")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_the_entry_point_loads_no_command() -> None:
    assert main.__module__ == "sealflow.engine.hosts.cli"
    code = "import sys, sealflow.engine.hosts.cli; print('typer' in sys.modules, 'asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
