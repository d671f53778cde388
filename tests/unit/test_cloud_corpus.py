"""Real definitions from public repositories, where they are at hand: all are read and every error is a known one."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sealflow.engine.cloud import catalog, parse, read, report

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus" / "cloud"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of public definitions is not at {CORPUS}")

# Why each file has errors, by the beginning of its name. Everything else must have none.
BROKEN = {
    "CopyFileActionWorkflow": "InvalidExpression",  # placeholders of a test such as "@source", no expressions
    "GetJobOutputWorkflow": "InvalidExpression",
    "ReplicateLargeContentWorkflow": "InvalidExpression",
    "workflowAutoCompleteTriggerWithComplete": "InvalidExpression",
    "workflowTriggerWithComplete": "InvalidExpression",
    "StressTest": "UnknownVariable",  # increments a variable that nothing initialises
    "StressTest400": "InvalidInputs",  # increments without a variable
    "NewA2A": "UnknownPredecessor",  # runs after its trigger, and is an agent
}


def manifest() -> dict[str, dict[str, str]]:
    with (CORPUS / "manifest.tsv").open(encoding="utf-8", newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines, delimiter="\t")}


def reports() -> dict[str, dict[str, Any]]:
    return {path.name: report(path.read_bytes(), path.name) for path in sorted(CORPUS.glob("*.json"))}


def test_all_are_read_with_all_their_actions_in_the_right_dialect() -> None:
    rows = manifest()
    counted: Counter[str] = Counter()
    for name, found in reports().items():
        power = rows[name]["family"] == "PowerAutomate"
        assert found["kind"] == ("cloud/power-automate" if power else "cloud/logic-apps"), name
        assert found["actions"] == int(rows[name]["n_actions"]), name
        counted[found["kind"]] += 1
    assert counted == {"cloud/power-automate": 90, "cloud/logic-apps": 90}


def test_every_error_is_known() -> None:
    for name, found in reports().items():
        errors = {problem["code"] for problem in found["problems"] if problem["severity"] == "error"}
        expected = {code for start, code in BROKEN.items() if name.startswith(start)}
        types = {action.type for action in parse(read((CORPUS / name).read_bytes()).definition).all_actions()}
        if types & set(catalog.REFUSED):
            expected.add("UnsupportedAction")
        assert errors == expected, name


def test_no_sound_reference_is_doubted() -> None:
    codes = Counter(problem["code"] for found in reports().values() for problem in found["problems"])
    doubts = {"NotReachable", "VariableNotReachable", "InsideLoops", "OutsideLoop", "UnknownAction", "UnknownLoop"}
    assert doubts.isdisjoint(codes)


def test_every_warning_was_looked_at() -> None:
    """How many definitions have one of a code: each of them has been read, and is right."""
    found = Counter[str]()
    for each in reports().values():
        found.update({problem["code"] for problem in each["problems"] if problem["severity"] == "warning"})
    assert found == {
        "ArmExpression": 5,
        "InvalidInputs": 2,  # addresses that are still to be filled in
        "NotYetSupported": 4,  # identities of Azure that sign in to HTTP
        "InvalidResponse": 1,  # answers though the trigger is no Request
        "SecretInClear": 3,  # the defaults of parameters for client secrets
        "UnknownParameter": 3,  # declared in another file, or nowhere
    }
