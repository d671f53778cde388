"""Rules about what is never reached: actions whose `runAfter` cannot come true, conditions that are always the same.

Warnings and notes only: nothing here keeps a flow from running. What is reported is certain; statuses that depend on
values are all taken to be possible.
Source: Logic Apps, "Handle errors and exceptions": run after, statuses; Terminate in the reference of actions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...expressions import CONTEXT_FUNCTIONS, FUNCTIONS
from ...expressions.syntax import Call, walk
from ...values import Value
from ..catalog import CALLED_TRIGGERS
from ..literal import is_dynamic
from ..outline import Container, Outline, Place
from ..report.problem import Problems
from ..syntax.expression_sites import Site
from ..syntax.pointer import join

_ENDS = ("Succeeded", "Failed", "Skipped", "TimedOut")

# Functions whose result differs from call to call though nothing is named in them.
_CLOCK = frozenset({"utcnow", "guid", "rand"})

_COMPARED = 100
"""How many Responses before it one is compared with; a flow of thousands must not take its square in time."""


def check_reach(outline: Outline, problems: Problems, all_sites: list[Site]) -> None:
    """All rules of this file."""
    called = any(trigger.type in CALLED_TRIGGERS for trigger in outline.definition.triggers)
    for container in outline.containers:
        demands = _demands(container)
        for place in container.places:
            if demands[place].contradict and not demands[place].inherited:
                _never(place, container, problems)
        if called:
            _responses(container, demands, problems)
    _constant(outline, problems, all_sites)


@dataclass(frozen=True, slots=True)
class _Demand:
    """What must have happened for an action to run: siblings that may not have ended in a status, a bit for each.

    One set of bits for each of `_ENDS`. An action for which some sibling may have ended in no status never runs.
    `inherited` says that this is so already of one of its predecessors, which must have run.
    """

    excluded: tuple[int, int, int, int] = (0, 0, 0, 0)
    inherited: bool = False

    @property
    def contradict(self) -> bool:
        succeeded, failed, skipped, timed_out = self.excluded
        return bool(succeeded & failed & skipped & timed_out)

    def excludes(self, other: _Demand) -> bool:
        """Whether the two actions cannot both run."""
        both = zip(self.excluded, other.excluded, strict=True)
        succeeded, failed, skipped, timed_out = (mine | others for mine, others in both)
        return bool(succeeded & failed & skipped & timed_out)

    def without_success(self, place: Place) -> bool:
        """Whether the action runs only where `place` has not succeeded."""
        return bool(self.excluded[0] >> place.index & 1)


_UNKNOWN = _Demand()


def _demands(container: Container) -> dict[Place, _Demand]:
    """The demand of each action, predecessors first; one in a cycle demands nothing, which is reported elsewhere."""
    found: dict[Place, _Demand] = {}
    for start in container.places:
        stack, opened = [start], set[Place]()
        while stack:
            place = stack[-1]
            if place in found:
                stack.pop()
                continue
            before = [container.by_key.get(after.key) for after in place.action.run_after]
            waiting = [each for each in before if each is not None and each not in found]
            if waiting and place not in opened:
                opened.add(place)
                stack += waiting
                continue
            found[place] = _UNKNOWN if waiting or None in before else _demand(place, container, found)
            stack.pop()
    return found


def _demand(place: Place, container: Container, found: dict[Place, _Demand]) -> _Demand:
    excluded = [0, 0, 0, 0]
    inherited = False
    for after in place.action.run_after:
        predecessor = container.by_key[after.key]
        allowed = after.statuses & _possible(predecessor)
        if not after.statuses.intersection(_ENDS):
            return _UNKNOWN  # said by StatusNeverOccurs
        bit = 1 << predecessor.index
        for position, status in enumerate(_ENDS):
            if status not in allowed:
                excluded[position] |= bit
        if "Skipped" not in allowed:  # the predecessor has run, and so has what it demands
            demanded = found[predecessor]
            inherited = inherited or demanded.contradict
            for position, bits in enumerate(demanded.excluded):
                excluded[position] |= bits
    return _Demand((excluded[0], excluded[1], excluded[2], excluded[3]), inherited)


def _possible(place: Place) -> frozenset[str]:
    """The statuses an action can be seen in by those behind it."""
    action = place.action
    if action.type == "terminate":  # once it succeeds, nothing else runs
        return frozenset(_ENDS) - {"Succeeded"}
    always = not action.run_after and action.type != "response" and not action.raw.get("conditions")
    # What waits for nothing runs whenever its container does.
    return frozenset(_ENDS) - {"Skipped"} if always else frozenset(_ENDS)


def _never(place: Place, container: Container, problems: Problems) -> None:
    action = place.action
    behind = [after for after in action.run_after if container.by_key[after.key].action.type == "terminate"]
    if any(after.statuses == {"Succeeded"} for after in behind):
        message = f"Action '{action.name}' never runs: '{behind[0].name}' ends the run before it."
    else:
        message = f"Action '{action.name}' never runs: the statuses it runs after cannot occur together."
    problems.warning(
        "NeverRuns",
        join(action.pointer, "runAfter"),
        message,
        "All predecessors must end in one of their listed statuses; change the statuses or remove the action.",
    )


def _responses(container: Container, demands: dict[Place, _Demand], problems: Problems) -> None:
    """Responses beside each other of which more than one can run: the caller gets one answer, the others fail."""
    seen: list[Place] = []
    for place in container.places:
        if place.action.type != "response" or demands[place].contradict:
            continue
        for other in seen[-_COMPARED:]:
            mine, others = demands[place], demands[other]
            unanswered = mine.without_success(other) or others.without_success(place)
            if not unanswered and not mine.excludes(others):
                problems.warning(
                    "SeveralResponses",
                    place.action.pointer,
                    f"Response '{place.action.name}' can run beside Response '{other.action.name}'; "
                    "only the first of them answers, the other fails.",
                    "Let them run after statuses that exclude each other.",
                )
                break
        seen.append(place)


def _constant(outline: Outline, problems: Problems, all_sites: list[Site]) -> None:
    """Conditions of If, Until and Switch in which nothing is named that could differ between runs."""
    varying: set[Place] = set()
    for site in all_sites:
        if site.place is not None and site.field == "expression":
            node = site.found.node
            if node is None or any(isinstance(each, Call) and _varies(each) for each in walk(node)):
                varying.add(site.place)
    for place in outline.places:
        action = place.action
        if not place.built or place in varying or action.type not in ("if", "until", "switch"):
            continue
        expression = action.raw.get("expression")
        literal = isinstance(expression, bool | dict) or action.type == "switch"
        if not (literal or is_dynamic(expression)) or expression in (None, "") or _unresolved(expression):
            continue
        problems.info(
            "ConstantCondition",
            join(action.pointer, "expression"),
            f"What '{action.name}' tests is the same in every run.",
        )


def _varies(call: Call) -> bool:
    return call.key in _CLOCK or call.key in CONTEXT_FUNCTIONS or call.key not in FUNCTIONS


def _unresolved(value: Value) -> bool:
    """Whether the expressions of an ARM template are still in it."""
    if isinstance(value, dict):
        return any(_unresolved(each) for each in value.values())
    if isinstance(value, list):
        return any(_unresolved(each) for each in value)
    return is_dynamic(value) and str(value).startswith("[")
