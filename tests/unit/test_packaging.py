"""The package as it is installed: its extras and its two entry points."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def test_every_extra_that_a_hint_or_a_page_names_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    code = [each for folder in ("engine", "storage", "connectors") for each in (ROOT / folder).rglob("*.py")]
    named = {
        extra.strip()
        for file in (*pages, *code)
        for extras in re.findall(r"(?:sealflow|\.)\[([a-z,]+)\]'", file.read_text("utf-8"))
        for extra in extras.split(",")
    }
    assert {"desktop", "postgres"} <= named
    assert named <= set(EXTRAS)


def test_each_module_names_an_extra_that_exists() -> None:
    from sealflow.connectors.desktop import modules

    assert {modules.EXTRA, *modules._EXTRAS.values()} <= set(EXTRAS)


def test_python_dash_m_runs_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "sealflow", "eval", "@add(1, 2)"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")
