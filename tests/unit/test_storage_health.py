"""The state machine behind locks and suspensions: a table, and what holds for every sequence of answers."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sealflow.storage import IntegrityError, KeyDenied, KeyUnavailable, StorageError, StoreBusy, WrongKey
from sealflow.storage.keys.health import CONFIRM, RETRY, Answer, Decision, Health, Verdict, answer_of, judge

GIVEN, DENIED, UNAVAILABLE, CORRUPT = Answer
KEEP, DOUBT, LOCK, SUSPEND, RESUME = Decision


@pytest.mark.parametrize(
    ("answers", "decisions"),
    [
        # (seconds, answer), with a probe of 300 s and a grace of 1800 s; the key was given at 0
        ([(300, GIVEN), (600, GIVEN)], [KEEP, KEEP]),
        ([(300, DENIED), (302, DENIED)], [DOUBT, LOCK]),
        ([(300, DENIED), (301, DENIED), (302, DENIED)], [DOUBT, KEEP, LOCK]),
        ([(300, DENIED), (302, GIVEN), (602, DENIED)], [DOUBT, KEEP, DOUBT]),
        ([(300, DENIED), (302, UNAVAILABLE), (304, DENIED)], [DOUBT, KEEP, LOCK]),
        ([(300, DENIED), (302, DENIED), (304, DENIED)], [DOUBT, LOCK, LOCK]),
        ([(300, UNAVAILABLE), (1799, UNAVAILABLE)], [KEEP, KEEP]),
        ([(300, UNAVAILABLE), (1800, UNAVAILABLE)], [KEEP, SUSPEND]),
        ([(300, GIVEN), (1900, UNAVAILABLE), (2100, UNAVAILABLE)], [KEEP, KEEP, SUSPEND]),
        ([(1800, UNAVAILABLE), (1900, UNAVAILABLE), (2000, GIVEN)], [SUSPEND, KEEP, RESUME]),
        ([(1800, UNAVAILABLE), (1900, DENIED), (1902, DENIED)], [SUSPEND, DOUBT, LOCK]),
        ([(10, CORRUPT), (40, CORRUPT), (70, GIVEN)], [SUSPEND, KEEP, RESUME]),
        ([(1800, UNAVAILABLE), (1830, CORRUPT)], [SUSPEND, SUSPEND]),
        ([(10, CORRUPT), (40, UNAVAILABLE)], [SUSPEND, KEEP]),
    ],
)
def test_what_answers_lead_to(answers: list[tuple[float, Answer]], decisions: list[Decision]) -> None:
    assert [each.decision for each in judged(answers, 300, 1800)] == decisions


def test_without_grace_an_outage_suspends_at_once() -> None:
    assert [each.decision for each in judged([(1, UNAVAILABLE)], 300, 0)] == [SUSPEND]


def test_what_was_never_given_is_suspended_by_an_outage_whatever_the_grace() -> None:
    assert judge(Health(), UNAVAILABLE, 5, probe=300, grace=1800).decision is SUSPEND


def test_when_the_key_is_asked_for_again() -> None:
    assert judge(Health(0), GIVEN, 10, probe=300, grace=1800).due == 310
    assert judge(Health(0), DENIED, 10, probe=300, grace=1800).due == 10 + CONFIRM
    assert judge(Health(0, 9), DENIED, 10, probe=300, grace=1800).due == 9 + CONFIRM
    assert judge(Health(0), UNAVAILABLE, 10, probe=300, grace=1800).due == 10 + RETRY
    assert judge(Health(0), UNAVAILABLE, 10, probe=300, grace=20).due == 20  # the end of the grace time
    assert judge(Health(0, 9), UNAVAILABLE, 10, probe=300, grace=1800).due == 10 + CONFIRM
    assert judge(Health(0), UNAVAILABLE, 10, probe=5, grace=1800).due == 15
    assert judge(Health(0), CORRUPT, 10, probe=inf, grace=inf).due == 10 + RETRY


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (None, GIVEN),
        (KeyDenied("x"), DENIED),
        (KeyUnavailable("x"), UNAVAILABLE),
        (StoreBusy("x"), UNAVAILABLE),
        (WrongKey("x"), CORRUPT),
        (IntegrityError("x"), CORRUPT),
    ],
)
def test_which_answer_an_error_is(error: StorageError | None, answer: Answer) -> None:
    assert answer_of(error) is answer


STEPS = some.lists(some.tuples(some.floats(0.01, 4000), some.sampled_from(Answer)), max_size=30)


@given(STEPS, some.floats(0, 600), some.floats(0, 3600))
def test_whatever_the_answers(steps: list[tuple[float, Answer]], probe: float, grace: float) -> None:
    at, answers = 0.0, []
    for pause, answer in steps:
        at += pause
        answers.append((at, answer))
    last, doubted, suspended = 0.0, None, False
    for (at, answer), verdict in zip(answers, judged(answers, probe, grace), strict=True):
        assert verdict.due > at  # it is never asked without a pause
        if answer is GIVEN:
            assert verdict.health == Health(given=at)
            assert verdict.decision is (RESUME if suspended else KEEP)
            last, doubted, suspended = at, None, False
        # Locked exactly by a second denial, two seconds or more after the first, and not given in between.
        assert (verdict.decision is LOCK) == (answer is DENIED and doubted is not None and at >= doubted + CONFIRM)
        if answer is DENIED and doubted is None:
            doubted = at
            assert verdict.due == at + CONFIRM
        if answer is UNAVAILABLE and not suspended:
            assert (verdict.decision is SUSPEND) == (at >= last + grace)
            if verdict.decision is not SUSPEND:
                assert verdict.due <= last + grace
        if answer is CORRUPT:
            assert verdict.health.suspended is CORRUPT
        suspended = suspended or verdict.decision is SUSPEND


@given(some.floats(0.2, 600), some.floats(0, 10_000))
def test_who_asks_when_it_is_due_locks_within_the_bound(probe: float, revoked: float) -> None:
    health, at = Health(given=0), probe
    for _ in range(100_000):
        verdict = judge(health, DENIED if at >= revoked else GIVEN, at, probe=probe, grace=0)
        if verdict.decision is LOCK:
            break
        health, at = verdict.health, verdict.due
    assert revoked <= at <= revoked + probe + CONFIRM + 1e-6


def judged(answers: list[tuple[float, Answer]], probe: float, grace: float) -> list[Verdict]:
    health, verdicts = Health(given=0), []
    for at, answer in answers:
        verdicts.append(judge(health, answer, at, probe=probe, grace=grace))
        health = verdicts[-1].health
    return verdicts
