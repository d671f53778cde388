"""The reference of what desktop flows do: every block runs, and its variables hold what its comments say."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from robin_run import ScriptRun
from sealflow.engine.desktop.expressions import errors as faults

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "robin-semantics.md"
BLOCKS = re.findall(r"```robin\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
_SAYS = re.compile(r"^# (\w+) = (.*)$", re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_gives_what_it_says(block: str) -> None:
    run = ScriptRun(block).to_the_end()
    assert run.state.end is not None
    assert run.state.end.error is None
    said = _SAYS.findall(block)
    assert said
    for name, value in said:
        assert run[name] == json.loads(value, parse_float=Decimal)


def test_the_table_of_errors_names_those_that_there_are() -> None:
    named = set(re.findall(r"`(\w+(?:Error|Interrupted|Lost))`", PAGE.read_text("utf-8")))
    codes = {value for name, value in vars(faults).items() if name.isupper() and isinstance(value, str)}
    assert codes - {faults.BROKEN} <= named
