"""Who holds whom and who runs before whom: the facts that the rules of `check` ask for again and again.

Facts only, derived from the records; whether something is a problem is for the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .catalog import ACTIONS
from .syntax.definition import Action, Branch, Definition, Parameter, Trigger

LOOPS = frozenset({"foreach", "until"})

_EVERYTHING = -1


@dataclass(slots=True, eq=False)
class Container:
    """The actions of one branch, or the top level: only they can run after one another."""

    parent: Place | None
    branch: Branch | None
    places: list[Place] = field(default_factory=list)
    by_key: dict[str, Place] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Place:
    """An action and where it stands. `depth` is 1 at the top level.

    `built` is False for a type that is unknown or not built, and for all that is inside of one: it is refused as a
    whole, and what it holds is not judged.
    """

    action: Action
    container: Container
    depth: int
    built: bool
    index: int
    before: int | None = None

    @property
    def parent(self) -> Place | None:
        """The container action it is in."""
        return self.container.parent

    def up(self) -> Iterator[Place]:
        """This place and the ones it is in, innermost first."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.container.parent

    def loops(self) -> list[Place]:
        """The loops around it, innermost first, itself not among them."""
        return [place for place in self.up() if place is not self and place.action.type in LOOPS]


class Outline:
    """A definition's actions as places, and its names as they are looked up."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.top = Container(None, None)
        self.containers: list[Container] = []
        self.places: list[Place] = []
        self.by_key: dict[str, list[Place]] = {}
        self._lay(definition.actions, self.top, 1)
        self.triggers: dict[str, Trigger] = {trigger.key: trigger for trigger in definition.triggers}
        self.parameters: dict[str, Parameter] = {parameter.key: parameter for parameter in definition.parameters}

    def _lay(self, actions: tuple[Action, ...], container: Container, depth: int) -> None:
        self.containers.append(container)
        for action in actions:
            built = action.type in ACTIONS and (container.parent is None or container.parent.built)
            place = Place(action, container, depth, built, len(container.places))
            container.places.append(place)
            container.by_key.setdefault(action.key, place)
            self.places.append(place)
            self.by_key.setdefault(action.key, []).append(place)
            for branch in action.branches:
                self._lay(branch.actions, Container(place, branch), depth + 1)

    def has_run(self, target: Place, at: Place) -> bool:
        """Whether `target` is over when `at` starts: it, or what holds it, runs before `at`, or what holds that.

        Where that cannot be told because a `runAfter` is itself a problem, the answer is yes: one fault, one problem.
        """
        chain = list(target.up())
        for level in at.up():
            before = self.before(level)
            if before and any(each.container is level.container and before >> each.index & 1 for each in chain):
                return True
            if before == _EVERYTHING:
                return True
        return False

    def before(self, place: Place) -> int:
        """The siblings that `place` waits for, directly or through others: one bit for the `index` of each.

        All bits are set behind a cycle or an unknown predecessor.
        """
        if place.before is None:
            _fill(place)
        return place.before or 0

    def crossed_loops(self, target: Place, at: Place | None) -> list[Place]:
        """The loops around `target` that `at` is not in, innermost first: how far a reference looks into loops."""
        around = set(at.up()) if at is not None else set()
        return [loop for loop in target.loops() if loop not in around]


def _fill(start: Place) -> None:
    """Set `before` of a place and of all it waits for, predecessors first; with a stack of its own, for long chains."""
    stack = [start]
    open_places: set[Place] = set()
    while stack:
        place = stack[-1]
        if place.before is not None:
            stack.pop()
            continue
        found = [place.container.by_key.get(after.key) for after in place.action.run_after]
        waiting = [each for each in found if each is not None and each.before is None]
        if waiting and place not in open_places:
            open_places.add(place)
            stack += waiting
            continue
        before = 0
        for each in found:
            # A predecessor that is still open when we come back to this place is in a cycle with it.
            if each is None or each.before is None:
                before = _EVERYTHING
            else:
                before |= each.before | 1 << each.index
        place.before = before
        stack.pop()
