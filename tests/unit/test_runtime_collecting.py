"""Python's collector looks less often as long as this process drives runs, unless the host has its own thresholds."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import sealflow
from sealflow.engine.runtime.environment import executor as executor_file
from sealflow.engine.runtime.workers import garbage_collection
from sealflow.engine.runtime.workers.garbage_collection import FEW, PENDING, SELDOM, USUAL, Collecting


@pytest.fixture(autouse=True)
def thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(executor_file, "COLLECTING", Collecting())  # other tests leave engines open
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


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    looks = Looks()
    monkeypatch.setattr(garbage_collection, "gc", looks)
    return looks


class Looks:
    """Python's collector with counts that a test sets."""

    def __init__(self) -> None:
        self.pending = self.objects = self.full = 0
        self.thresholds = USUAL

    def get_threshold(self) -> tuple[int, int, int]:
        return self.thresholds

    def set_threshold(self, *thresholds: int) -> None:
        self.thresholds = thresholds  # type: ignore[assignment]

    def get_count(self) -> tuple[int, int, int]:
        return 0, 0, self.pending

    def get_objects(self, generation: int) -> range:
        assert generation == 2
        return range(self.objects)

    def collect(self) -> None:
        self.full += 1
        self.pending = 0


def test_a_full_look_is_taken_when_a_run_has_left_and_there_are_few_objects(looks: Looks) -> None:
    collecting = Collecting()
    collecting.begin()
    for pending, objects, full in (
        (PENDING - 1, 0, 0),  # not wanted yet
        (PENDING, FEW + 1, 0),  # large values are in memory
        (2 * PENDING - 1, 0, 0),  # they are not counted at each run
        (2 * PENDING, FEW, 1),
        (PENDING, FEW + 1, 1),
        (0, FEW + 1, 1),  # Python has looked itself
        (PENDING, FEW, 2),
    ):
        looks.pending, looks.objects = pending, objects
        collecting.left()
        assert looks.full == full, pending


def test_no_full_look_is_taken_for_a_host_with_thresholds_of_its_own(looks: Looks) -> None:
    looks.thresholds = (123, 4, 5)
    collecting = Collecting()
    collecting.begin()
    looks.pending = 10 * PENDING
    collecting.left()
    assert looks.full == 0


def test_thresholds_of_the_host_are_left_alone() -> None:
    gc.set_threshold(123, 4, 5)
    collecting = Collecting()
    collecting.begin()
    assert gc.get_threshold() == (123, 4, 5)
    collecting.end()
    assert gc.get_threshold() == (123, 4, 5)


def test_thresholds_of_the_host_are_left_alone_even_if_they_are_the_same() -> None:
    gc.set_threshold(*SELDOM)
    collecting = Collecting()
    collecting.begin()
    collecting.end()
    assert gc.get_threshold() == SELDOM


@pytest.mark.parametrize("first", [0, 1])
async def test_engines_put_them_back_in_whatever_order_they_close(tmp_path: Path, first: int) -> None:
    engines = [sealflow.open(tmp_path / name) for name in ("one", "two")]
    for engine in engines:
        await engine.__aenter__()
        await (await engine.environment())._execute()
        assert gc.get_threshold() == SELDOM
    await engines[first].__aexit__(None, None, None)
    assert gc.get_threshold() == SELDOM
    await engines[1 - first].__aexit__(None, None, None)
    assert gc.get_threshold() == USUAL


async def test_an_engine_puts_them_back_where_closing_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        executor = await (await engine.environment())._execute()
        assert executor is not None
        close = executor.claims.close

        async def cut() -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(executor.claims, "close", cut)
        with pytest.raises(asyncio.CancelledError):
            await executor.close()
        assert gc.get_threshold() == USUAL
        monkeypatch.setattr(executor.claims, "close", close)


def test_what_the_host_sets_meanwhile_stays() -> None:
    collecting = Collecting()
    collecting.begin()
    gc.set_threshold(123, 4, 5)
    collecting.end()
    assert gc.get_threshold() == (123, 4, 5)
