"""Rules about the graph: predecessors, cycles, names, and the limits on number and nesting that the hosts have.

Those limits are warnings: this engine does not need them, a flow that is to run on a host as well does.
Source: Logic Apps, limits and configuration: workflow definition limits.
"""

from __future__ import annotations

import re

from ..literal import shown
from ..outline import Container, Outline, Place
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.pointer import join

MAXIMUM_ACTIONS = 500
MAXIMUM_NESTING = 8
MAXIMUM_NAME = 80

# What the hosts answer when such a name is saved: InvalidWorkflowTriggerName and its like for actions.
_NOT_IN_NAMES = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")

_ENDS = frozenset({"Succeeded", "Failed", "Skipped", "TimedOut"})


def check_graph(outline: Outline, problems: Problems, referenced: frozenset[str]) -> None:
    """All rules of this file. `referenced` are the keys of the actions that expressions name."""
    for container in outline.containers:
        for place in container.places:
            _predecessors(place, outline, problems)
        _cycles(container, problems)
    _names(outline, problems, referenced)
    _limits(outline, problems)


def _predecessors(place: Place, outline: Outline, problems: Problems) -> None:
    action = place.action
    for after in action.run_after:
        at = after.pointer
        if after.key not in place.container.by_key:
            if after.key in outline.by_key:
                message = f"Action '{action.name}' cannot run after '{after.name}', which is in another container."
                hint: str | None = (
                    "An action runs after its siblings; after the container that holds the other one, for example."
                )
            elif after.key in outline.triggers:
                message = f"Action '{action.name}' cannot run after the trigger '{after.name}': every action does."
                hint = "Leave 'runAfter' empty."
            else:
                message = f"Action '{action.name}' runs after '{after.name}', which does not exist."
                other = nearest(after.name, (sibling.action.name for sibling in place.container.places))
                hint = f"Did you mean '{other}'?" if other else None
            problems.error("UnknownPredecessor", at, message, hint)
        elif after.statuses and after.statuses.isdisjoint(_ENDS):
            listed = ", ".join(sorted(after.statuses))
            problems.warning(
                "StatusNeverOccurs",
                at,
                f"Action '{action.name}' never runs: '{after.name}' cannot end as {listed}.",
                "An action ends as Succeeded, Failed, Skipped or TimedOut.",
            )


def _cycles(container: Container, problems: Problems) -> None:
    """One problem for each cycle, at the runAfter of its first action in document order."""
    done: set[Place] = set()
    for start in container.places:
        if start in done:
            continue
        path: list[Place] = []
        on_path: dict[Place, int] = {}
        # Depth first with a stack of its own: chains of thousands of actions are ordinary.
        stack = [(start, iter(_successors_back(start)))]
        path.append(start)
        on_path[start] = 0
        while stack:
            place, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                del on_path[place]
                done.add(place)
            elif following in on_path:
                _report_cycle(path[on_path[following] :], container, problems)
            elif following not in done:
                on_path[following] = len(path)
                path.append(following)
                stack.append((following, iter(_successors_back(following))))


def _successors_back(place: Place) -> list[Place]:
    found = (place.container.by_key.get(after.key) for after in place.action.run_after)
    return [each for each in found if each is not None]


def _report_cycle(cycle: list[Place], container: Container, problems: Problems) -> None:
    first = min(range(len(cycle)), key=lambda index: container.places.index(cycle[index]))
    ordered = cycle[first:] + cycle[:first]
    names = [f"'{place.action.name}'" for place in ordered]
    if len(names) == 1:
        message = f"Action {names[0]} runs after itself."
    else:
        shown = names if len(names) <= 8 else [*names[:7], f"({len(names) - 7} more)"]
        message = f"These actions run after one another in a circle: {' after '.join([*shown, names[0]])}."
    action = ordered[0].action
    at = join(action.pointer, "runAfter" if action.raw.get("runAfter") else "conditions")
    problems.error("RunAfterCycle", at, message, "Remove one of the runAfter.")


def _names(outline: Outline, problems: Problems, referenced: frozenset[str]) -> None:
    """Names are unique in a workflow, whatever the case.

    The hosts refuse two actions of one name. Here it is an error only where it is ambiguous - siblings, or a name
    that an expression uses - because exported definitions with harmless duplicates exist.
    """
    for key, places in outline.by_key.items():
        for place in places[1:]:
            sibling = place.container.by_key[key] is not place
            names = f"Action '{place.action.name}' has the same name as '{places[0].action.name}'"
            if sibling or key in referenced:
                why = "beside it" if sibling else "and an expression refers to it by that name"
                problems.error("DuplicateName", place.action.pointer, f"{names} {why}.", "Rename one of them.")
            else:
                problems.warning("DuplicateName", place.action.pointer, f"{names}.", "Rename one of them.")


def _limits(outline: Outline, problems: Problems) -> None:
    count = len(outline.places)
    if count > MAXIMUM_ACTIONS:
        at = join(outline.definition.pointer, "actions")
        problems.warning(
            "TooManyActions", at, f"{count} actions are more than the {MAXIMUM_ACTIONS} that the hosts accept."
        )
    for place in outline.places:
        action = place.action
        if place.depth == MAXIMUM_NESTING + 2:  # its container is the first one too deep
            message = (
                f"Action '{action.name}' is inside of more than the {MAXIMUM_NESTING} levels that the hosts accept."
            )
            problems.warning("NestingTooDeep", action.pointer, message)
        if len(action.name) > MAXIMUM_NAME:
            length = f"The name '{action.name[:40]}…' has {len(action.name)} characters"
            problems.warning(
                "NameTooLong", action.pointer, f"{length}, more than the {MAXIMUM_NAME} that the hosts accept."
            )
        elif not action.name.strip():
            problems.error("InvalidName", action.pointer, "An action needs a name.")
        elif found := sorted(set(_NOT_IN_NAMES.findall(action.name))):
            listed = " and ".join(shown(each) for each in found)
            message = f"The name of action '{action.name}' holds {listed}, which the hosts refuse."
            problems.warning("InvalidName", action.pointer, message)
        elif action.name.endswith("."):
            message = f"The name of action '{action.name}' ends with a full stop, which the hosts refuse."
            problems.warning("InvalidName", action.pointer, message)
