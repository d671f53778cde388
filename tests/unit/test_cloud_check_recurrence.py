"""Rules about when a trigger recurs: each with a recurrence that breaks it, and its place."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.engine.cloud import check, read_object

COMPOSE = {"C": {"type": "Compose", "inputs": 1}}


def found(recurrence: Any, **more: Any) -> list[tuple[str, str, str]]:
    trigger = {"type": "Recurrence", "recurrence": recurrence, **more}
    problems = check(read_object({"triggers": {"T": trigger}, "actions": COMPOSE}))
    return [
        (problem.code, problem.severity, problem.at.removeprefix("/triggers/T/"))
        for problem in problems
        if problem.code != "NeedsWorker"
    ]


def daily(**more: Any) -> dict[str, Any]:
    return {"frequency": "Day", "interval": 1, **more}


@pytest.mark.parametrize(
    "recurrence",
    [
        {"frequency": "day", "interval": "2"},
        {"frequency": "@parameters('p')", "interval": "@parameters('p')"},
        daily(startTime="2026-01-31T09:00:00Z", endTime="2026-02-28T09:00:00+01:00"),
        daily(startTime="2026-01-31T09:00:00", timeZone="W. Europe Standard Time"),
        daily(startTime="2026-01-31", timeZone="Europe/Berlin"),
        daily(startTime=None, timeZone="", endTime=""),
        daily(startTime="@{parameters('p')}T09:00:00Z", timeZone="[parameters('zone')]"),
        daily(schedule={"hours": [0, "23"], "minutes": ["59"]}),
        daily(schedule={"hours": "8"}),
        {"frequency": "Week", "interval": 1, "schedule": {"weekDays": ["monday", "Sunday"], "hours": [9]}},
        {"frequency": "Month", "interval": 1, "schedule": {"monthDays": [1, -1, 31]}},
        daily(schedule=None),
    ],
)
def test_recurrences_that_are_sound(recurrence: dict[str, Any]) -> None:
    assert [problem for problem in found(recurrence) if problem[0] not in ("UnknownParameter", "ArmExpression")] == []


@pytest.mark.parametrize(
    ("recurrence", "at"),
    [
        (None, ""),
        ({"interval": 1}, "recurrence"),
        ({"frequency": "Daily", "interval": 1}, "recurrence/frequency"),
        ({"frequency": ["Day"], "interval": 1}, "recurrence/frequency"),
        ({"frequency": "Day", "interval": 0}, "recurrence/interval"),
        ({"frequency": "Day", "interval": 1.5}, "recurrence/interval"),
        (daily(startTime="tomorrow"), "recurrence/startTime"),
        (daily(endTime=20260131), "recurrence/endTime"),
        (daily(schedule=[]), "recurrence/schedule"),
        (daily(schedule={"hours": [24]}), "recurrence/schedule/hours/0"),
        (daily(schedule={"hours": {}}), "recurrence/schedule/hours"),
        (daily(schedule={"minutes": [0, 60]}), "recurrence/schedule/minutes/1"),
        ({"frequency": "Week", "schedule": {"weekDays": ["Moonday"]}}, "recurrence/schedule/weekDays/0"),
        ({"frequency": "Month", "schedule": {"monthDays": [0]}}, "recurrence/schedule/monthDays/0"),
        ({"frequency": "Month", "schedule": {"monthDays": [32]}}, "recurrence/schedule/monthDays/0"),
    ],
)
def test_what_the_hosts_refuse(recurrence: Any, at: str) -> None:
    assert found(recurrence) == [("InvalidRecurrence", "error", at or "/triggers/T")]


def test_a_time_zone_that_nobody_knows() -> None:
    assert found(daily(timeZone="Middle Earth")) == [("InvalidTimeZone", "error", "recurrence/timeZone")]


@pytest.mark.parametrize(
    ("recurrence", "at"),
    [
        (daily(schedule={"weekDays": ["Monday"]}), "recurrence/schedule/weekDays"),
        ({"frequency": "Hour", "schedule": {"minutes": [5]}}, "recurrence/schedule/minutes"),
        ({"frequency": "Week", "schedule": {"monthDays": [1]}}, "recurrence/schedule/monthDays"),
    ],
)
def test_parts_that_are_not_read_are_warnings(recurrence: Any, at: str) -> None:
    assert found(recurrence) == [("InvalidRecurrence", "warning", at)]


def test_an_interval_that_is_too_long_is_an_error() -> None:
    assert found({"frequency": "Day", "interval": 500}) == []
    assert found({"frequency": "Month", "interval": 17}) == [("InvalidRecurrence", "error", "recurrence/interval")]
    assert found({"frequency": "Day", "interval": 501}) == [("InvalidRecurrence", "error", "recurrence/interval")]


def test_power_automate_recurs_once_a_minute_at_most() -> None:
    often = {"frequency": "Second", "interval": 30}
    power = {"metadata": {"operationMetadataId": "x"}}
    assert found(often) == []
    assert found(often, **power) == [("InvalidRecurrence", "warning", "recurrence/interval")]
    assert found({"frequency": "Second", "interval": 60}, **power) == []


def test_the_delay_of_a_sliding_window() -> None:
    assert found(daily(), type="SlidingWindow", inputs={"delay": "PT5M"}) == []
    assert found(daily(), type="SlidingWindow", inputs={"delay": "later"}) == [
        ("InvalidRecurrence", "error", "inputs/delay")
    ]
