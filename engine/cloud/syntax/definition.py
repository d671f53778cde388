"""The records of a cloud flow's definition: what is left of the JSON once its shape is known to be right.

Nothing is read, checked or evaluated here. Records keep the JSON they came from in `raw`, and their place in the file
in `pointer` (RFC 6901). Names are kept as written; `key` is the form they are compared in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ...values import Value

Dialect = Literal["power-automate", "logic-apps"]
"""Whose defaults apply, e.g. how many iterations of a Foreach run at once (20 in Logic Apps, 1 in Power Automate)."""

JsonObject = dict[str, Any]

STATUSES: Mapping[str, str] = {
    status.lower(): status
    for status in (
        "Succeeded",
        "Failed",
        "Skipped",
        "TimedOut",
        "Aborted",
        "Cancelled",
        "Faulted",
        "Ignored",
        "Paused",
        "Running",
        "Suspended",
        "Waiting",
    )
}
"""The statuses `runAfter` may name, by lower-case name; an action can only end in the first four of them."""


def key_of(name: str) -> str:
    """The form in which names of actions and triggers are compared: lower-case, spaces as underscores."""
    return name.lower().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class RunAfter:
    """One predecessor, and the statuses (`"Succeeded"`, …) it may have ended in. `pointer` is where it is named."""

    name: str
    key: str
    statuses: frozenset[str]
    pointer: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One list of actions inside a container.

    If has always two, labelled `actions` and `else`, either may be empty; Switch has one per case, labelled with the
    case's name, and `default` last; Scope, Foreach and Until have one, labelled `actions`. `case` is the value of a
    Switch's case.
    """

    label: str
    case: Value
    actions: tuple[Action, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class Action:
    """One action, in document order among its siblings.

    `type` and `kind` are lower-case (`kind` is "" where absent). `inputs` is the raw `inputs` property, None where
    absent; what a container tests or walks (`expression`, `foreach`, `limit`) is in `raw`. `conditions` are the
    expressions that must all be true for it to run (schema of 2015).
    """

    name: str
    key: str
    type: str
    kind: str
    pointer: str
    run_after: tuple[RunAfter, ...]
    inputs: Value
    branches: tuple[Branch, ...]
    raw: JsonObject
    conditions: tuple[Value, ...] = ()

    def branch(self, label: str) -> Branch | None:
        """The first branch with this label. A Switch's default is always its last branch: use `branches[-1]`."""
        return next((branch for branch in self.branches if branch.label == label), None)

    @property
    def options(self) -> frozenset[str]:
        """`operationOptions`, lower-case: written as a list with commas, such as `"Asynchronous, Sequential"`."""
        return operation_options(self.raw)

    @property
    def runtime(self) -> JsonObject:
        """`runtimeConfiguration`, or an empty object."""
        found = self.raw.get("runtimeConfiguration")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger. `conditions` are the expressions that must all be true for it to fire, `split_on` is one too."""

    name: str
    key: str
    type: str
    kind: str
    pointer: str
    inputs: Value
    recurrence: JsonObject | None
    conditions: tuple[Value, ...]
    split_on: str | None
    raw: JsonObject

    @property
    def options(self) -> frozenset[str]:
        """`operationOptions`, lower-case."""
        return operation_options(self.raw)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One workflow parameter.

    `type` is lower-case: string, securestring, int, float, bool, array, object or secureobject, any other only in a
    definition that `check` refuses. `allowed` are the only values it may have, None where all are.
    """

    name: str
    key: str
    type: str
    default: Value
    has_default: bool
    pointer: str
    allowed: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole cloud flow. `static_results` and `outputs` are raw JSON by name."""

    triggers: tuple[Trigger, ...]
    actions: tuple[Action, ...]
    parameters: tuple[Parameter, ...]
    static_results: Mapping[str, Any]
    outputs: Mapping[str, Any]
    dialect: Dialect
    raw: JsonObject
    pointer: str

    def all_actions(self) -> Iterator[Action]:
        """Every action, containers before what they hold, in document order."""
        return walk(self.actions)

    @property
    def has_response(self) -> bool:
        """Whether some action answers the caller; without one a Request trigger answers 202 at once."""
        return any(action.type == "response" for action in self.all_actions())


def walk(actions: tuple[Action, ...]) -> Iterator[Action]:
    """Every action of `actions` and below, containers before what they hold, in document order."""
    waiting = list(reversed(actions))
    while waiting:
        action = waiting.pop()
        yield action
        for branch in reversed(action.branches):
            waiting.extend(reversed(branch.actions))


def operation_options(raw: Mapping[str, Any]) -> frozenset[str]:
    """The comma-separated `operationOptions` of an action or trigger, lower-case; other shapes are no option."""
    found = raw.get("operationOptions")
    if not isinstance(found, str):
        return frozenset()
    return frozenset(part.strip().lower() for part in found.split(",") if part.strip())
