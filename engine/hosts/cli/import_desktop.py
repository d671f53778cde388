"""The desktop flows of a package that is imported: each is read and checked. They are not deployed by an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...cloud.package import Package
from ...cloud.package_desktop import DesktopFlow
from ...desktop.check import check
from ...desktop.problem import Problem, RobinError
from ...desktop.walk import actions_of, visits
from ...runtime.desktop_packages import reading_of
from ...runtime.scripts import rules
from .output import one_line, paint, printable, say

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


@dataclass(frozen=True, slots=True)
class CheckedDesktop:
    """A desktop flow of the package and what was found in its script."""

    flow: DesktopFlow
    actions: int
    problems: tuple[Problem, ...]

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
            "problems": [problem.to_json() for problem in self.problems],
        }


def checked(package: Package) -> list[CheckedDesktop]:
    """Every desktop flow of a package, checked. Never raises for what is wrong with one."""
    return [_checked(flow) for flow in package.desktop]


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
        verdict = "checked" if each.ok else paint("cannot run", "red")
        actions = f"{each.actions} action" if each.actions == 1 else f"{each.actions} actions"
        say(f"  {one_line(each.flow.name)} {verdict}, not deployed (desktop flow, {actions})")
