"""The desktop flows of a package that is imported: each is read, checked, and deployed if it can run.

One that cannot is left out and said so; it keeps no other flow from being deployed, since a solution often holds some
that need Windows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .....desktop.checks.check import check
from .....desktop.checks.walk import actions_of, visits
from .....desktop.syntax.problem import Problem, RobinError
from .....importers.desktop import DesktopFlow
from .....importers.packages import Package
from .....runtime.flows.desktop_packages import reading_of, source_in
from .....runtime.flows.scripts import rules
from ...errors import about
from ...output.writing import one_line, paint, printable, say

if TYPE_CHECKING:
    from .....runtime.environment.environment import Environment
    from .....runtime.flows.library import Flow

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True, slots=True)
class CheckedDesktop:
    """A desktop flow of the package, what was found in its script, and what became of it under which name."""

    flow: DesktopFlow
    actions: int
    problems: tuple[Problem, ...]
    name: str = ""
    deployed: Flow | None = None

    @property
    def ok(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        return {
            "flow": self.flow.name,
            "file": self.flow.file,
            "id": self.flow.id,
            "kind": "desktop",
            "ok": self.ok,
            "actions": self.actions,
            "deployedAs": self.deployed.name if self.deployed is not None else None,
            "version": self.deployed.version if self.deployed is not None else None,
            "created": self.deployed.created if self.deployed is not None else None,
            "problems": [problem.to_json() for problem in self.problems],
        }


def checked(package: Package, only: Collection[str] = (), taken: Collection[str] = ()) -> list[CheckedDesktop]:
    """The desktop flows of a package, checked: those that `only` names, or all. Never raises for what is wrong with
    one.

    `taken` are names of its other flows: a desktop flow of the same name gets its id added.
    """
    names = {name.lower() for name in taken}
    found = []
    for flow in package.desktop:
        if only and not any(is_called(flow, each) for each in only):
            continue
        name = f"{flow.name} ({flow.id})" if flow.name.lower() in names else flow.name
        names.add(name.lower())
        found.append(replace(_checked(flow), name=name))
    return found


def is_called(flow: DesktopFlow, wanted: str) -> bool:
    """Whether a desktop flow of a package is meant: by its name or its id, in any case."""
    return wanted.strip("{}").lower() in (flow.name.lower(), flow.id.lower())


async def deployed(env: Environment, found: list[CheckedDesktop]) -> list[CheckedDesktop]:
    """Deploy those that can run."""
    done = []
    for each in found:
        if each.ok:
            source = source_in(each.flow, each.name if each.name != each.flow.name else "")
            with about(f"{each.flow.file}: {each.flow.name}"):
                kept = await env.deploy(source.name, source, enabled=source.enabled)
            each = replace(each, deployed=kept)
        done.append(each)
    return done


def _checked(flow: DesktopFlow) -> CheckedDesktop:
    try:
        reading = reading_of(flow)
    except RobinError as error:
        return CheckedDesktop(flow, 0, (error.problem(),))
    actions = sum(1 for visit in visits(reading.script) for _ in actions_of(visit.statement))
    return CheckedDesktop(flow, actions, check(reading, rules()))


def show(found: list[CheckedDesktop]) -> None:
    """For people: problems with flow, line and column, then what becomes of each."""
    for each in found:
        for problem in each.problems:
            severity = paint(problem.severity, _COLOURS[problem.severity])
            say(f"{one_line(each.flow.name)}:{problem.at}: {severity} {problem.code}: {printable(problem.message)}")
            if problem.hint:
                say(f"    next: {printable(problem.hint)}")
    for each in found:
        actions = f"{each.actions} action" if each.actions == 1 else f"{each.actions} actions"
        say(f"  {one_line(each.name or each.flow.name)} {_fate(each)} (desktop flow, {actions})")


def _fate(each: CheckedDesktop) -> str:
    if each.deployed is not None:
        return f"version {each.deployed.version} {'deployed' if each.deployed.created else 'unchanged'}"
    return "ok, not deployed" if each.ok else paint("cannot run", "red") + ", left out"
