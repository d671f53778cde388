"""kill -9 at any moment of a mixed load, again and again: everything ends as if nobody had died.

The short form; `./dev chaos --kills 1000` is the long one. What the load is and what is expected of it stands in
`chaos_flows`, how it is judged in `chaos_oracle`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chaos_flows import KINDS
from chaos_harness import Chaos, Plan, Report
from chaos_keys import BACKUP, MIGRATE, MOVE, ROTATE
from chaos_oracle import EVERY, Memory, Seen, late_calls, lost_occurrences, missed_occurrences, problems
from postgres_server import shared_server
from thorough import LONG


def check(chaos: Chaos) -> Report:
    report = chaos.run()
    print(report.to_json())
    assert report.problems == []
    assert report.runs > 0
    assert report.effects > 0
    assert sum(report.kills.values()) == chaos.plan.kills
    return report


def test_a_mixed_load_survives_kill_9(tmp_path: Path) -> None:
    check(Chaos(tmp_path, Plan(200 if LONG else 6, seed=7, runs=30)))


def test_a_mixed_load_survives_kill_9_of_one_of_three_workers_and_of_the_server(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")
    shared = shared_server()  # skips where there is none
    load = Plan(100, seed=8, runs=40, restarts=20) if LONG else Plan(3, seed=8, runs=10, restarts=2)
    plan = replace(load, workers=3)
    assert check(Chaos(tmp_path, plan, server=shared)).restarts > 0


def test_a_mixed_load_survives_key_work_between_three_workers(tmp_path: Path) -> None:
    """Keys are rotated and migrated, a backup is made and the environment moves, while workers are killed."""
    pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")
    if not LONG:
        pytest.skip("SEALFLOW_TEST_LONG=1")
    works = (ROTATE, BACKUP, MIGRATE, MOVE)
    report = check(
        Chaos(tmp_path, Plan(100, seed=9, runs=40, workers=3, stops=20, works=works), server=shared_server())
    )
    assert set(report.works) == set(works)


# ---- the oracle notices


def effect(path: str, *, number: int = 4, key: str = "", attempt: int = 1, life: int = 1) -> dict[str, object]:
    inputs = {"n": number}
    return {"what": "effect", "life": life, "key": key or path, "path": path, "attempt": attempt, "inputs": inputs}


def ack(run: str = "r") -> dict[str, object]:
    return {"what": "ack", "life": 1, "act": "start", "flow": "child", "number": 4, "run": run}


def good() -> Seen:
    expected = KINDS["child"].expected(4)
    actions = [
        {"path": path, "status": status, "code": "OK", "outputs": {"n": 4}} for path, status in expected.actions.items()
    ]
    return Seen("r", "child", "Succeeded", actions)


def test_the_oracle_is_content_with_what_should_be() -> None:
    assert problems(Memory([effect("/work"), ack()]), [good()]) == []
    repeated = [effect("/work"), effect("/work", life=2), ack()]
    assert problems(Memory(repeated), [good()]) == []


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([ack()], "has the attempts [], not 1"),
        ([effect("/work"), effect("/work"), ack()], "called twice in one life"),
        ([effect("/work"), effect("/work", key="other", life=2)], "has 2 keys"),
        ([effect("/work"), effect("/work", attempt=2)], "has the attempts [1, 2], not 1"),
        ([effect("/work", attempt=2), effect("/work", life=2)], "went back from attempt 2 to 1"),
        ([effect("/work"), effect("/work", number=5)], "is in no history"),
        ([effect("/work"), effect("/work", number=5)], "a key belongs to"),
        ([effect("/work"), ack("lost")], "was acknowledged and is gone"),
    ],
)
def test_the_oracle_notices_what_was_told(told: list[dict[str, object]], problem: str) -> None:
    assert any(problem in each for each in problems(Memory(told), [good()]))


def tick(minute: int, *, late: int = 0) -> Seen:
    """A run of the recurrence, of an occurrence that fired so many minutes late."""
    given = {"n": f"2026-03-28T12:{minute:02}:00Z", "fired": f"2026-03-28T12:{minute + late:02}:00Z"}
    return Seen(f"r{minute}", "tick", "Succeeded", [{"path": "/id", "outputs": given}])


@pytest.mark.parametrize(
    ("fired", "lost", "missed"),
    [
        ([tick(1), tick(2), tick(3, late=5)], 0, 0),
        ([tick(1), tick(2), tick(5, late=4)], 1, 2),
        ([tick(1), tick(2), tick(5, late=5)], 0, 2),  # the one before it was later than the grace
    ],
)
def test_the_oracle_notices_a_lost_occurrence(fired: list[Seen], lost: int, missed: int) -> None:
    assert (len(lost_occurrences(fired, 5 * EVERY)), missed_occurrences(fired)) == (lost, missed)


def test_the_oracle_notices_a_repeated_action() -> None:
    memory = Memory([effect("/work")])
    memory.look([good()])
    memory.told.append(effect("/work", life=2))
    assert problems(memory, [good()]) == ["/work of 4 was finished and was called again"]


@pytest.mark.parametrize(
    ("told", "late"),
    [
        ([effect("/id"), {"what": "lost", "life": 1, "stopped": True}, effect("/work", life=2), effect("/work")], 1),
        ([{"what": "lost", "life": 1, "stopped": True}, effect("/work"), effect("/work", life=2)], 0),
        (
            [
                {"what": "lost", "life": 1, "stopped": True},
                effect("/work", life=2),
                {"what": "lost", "life": 1},  # it has learned of it, and has the run again
                effect("/work"),
            ],
            0,
        ),
        (
            [
                effect("/id"),
                {"what": "lost", "life": 1, "stopped": True},
                effect("/work", life=2),
                {"what": "reopened", "life": 1},  # the environment was moved meanwhile: it has claimed the run anew
                effect("/work"),
            ],
            0,
        ),
    ],
)
def test_the_oracle_notices_a_late_call_of_a_stopped_process(told: list[dict[str, object]], late: int) -> None:
    assert len(late_calls(Memory(told))) == late


def test_the_oracle_notices_a_finished_action_that_a_lost_process_calls() -> None:
    memory = Memory([effect("/work", life=2)])
    memory.look([good()])
    memory.told += [{"what": "lost", "life": 1}, effect("/work")]
    assert len(late_calls(memory)) == 1


def test_the_oracle_notices_runs_that_are_wrong() -> None:
    memory, run = Memory([effect("/work")]), good()
    first, work, answer = run.actions
    for actions, problem in (
        ([first, work], "lacks /answer"),
        ([first, work, work, answer], "has /work 2 times"),
        ([first, {**work, "status": "Running"}, answer], "has /work Running, not Succeeded"),
    ):
        assert any(problem in each for each in problems(memory, [replace(run, actions=actions)]))
    assert any("ended as Running" in each for each in problems(memory, [replace(run, status="Running")]))
    assert any("2 runs have the number 4" in each for each in problems(memory, [run, replace(run, run="s")]))
    assert any("replays differently" in each for each in problems(memory, [replace(run, differences=["x"])]))
    result = [1, 3, 1, None, 1, 0, 4, "OK", None, None, None]
    assert any("has 2 records Result" in each for each in problems(memory, [replace(run, stored=[result, result])]))
