"""What a command loads: nothing that only other kinds of flows, other commands or calls to the outside need.

One process prints the help and checks a flow, another one runs a cloud flow and then a desktop flow. Each says after
every command which modules there are, so a list holds those of the commands before it in its process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOUD = ROOT / "examples" / "cloud" / "hello.json"
SCRIPT = "SET Sum TO 1 + 2\n"

COMMANDS = ("help", "check", "run", "desktop")
PROGRAM = """
import json, sys
from sealflow.engine.hosts.cli import main

found = []
for arguments in json.loads(sys.argv[1]):
    if main(arguments) != 0:
        sys.exit(f"{arguments} failed")
    found.append(sorted(sys.modules))
open(sys.argv[2], "w").write(json.dumps(found))
"""

ONLY_FOR_SCRIPTS = (
    "sealflow.engine.desktop.syntax.parse",
    "sealflow.engine.desktop.actions",
    "sealflow.engine.desktop.catalog",
    "sealflow.engine.kernel.desktop.decide",
    "sealflow.engine.kernel.desktop.machine",
    "sealflow.engine.runtime.flows.scripts",
)
ONLY_WHEN_ASKED_FOR = (
    "sealflow.connectors.desktop.web.automation",
    "sealflow.connectors.http.operation",
    "sealflow.connectors.inline",
    "sealflow.connectors.isolation",
    "sealflow.engine.cloud.arm.strings",
    "sealflow.engine.importers.packages",
    "sealflow.engine.expressions.functions.dates",
    "sealflow.engine.expressions.functions.xml",
    "sealflow.engine.runtime.flows.packages",
    "sealflow.engine.runtime.desktop.work_queues",
    "sealflow.storage.administration.administration",
    "sealflow.storage.backends.postgres",
    "sealflow.storage.maintenance.backup.backup",
    "sealflow.storage.maintenance.relocation",
    "sealflow.storage.keys.providers.azure",
    "sealflow.storage.keys.providers.file",
    "sealflow.storage.maintenance.verify",
)
LIBRARIES = (
    *("anyio", "asyncpg", "azure", "boto3", "botocore", "httpcore", "httpx", "jsonschema_rs", "liquid", "lxml"),
    *("openpyxl", "paramiko", "pdfplumber", "PIL", "playwright", "pydantic", "regex", "rich", "sqlalchemy"),
    *("email.message", "http.client", "multiprocessing", "zipfile"),
)
MOST: dict[str, int] = {"help": 60, "check": 140, "run": 375}
"""Modules of this package that a command may load: a little more than it does. More of them is a slower start."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, frozenset[str]]:
    folder = tmp_path_factory.mktemp("startup")
    script, told = folder / "sum.robin", folder / "modules.json"
    script.write_text(SCRIPT)
    commands = [["--help"], ["check", str(CLOUD)], ["run", str(CLOUD)], ["run", str(script)]]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "SEALFLOW_HOME": str(folder / "home"),
        "SEALFLOW_KEYSTORE": str(folder / "keystore.json"),
        "PYTHONPATH": str(ROOT / ".dev"),
    }
    lists: list[list[str]] = []
    for some in (commands[:2], commands[2:]):
        program = [sys.executable, "-c", PROGRAM, json.dumps(some), str(told)]
        done = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=folder)
        assert done.returncode == 0, done.stderr
        lists += json.loads(told.read_text())
    return {command: frozenset(modules) for command, modules in zip(COMMANDS, lists, strict=True)}


@pytest.mark.parametrize("command", ["help", "check", "run"])
def test_a_cloud_flow_loads_nothing_of_desktop_flows(loaded: dict[str, frozenset[str]], command: str) -> None:
    assert loaded[command].isdisjoint(ONLY_FOR_SCRIPTS)
    language = {name for name in loaded[command] if name.startswith("sealflow.engine.desktop.")}
    assert language <= {"sealflow.engine.desktop.syntax", "sealflow.engine.desktop.syntax.recognition"}


def test_a_desktop_flow_loads_the_language(loaded: dict[str, frozenset[str]]) -> None:
    assert loaded["desktop"] > set(ONLY_FOR_SCRIPTS)


def test_what_no_command_here_needs_is_not_loaded(loaded: dict[str, frozenset[str]]) -> None:
    modules = loaded["check"] | loaded["desktop"]
    assert sorted(modules.intersection(ONLY_WHEN_ASKED_FOR)) == []
    assert sorted(modules.intersection(LIBRARIES)) == []


@pytest.mark.parametrize("command", list(MOST))
def test_the_number_of_modules_is_bounded(loaded: dict[str, frozenset[str]], command: str) -> None:
    own = [name for name in loaded[command] if name.startswith("sealflow")]
    assert len(own) <= MOST[command], sorted(own)


def test_names_that_must_not_be_loaded_are_still_names() -> None:
    """Else a module that is renamed would never be missed."""
    for name in (*ONLY_FOR_SCRIPTS, *ONLY_WHEN_ASKED_FOR):
        path = ROOT.joinpath(*name.split(".")[1:])
        assert path.with_suffix(".py").is_file() != path.is_dir(), name


def test_modules_are_loaded_by_name_in_one_place_only() -> None:
    """Everything else imports inside a function, which type checkers and import-linter see."""
    found = {
        str(file.relative_to(ROOT))
        for folder in (ROOT / "engine", ROOT / "storage", ROOT / "connectors")
        for file in (ROOT / "__init__.py", *folder.rglob("*.py"))
        if "import_module" in (text := file.read_text("utf-8")) or "\ndef __getattr__" in text
    }
    assert found == {"engine/lazy.py", "connectors/isolated/worker.py"}  # that process has no package sealflow


def test_importing_the_package_loads_nothing_but_its_face() -> None:
    program = "import sys, sealflow; print(*sorted(name for name in sys.modules if name.startswith('sealflow')))"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / ".dev")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["sealflow", "sealflow.engine", "sealflow.engine.lazy"]
