"""The fuzzer notices what it looks for, and keeps the smallest input that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import fuzz_command
import pytest
from fuzz_command import Campaign
from fuzz_mutation import changed_bytes, changed_json, changed_text, smallest
from fuzz_targets import Target
from sealflow.engine.errors import SealflowError


def _run(text: str) -> str:
    if "x" in text:
        raise KeyError(text)
    if "y" in text:
        raise SealflowError("No.", code="Refused")
    return "ok"


def _made(rng: Random) -> str:
    return "".join(rng.choice("abxy") for _ in range(8))


def test_an_error_without_a_code_is_found_and_made_small(tmp_path: Path) -> None:
    target = Target("words", 1, _made, _run)
    campaign = Campaign([target], seed=1, folder=tmp_path)
    campaign.run(300)
    (found,) = campaign.findings.values()
    assert (found.input, found.times > 20) == ("x", True)
    (path,) = tmp_path.iterdir()
    saved = json.loads(path.read_text("utf-8"))
    assert fuzz_command.given_input(saved["input"]) == "x"
    assert "KeyError" in saved["what"]
    assert {"ok", "Refused", "FINDING"} == set(campaign.to_json()["targets"]["words"]["outcomes"])


def test_the_same_seed_makes_the_same_inputs() -> None:
    def fed(seed: int) -> list[str]:
        seen: list[str] = []

        def run(text: str) -> str:
            seen.append(text)
            return "ok"

        Campaign([Target("words", 1, _made, run)], seed).run(300)
        return seen

    assert fed(1) == fed(1)
    assert fed(1) != fed(2)
    assert len(fed(1)) == 300


def test_a_slow_input_is_found() -> None:
    campaign = Campaign([Target("words", 1, lambda rng: "b", _run, seconds=-1.0)], seed=1)
    campaign.run(2)
    assert [found.what for found in campaign.findings.values()] == ["slow: ok"]


def test_an_input_that_does_not_end_is_given_up() -> None:
    campaign = Campaign([], seed=1)
    campaign._number = 1
    campaign._look()
    with pytest.raises(fuzz_command.Stuck):
        campaign._look()


def test_a_change_leaves_its_value_alone() -> None:
    rng = Random(1)
    value = {"a": [1, {"b": "text"}], "c": None}
    before = json.dumps(value)
    assert len({json.dumps(changed_json(value, rng, [value], ["t"])) for _ in range(200)}) > 50
    assert json.dumps(value) == before
    assert len({changed_text("some text", rng, ["piece"]) for _ in range(200)}) > 100
    assert len({changed_bytes(b"some bytes", rng, [b"piece"]) for _ in range(200)}) > 100


def test_parts_are_left_out_while_it_still_fails() -> None:
    assert smallest({"a": [1, 2, "xyz"], "b": 1}, lambda value: "y" in json.dumps(value)) == {"a": ["y"]}
