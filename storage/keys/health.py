"""What the answers of a key store mean for an environment: one pure state machine, in seconds of boot time.

    answer                      decision
    given                       keep, or resume where it was suspended
    denied                      confirm: asked once more after 2 s, and denied again: lock
    unavailable                 keep until the last success + grace, then suspend
    corrupt                     suspend at once: what is stored, or the key, is not what it was

A denial stands until the key is given again: an outage in between neither confirms nor withdraws it. Locked is for an
administrator to undo, suspended heals by itself. Nothing here asks, waits or forgets: `runtime/keys/watch` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from math import inf

from ..errors import IntegrityError, KeyDenied, StorageError, WrongKey

CONFIRM = 2.0
"""Seconds until a denial is asked about again."""

RETRY = 30.0
"""Seconds at most until a key store that gave no answer is asked again."""

LEAST = 0.2
"""Seconds at least between two questions, whatever a policy says."""


class Answer(Enum):
    """How a probe went."""

    GIVEN = auto()
    DENIED = auto()
    UNAVAILABLE = auto()
    CORRUPT = auto()


class Decision(Enum):
    """What is to be done now."""

    KEEP = auto()
    CONFIRM = auto()
    LOCK = auto()
    SUSPEND = auto()
    RESUME = auto()


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a key: when it was given last, since when it is denied, and why the environment is suspended."""

    given: float = -inf
    denied: float | None = None
    suspended: Answer | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer led to. `due` is when the key is asked for again."""

    health: Health
    decision: Decision
    due: float


def answer_of(error: StorageError | None) -> Answer:
    """The answer behind an error of a provider; None is a success. What says nothing about the key is an outage."""
    if error is None:
        return Answer.GIVEN
    if isinstance(error, KeyDenied):
        return Answer.DENIED
    if isinstance(error, WrongKey | IntegrityError):
        return Answer.CORRUPT
    return Answer.UNAVAILABLE


def judge(health: Health, answer: Answer, at: float, *, probe: float, grace: float) -> Verdict:
    """What the answer to a question that was asked at `at` means. `probe` and `grace` are the policy's, in seconds."""
    probe = max(probe, LEAST)
    if answer is Answer.GIVEN:
        decision = Decision.KEEP if health.suspended is None else Decision.RESUME
        return Verdict(Health(given=at), decision, at + probe)
    if answer is Answer.DENIED:
        return _denied(health, at)
    retry = at + min(probe, CONFIRM if health.denied is not None else RETRY)
    if answer is Answer.UNAVAILABLE:
        if health.suspended is not None:
            return Verdict(health, Decision.KEEP, retry)
        if at < health.given + grace:
            return Verdict(health, Decision.KEEP, min(retry, health.given + grace))
    decision = Decision.KEEP if health.suspended is answer else Decision.SUSPEND
    return Verdict(replace(health, suspended=answer), decision, retry)


def _denied(health: Health, at: float) -> Verdict:
    if health.denied is None:
        return Verdict(replace(health, denied=at), Decision.CONFIRM, at + CONFIRM)
    if at < health.denied + CONFIRM:
        return Verdict(health, Decision.KEEP, health.denied + CONFIRM)
    return Verdict(health, Decision.LOCK, at + CONFIRM)
