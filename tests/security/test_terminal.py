"""Names and values contain control characters. No command sends one to the terminal."""

from __future__ import annotations

import io
import json
import logging
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from sealflow.engine.hosts.cli import main
from sealflow.engine.hosts.cli.app import application
from sealflow.engine.hosts.cli.output import printable
from sealflow.engine.hosts.cli.output import writing as output

EVIL = "e\x1b]0;owned\x07\x1b[2J\x9b31m\x85\u202e\u2066\u200b\ufeff\x7f\ufdd1\U000e0041!"
"""A title, a cleared screen, C1, an override of direction, zero width, a mark of our own colours and a tag."""

NAME = EVIL.replace("\ufdd1", "")

FLOW = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "parameters": {EVIL: {"type": "String", "defaultValue": EVIL}},
    "actions": {
        EVIL: {"type": "Compose", "inputs": {EVIL: EVIL}, "trackedProperties": {EVIL: EVIL}},
        "Each": {
            "type": "Foreach",
            "foreach": [EVIL],
            "actions": {EVIL + "2": {"type": "Compose", "inputs": "@int(item())"}},
        },
        "End": {
            "type": "Terminate",
            "inputs": {"runStatus": "Failed", "runError": {"code": EVIL, "message": EVIL + "\ud800"}},
            "runAfter": {"Each": ["Failed"]},
        },
    },
}
BROKEN = {
    "triggers": {EVIL: {"type": EVIL}},
    "actions": {EVIL: {"type": EVIL, "inputs": f"@{EVIL}", "runAfter": {EVIL + "3": [EVIL]}}, "b": {"type": "Compose"}},
}
ROBIN = f"SET {EVIL} TO $'''{EVIL}'''\n{EVIL}.{EVIL} {EVIL}: 5\nGOTO {EVIL}\n"
PROPERTIES = {"properties": {"iconBrandColor": EVIL, "connectionParameters": {EVIL: {"type": "string"}}}}

Run = Callable[..., int]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which everything that others can name or write is hostile."""
    folder = tmp_path_factory.mktemp("terminal") / "place"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        _enter(folder, patch)
        for name, content in (("flow", FLOW), ("broken", BROKEN), ("properties", PROPERTIES)):
            (folder / f"{NAME}.{name}.json").write_text(json.dumps(content))
        (folder / f"{NAME}.robin").write_text(ROBIN, "utf-8", "surrogatepass")
        (folder / f"{NAME}.batch").write_text(json.dumps({"expression": f"@concat('{EVIL}')"}) + f"\n{EVIL}\n")
        done = [
            main(("env", "create", NAME)),
            main(("flow", "deploy", f"{NAME}.flow.json", "--name", NAME, "-e", NAME)),
            main(("run", NAME, "-e", NAME, "--input", json.dumps({EVIL: EVIL}))) - 1,
            main(("runs", "export", "latest", "--out", "bundle", "-e", NAME)),
            main(("connection", "create", NAME, "--properties", f"{NAME}.properties.json", "-e", NAME)),
            main(("machine-group", "create", NAME, "-e", NAME)),
            main(("queue", "create", NAME, "-e", NAME)),
            main(("queue", "add", NAME, "--name", EVIL, "--value", json.dumps({EVIL: EVIL}), "-e", NAME)),
            main(
                ("env", "permissions", "set", NAME, "--answer", f"{EVIL}={EVIL}", "--application", EVIL, "--as", EVIL)
            ),
            main(("flow", "export", NAME, "--out", "package.zip", "-e", NAME, "--format", "power-automate")),
            main(("key", "create", f"file:{folder}/customer.json#key", "--as", EVIL)),
            main(("policy", "create", NAME, "--key", f"file:{folder}/customer.json#key", "--reader", EVIL)),
            main(("policy", "apply", NAME, "--environment", NAME, "--as", EVIL)) and 0,
            main(("backup", "create", "backup", "-e", NAME)),
        ]
        assert not any(done), done
    return folder


def _enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("SEALFLOW_KEYSTORE", str(folder / "keystore.json"))
    patch.setenv("SEALFLOW_HOME", str(folder / "home"))
    patch.setenv("SEALFLOW_ACTOR", EVIL)
    patch.delenv("SEALFLOW_PASSPHRASE", raising=False)
    patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(EVIL.encode())))


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from _leaves(each, (*path, name))
        else:
            yield (*path, name), each


COMMANDS = dict(_leaves(typer.main.get_command(application())))

ENDS = {"worker": ["--once"]}
"""What makes a command end that would not by itself."""

KNOWN = {
    "RUN": "latest", "[RUN]": "latest", "RUN...": "latest", "RUN|URL": "latest", "STATUS": "Failed",
    "BUNDLE...": "bundle", "PACKAGE": "package.zip", "ENV": NAME,
    "SECONDS": "1", "N": "2", "DAYS": "2", "FILE...": f"{NAME}.flow.json",
    "JSON|@FILE|@-": json.dumps({EVIL: EVIL}), "file:PATH": "file:customer.json",
    "file:PATH#NAME": "file:customer.json#key", "URI": "file:customer.json#key",
}  # fmt: skip
"""What stands for a thing that is there, by the metavar of a parameter; for all others a hostile name is known."""

FILES = {
    "run": f"{NAME}.flow.json",
    "flow deploy": f"{NAME}.flow.json",
    "backup restore": "backup",
    "connection create": f"{NAME}.properties.json",
}


def _line(path: tuple[str, ...], command: Any, *, known: bool) -> list[str]:
    """A command line with everything that the command needs: things that are there, or hostile text everywhere."""
    line, named = [*path], " ".join(path)
    for each in command.params:
        if not each.required and each.name != "environment" and each.param_type_name != "argument":
            continue
        metavar = str(each.metavar or each.type.name)
        value = KNOWN.get(metavar, NAME) if known else EVIL
        if known and metavar == "FILE":
            value = FILES.get(named, "made")
        line += [value] if each.param_type_name == "argument" else [each.opts[0], value]
    return [*line, *ENDS.get(named, [])]


MORE: dict[str, list[list[str]]] = {
    "run": [[f"{NAME}.broken.json"], [f"{NAME}.robin"], [f"{NAME}.flow.json", "--full", "-e", NAME, "--input", EVIL]],
    "check": [
        [f"{NAME}.broken.json", f"{NAME}.robin"],
        [f"{NAME}.broken.json", "--format", "json"],
        [f"{NAME}.broken.json", f"{NAME}.robin", "--format", "sarif"],
    ],
    "eval": [[f"@concat('{EVIL}')"], [f"@{EVIL}"], [f"@int('{EVIL}')", "--trace"], ["--batch", f"{NAME}.batch"]],
    "runs show": [
        ["latest", "-e", NAME, "--full", "--trace"],
        ["latest", "-e", NAME, "--action", NAME, "--full"],
        ["latest", "-e", NAME, "--action", f"/Each[0]/{EVIL}2"],
    ],
    "runs list": [["-e", NAME, "--flow", NAME]],
    "flow show": [[NAME, "-e", NAME, "--definition", "--full"]],
    "replay": [["bundle", "--full"], [f"{NAME}.flow.json"]],
    "audit list": [["--calls"], ["--act", EVIL]],
    "env create": [[NAME]],
}
"""More that a command shows of what others wrote."""


def _unsafe(text: str) -> set[str]:
    unsafe = {sign for sign in set(text) - {"\n", "\t"} if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return {ascii(sign) for sign in unsafe | (set(text) & {"\ufdd1"})}


@pytest.mark.parametrize("path", list(COMMANDS), ids=" ".join)
def test_no_command_sends_control_characters(
    path: tuple[str, ...],
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every name, value, error and file contains escape sequences. Each command prints them escaped, and with --json
    prints JSON.
    """
    command = COMMANDS[path]
    as_json = any("--json" in each.opts for each in command.params)
    lines = [_line(path, command, known=known) for known in (True, False)]
    lines += [[*path, *more] for more in MORE.get(" ".join(path), [])]
    lines.append([*path, f"--{NAME}"])
    for number, line in enumerate(lines):
        for arguments in (line, [*line, "--json"]) if as_json else (line,):
            folder = tmp_path / f"{number}{arguments[-1] == '--json'}"
            shutil.copytree(template, folder)
            _enter(folder, monkeypatch)
            main(arguments)
            out, err = capsys.readouterr()
            assert not _unsafe(out + err), arguments
            if arguments[-1] == "--json":
                for each in out.splitlines():
                    json.loads(each)
            shutil.rmtree(folder)


def test_the_names_of_the_world_are_shown(template: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A hostile name is not omitted: its characters are shown as escapes."""
    _enter(template, monkeypatch)
    for line in (["env", "list"], ["flow", "list", "-e", NAME], ["connection", "list", "-e", NAME], ["policy", "list"]):
        main(line)
        assert r"e\x1b]0;owned\x07\x1b[2J\x9b31m\x85\u202e\u2066\u200b\ufeff\x7f\U000e0041!" in capsys.readouterr().out
    main(["runs", "list", "-e", NAME, "--json"])
    assert NAME in capsys.readouterr().out.encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode(
        "utf-16"
    )


def test_log_lines_are_escaped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A log line quotes a hostile name. Without a log handler in the program, it goes to stderr escaped."""
    main(["eval", "@add(1, 2)"])
    main(["env", "list", "--home", "nothing"])
    assert logging.lastResort is not None
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        found = (ValueError, error, None)
    logging.lastResort.handle(logging.LogRecord("sealflow", logging.WARNING, "", 1, "of %s.", (EVIL,), found))
    err = capsys.readouterr().err
    assert r"of e\x1b]0;owned" in err
    assert not _unsafe(err)


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "line",
    [
        ["runs", "export", "latest", "-e", NAME, "--out", "-"],
        ["runs", "output", "latest", "-e", NAME, "--action", f"/{EVIL}", "--out", "-"],
        ["flow", "export", NAME, "-e", NAME, "--out", "-"],
        ["audit", "export", "-"],
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_content_as_it_is_does_not_go_to_a_terminal(
    line: list[str], template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Content with escape sequences is written to '-': a terminal does not get it, a pipe does."""
    folder = tmp_path / "place"
    shutil.copytree(template, folder)
    _enter(folder, monkeypatch)
    sent = io.BytesIO()
    with monkeypatch.context() as patch:
        terminal = _Terminal(sent, encoding="utf-8", write_through=True)
        patch.setattr("sys.stdout", terminal)
        assert main(line) == 2
    assert sent.getvalue() == b""
    assert "(TerminalOutput)" in capsys.readouterr().err


def test_a_terminal_in_colour_gets_our_colours_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coloured text and a plain one contain escape sequences: the only sequence sent is the requested colour."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    sent = io.BytesIO()
    stream = _Terminal(sent, encoding="utf-8", write_through=True)
    output.write(stream, output.paint(EVIL, "red", stream) + "\x1b[2J")
    shown = sent.getvalue().decode()
    assert shown.startswith("\x1b[31me\\x1b]0;owned")
    assert not _unsafe(shown.replace("\x1b[31m", "").replace("\x1b[0m", ""))
    assert shown.count("\x1b") == 2


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_whatever_a_text_holds_it_is_shown_without_controls(text: str) -> None:
    """A text of any characters, also lone surrogates, is printed without control characters, and unchanged as JSON."""
    assert not _unsafe(printable.printable(text))
    line = printable.one_line(text)
    assert not _unsafe(line)
    assert not set(line) & {"\n", "\t"}
    written = output.json_text(text)
    assert not _unsafe(written)
    assert json.loads(written) == text
