"""Folders and files stay small: 15 modules side by side, 500 lines in a file.

What is larger stands in a list here with a reason. The lists only shrink: a folder or file that fits again must leave
its list, and none may grow beyond the number that it has there.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("engine", "storage", "connectors")
ALL = (*PRODUCT, "tests", "benchmarks", "examples", "tools")

MOST_MODULES: Final = 15
MOST_LINES: Final = 500
MEDIAN_LINES: Final = 150
AT_ALL: Final = 20
"""Modules that a folder may have at most, with whatever reason."""

LARGE_FOLDERS: Final = {
    "engine/cloud/checks": (20, "a table of rules: one module for each kind of rule"),
    "engine/desktop/actions": (16, "a table of actions: one module for each group of the designer"),
    "engine/expressions/functions": (16, "a table of functions: one module for each family"),
    "storage/testing": (16, "a suite: one module for each store protocol"),
}

LONG_FILES: Final = {
    "engine/runtime/environment/environment.py": 515,
    "engine/runtime/runs/live_run.py": 590,
    "engine/values.py": 532,
    "tests/acceptance/test_bad_input.py": 543,
    "tests/security/test_egress.py": 567,
    "tests/unit/test_runtime_runs.py": 747,
    "tests/unit/test_runtime_triggers.py": 577,
    "tests/unit/test_storage_administration.py": 542,
    "tests/unit/test_storage_failures.py": 515,
    "tests/unit/test_storage_tampering.py": 643,
}
"""Files that hold more than one idea today, each with the lines that it has at most."""


def modules() -> dict[str, int]:
    """How many modules lie side by side in each folder of the product; `__init__.py` is none."""
    folders = [folder for top in PRODUCT for folder in (ROOT / top, *(ROOT / top).rglob("*")) if folder.is_dir()]
    return {
        str(folder.relative_to(ROOT)): sum(file.name != "__init__.py" for file in folder.glob("*.py"))
        for folder in folders
    }


def lines(tops: tuple[str, ...]) -> dict[str, int]:
    return {
        str(file.relative_to(ROOT)): file.read_text("utf-8").count("\n")
        for top in tops
        for file in (ROOT / top).rglob("*.py")
    }


def test_no_folder_has_more_modules_than_one_can_look_over() -> None:
    found = {folder: count for folder, count in modules().items() if count > MOST_MODULES}
    assert {folder: count for folder, count in found.items() if count > LARGE_FOLDERS.get(folder, (0,))[0]} == {}
    assert LARGE_FOLDERS.keys() - found.keys() == set()
    assert max(count for count, _ in LARGE_FOLDERS.values()) <= AT_ALL


def test_no_file_is_longer_than_one_idea() -> None:
    found = {file: count for file, count in lines(ALL).items() if count > MOST_LINES}
    assert {file: count for file, count in found.items() if count > LONG_FILES.get(file, 0)} == {}
    assert LONG_FILES.keys() - found.keys() == set()


def test_the_median_file_is_short() -> None:
    assert median(lines(PRODUCT).values()) < MEDIAN_LINES
