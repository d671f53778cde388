"""Recurrences: when they fire next, on the calendar and across changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel.cloud.triggers.recurrence import Recurrence
from sealflow.engine.kernel.cloud.triggers.recurrence_rules import read_rules
from sealflow.engine.kernel.contract.timing import SECOND, from_iso

CENTRAL: Final = "Central Standard Time"
BERLIN: Final = "W. Europe Standard Time"
LORD_HOWE: Final = "Lord Howe Standard Time"


def recurrence(registered: str, frequency: str, interval: Any = 1, **more: Any) -> Recurrence:
    return Recurrence(read_rules({"frequency": frequency, "interval": interval, **more}), from_iso(registered))


def short(at: int | None) -> str | None:
    return None if at is None else f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%S}".removesuffix(":00")


def following(rule: Recurrence, count: int, *, from_: str | None = None) -> list[str | None]:
    """The first occurrences, or those from an instant on."""
    at = rule.first() if from_ is None else rule.after(from_iso(from_) - 1)
    found = [short(at)]
    while at is not None and len(found) < count:
        at = rule.after(at)
        found.append(short(at))
    return found


# ---- start times


def test_without_a_start_time_the_first_is_at_once_and_the_others_count_from_it() -> None:
    rule = recurrence("2026-01-31T10:07:30Z", "Minute", 15)
    assert following(rule, 3) == ["2026-01-31T10:07:30", "2026-01-31T10:22:30", "2026-01-31T10:37:30"]
    rule = recurrence("2026-01-31T10:07:00Z", "Month")
    assert following(rule, 3) == ["2026-01-31T10:07", "2026-02-28T10:07", "2026-03-31T10:07"]


def test_occurrences_of_a_start_time_in_the_past_are_discarded() -> None:
    # The documents' example: 2017-09-08 13:00, every two days from 2017-09-07 14:00.
    rule = recurrence("2017-09-08T13:00:00Z", "Day", 2, startTime="2017-09-07T14:00:00Z")
    assert following(rule, 3) == ["2017-09-09T14:00", "2017-09-11T14:00", "2017-09-13T14:00"]


def test_a_start_time_in_the_future_is_the_first_occurrence() -> None:
    rule = recurrence("2026-01-01T00:00:00Z", "Hour", 6, startTime="2026-01-02T08:30:00Z")
    assert following(rule, 2) == ["2026-01-02T08:30", "2026-01-02T14:30"]


def test_with_a_schedule_nothing_happens_before_the_start_time() -> None:
    # The documents' example: no sooner than Friday 2020-09-18 8:00 Pacific, on Mondays 10:30, 12:30, 14:30.
    schedule = {"hours": [10, 12, 14], "minutes": [30], "weekDays": ["Monday"]}
    rule = recurrence(
        "2020-09-04T00:00:00Z",
        "Week",
        startTime="2020-09-18T08:00:00",
        timeZone="Pacific Standard Time",
        schedule=schedule,
    )
    assert following(rule, 4) == ["2020-09-21T17:30", "2020-09-21T19:30", "2020-09-21T21:30", "2020-09-28T17:30"]


def test_what_the_schedule_leaves_open_is_that_of_the_registration() -> None:
    rule = recurrence("2026-01-05T09:41:00Z", "Day", schedule={"hours": ["8"]})
    assert following(rule, 2) == ["2026-01-06T08:41", "2026-01-07T08:41"]
    rule = recurrence("2026-01-05T09:41:00Z", "Week", schedule={"weekDays": "Sunday"})
    assert following(rule, 2) == ["2026-01-11T09:41", "2026-01-18T09:41"]
    rule = recurrence("2026-01-05T09:41:00Z", "Day", schedule={"minutes": [0, 30]})
    assert following(rule, 3) == ["2026-01-06T09:00", "2026-01-06T09:30", "2026-01-07T09:00"]
    rule = recurrence("2026-01-05T09:41:00Z", "Day", schedule={})
    assert following(rule, 1) == ["2026-01-05T09:41"]


def test_a_start_time_in_utc_is_not_moved_by_the_time_zone() -> None:
    rule = recurrence("2026-03-27T00:00:00Z", "Day", startTime="2026-03-27T06:00:00Z", timeZone=BERLIN)
    assert following(rule, 4)[-1] == "2026-03-30T06:00"
    rule = recurrence("2026-03-27T00:00:00Z", "Day", startTime="2026-03-27T06:00:00", timeZone=BERLIN)
    assert following(rule, 4) == ["2026-03-27T05:00", "2026-03-28T05:00", "2026-03-29T04:00", "2026-03-30T04:00"]


def test_the_end_time_is_the_last_instant() -> None:
    rule = recurrence("2026-01-01T00:00:00Z", "Hour", endTime="2026-01-01T02:00:00Z")
    assert following(rule, 9) == ["2026-01-01T00:00", "2026-01-01T01:00", "2026-01-01T02:00", None]
    assert recurrence("2026-01-01T00:00:00Z", "Day", endTime="2025-01-01T00:00:00").first() is None


# ---- the calendar


@pytest.mark.parametrize(
    ("frequency", "interval", "more", "expected"),
    [
        ("Month", 1, {"startTime": "2024-01-31T07:00:00Z"}, ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("Month", 3, {"startTime": "2023-11-30T07:00:00Z"}, ["2024-02-29", "2024-05-30", "2024-08-30", "2024-11-30"]),
        ("Month", 1, {"schedule": {"monthDays": [-1]}}, ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("Month", 1, {"schedule": {"monthDays": [31]}}, ["2024-01-31", "2024-03-31", "2024-05-31", "2024-07-31"]),
        ("Month", 1, {"schedule": {"monthDays": [-30]}}, ["2024-01-02", "2024-03-02", "2024-04-01", "2024-05-02"]),
        ("Month", 12, {"startTime": "2024-02-29T07:00:00Z"}, ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
        ("Year", 1, {"startTime": "2024-02-29T07:00:00Z"}, ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
        (
            "Month",
            12,
            {"startTime": "2023-02-01T07:00:00Z", "schedule": {"monthDays": [29]}},
            ["2024-02-29", "2028-02-29", "2032-02-29", "2036-02-29"],
        ),
        (
            "Month",
            1,
            {"schedule": {"monthlyOccurrences": [{"dayOfWeek": "Friday", "occurrence": -1}]}},
            ["2024-01-26", "2024-02-23", "2024-03-29", "2024-04-26"],
        ),
        (
            "Month",
            1,
            {"schedule": {"monthlyOccurrences": {"day": "Thursday", "occurrence": 5}}},
            ["2024-02-29", "2024-05-30", "2024-08-29", "2024-10-31"],
        ),
        (
            "Month",
            2,
            {"startTime": "2024-01-01T07:00:00Z", "schedule": {"monthDays": [1, 15]}},
            ["2024-01-01", "2024-01-15", "2024-03-01", "2024-03-15"],
        ),
        ("Month", 1, {"schedule": {"weekDays": ["Monday"]}}, ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"]),
        ("Week", 2, {"startTime": "2024-01-03T07:00:00Z"}, ["2024-01-03", "2024-01-17", "2024-01-31", "2024-02-14"]),
        (
            "Week",
            2,
            {"startTime": "2024-01-03T07:00:00Z", "schedule": {"weekDays": ["monday", "Wednesday"]}},
            ["2024-01-03", "2024-01-15", "2024-01-17", "2024-01-29"],
        ),
        ("Day", 30, {"startTime": "2024-02-01T07:00:00Z"}, ["2024-02-01", "2024-03-02", "2024-04-01", "2024-05-01"]),
        (
            "Day",
            2,
            {"startTime": "2024-01-01T07:00:00Z", "schedule": {"weekDays": ["Monday"]}},
            ["2024-01-01", "2024-01-15", "2024-01-29", "2024-02-12"],
        ),
        ("Day", 1, {"schedule": {"monthDays": [10, -1]}}, ["2024-01-10", "2024-01-31", "2024-02-10", "2024-02-29"]),
    ],
)
def test_days(frequency: str, interval: int, more: dict[str, Any], expected: list[str]) -> None:
    found = following(recurrence("2024-01-01T07:00:00Z", frequency, interval, **more), 4)
    assert found == [f"{day}T07:00" for day in expected]


def test_schedules_restrict_short_frequencies() -> None:
    office = {"hours": [9, 10], "weekDays": ["Friday", "Monday"]}
    rule = recurrence("2026-01-09T10:10:00Z", "Minute", 25, schedule=office)
    assert following(rule, 5) == [
        "2026-01-09T10:10",
        "2026-01-09T10:35",
        "2026-01-12T09:00",
        "2026-01-12T09:25",
        "2026-01-12T09:50",
    ]
    rule = recurrence("2026-01-09T10:10:00Z", "Second", 50, schedule={"minutes": [15]})
    assert following(rule, 3) == ["2026-01-09T10:15", "2026-01-09T10:15:50", "2026-01-09T11:15"]


def test_minutes_give_an_hourly_recurrence_several_times() -> None:
    rule = recurrence("2026-01-09T10:20:00Z", "Hour", 2, schedule={"minutes": [0, 30]})
    assert following(rule, 4) == ["2026-01-09T10:30", "2026-01-09T12:00", "2026-01-09T12:30", "2026-01-09T14:00"]


def test_a_rule_that_can_never_match_has_no_next() -> None:
    assert recurrence("2026-01-09T10:20:00Z", "Hour", 24, schedule={"hours": [9]}).first() is None
    thirtieth = {"startTime": "2026-02-01T00:00:00Z", "schedule": {"monthDays": [30]}}
    assert recurrence("2026-01-09T10:20:00Z", "Month", 12, **thirtieth).first() is None
    occurrence = {"startTime": "2026-02-01T00:00:00Z", "schedule": {"weekDays": ["Monday"]}}
    assert recurrence("2026-01-09T10:20:00Z", "Day", 7, **occurrence).first() is None


# ---- changes of the clocks


def test_the_documents_example_of_daylight_saving_time() -> None:
    def daily(hour: int, from_: str) -> list[str | None]:
        rule = recurrence("2019-01-01T00:00:00Z", "Day", timeZone=CENTRAL, schedule={"hours": [hour], "minutes": [30]})
        return following(rule, 3, from_=from_)

    assert daily(1, "2019-03-09T06:00:00Z") == ["2019-03-09T07:30", "2019-03-10T07:30", "2019-03-11T06:30"]
    assert daily(2, "2019-03-09T06:00:00Z") == ["2019-03-09T08:30", "2019-03-10T08:30", "2019-03-11T07:30"]
    assert daily(1, "2019-11-02T05:00:00Z") == ["2019-11-02T06:30", "2019-11-03T06:30", "2019-11-04T07:30"]
    assert daily(2, "2019-11-02T05:00:00Z") == ["2019-11-02T07:30", "2019-11-03T08:30", "2019-11-04T08:30"]


@pytest.mark.parametrize(
    ("zone", "hours", "from_", "expected"),
    [
        # 2:00 to 3:00 is left out: 2:30 is 3:30, which is an occurrence of its own; they fall together.
        (BERLIN, [2, 3], "2026-03-28T23:00:00Z", ["2026-03-29T01:30", "2026-03-30T00:30"]),
        (BERLIN, [1, 2], "2026-10-24T22:00:00Z", ["2026-10-24T23:30", "2026-10-25T00:30", "2026-10-26T00:30"]),
        # Half an hour: 2:00 to 2:30 is left out, 2:30 is there; 1:30 to 2:00 comes twice.
        (LORD_HOWE, [2], "2026-10-02T12:00:00Z", ["2026-10-02T16:00", "2026-10-03T15:30"]),
        (LORD_HOWE, [1], "2026-04-04T12:00:00Z", ["2026-04-04T14:30", "2026-04-05T15:00"]),
        # No change at all.
        ("India Standard Time", [2], "2026-03-28T12:00:00Z", ["2026-03-28T21:00", "2026-03-29T21:00"]),
        # The first hour of a day is left out (midnight, Beirut): 0:30 becomes 1:30.
        ("Middle East Standard Time", [0], "2026-03-28T12:00:00Z", ["2026-03-28T22:30", "2026-03-29T21:30"]),
    ],
)
def test_hours_that_are_left_out_or_come_twice(zone: str, hours: list[int], from_: str, expected: list[str]) -> None:
    rule = recurrence("2026-01-01T00:00:00Z", "Day", timeZone=zone, schedule={"hours": hours, "minutes": [30]})
    assert following(rule, len(expected), from_=from_) == expected


def test_hours_and_minutes_count_elapsed_time() -> None:
    rule = recurrence("2026-03-28T00:00:00Z", "Hour", 24, startTime="2026-03-28T02:30:00", timeZone=BERLIN)
    assert following(rule, 3) == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T01:30"]
    rule = recurrence("2026-03-28T00:00:00Z", "Day", 1, startTime="2026-03-28T02:30:00", timeZone=BERLIN)
    assert following(rule, 3) == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]


# ---- what is no recurrence


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"frequency": "Fortnight"}, "frequency"),
        ({"frequency": "Month", "interval": 17}, "1 to 16"),
        ({"frequency": "Week", "interval": 72}, "1 to 71"),
        ({"frequency": "Day", "interval": 501}, "1 to 500"),
        ({"frequency": "Hour", "interval": 12_001}, "1 to 12,000"),
        ({"frequency": "Minute", "interval": 72_001}, "1 to 72,000"),
        ({"frequency": "Second", "interval": 10_000_000}, "1 to 9,999,999"),
        ({"frequency": "Day", "interval": 0}, "interval"),
        ({"frequency": "Day", "interval": "x"}, "interval"),
        ({"frequency": "Day", "timeZone": "Nowhere Time"}, "time zone"),
        ({"frequency": "Day", "startTime": "tomorrow"}, "start time"),
        ({"frequency": "Day", "endTime": "2026-02-30"}, "end time"),
        ({"frequency": "Day", "schedule": {"hours": [24]}}, "hours"),
        ({"frequency": "Day", "schedule": {"minutes": [-1]}}, "minutes"),
        ({"frequency": "Week", "schedule": {"weekDays": ["Funday"]}}, "Funday"),
        ({"frequency": "Month", "schedule": {"monthDays": [32]}}, "monthDays"),
        ({"frequency": "Month", "schedule": {"monthDays": [0]}}, "day 0"),
        ({"frequency": "Month", "schedule": {"monthlyOccurrences": [1]}}, "monthlyOccurrences"),
        ({"frequency": "Month", "schedule": {"monthlyOccurrences": [{"dayOfWeek": "Monday"}]}}, "occurrence"),
        ({"frequency": "Day", "schedule": []}, "schedule"),
    ],
)
def test_what_is_no_recurrence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as caught:
        read_rules(given)
    assert caught.value.code == "InvalidRecurrence"


# ---- any recurrence

_HOURS = st.lists(st.integers(0, 23), max_size=3)
_SCHEDULES = st.fixed_dictionaries(
    {},
    optional={
        "hours": _HOURS,
        "minutes": st.lists(st.integers(0, 59), max_size=3),
        "weekDays": st.lists(st.sampled_from(["Monday", "Thursday", "Sunday"]), max_size=2),
        "monthDays": st.lists(st.sampled_from([1, 15, 29, 31, -1, -31]), max_size=2),
    },
)
_RECURRENCES = st.fixed_dictionaries(
    {
        "frequency": st.sampled_from(["Second", "Minute", "Hour", "Day", "Week", "Month"]),
        "interval": st.integers(1, 16),
        "timeZone": st.sampled_from(["UTC", CENTRAL, BERLIN, LORD_HOWE, "India Standard Time"]),
    },
    optional={
        "schedule": _SCHEDULES,
        "startTime": st.sampled_from(["2026-03-29T02:30:00", "2026-11-01T01:30:00Z", "2024-02-29T00:00:00"]),
    },
)


@given(rule=_RECURRENCES, registered=st.integers(1_770_000_000, 1_800_000_000), gap=st.integers(0, 40 * 86_400))
@settings(max_examples=60, deadline=None)
def test_occurrences_increase_and_do_not_depend_on_where_one_looks_from(
    rule: dict[str, Any], registered: int, gap: int
) -> None:
    found = Recurrence(read_rules(rule), registered * SECOND)
    at = found.first()
    seen: list[int] = []
    while at is not None and len(seen) < 4:
        seen.append(at)
        at = found.after(at)
    assert seen == sorted(set(seen))
    assert all(each >= found.anchor for each in seen)
    assert all(each >= registered * SECOND for each in seen)
    start = registered * SECOND + gap * SECOND
    later = found.after(start)
    if later is not None:
        assert later > start
        assert found.after(later - 1) == later  # from anywhere in between it is the same one
        assert found.after((start + later) // 2 if (start + later) // 2 < later else start) == later
