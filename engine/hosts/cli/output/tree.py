"""A run's actions as a tree of lines: what `runs show` prints. Pure: actions in, lines out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ....kernel.contract.timing import from_iso
from .progress import duration_text
from .writing import one_line, paint

SHOWN_ITERATIONS: Final = 3
"""Iterations of a loop that an overview shows; those with a failure come on top of that."""

_ITERATION: Final = re.compile(r"\[\d+\]$")
_INSIDE: Final = re.compile(r"\[(\d+)\](?=/)")
_TOLD: Final = ("path", "name", "status", "code", "error", "start", "end", "attempts")
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


class Overview:
    """A run in as few lines as tell how it went, made of its actions one after the other in the order of their start.

    Of each loop there are the first iterations and those that hold one of `failed_paths`, the others are only counted;
    `certain` says that no other action failed. So memory is bounded by the definition, not by the run.
    """

    def __init__(self, failed_paths: Iterable[str] = (), *, certain: bool = True) -> None:
        self._failing = {path[: place.end()] for path in failed_paths for place in _INSIDE.finditer(path)}
        self._certain = certain
        self._actions: dict[str, dict[str, Any]] = {}
        self._iterations: dict[str, int] = {}

    def wants(self, path: str) -> bool:
        """Whether the next action is shown, and not only counted."""
        for place in _INSIDE.finditer(path):
            iteration = path[: place.end()]
            if iteration in self._actions:
                continue  # the name of a container, not an iteration
            loop, number = path[: place.start()], int(place[1])
            self._iterations[loop] = max(self._iterations.get(loop, 0), number + 1)
            if number >= SHOWN_ITERATIONS and iteration not in self._failing:
                return False
        return True

    def take(self, action: dict[str, Any]) -> None:
        """An action that is shown."""
        self._actions[action["path"]] = {name: action[name] for name in _TOLD}

    def lines(self) -> list[str]:
        """One line an action, indented below its container, with a line for what is only counted."""
        lines: list[str] = []
        for branch in _tree(list(self._actions.values())):
            _write(branch, 0, lines, self._iterations, " without failures" if self._certain else "")
        return lines


def action_lines(actions: Sequence[dict[str, Any]], *, whole: bool = True) -> list[str]:
    """One line an action, indented below its container where that is among them.

    `whole`: these are all of the run, so that iterations can be counted.
    """
    lines: list[str] = []
    for branch in _tree(actions):
        _write(branch, 0, lines, {} if whole else None, "")
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
            branch.label = path  # its container is elsewhere
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


def _write(branch: _Branch, depth: int, lines: list[str], iterations: Mapping[str, int] | None, kind: str) -> None:
    indent = "  " * depth
    shown = number = len(branch.iterations)
    if branch.action is None:
        lines.append(f"{indent}{paint(branch.label, 'dim')}")
    else:
        number = (iterations or {}).get(branch.action["path"], shown)
        lines.append(f"{indent}{_line(branch, branch.action, number if iterations is not None else 0)}")
    for child in branch.children:
        _write(child, depth + 1, lines, iterations, kind)
    for iteration in branch.iterations:
        _write(iteration, depth + 1, lines, iterations, kind)
    if hidden := number - shown:
        lines.append(f"{indent}  … {hidden:,} more iterations{kind} (--full shows them)")


def _line(branch: _Branch, action: dict[str, Any], iterations: int) -> str:
    symbol, colour = _SYMBOLS.get(action["status"], ("?", ""))
    parts = [one_line(branch.label, 80)]
    if iterations:
        parts.append(f"({iterations:,} iterations)" if iterations > 1 else "(1 iteration)")
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
