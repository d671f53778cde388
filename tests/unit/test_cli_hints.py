"""What a command tells to type next works for the store that it was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from cli_session import Cli, compose
from sealflow.engine.hosts.cli.app import application
from sealflow.engine.hosts.cli.hints import COMMANDS, FAMILIES, WITHOUT, for_home, given_home


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`sealflow env list` shows them.", "`sealflow env list --home 'a b'` shows them."),
        ("Unlock it first: sealflow env unlock contoso", "Unlock it first: sealflow env unlock --home 'a b' contoso"),
        ("sealflow verify, sealflow env list", "sealflow verify --home 'a b', sealflow env list --home 'a b'"),
        ("sealflow worker --once", "sealflow worker --home 'a b' --once"),
        ("sealflow eval --help", "sealflow eval --help"),
        ("sealflow key list file:x", "sealflow key list file:x"),
        ("sealflow env permissions set e", "sealflow env permissions set --home 'a b' e"),
        ("sealflow env permissions", "sealflow env permissions"),
        ("sealflow nothing of ours", "sealflow nothing of ours"),
        ("next: sealflow env list --home x", "next: sealflow env list --home x"),
        ("no command", "no command"),
    ],
)
def test_commands_name_the_store(text: str, expected: str) -> None:
    assert for_home(text, "a b") == expected
    assert for_home(text, None) == text


def test_the_commands_are_those_that_there_are() -> None:
    root: Any = typer.main.get_command(application())
    families = {name for name, command in root.commands.items() if hasattr(command, "commands")}
    assert (set(COMMANDS), set(FAMILIES)) == (set(root.commands) - families, families)
    leaves = {name: root.commands[name] for name in COMMANDS}
    leaves |= {f"{family} {name}": each for family in families for name, each in root.commands[family].commands.items()}
    assert {name for name, each in leaves.items() if all(it.name != "home" for it in each.params)} == set(WITHOUT)


def test_what_the_command_line_says() -> None:
    assert given_home(["env", "list", "--home", "x"]) == "x"
    assert given_home(["env", "list", "--home=x", "--home", "y"]) == "y"
    assert given_home(["run", "--", "--home", "x"]) is None
    assert given_home(["env", "list", "--home"]) is None


def test_the_hint_of_an_error_can_be_typed(cli: Cli) -> None:
    cli("env", "create", "first", "--home", "far")
    missing = cli("env", "status", "second", "--home", "far", "--json")
    assert missing.error["hint"] == "`sealflow env list --home far` shows the environments."
    cli("env", "lock", "first", "--home", "far")
    refused = cli("runs", "list", "--environment", "first", "--home", "far", "--json")
    command = refused.error["hint"].split(": ", 1)[1]
    assert command == "sealflow env unlock --home far first"
    assert cli(*command.split()[1:]).code == 0
    assert cli("runs", "list", "--environment", "first", "--home", "far").code == 0


def test_the_warnings_of_a_status_can_be_typed(cli: Cli) -> None:
    cli("run", cli.flow("f", {"A": compose(1)}), "--home", "far")
    cli("key", "create", "file:keys.json#main")
    cli("policy", "create", "p", "--key", "file:keys.json#main", "--home", "far")
    cli("policy", "apply", "p", "--home", "far")
    shown = cli("env", "status", "--home", "far")
    assert "sealflow policy migrate --home far --environment default moves them" in shown.out


def test_a_key_file_that_is_missing_says_how_to_make_one(cli: Cli) -> None:
    cli("env", "create", "first")
    refused = cli("policy", "create", "p", "--key", "file:missing.json#main", "--json")
    assert (refused.code, refused.error["code"]) == (4, "KeyUnavailable")
    assert "sealflow key create file:PATH#NAME" in refused.error["hint"]
