"""Rules about expressions: they can be read, their functions exist, and what they name exists and can have run.

A reference to an action that is not sure to be over is an error, as it is when a host saves the flow: of thousands in
real flows, none is like that. Only a literal name can be judged; a computed one is left to the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import ExpressionError
from ...expressions import CONTEXT_FUNCTIONS, FUNCTIONS
from ...expressions.syntax import Call, Literal, walk
from ...expressions.template import Found
from ..catalog import ACTIONS, CONTAINERS
from ..outline import Outline, Place
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import Trigger, key_of
from ..syntax.expression_sites import Site
from .variables import Variable

# Functions that read an action by its name, the first argument.
ACTION_FUNCTIONS = {
    name.lower(): name
    for name in (
        "actions", "outputs", "body", "actionOutputs", "actionBody", "formDataValue", "formDataMultiValues",
        "multipartBody", "result",
    )
}  # fmt: skip

# Functions of agents and of designers; the hosts know them.
_REFUSED = {
    name.lower(): name
    for name in (
        "agentParameters", "assistantMessage", "channelTriggerBody", "channelTriggerOutputs", "conversationHistory",
        "triggerSchema", "userMessage",
    )
}  # fmt: skip

_GIVEN_PARAMETERS = frozenset({"$connections", "$authentication"})
"""Parameters that the host gives, declared or not."""

_ITEM_PARTS = {"query": "where", "select": "select", "table": "columns"}
"""Data operations, and the input of theirs that is evaluated for each item."""


@dataclass(frozen=True, slots=True)
class Names:
    """What expressions may name. `given` are parameters that the file gives a value without a declaration.

    With `open_parameters` a parameter may also be declared outside of the file (Logic Apps Standard, parameters.json).
    """

    outline: Outline
    variables: dict[str, Variable]
    given: frozenset[str]
    open_parameters: bool


def referenced_actions(all_sites: Iterable[Site]) -> frozenset[str]:
    """The keys of all actions that some expression names."""
    found = set()
    for site in all_sites:
        for node in walk(site.found.node) if site.found.node is not None else ():
            if isinstance(node, Call) and node.key in ACTION_FUNCTIONS and (name := _literal(node)) is not None:
                found.add(key_of(name))
    return frozenset(found)


def check_expressions(all_sites: Iterable[Site], names: Names, problems: Problems) -> None:
    """All rules of this file."""
    for site in all_sites:
        found = site.found
        if found.node is None:
            error = found.error or ExpressionError("The expression cannot be read.")
            problems.error("InvalidExpression", found.pointer, error.message, error.hint)
            continue
        for node in walk(found.node):
            if isinstance(node, Call):
                _Rules(site, names, problems).call(node)


def check_reference(name: str, at: str, place: Place, names: Names, problems: Problems) -> None:
    """The rules for an action that is named at `at` by something that is no expression, as if by actions(name)."""
    call = Call("actions", (Literal(name),))
    _Rules(Site(Found(at, name, call), "inputs", "", place), names, problems).action(call, name)


def _literal(call: Call) -> str | None:
    """The first argument where it is a literal text."""
    if call.args and isinstance(call.args[0], Literal) and isinstance(call.args[0].value, str):
        return call.args[0].value
    return None


class _Rules:
    """The rules for the calls of one expression."""

    def __init__(self, site: Site, names: Names, problems: Problems) -> None:
        self.site = site
        self.at = site.found.pointer
        self.place = site.place
        self.names = names
        self.problems = problems

    def call(self, call: Call) -> None:
        if not self.function(call):
            return
        name = _literal(call)
        if call.key in ACTION_FUNCTIONS and name is not None:
            self.action(call, name)
        elif call.key == "variables" and name is not None:
            self.variable(name)
        elif call.key == "parameters" and name is not None:
            self.parameter(name)
        elif call.key in ("items", "iterationindexes") and name is not None:
            self.loop(call, name)
        elif call.key == "item":
            self.item()

    def function(self, call: Call) -> bool:
        """Whether the function exists and takes this many arguments."""
        key = call.key
        if key in _REFUSED:
            message = f"The function '{_REFUSED[key]}' belongs to agents or to designers and is not evaluated here."
            self.problems.error("UnsupportedFunction", self.at, message)
            return False
        function = CONTEXT_FUNCTIONS.get(key) or FUNCTIONS.get(key)
        if function is None:
            others = (each.name for each in CONTEXT_FUNCTIONS.values())
            unknown = FUNCTIONS.unknown(call.name[:80], others)
            self.problems.error("UnknownFunction", self.at, unknown.message, unknown.hint)
            return False
        try:
            function.check_count(len(call.args))
        except ExpressionError as error:
            self.problems.error("WrongArgumentCount", self.at, error.message, error.hint)
            return False
        return True

    def action(self, call: Call, name: str) -> None:
        outline, place = self.names.outline, self.place
        targets = outline.by_key.get(key_of(name))
        if not targets:
            if key_of(name) in outline.triggers:
                hint = "The outputs of the trigger are triggerOutputs(), its body triggerBody()."
            else:
                other = nearest(name, (each.action.name for each in outline.places))
                hint = f"Did you mean '{other}'?" if other else ""
            self.problems.error(
                "UnknownAction",
                self.at,
                f"{call.name}('{name[:80]}') names an action that does not exist.",
                hint or None,
            )
            return
        target = targets[0]
        if self.site.trigger is not None:
            self.problems.error(
                "NotReachable",
                self.at,
                f"{call.name}('{name}') cannot be used in a trigger: no action has run when it fires.",
            )
            return
        if place is None:  # the workflow's outputs: everything has run
            return
        if call.key == "result" and target.action.type not in CONTAINERS and target.action.type in ACTIONS:
            self.problems.error(
                "UnknownAction",
                self.at,
                f"result('{name}') needs a scope, a loop or a condition; '{name}' is another action.",
            )
            return
        if any(self.reachable(each, place) for each in targets):
            self.across_loops(call, name, target, place)
            return
        if target is place:
            message = f"'{place.action.name}' refers to itself with {call.name}('{name}')."
        elif place in target.up():
            message = (
                f"{call.name}('{name}') is inside of '{place.action.name}' and has not run when this is evaluated."
            )
        elif target in place.up():
            message = f"{call.name}('{name}') is used inside of '{name}', which is not over then."
        else:
            message = f"{call.name}('{name}') may not have run: '{place.action.name}' does not run after it."
        self.problems.error(
            "NotReachable", self.at, message, "Let the action run after the other one, directly or through others."
        )

    def reachable(self, target: Place, place: Place) -> bool:
        if self.names.outline.has_run(target, place):
            return True
        # The condition of an Until is evaluated after its actions.
        return place.action.type == "until" and self.site.field == "expression" and place in list(target.up())[1:]

    def across_loops(self, call: Call, name: str, target: Place, place: Place) -> None:
        crossed = [loop for loop in self.names.outline.crossed_loops(target, place) if loop.action.type == "foreach"]
        if len(crossed) > 1:
            loops = " in ".join(f"'{loop.action.name}'" for loop in crossed)
            self.problems.error(
                "InsideLoops",
                self.at,
                f"{call.name}('{name}') is inside of the loops {loops} and has no single value outside of them.",
                "Collect what you need in an array variable.",
            )

    def variable(self, name: str) -> None:
        variable = self.names.variables.get(name.lower())
        if variable is None:
            other = nearest(name, (each.name for each in self.names.variables.values()))
            self.problems.error(
                "UnknownVariable",
                self.at,
                f"The variable '{name[:80]}' is not initialised anywhere.",
                f"Did you mean '{other}'?" if other else "Add an InitializeVariable action at the top level.",
            )
        elif self.site.trigger is not None:
            self.problems.error("VariableNotReachable", self.at, f"A trigger cannot use the variable '{name}'.")
        elif self.place is not None:
            self.variable_use(name, variable, self.place)

    def variable_use(self, name: str, variable: Variable, place: Place) -> None:
        action = place.action
        changed = action.inputs.get("name") if isinstance(action.inputs, dict) else None
        if action.type == "setvariable" and isinstance(changed, str) and changed.lower() == name.lower():
            self.problems.error(
                "SelfReference",
                self.at,
                f"'{action.name}' sets the variable '{name}' from itself, which the hosts refuse.",
                "Compose the new value first, then set the variable from the Compose.",
            )
        if not self.names.outline.has_run(variable.place, place):
            self.problems.error(
                "VariableNotReachable",
                self.at,
                f"'{action.name}' may run before '{variable.place.action.name}' has initialised the variable '{name}'.",
                "Let it run after that action, directly or through others.",
            )

    def parameter(self, name: str) -> None:
        key = name.lower()
        if key in self.names.outline.parameters or key in self.names.given or key in _GIVEN_PARAMETERS:
            return
        other = nearest(name, (each.name for each in self.names.outline.definition.parameters))
        hint = f"Did you mean '{other}'?" if other else None
        message = f"The parameter '{name[:80]}' is not declared in the definition."
        if self.names.open_parameters:
            self.problems.warning(
                "UnknownParameter", self.at, message, hint or "It needs a value from outside, such as parameters.json."
            )
        else:
            self.problems.error("UnknownParameter", self.at, message, hint)

    def loop(self, call: Call, name: str) -> None:
        wanted = "foreach" if call.key == "items" else "until"
        around = [] if self.place is None else self.place.loops()
        if self.place is not None and wanted == "until" and self.site.field == "expression":
            around = [self.place, *around]
        if any(each.action.key == key_of(name) and each.action.type == wanted for each in around):
            return
        known = any(each.action.type == wanted for each in self.names.outline.by_key.get(key_of(name), ()))
        kind = "a Foreach" if wanted == "foreach" else "an Until"
        if known:
            self.problems.error(
                "OutsideLoop", self.at, f"{call.name}('{name[:80]}') can only be used inside of that loop's actions."
            )
        else:
            names = [each.action.name for each in around if each.action.type == wanted]
            other = nearest(name, names)
            self.problems.error(
                "UnknownLoop",
                self.at,
                f"{call.name}('{name[:80]}') does not name {kind} of this definition.",
                f"Did you mean '{other}'?" if other else None,
            )

    def item(self) -> None:
        if self.place is not None:
            if _ITEM_PARTS.get(self.place.action.type) == self.site.part and self.site.field == "inputs":
                return
            if any(loop.action.type == "foreach" for loop in self.place.loops()):
                return
        elif self.site.trigger is not None and _item_in_trigger(self.site.trigger):
            return
        self.problems.error(
            "OutsideLoop", self.at, "item() can only be used inside of a loop or for the items of an array."
        )


def _item_in_trigger(trigger: Trigger) -> bool:
    """Whether a trigger is evaluated for each item of an array."""
    return trigger.split_on is not None
