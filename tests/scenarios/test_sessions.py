"""Command-line sessions as text: each file in `sessions/` is one session in a folder of its own.

    # free text
    copy examples/cloud/hello.json          a file of the project, into the session's folder
    file NAME                               a file; its content is the indented lines below
    env NAME=VALUE                          an environment variable from here on
    $ sealflow run hello.json               a command; below it what it prints:
    hello version 1 (new), run <run>        stdout, line by line
    ...                                     any number of lines
    ! warning: <any>                        stderr, line by line: empty where no line starts with !
    ? 2                                     the exit code, 0 where nothing is said

A `--timeout` is over when the run comes to its pause, and the pause is over for the next command.

Placeholders: `<any>` is any text, `<time>` a clock time, `<took>` a duration, `<run>` a run's id, `<id>` another id.
`<name:run>` remembers what it met; `{name}` in later lines and commands stands for it.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cli_session import Cli
from preparations import lapse_at_pause, later

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.txt"))

PATTERNS = {
    "any": ".*",
    "time": r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d",
    "took": r"\d+(?:\.\d+)? (?:ms|s|min|h|d)(?: \d+ (?:s|min|h))?",
    "run": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "id": "[0-9a-f]{32}",
}
PLACEHOLDER = re.compile(r"<(?:(\w+):)?(any|time|took|run|id)>|\{(\w+)\}")


@dataclass
class Step:
    """One command with what it should print."""

    line: int
    command: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


def steps(text: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Prepare the folder and give the commands."""
    found: list[Step] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        word, _, rest = line.partition(" ")
        if word == "$":
            found.append(Step(number, rest))
        elif not found and word == "copy":
            shutil.copy(ROOT / rest, cli.folder)
        elif not found and word == "file":
            content = []
            while number < len(lines) and lines[number].startswith("    "):
                content.append(lines[number][4:])
                number += 1
            cli.write(rest, "\n".join(content))
        elif not found and word == "env":
            monkeypatch.setenv(*rest.split("=", 1))
        elif word == "!" and found:
            found[-1].err.append(rest)
        elif word == "?" and found:
            found[-1].code = int(rest)
        elif line and word != "#":
            assert found, f"line {number}: {line}"
            found[-1].out.append(line)
    return found


def pattern(expected: list[str], known: dict[str, str]) -> str:
    """One expression for all the expected lines; a `...` line is any number of lines."""
    parts = []
    bound: set[str] = set()
    for line in expected:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        place = 0
        for found in PLACEHOLDER.finditer(line):
            parts.append(re.escape(line[place : found.start()]))
            name, kind, again = found.groups()
            if again is not None:
                parts.append(f"(?P={again})" if again in bound else re.escape(known.get(again, found[0])))
            else:
                parts.append(f"(?P<{name}>{PATTERNS[kind]})" if name else f"(?:{PATTERNS[kind]})")
                bound.add(name)
            place = found.end()
        parts.append(re.escape(line[place:]) + r"\n")
    return "".join(parts)


def filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.parametrize("session", SESSIONS, ids=[path.stem for path in SESSIONS])
def test_session(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = Cli(tmp_path, monkeypatch, capsys)
    known: dict[str, str] = {}
    hours = 0
    for step in steps(session.read_text(encoding="utf-8"), cli, monkeypatch):
        program, *arguments = shlex.split(filled(step.command, known))
        assert program == "sealflow"
        with monkeypatch.context() as patch:
            if "--timeout" in arguments:
                lapse_at_pause(patch.setattr)
            done = cli(*arguments)
        if "--timeout" in arguments:
            hours += 2
            later(3600 * hours, monkeypatch.setattr)
        where = f"{session.name}:{step.line}: $ {step.command}"
        for name, got, expected in (("stdout", done.out, step.out), ("stderr", done.err, step.err)):
            match = re.fullmatch(pattern(expected, known), got)
            assert match, f"{where}\n{name} was\n{got}\nnot\n" + "\n".join(expected) + f"\n(stderr: {done.err})"
            known.update({key: value for key, value in match.groupdict().items() if value is not None})
        assert done.code == step.code, f"{where}\n{done.out}{done.err}"


def test_there_are_sessions() -> None:
    assert len(SESSIONS) >= 5


def test_remembered_ids_are_found_again_and_other_text_is_not() -> None:
    known = {"a": "x.y"}
    assert re.fullmatch(pattern(["run {a} <any>", "...", "end {b}"], known), "run x.y z\nmore\nend {b}\n")
    assert not re.fullmatch(pattern(["run {a}"], known), "run xzy\n")
    same = pattern(["<c:time> {c}"], known)
    assert re.fullmatch(same, "01:02:03 01:02:03\n")
    assert not re.fullmatch(same, "01:02:03 01:02:04\n")
