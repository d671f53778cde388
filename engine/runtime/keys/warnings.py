"""What an administrator should know of an environment's keys, in words: a function of its status and the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ....storage import EnvironmentStatus
from ....storage.administration.audit_events import ACTS, INTERRUPTED
from ....storage.administration.overdue import due_ms
from ....storage.maintenance.status import LOCKED, SUSPENDED
from ....storage.stores.operations import FAILED, SUCCEEDED
from ....storage.stores.reencryption import MIGRATE, MIGRATE_FULL
from ...kernel.contract.timing import iso

_DAY: Final = 86_400_000
_EXPIRES_SOON: Final = 30
"""Days. A key store goes on unwrapping with an expired key, but wraps nothing new (Azure Key Vault, "About keys")."""

_WHY: Final = {"denied": "its key was refused", "moving": "it is being moved: sealflow env move, again, ends that"}


def warnings(status: EnvironmentStatus, now_ms: int) -> list[str]:
    """The warnings, the most urgent first; `now_ms` is in Unix milliseconds."""
    return [*_condition(status), *_key(status, now_ms), *_covered(status), *_operations(status)]


def _condition(status: EnvironmentStatus) -> Iterator[str]:
    lock = status.state.lock
    if status.condition == LOCKED and lock is not None:
        why = _WHY.get(lock.reason, "by an administrator")
        yield f"locked since {_date(lock.since_ms)} ({why}): nothing of it can be read; what has no name is sealed"
        due = due_ms(status.state)
        if due is not None:
            yield (
                f"it is deleted from {_date(due)} on, as its policy says, unless it is unlocked or its key is given "
                f"again: sealflow env unlock {status.environment.name}"
            )
    if status.environment.other is not None and status.environment.other.left:
        yield "the keys at the place it was moved from are not destroyed yet: the same sealflow env move again does it"
    if status.condition == SUSPENDED:
        yield "its key is not given now: nothing that it sealed can be read; what has no name is sealed"
    if status.problem is not None:
        yield f"the key {status.uri} cannot be used: {status.problem.message}"


def _key(status: EnvironmentStatus, now_ms: int) -> Iterator[str]:
    if status.policy is None:
        return
    facts = status.facts
    if facts is not None:
        if facts.problem is not None:
            yield f"the key {status.uri} does not fit any more: {facts.problem}"
        if facts.expires_ms is not None and facts.expires_ms <= now_ms:
            yield f"the key {status.uri} has expired on {_date(facts.expires_ms)}: it wraps nothing new"
        elif facts.expires_ms is not None and facts.expires_ms - now_ms <= _EXPIRES_SOON * _DAY:
            left = (facts.expires_ms - now_ms) // _DAY
            yield f"the key {status.uri} expires on {_date(facts.expires_ms)}, in {left} days"
        if facts.recoverable is None:
            yield "whether the key could be recovered if somebody deleted it is unknown: keep a backup of it"
    if status.uri.startswith("file:"):
        yield "a key in a file is no protection from a service that has copied the file"
    for recovery in sorted({cover.recovery for cover in status.state.covers.values() if cover.recovery is not None}):
        yield f"the recovery copy opens the environment whatever becomes of its key, for whoever may use {recovery}"


def _covered(status: EnvironmentStatus) -> Iterator[str]:
    """What a policy does not reach (Power Platform, "Customer-managed keys": existing flows and connections without
    OAuth stay under the service's key).
    """
    cover = status.state.cover
    if cover is None:
        return
    covers = status.state.covers
    flows = sum(flow.domain not in covers for flow in status.flows)
    if flows:
        yield (
            f"flows still under the service key: {flows} of {len(status.flows)}, made before the policy came; "
            f"sealflow policy migrate --environment {status.environment.name} moves them"
        )
    others = sum(each.domain not in covers and each.oauth is False for each in status.connections)
    if others:
        more = "" if cover.all_connections else ", as always unless the policy has --all-connections"
        yield f"connections without OAuth under the service key: {others}{more}"
    done = [operation for operation in status.operations if operation.status == SUCCEEDED]
    moved = max((each.ended_ms or 0 for each in done if each.kind == MIGRATE), default=0)
    rewritten = max((each.created_ms for each in done if each.kind == MIGRATE_FULL), default=0)
    if moved > rewritten and moved >= cover.applied_ms:
        yield (
            f"readable with the earlier key and a backup from before {_date(moved)}: what was moved then; "
            f"sealflow policy migrate --full --environment {status.environment.name} seals it anew"
        )


def _operations(status: EnvironmentStatus) -> Iterator[str]:
    if status.audit_problem is not None:
        yield f"the audit was changed, so it cannot be told what was done to the keys: {status.audit_problem}"
    latest = {operation.kind: operation for operation in status.operations}
    for operation in latest.values():
        if operation.status != FAILED:
            continue
        if operation.error == INTERRUPTED:
            again = f"; again: sealflow env reset {status.environment.name} --yes" if operation.kind == "reset" else ""
            yield f"operation {operation.kind} was interrupted{again}"
        elif operation.kind in ACTS:
            yield f"operation {operation.kind} failed: {operation.error}"
        else:
            counts = f"{operation.done:,} of {operation.total:,}"
            yield f"operation {operation.kind} failed after {counts}: {operation.error}"


def _date(ms: int) -> str:
    return f"{iso(ms * 10_000)[:19]}Z"
