"""A run's actions as a tree of lines: what `runs show` prints. Pure: a list of actions in, lines out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from ...kernel.timing import from_iso
from .output import one_line, paint
from .progress import duration_text

SHOWN_ITERATIONS: Final = 3
"""Iterations of a loop that are shown without `--full`; those with a failure come on top of that."""

_ITERATION: Final = re.compile(r"\[\d+\]$")
_SYMBOLS: Final = {
    "Succeeded": ("✓", ""),
    "Failed": ("✗", "red"),
    "TimedOut": ("✗", "red"),
    "Cancelled": ("✗", "yellow"),
    "Skipped": ("-", "dim"),
    "Running": ("…", "cyan"),
    "Waiting": ("…", "cyan"),
}


class _Branch:
    """An action, or one iteration of a loop, with what happened in it."""

    __slots__ = ("action", "children", "iterations", "label")

    def __init__(self, label: str, action: dict[str, Any] | None) -> None:
        self.label = label
        self.action = action
        self.children: Sequence[_Branch] = ()  # most of many have none
        self.iterations: Sequence[_Branch] = ()


def action_lines(actions: Sequence[dict[str, Any]], *, full: bool = False) -> list[str]:
    """One line an action, indented below its container, iterations numbered and cut short unless `full`."""
    lines: list[str] = []
    for branch in _tree(actions):
        _write(branch, 0, lines, full)
    return lines


def _tree(actions: Sequence[dict[str, Any]]) -> list[_Branch]:
    roots: list[_Branch] = []
    known: dict[str, _Branch] = {}
    for action in actions:
        path = action["path"]
        branch = known[path] = _Branch(action["name"], action)
        parent = path.rpartition("/")[0]
        if not parent:
            roots.append(branch)
            continue
        owner = known.get(parent) or _iteration(known, parent)
        if owner is None:
            roots.append(branch)
        else:
            owner.children = _with(owner.children, branch)
    return roots


def _iteration(known: dict[str, _Branch], path: str) -> _Branch | None:
    """The iteration at `/Loop[3]`, made when its first action comes."""
    number = _ITERATION.search(path)
    loop = known.get(path[: number.start()]) if number else None
    if number is None or loop is None:
        return None
    branch = known[path] = _Branch(number[0], None)
    loop.iterations = _with(loop.iterations, branch)
    return branch


def _with(branches: Sequence[_Branch], one: _Branch) -> list[_Branch]:
    """The branches and one more: the same list where there is one."""
    if not isinstance(branches, list):
        return [one]
    branches.append(one)
    return branches


def _write(branch: _Branch, depth: int, lines: list[str], full: bool) -> None:
    indent = "  " * depth
    if branch.action is None:
        lines.append(f"{indent}{paint(branch.label, 'dim')}")
    else:
        lines.append(f"{indent}{_line(branch)}")
    for child in branch.children:
        _write(child, depth + 1, lines, full)
    hidden = 0
    for number, iteration in enumerate(branch.iterations):
        if full or number < SHOWN_ITERATIONS or _failed(iteration):
            _write(iteration, depth + 1, lines, full)
        else:
            hidden += 1
    if hidden:
        lines.append(f"{indent}  … {hidden:,} more iterations without failures (--full shows them)")


def _failed(branch: _Branch) -> bool:
    waiting = [branch]
    while waiting:
        each = waiting.pop()
        if each.action is not None and each.action["status"] in ("Failed", "TimedOut"):
            return True
        waiting += [*each.children, *each.iterations]
    return False


def _line(branch: _Branch) -> str:
    action = branch.action or {}
    symbol, colour = _SYMBOLS.get(action["status"], ("?", ""))
    parts = [one_line(action["name"], 80)]
    if branch.iterations:
        parts.append(f"({len(branch.iterations):,} iterations)" if len(branch.iterations) > 1 else "(1 iteration)")
    took = duration_of(action)
    if took and action["status"] != "Skipped":
        parts.append(took)
    if action["attempts"] > 1:
        parts.append(f"{action['attempts']} attempts")
    text = " ".join(parts)
    error = action["error"] or {}
    if action["status"] == "Skipped":
        text += " skipped"
    elif action["status"] == "Waiting":
        text += " waits for its callback"
    elif action["status"] != "Succeeded" and action["code"] and action["code"] != "ActionFailed":
        text += f": {action['code']}: {one_line(str(error.get('message', '')), 160)}"
    return f"{paint(symbol, colour or 'green')} {paint(text, colour) if colour in ('red', 'dim') else text}"


def duration_of(action: dict[str, Any]) -> str:
    """How long an action took, empty while it has not ended and for what takes no time."""
    took = from_iso(action["end"]) - from_iso(action["start"]) if action["end"] is not None else 0
    return duration_text(took) if took >= 10_000 else ""
