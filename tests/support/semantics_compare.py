"""Where a run of a case of the semantics is not what the case expects."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from sealflow.engine.kernel.contract.timing import SECOND, from_iso
from semantics_case import Expected, Line, Span

START: Final = from_iso("2026-01-05T08:00:00Z")
"""When every case starts: a Monday."""


@dataclass
class Outcome:
    """A run as it came out: what the interfaces show, and the paths of its actions in the order of their ends."""

    result: Any
    ends: list[str]


def differences(expected: Expected, outcome: Outcome) -> list[str]:
    """Where a run is not what it must be; empty where it is."""
    result = outcome.result
    found = []
    if (result.status, result.code) != (expected.status, expected.code):
        found.append(f"the run: {result.status} {result.code}, not {expected.status} {expected.code}")
    if expected.error is not None and not _fits(expected.error, result.error):
        found.append(f"the run's error: {result.error}")
    if not _fits(expected.response, result.response):
        found.append(f"the response: {json.dumps(result.response)}")
    for line, action in zip(expected.lines, result.actions, strict=False):
        if not _is(line, action):
            found.append(f"{line.path}: {rendered(action)}")
    if [line.path for line in expected.lines] != [action["path"] for action in result.actions]:
        found.append(f"the actions: {[action['path'] for action in result.actions]}")
    if outcome.ends != (expected.ends or usual_ends(expected.lines)):
        found.append("the order: ends " + " ".join(outcome.ends))
    return found


def usual_ends(lines: list[Line]) -> list[str]:
    """Actions end as they started, but a container that ran after the last one that is in it."""
    containers = {each for line in lines for each in _containers(line.path)}
    ends: list[str] = []
    running: list[str] = []
    for line in lines:
        around = _containers(line.path)
        while running and running[-1] not in around:
            ends.append(running.pop())
        if line.path in containers and line.status != "Skipped":
            running.append(line.path)
        else:
            ends.append(line.path)
    return ends + running[::-1]


def _containers(path: str) -> set[str]:
    """The paths of the actions around the one at `path`."""
    parts = path.split("/")
    return {re.sub(r"\[\d+\]$", "", "/".join(parts[:end])) for end in range(2, len(parts))}


def _is(line: Line, action: dict[str, Any]) -> bool:
    error = action["error"]["code"] if action["error"] is not None else None
    return (
        (line.path, line.status, line.code, line.attempts) ==
        (action["path"], action["status"], action["code"], action["attempts"])
        and line.error == error
        and line.secured == action.get("secured", [])
        and _within(line.start, action["start"])
        and _within(line.end, action["end"])
        and _fits(line.outputs, action["outputs"])
        and _fits(line.tracked, action.get("trackedProperties"))
        and (not line.tells_inputs or _fits(line.inputs, action["inputs"]))
    )  # fmt: skip


def _within(span: Span, moment: str) -> bool:
    return span[0] <= _seconds(moment) <= span[1]


def _seconds(moment: str) -> float:
    return (from_iso(moment) - START) / SECOND


def _fits(expected: Any, actual: Any) -> bool:
    """Equal as JSON, numbers by their kinds too; "…" stands for any value."""
    if expected == "…":
        return True
    if isinstance(expected, dict) and isinstance(actual, dict):
        return list(expected) == list(actual) and all(_fits(value, actual[name]) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(_fits, expected, actual))
    return type(expected) is type(actual) and bool(expected == actual)


def rendered(action: dict[str, Any]) -> str:
    """An action as a case would expect it."""
    error = action["error"]["code"] if action["error"] is not None else None
    words = [action["path"], action["status"], str(action["code"] or "-")]
    if error is not None and error != action["code"]:
        words[-1] += f"!{error}"
    if action["attempts"] != 1:
        words.append(f"x{action['attempts']}")
    start, end = _seconds(action["start"]), _seconds(action["end"] or action["start"])
    if start or end:
        words.append(f"{start:g}..{end:g}")
    if action.get("secured"):
        words.append("secured " + " ".join(action["secured"]))
    if action.get("trackedProperties") is not None:
        words.append("tracked " + json.dumps(action["trackedProperties"], ensure_ascii=False))
    if action["outputs"] is not None:
        words.append("-> " + json.dumps(action["outputs"], ensure_ascii=False, default=str))
    return " ".join(words)
