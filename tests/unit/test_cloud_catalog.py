"""The catalogue of types: what the checker lets through the kernel can build, and every refusal has a reason."""

from __future__ import annotations

import pytest
from sealflow.engine.cloud import catalog, check, read_object
from sealflow.engine.kernel import SUPPORTED


def test_the_kernel_builds_what_the_catalogue_runs() -> None:
    assert frozenset(catalog.ACTIONS) == SUPPORTED


def test_every_type_has_one_fate() -> None:
    fates = (catalog.ACTIONS, catalog.REFUSED)
    assert len(set[str]().union(*fates)) == sum(len(fate) for fate in fates)


@pytest.mark.parametrize("type_", catalog.REFUSED)
def test_a_refusal_says_why_and_what_to_do_instead(type_: str) -> None:
    refusal = catalog.REFUSED[type_]
    definition = {
        "triggers": {"manual": {"type": "Request"}},
        "actions": {"A": {"type": refusal.name.upper(), "inputs": {}}},
    }
    (problem,) = check(read_object(definition))
    assert (problem.code, problem.severity, problem.at) == ("UnsupportedAction", "error", "/actions/A/type")
    assert refusal.name in problem.message
    assert refusal.reason in problem.message
    assert problem.hint == refusal.instead
