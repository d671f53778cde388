"""Actions: whether there is such a one, whether it can run here, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog import (
    ActionSpec,
    ArgumentSpec,
    actions,
    enum_values,
    is_enum,
    is_module,
    is_windows_only,
    later,
    lookup,
    reason,
    withdrawn,
)
from ..syntax.problem import Problems
from ..syntax.tree import Action, EnumValue, Expression, Name, Place, Protected
from .names import Names
from .rules import Built, Rules
from .similar_names import Nearest
from .walk import Visit, actions_of, expressions_of, nodes

__all__ = ["Built", "check_actions"]


def check_actions(active: Sequence[Visit], names: Names, rules: Rules, nearest: Nearest, problems: Problems) -> None:
    scripted: Place | None = None
    for visit in active:
        for action in actions_of(visit.statement):
            spec = lookup(action.id)
            if spec is None:
                _unknown(action, visit, rules, nearest, problems)
                continue
            _check_place(action, spec, visit, rules, problems)
            _check_arguments(action, spec, names, nearest, problems)
            if scripted is None and spec.id.startswith("Scripting."):
                scripted = action.place
        for expression in expressions_of(visit.statement):
            _check_expression(expression, problems)
    if scripted is not None and rules.scripts_allowed is False:
        problems.warning(
            "ScriptNotAllowed",
            scripted,
            "The flow runs scripts, which the environment's policy does not allow: these actions will fail.",
            "Allow scripts in the policy of the environment, if you trust them.",
        )


def _unknown(action: Action, visit: Visit, rules: Rules, nearest: Nearest, problems: Problems) -> None:
    if rules.built is not None and rules.built(action.id):  # the modules know more variants than the catalogue lists
        return
    module = action.id.partition(".")[0]
    if is_windows_only(action.id):  # whichever it is, what is like it needs Windows
        _windows_only(action, f"'{action.id}'", visit, rules, problems)
        return
    if not is_module(module):
        problems.error(
            "UnknownActionId",
            action.place,
            f"There is no module '{module}', so no action '{action.id}'.",
            "Custom actions are not run.",
        )
        return
    near = nearest(action.id, {each.id.lower(): each.id for each in (*actions(), *later())})
    hint = f"Is it {near}?" if near else "The reference of desktop actions lists all."
    problems.error("UnknownActionId", action.place, f"There is no action '{action.id}'.", hint)


def _check_place(action: Action, spec: ActionSpec, visit: Visit, rules: Rules, problems: Problems) -> None:
    """Whether it can be run here at all."""
    if rules.built is not None and rules.built(spec.id):
        return
    if spec.platform == "windows-only":
        _windows_only(action, f"'{spec.name}' ({spec.id})", visit, rules, problems)
    elif gone := withdrawn(spec.id):
        where = f"Subflow '{visit.subflow}', line {action.place.line}: '{spec.name}' ({spec.id})"
        note = problems.warning if rules.allow_unsupported else problems.error
        note("ServiceWithdrawn", action.place, f"{where} runs nowhere any more: {gone}.", "Call another service.")
    elif rules.built is not None:
        where = f"Subflow '{visit.subflow}', line {action.place.line}: '{spec.name}' ({spec.id})"
        note = problems.warning if rules.allow_unsupported else problems.error
        hint = "The reference of desktop actions lists those that are."
        note("NotYetSupported", action.place, f"{where} is not built yet.", hint)


def _windows_only(action: Action, shown: str, visit: Visit, rules: Rules, problems: Problems) -> None:
    note = problems.warning if rules.allow_unsupported else problems.error
    note(
        "WindowsOnlyAction",
        action.place,
        f"Subflow '{visit.subflow}', line {action.place.line}: {shown} runs on Windows only: {reason(action.id)}.",
        "Disable it, or do it another way; it can also be left to fail when it is reached.",
    )


def _check_arguments(action: Action, spec: ActionSpec, names: Names, nearest: Nearest, problems: Problems) -> None:
    given = {name.lower() for name, _ in action.arguments}
    for name, value in action.arguments:
        argument = spec.argument(name)
        if argument is not None:
            _check_value(argument, value, names, problems)
        elif spec.complete and not name.startswith("@"):
            _unknown_argument(action, spec, name, value.place, nearest, problems)
    if not spec.complete:
        return
    for argument in spec.arguments or ():
        if argument.default is None and not argument.optional and argument.name.lower() not in given:
            problems.error(
                "MissingArgument",
                action.place,
                f"'{spec.name}' ({action.id}) needs the argument '{argument.name}'.",
                f"Write {argument.name}: and its value.",
            )


def _unknown_argument(
    action: Action, spec: ActionSpec, name: str, at: Place, nearest: Nearest, problems: Problems
) -> None:
    known = {argument.name.lower(): argument.name for argument in spec.arguments or ()}
    near = nearest(name, known, 0.6)
    problems.error(
        "UnknownArgument",
        at,
        f"'{spec.name}' ({action.id}) has no argument '{name}'.",
        f"Is it '{near}'?" if near else f"It has {', '.join(known.values())}.",
    )


def _check_value(argument: ArgumentSpec, value: Expression, names: Names, problems: Problems) -> None:
    if argument.in_place and not isinstance(value, Name):
        problems.error(
            "NotAVariable", value.place, f"'{argument.name}' is changed, so it has to be a variable.", "SET one first."
        )
    if not is_enum(argument.type):
        return
    values, complete = enum_values(argument.type)
    if isinstance(value, Name) and not names.is_variable(value.name):
        spelled = next((each for each in values if each.lower() == value.name.lower()), None)
        if spelled is not None:
            problems.error(
                "UnqualifiedEnum",
                value.place,
                f"'{value.name}' stands without its type.",
                f"Write {argument.type}.{spelled}.",
            )
    elif isinstance(value, EnumValue) and complete:
        fits = value.type.lower() == argument.type.lower()
        if not fits or value.value.lower() not in (each.lower() for each in values):
            problems.error(
                "UnknownEnumValue",
                value.place,
                f"'{argument.name}' cannot be {value.type}.{value.value}.",
                f"There are {', '.join(f'{argument.type}.{each}' for each in values)}.",
            )


def _check_expression(expression: Expression, problems: Problems) -> None:
    for node in nodes(expression):
        if isinstance(node, Protected) and node.data:
            problems.error(
                "ProtectedText",
                node.place,
                "This text was encrypted for one user on one Windows machine; it cannot be read here.",
                "Declare an @INPUT for it, name it in @SENSITIVE, and give it when the flow is run.",
            )
