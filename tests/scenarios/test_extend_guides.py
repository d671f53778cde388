"""The pages of docs/how-to/extend are true: followed literally in a copy of the source tree, their commands succeed.

A page creates files ("Create `PATH`:"), changes files by a diff ("Change `PATH`:"), and runs the commands of its `sh`
blocks. The first block of a page shows the result and is not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/how-to/extend/*.md"))
PACKAGE = ("__init__.py", "__main__.py", "py.typed", "engine", "storage", "connectors")
PATIENCE = 300.0
COMMANDS = """set -e
python() { "$PYTHON" "$@"; }
sealflow() { "$PYTHON" -m sealflow "$@"; }
tests() { "$PYTHON" -m pytest -q -p no:cacheprovider "$@"; }
"""

_STEP = re.compile(r"(?:(Create|Change) `([^`]+)`[^\n]*:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the pages work on, with compiled modules, so that they are not compiled again."""
    copy = tmp_path_factory.mktemp("tree")
    for name in (*PACKAGE, "tests", "examples", "docs", "pyproject.toml", "CHANGELOG.md"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, copy / name)
    (copy / ".dev" / "sealflow").mkdir(parents=True)
    for name in PACKAGE:
        (copy / ".dev" / "sealflow" / name).symlink_to(copy / name)
    return copy


def changed(text: str, diff: str) -> str:
    """The text with the lines of a diff, which has no line numbers: its context occurs once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line[:1] != "+")
    assert text.count(old) == 1, f"this occurs {text.count(old)} times:\n{old}"
    return text.replace(old, "\n".join(line[1:] for line in lines if line[:1] != "-"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_can_be_followed(page: Path, tree: Path, tmp_path: Path) -> None:
    script = COMMANDS
    for verb, path, language, body in _STEP.findall(page.read_text("utf-8"))[1:]:
        if verb == "Create":
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(body, "utf-8")
        elif verb == "Change":
            (tree / path).write_text(changed((tree / path).read_text("utf-8"), body), "utf-8")
        elif language == "sh":
            script += body.replace("./dev lint\n", "").replace("./dev test", "tests")
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tree,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("SEALFLOW_")},
            "PYTHON": sys.executable,
            "PYTHONPATH": str(tree / ".dev"),
            "SEALFLOW_HOME": str(tmp_path / "home"),
            "SEALFLOW_KEYSTORE": str(tmp_path / "keystore.json"),
        },
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
