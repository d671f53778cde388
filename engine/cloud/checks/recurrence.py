"""Rules about the recurrence of a trigger: frequency, interval, times, zone and schedule.

What the hosts refuse is an error; what they bound for their own sake is a warning.
Sources: Logic Apps, Recurrence and Sliding Window triggers; limits and configuration of Power Automate (one minute).
"""

from __future__ import annotations

from typing import Any

from ..catalog import LONGEST_INTERVALS
from ..literal import integer, is_computed, is_dynamic, is_instant, shown
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import Dialect, JsonObject, Trigger
from ..syntax.duration import seconds
from ..syntax.pointer import join

_WEEKDAYS = {day.lower(): day for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}

# The parts of a schedule: the least and the greatest number, and the frequencies that read them.
_SCHEDULE = {
    "hours": (0, 23, frozenset({"day", "week", "month"})),
    "minutes": (0, 59, frozenset({"day", "week", "month"})),
    "monthDays": (-31, 31, frozenset({"month"})),
}

_SHORTEST = 60
"""Seconds between two runs of a flow of Power Automate."""


def check_recurrence(trigger: Trigger, dialect: Dialect, problems: Problems) -> None:
    """All rules of this file."""
    recurrence = trigger.recurrence
    if recurrence is None:
        if trigger.type in ("recurrence", "slidingwindow") and not is_dynamic(trigger.raw.get("recurrence")):
            problems.error("InvalidRecurrence", trigger.pointer, f"Trigger '{trigger.name}' has no 'recurrence'.")
        elif trigger.type == "http" and trigger.raw.get("recurrence") is None:
            problems.warning(
                "InvalidRecurrence",
                trigger.pointer,
                f"Trigger '{trigger.name}' has no 'recurrence', which the hosts want: it polls each minute.",
            )
        return
    frequency = _frequency(trigger, recurrence, dialect, problems)
    _times(trigger, recurrence, problems)
    _schedule(trigger, recurrence, frequency, problems)
    if trigger.type == "slidingwindow":
        _delay(trigger, problems)


def _frequency(trigger: Trigger, recurrence: JsonObject, dialect: Dialect, problems: Problems) -> str:
    """Check frequency and interval; the frequency, lower-case, is "" where it is not known."""
    at = join(trigger.pointer, "recurrence")
    written, interval = recurrence.get("frequency"), recurrence.get("interval", 1)
    if is_dynamic(written):
        return ""
    frequency = written.strip().lower() if isinstance(written, str) else ""
    if frequency not in LONGEST_INTERVALS:
        problems.error(
            "InvalidRecurrence",
            join(at, "frequency") if "frequency" in recurrence else at,
            f"The frequency of trigger '{trigger.name}' is {shown(written)}.",
            "Frequencies are Second, Minute, Hour, Day, Week and Month.",
        )
        return ""
    if is_dynamic(interval):
        return frequency
    number, at = integer(interval), join(at, "interval")
    if number is None or number < 1:
        message = f"The interval of trigger '{trigger.name}' must be a positive integer, not {shown(interval)}."
        problems.error("InvalidRecurrence", at, message)
    elif number > LONGEST_INTERVALS[frequency]:
        longest = LONGEST_INTERVALS[frequency]
        message = (
            f"The interval of trigger '{trigger.name}' is {number}; the hosts accept 1 to {longest} for {written}."
        )
        problems.error("InvalidRecurrence", at, message)
    elif frequency == "second" and number < _SHORTEST and dialect == "power-automate":
        message = f"Trigger '{trigger.name}' recurs every {number} seconds; Power Automate accepts {_SHORTEST} or more."
        problems.warning("InvalidRecurrence", at, message)
    return frequency


def _times(trigger: Trigger, recurrence: JsonObject, problems: Problems) -> None:
    at = join(trigger.pointer, "recurrence")
    for name in ("startTime", "endTime"):
        written = recurrence.get(name)
        if written in (None, "") or is_computed(written):
            continue
        if not is_instant(written):
            problems.error(
                "InvalidRecurrence",
                join(at, name),
                f"The {name} of trigger '{trigger.name}' must be a time, not {shown(written)}.",
                "Write it as 2026-01-31T09:00:00Z, or without Z where there is a timeZone.",
            )
    named = recurrence.get("timeZone")
    if named in (None, "") or is_computed(named):
        return
    if not isinstance(named, str) or not _is_zone(named):
        problems.error(
            "InvalidTimeZone",
            join(at, "timeZone"),
            f"The time zone of trigger '{trigger.name}' is not known: {shown(named)}.",
            "Use the id that Windows has for it, such as 'W. Europe Standard Time'.",
        )


def _is_zone(name: str) -> bool:
    from ...expressions.dotnet.faults import FormatError
    from ...expressions.dotnet.zones import zone

    try:
        zone(name)
    except FormatError:
        return False
    return True


def _schedule(trigger: Trigger, recurrence: JsonObject, frequency: str, problems: Problems) -> None:
    schedule = recurrence.get("schedule")
    if schedule is None or is_dynamic(schedule):
        return
    at = join(trigger.pointer, "recurrence", "schedule")
    if not isinstance(schedule, dict):
        problems.error("InvalidRecurrence", at, f"The schedule of trigger '{trigger.name}' must be an object.")
        return
    for name, (least, greatest, read_by) in _SCHEDULE.items():
        for index, entry in enumerate(_listed(trigger, schedule, name, problems)):
            number = integer(entry)
            if not is_dynamic(entry) and (
                number is None or not least <= number <= greatest or (name == "monthDays" and number == 0)
            ):
                message = f"'{name}' of trigger '{trigger.name}' must be {least} to {greatest}, not {shown(entry)}."
                problems.error("InvalidRecurrence", join(at, name, index), message)
        _unread(trigger, schedule, name, frequency, read_by, problems)
    for index, entry in enumerate(_listed(trigger, schedule, "weekDays", problems)):
        if not is_dynamic(entry) and (not isinstance(entry, str) or entry.strip().lower() not in _WEEKDAYS):
            other = nearest(entry, _WEEKDAYS.values()) if isinstance(entry, str) else None
            problems.error(
                "InvalidRecurrence",
                join(at, "weekDays", index),
                f"A day of the week of trigger '{trigger.name}' is {shown(entry)}.",
                f"Did you mean '{other}'?" if other else f"Days are {', '.join(_WEEKDAYS.values())}.",
            )
    _unread(trigger, schedule, "weekDays", frequency, frozenset({"week"}), problems)


def _listed(trigger: Trigger, schedule: JsonObject, name: str, problems: Problems) -> list[Any]:
    """The entries of a part of the schedule; a single one need not be in a list."""
    written = schedule.get(name)
    if written is None or is_dynamic(written):
        return []
    if isinstance(written, list):
        return written
    if isinstance(written, dict | bool):
        at = join(trigger.pointer, "recurrence", "schedule", name)
        problems.error("InvalidRecurrence", at, f"'{name}' of trigger '{trigger.name}' must be an array.")
        return []
    return [written]


def _unread(
    trigger: Trigger, schedule: JsonObject, name: str, frequency: str, read_by: frozenset[str], problems: Problems
) -> None:
    if schedule.get(name) and frequency and frequency not in read_by:
        at = join(trigger.pointer, "recurrence", "schedule", name)
        listed = " or ".join(sorted(read_by))
        problems.warning(
            "InvalidRecurrence", at, f"'{name}' of trigger '{trigger.name}' counts only with a frequency of {listed}."
        )


def _delay(trigger: Trigger, problems: Problems) -> None:
    delay = trigger.inputs.get("delay") if isinstance(trigger.inputs, dict) else None
    if delay in (None, "") or is_computed(delay):
        return
    length = seconds(delay) if isinstance(delay, str) else None
    if length is None or length < 0:
        message = f"The delay of trigger '{trigger.name}' must be a duration such as PT5M, not {shown(delay)}."
        problems.error("InvalidRecurrence", join(trigger.pointer, "inputs", "delay"), message)
