"""Python's collector looks less often as long as this process drives runs, unless the host has its own thresholds."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from sealflow.engine.runtime.collecting import SELDOM, USUAL, Collecting


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


def test_it_looks_less_often_until_the_last_driver_has_gone() -> None:
    collecting = Collecting()
    collecting.begin()
    collecting.begin()
    assert gc.get_threshold() == SELDOM
    collecting.end()
    assert gc.get_threshold() == SELDOM
    collecting.end()
    assert gc.get_threshold() == USUAL


def test_thresholds_of_the_host_are_left_alone() -> None:
    gc.set_threshold(123, 4, 5)
    collecting = Collecting()
    collecting.begin()
    assert gc.get_threshold() == (123, 4, 5)
    collecting.end()
    assert gc.get_threshold() == (123, 4, 5)


def test_what_the_host_sets_meanwhile_stays() -> None:
    collecting = Collecting()
    collecting.begin()
    gc.set_threshold(123, 4, 5)
    collecting.end()
    assert gc.get_threshold() == (123, 4, 5)
