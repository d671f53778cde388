"""Each warning of an environment's keys comes where it belongs, and only there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sealflow.engine.runtime.keys.warnings import warnings
from sealflow.storage import EnvironmentStatus, Operation
from sealflow.storage.keys.key_state import Cover, KeyState, Lock
from sealflow.storage.maintenance.status import ConnectionKey, FlowKey, Problem
from sealflow.storage.models import EnvironmentInfo
from sealflow.storage.port import KeyFacts

DAY = 86_400_000
NOW = 1_800_000_000_000
COVER = Cover(b"p", "contoso", "aws:arn", applied_ms=NOW - 9 * DAY)
GOOD = KeyFacts(b"1", recoverable=True)
PLAIN = EnvironmentStatus(
    EnvironmentInfo(b"e", "default", NOW), "active", KeyState(), "service:", "00", GOOD, None, [], [], [], {}, []
)
COVERED = replace(PLAIN, state=KeyState(1, 0, 2, {2: COVER}), uri=COVER.uri)


def flow(domain: int) -> FlowKey:
    return FlowKey(b"f", "f", domain, "00")


def connection(domain: int, oauth: bool | None) -> ConnectionKey:
    return ConnectionKey(b"c", "c", oauth, domain, "00")


def operation(kind: str, status: str, begun: int, ended: int | None) -> Operation:
    return Operation(b"o", kind, status, 3, 7, begun, begun, ended, "ValueError" if status == "Failed" else None)


def test_nothing_to_warn_of() -> None:
    assert warnings(PLAIN, NOW) == []
    assert (
        warnings(replace(PLAIN, facts=KeyFacts(b"1"), flows=[flow(1)], connections=[connection(1, False)]), NOW) == []
    )
    fine = replace(COVERED, flows=[flow(2)], connections=[connection(2, True), connection(2, False)])
    assert warnings(fine, NOW) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flows": [flow(1), flow(2)]}, "flows still under the service key: 1 of 2"),
        ({"connections": [connection(1, False)]}, "connections without OAuth under the service key: 1, as always"),
        ({"facts": KeyFacts(b"1")}, "whether the key could be recovered if somebody deleted it is unknown"),
        ({"facts": GOOD._replace(problem="it is too small")}, "it is too small"),
        ({"facts": GOOD._replace(expires_ms=NOW + 7 * DAY)}, "expires on 2027-01-22T08:00:00Z, in 7 days"),
        ({"facts": GOOD._replace(expires_ms=NOW)}, "has expired on 2027-01-15T08:00:00Z"),
        ({"uri": "file:/k.json#main"}, "no protection from a service that has copied the file"),
        ({"facts": None, "problem": Problem("KeyUnavailable", "No answer.")}, "cannot be used: No answer."),
        ({"condition": "suspended"}, "its key is not given now"),
        (
            {"operations": [operation("migrate", "Failed", NOW, NOW)]},
            "operation migrate failed after 3 of 7: ValueError",
        ),
        (
            {"operations": [operation("migrate", "Succeeded", NOW - DAY, NOW)]},
            "readable with the earlier key and a backup from before 2027-01-15T08:00:00Z",
        ),
    ],
)
def test_each_warning(changes: dict[str, Any], expected: str) -> None:
    [told] = warnings(replace(COVERED, **changes), NOW)
    assert expected in told


@pytest.mark.parametrize(
    ("reason", "expected"), [("denied", "its key was refused"), ("administrator", "by an administrator")]
)
def test_why_it_is_locked(reason: str, expected: str) -> None:
    locked = replace(COVERED, condition="locked", state=replace(COVERED.state, lock=Lock(reason, NOW)))
    [told] = warnings(locked, NOW)
    assert told.startswith("locked since 2027-01-15T08:00:00Z")
    assert expected in told


@pytest.mark.parametrize(
    "operations",
    [
        [operation("migrate", "Running", NOW - DAY, None)],
        [operation("migrate", "Succeeded", NOW - 20 * DAY, NOW - 19 * DAY)],  # before this policy came
        [operation("migrate", "Succeeded", NOW - 3, NOW - 2), operation("migrate --full", "Succeeded", NOW - 1, NOW)],
        [operation("migrate", "Failed", NOW - 3, NOW - 2), operation("migrate", "Running", NOW - 1, None)],
    ],
)
def test_operations_that_leave_nothing_to_say(operations: list[Operation]) -> None:
    assert warnings(replace(COVERED, operations=operations), NOW) == []


def test_a_key_that_expires_much_later_is_no_matter() -> None:
    assert warnings(replace(COVERED, facts=GOOD._replace(expires_ms=NOW + 31 * DAY)), NOW) == []


def test_a_policy_for_all_connections_says_less() -> None:
    cover = replace(COVER, all_connections=True)
    status = replace(COVERED, state=KeyState(1, 0, 2, {2: cover}), connections=[connection(1, False)])
    assert warnings(status, NOW) == ["connections without OAuth under the service key: 1"]
