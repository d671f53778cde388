"""What the benchmark of several workers says of what held them up, and of what they could have reached."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc, which is Linux's")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("limits")
    monkeypatch.setattr(module, "PROCESSORS", 2)
    yield module
    for name in ("limits", "usage"):
        sys.modules.pop(name, None)
    sys.path[:] = [path for path in sys.path if path != str(BENCHMARKS / "peers")]


def taken(limits: ModuleType, workers: list[float], server: float, everybody: float, committing: list[float]) -> Any:
    """1,000 steps in ten seconds."""
    return limits.Taken(1_000, 10.0, workers, server, everybody, committing)


@pytest.mark.parametrize(
    ("workers", "server", "everybody", "committing", "limit"),
    [
        ([8.0, 8.0], 3.0, 19.5, [5.0, 5.0], "cores"),
        ([4.0, 4.0], 2.0, 19.5, [9.5, 9.5], "other work"),
        ([9.5], 2.0, 12.0, [5.0], "worker"),
        ([9.5, 3.0], 2.0, 15.0, [1.0, 9.5], "waiting"),  # one of them only
        ([2.0, 2.0], 1.0, 6.0, [9.5, 9.2], "database"),
        ([5.0], 1.0, 6.5, [4.0], "waiting"),
    ],
)
def test_what_was_the_limit(
    limits: ModuleType, workers: list[float], server: float, everybody: float, committing: list[float], limit: str
) -> None:
    found = taken(limits, workers, server, everybody, committing).to_json()
    assert found["limit"] == limit
    assert found["steps_per_s"] == 100
    assert found["cpu_s_per_1k_steps"] == sum(workers)
    assert found["server_cpu_s_per_1k_steps"] == server


def test_how_many_times_as_much_can_be_reached(limits: ModuleType) -> None:
    one = taken(limits, [8.0], 2.0, 10.0, [5.0])  # one processor's work
    assert limits.most(one, 2, 2.0) == 2.0
    assert limits.most(one, 2, 1.3) == pytest.approx(1.3)
    assert limits.most(one, 2, 4.0) == 2.0  # no more than there are workers
