"""The table of behaviours of customers' keys: all are there, and the tests that are said to prove them exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "cmk.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.*) ?\|$", PAGE, re.MULTILINE)
FILES = {name: ROOT / path for name, path in re.findall(r"^\| `(\w+)` \| `([\w/]+\.py)` \|$", PAGE, re.MULTILINE)}


def test_every_behaviour_has_a_row() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 48))


def test_what_is_reproduced_or_better_names_its_tests() -> None:
    for number, _, here, tests in ROWS:
        assert re.match(r"reproduced|better|not applicable|not yet|they are covered", here), number
        # Nothing can be shown of what never happens.
        assert bool(tests.strip()) == (not here.startswith("not ") and "never by itself" not in here), number


def test_the_tests_exist() -> None:
    named = re.findall(r"`(\w+)::(test_\w+)`", PAGE)
    assert len(named) > 50
    sources = {name: path.read_text("utf-8") for name, path in FILES.items()}
    for file, test in named:
        assert re.search(rf"def {test}\(", sources[file]), f"{file}::{test}"
