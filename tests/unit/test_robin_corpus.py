"""Published scripts: each is read whole, and what the checker finds in it is of the kinds that are listed here."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from sealflow.engine.desktop.checks.check import check
from sealflow.engine.desktop.checks.rules import Rules
from sealflow.engine.desktop.syntax.parse import Reading, parse
from sealflow.engine.desktop.syntax.recognition import decoded

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "desktop"
SCRIPTS = sorted(CORPUS.glob("*.robin"))

FRAGMENT = {"UnknownVariable", "UnknownSubflow", "ExitInMain"}
"""What is wrong with the text of one subflow alone: the rest of its flow is missing."""


@lru_cache
def readings() -> dict[str, Reading]:
    """By file name, read once for all tests."""
    return {path.name: parse(decoded(path.read_bytes())) for path in SCRIPTS}


pytestmark = pytest.mark.skipif(not SCRIPTS, reason="the published scripts are not here")


def test_all_are_read_without_a_problem() -> None:
    assert len(SCRIPTS) == 82
    found = {name: [f"{each.at} {each.code}" for each in reading.problems] for name, reading in readings().items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_whole_flows_have_no_errors_but_windows_actions() -> None:
    listed = (CORPUS / "manifest.tsv").read_text("utf-8").splitlines()
    whole = [line.split("\t")[0] for line in listed if "full flow" in line]
    assert len(whole) == 15
    for name in whole:
        codes = {each.code for each in check(readings()[name]) if each.severity == "error"}
        assert codes <= {"WindowsOnlyAction"}, name


def test_what_is_found_in_fragments() -> None:
    found: Counter[str] = Counter()
    for reading in readings().values():
        for problem in check(reading):
            if problem.severity == "error":
                found[problem.code] += 1
    assert set(found) == FRAGMENT | {"WindowsOnlyAction"}


def test_windows_actions_are_warnings_where_they_may_be_reached() -> None:
    codes = {
        (each.code, each.severity)
        for reading in readings().values()
        for each in check(reading, Rules(allow_unsupported=True))
        if each.code == "WindowsOnlyAction"
    }
    assert codes == {("WindowsOnlyAction", "warning")}


def test_what_is_built_decides_what_can_run() -> None:
    def nothing(action: str) -> bool:
        return False

    def everything(action: str) -> bool:
        return True

    reading = next(reading for name, reading in readings().items() if "07-contoso-invoice" in name)
    assert {each.code for each in check(reading, Rules(built=nothing))} == {"WindowsOnlyAction", "NotYetSupported"}
    assert check(reading, Rules(built=everything)) == ()
