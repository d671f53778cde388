"""Runs command lines in this process, in a folder and with a keystore of their own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from command_lines import CommandLine
from preparations import lapse_at_pause
from sealflow.engine.hosts.cli import main

S = ["Succeeded"]


class Cli:
    """A folder to work in, and `cli("run", "flow.json")`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(self.folder)
        monkeypatch.setenv("SEALFLOW_KEYSTORE", str(folder / "keys" / "keystore.json"))
        for name in ("SEALFLOW_HOME", "SEALFLOW_PASSPHRASE", "SEALFLOW_DEBUG"):
            monkeypatch.delenv(name, raising=False)

    def __call__(self, *arguments: str, stdin: str | bytes = b"") -> CommandLine:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        self._capsys.readouterr()
        code = main(arguments)
        out, err = self._capsys.readouterr()
        return CommandLine(code, out, err)

    def left(self, *arguments: str) -> CommandLine:
        """A command with a --timeout that is over when its run has come to a pause of an hour."""
        with self._monkeypatch.context() as patch:
            lapse_at_pause(patch.setattr)
            return self(*arguments, "--timeout", "0.1")

    def write(self, name: str, content: Any) -> str:
        """A file with this text or JSON; its name."""
        (self.folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return name

    def flow(self, name: str, actions: dict[str, Any], **more: Any) -> str:
        """A file with a definition of these actions; its name."""
        return self.write(
            f"{name}.json", {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions, **more}
        )


def compose(value: Any, *after: str, on: Iterable[str] = S) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": {name: list(on) for name in after}}


def http(*after: str, **inputs: Any) -> dict[str, Any]:
    return {
        "type": "Http",
        "inputs": {"method": "GET", "uri": "http://127.0.0.1:9/", **inputs},
        "runAfter": dict.fromkeys(after, S),
    }


def wait(seconds: int, *after: str) -> dict[str, Any]:
    return {
        "type": "Wait",
        "inputs": {"interval": {"count": seconds, "unit": "Second"}},
        "runAfter": dict.fromkeys(after, S),
    }
