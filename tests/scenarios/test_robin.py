"""What desktop flows do, case by case: each runs through the machine, is killed after every record, and is replayed.

The cases stand in `robin/`, in a form that tests/support/robin_case.py describes.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from robin_case import RobinCase, killed_after, perform, robin_cases, unmet
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel.desktop.replay import replay_script

CASES = robin_cases()
FEWEST = 150
MOST_CUTS = 24
"""Places at which one case is killed at most: the first ones, then evenly."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rows_and_values_are_those_of_the_rule(case: RobinCase) -> None:
    if case.refused:
        with pytest.raises(DefinitionError) as refusal:
            case.plan()
        assert refusal.value.code == case.refused
        return
    plan = case.plan()
    ran = perform(case, plan)
    assert unmet(case, ran) == []
    replayed = replay_script(ran.records, case.plan())
    assert replayed.difference is None
    count = len(ran.records)
    step = max(1, -(-count // MOST_CUTS))
    for cut in sorted({1, 2, 3, count, *range(1, count + 1, step)} & set(range(1, count + 1))):
        again = killed_after(case, plan, ran.records, cut)
        assert again.records == ran.records, f"killed after {cut} records"
        assert unmet(case, again) == [], f"killed after {cut} records"


def test_there_are_enough_and_each_names_its_rule() -> None:
    assert len(CASES) >= FEWEST
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    for case in CASES:
        assert case.title.endswith("."), case.name
        assert re.search(r"robin_spec|semantics|properties|actions|decided", case.rule), case.name
        if not case.refused:
            assert case.expected, case.name
