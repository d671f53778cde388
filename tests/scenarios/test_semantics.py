"""What flows do, case by case: each runs through the runtime, is killed after every record, and is replayed.

The cases stand in `semantics/`, in a form that tests/support/semantics_case.py describes; the rules that they prove
in docs/reference/semantics.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sealflow
from sealflow.engine import kernel
from semantics_case import Case, cases
from semantics_compare import differences
from semantics_runs import CaseClock, Recorded, Stage, cuts, folds_as_decided, killed_after

CASES = cases()
RULES = Path(__file__).resolve().parents[2] / "docs" / "reference" / "semantics.md"
FEWEST = 120


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("semantics")
    clock = CaseClock()
    # Without `resume` runs stay in memory while they wait: what sleeps in the store is woken by one clock that goes on,
    # and here each case has its own.
    home, keystore = folder / "home", folder / "keys" / "k.json"
    async with sealflow.open(home, keystore=keystore, clock=clock, resume=False) as engine:
        yield Stage(await engine.environment("env"), engine.connectors, clock)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_records_are_those_of_the_rule(case: Case, stage: Stage) -> None:
    if case.refusal is not None:
        assert await refusal(case, stage) == case.refusal
        return
    runs = await stage.perform(case)
    assert len(runs) == len(case.runs)
    for run, expected in zip(runs, case.runs, strict=True):
        assert differences(expected, run.outcome) == []
        for count in cuts(run):
            again = killed_after(run, count)
            assert again.result.actions == run.outcome.result.actions, f"killed after {count} records"
            assert differences(expected, again) == [], f"killed after {count} records"
        await replays(run)


async def refusal(case: Case, stage: Stage) -> str:
    """What comes of a case that must not run."""
    try:
        runs = await stage.perform(case)
    except sealflow.DefinitionError as error:
        return f"refused {error.code} {error.at}".rstrip()
    except sealflow.ExpressionError as error:
        return f"not started {error.code}"
    return "no run" if not runs else f"{len(runs)} runs"


async def replays(run: Recorded) -> None:
    assert folds_as_decided(run)
    assert kernel.replay(run.records, run.plan).difference is None
    assert (await sealflow.replay(run.bundle)).differences == []


def test_names_of_cases_are_unique_and_there_are_enough() -> None:
    names = Counter([case.name for case in CASES] + [name for case in CASES for name in case.flows])
    assert [name for name, count in names.items() if count > 1] == []
    assert len(CASES) >= FEWEST


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    stated = re.findall(r"^\| `([a-z0-9-]+)` \|", RULES.read_text("utf-8"), re.MULTILINE)
    assert len(stated) == len(set(stated))
    assert set(stated) == {rule for case in CASES for rule in case.rules}
    assert all(case.rules for case in CASES)
