"""The prompt of `sealflow eval` and `--trace`: in this process, and once on a real terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_session import Cli
from sealflow.engine.hosts.cli.commands.flows.prompt import Session, completions


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


# ---- --trace


def test_trace_shows_every_part_innermost_first(cli: Cli) -> None:
    cli.write("c.json", {"variables": {"x": "ABC"}, "item": {"a": {"b": [1]}}})
    done = cli("eval", "@concat(toLower(variables('x')), item()?['a'].b[0], '!')", "--context", "c.json", "--trace")
    assert (done.code, done.out) == (0, "abc1!\n")
    assert done.err.splitlines() == [
        "variables('x') = 'ABC'",
        "toLower(variables('x')) = 'abc'",
        'item() = {"a":{"b":[1]}}',
        "item()?['a'] = {\"b\":[1]}",
        "item()?['a']['b'] = [1]",
        "item()?['a']['b'][0] = 1",
        "concat(toLower(variables('x')), item()?['a']['b'][0], '!') = 'abc1!'",
    ]


def test_trace_shows_only_what_was_evaluated(cli: Cli) -> None:
    done = cli("eval", "@if(equals(1, 1), add(1, 2), div(1, 0))", "--trace", "--json")
    assert done.json == {
        "value": 3,
        "trace": [
            {"expression": "equals(1, 1)", "value": True},
            {"expression": "add(1, 2)", "value": 3},
            {"expression": "if(equals(1, 1), add(1, 2), div(1, 0))", "value": 3},
        ],
    }


def test_trace_shows_what_led_to_an_error(cli: Cli) -> None:
    done = cli("eval", "x@{add(1, 2)}@{div(1, sub(1, 1))}", "--trace", "--json")
    assert done.code == 2
    assert done.json["error"]["code"] == "InvalidTemplate"
    assert [step["value"] for step in done.json["trace"]] == [3, 0]
    told = cli("eval", "x@{add(1, 2)}@{div(1, sub(1, 1))}", "--trace")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("add(1, 2) = 3\nsub(1, 1) = 0\nerror: ")


def test_trace_is_for_one_expression(cli: Cli) -> None:
    cli.write("b.jsonl", "")
    assert cli("eval", "--batch", "b.jsonl", "--trace").code == 2
    assert "trace" not in cli("eval", "@add(1, 2)", "--json").json


# ---- the session


def test_lines_are_answered_and_errors_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = Session({"variables": {"a": 1}})
    for line in ("add(variables('a'), 1)", "", "nope()", "plain text", "x@{1}"):
        assert session.take(line)
    told = capsys.readouterr()
    assert told.out == "2\nplain text\nx1\n"
    assert told.err.count("error: ") == 1


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"variables": {"a": 5}}))
    (tmp_path / "bad.json").write_text("[1]")
    session = Session({})
    assert session.take(f":context {tmp_path / 'c.json'}")
    assert session.take("variables('a')")
    assert session.take(f":context {tmp_path / 'none.json'}")
    assert session.take(f":context {tmp_path / 'bad.json'}")
    assert session.take(":context")
    assert session.take(":dance")
    assert session.take("variables('a')"), "a context that cannot be read leaves the one before"
    assert session.take(":trace")
    assert session.take("add(1, 2)")
    assert session.take(":TRACE")
    assert not session.take(":quit")
    told = capsys.readouterr()
    assert told.out == "5\n5\n3\n"
    assert told.err.count("error: ") == 4
    assert "trace on\nadd(1, 2) = 3\ntrace off\n" in told.err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session({})
    session.take(":help")
    told = capsys.readouterr().out
    assert ":context FILE" in told
    assert "addDays" in told
    assert "triggerBody" in told
    session.take(":help adddays()")
    assert capsys.readouterr().out.startswith("addDays: 2 to 3 arguments. The time so many days later.")
    session.take(":help addDay")
    assert "addDays" in capsys.readouterr().err


def test_completions() -> None:
    assert completions("toU") == ["toUpper("]
    assert completions("TRIGGERB") == ["triggerBody("]
    assert completions("concat(toU") == ["toUpper("]
    assert completions("") == []
    assert completions("add(1, ") == []
    assert completions(":c") == [":context"]
    assert ":quit" in completions(":")
    assert "addDays(" in completions("add")


# ---- a terminal


class Terminal:
    """`sealflow eval` on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.own, other = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "HOME": str(folder), "INPUTRC": "/dev/null", "NO_COLOR": "1"}
        program = "from sealflow.engine.hosts.cli import main; raise SystemExit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "eval"],
            stdin=other, stdout=other, stderr=other, cwd=folder, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(other)

    def until(self, wanted: str) -> str:
        """What is printed up to and with this text."""
        seen = ""
        while wanted not in seen:
            ready, _, _ = select.select([self.own], [], [], 60)
            assert ready, f"no {wanted!r} in {seen!r}"
            try:
                seen += os.read(self.own, 4096).decode()
            except OSError:
                break
        assert wanted in seen
        return seen.replace("\r\n", "\n")

    def interrupt(self) -> None:
        """Ctrl-C, until something is printed: Python misses one that comes just before it waits for a key."""
        for _ in range(40):
            self.process.send_signal(signal.SIGINT)
            if select.select([self.own], [], [], 0.5)[0]:
                return

    def type(self, text: str) -> None:
        os.write(self.own, text.encode())


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    started = Terminal(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()
    os.close(started.own)


def test_a_session_on_a_terminal(terminal: Terminal) -> None:
    (terminal.folder / "c.json").write_text(json.dumps({"variables": {"secret": "s3cret"}}))
    terminal.until("> ")
    terminal.type("add(40, 2)\n")
    assert "42" in terminal.until("\n> ")
    terminal.type("toU\t")
    terminal.until("toUpper(")
    terminal.type("'abc')\n")
    assert "ABC" in terminal.until("\n> ")
    terminal.type(":context c.json\n")
    terminal.until("context: variables\n> ".replace("\n", "\r\n"))
    terminal.type("variables('secret')\n")
    assert "s3cret" in terminal.until("\n> ")
    terminal.type("div(1, 0)\n")
    assert "InvalidTemplate" in terminal.until("\n> ")
    terminal.type("add(1, ")
    terminal.until("add(1, ")
    terminal.interrupt()  # Ctrl-C drops the line
    terminal.until("\n> ")
    terminal.type(":quit\n")
    assert terminal.process.wait(20) == 0
    assert sorted(path.name for path in terminal.folder.rglob("*")) == ["c.json"], "no history is written"


def test_the_end_of_the_input_ends_the_session(terminal: Terminal) -> None:
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.process.wait(20) == 0
