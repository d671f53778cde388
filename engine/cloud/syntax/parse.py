"""From a definition's JSON to its records: shape only, every fault with its JSON pointer.

What the parts mean - whether types exist, references resolve, options are supported - is for `check`. One walk serves
both: `parse` stops at the first fault, `parse_leniently` goes on with the nearest harmless reading and lists them all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ...errors import DefinitionError
from .definition import (
    STATUSES,
    Action,
    Branch,
    Definition,
    Dialect,
    JsonObject,
    Parameter,
    RunAfter,
    Trigger,
    key_of,
    walk,
)
from .dialect import detect
from .pointer import join
from .spelling import ACTION, BRANCH, DEFINITION, TRIGGER, usual

MAXIMUM_DEPTH = 40
"""Containers in containers that can be read at all. The host allows 8, which is for `check` to say."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A definition as far as it could be read, and the faults found on the way, in the order of the walk."""

    definition: Definition
    faults: tuple[DefinitionError, ...]


def parse(definition: JsonObject, *, dialect: Dialect | Literal["auto"] = "auto", pointer: str = "") -> Definition:
    """The records of a definition; `pointer` is where it stands in its file.

    Raises DefinitionError, with the pointer of the first structural fault.
    """
    parsed = parse_leniently(definition, dialect=dialect, pointer=pointer)
    if parsed.faults:
        raise parsed.faults[0]
    return parsed.definition


def parse_leniently(definition: Any, *, dialect: Dialect | Literal["auto"] = "auto", pointer: str = "") -> Parsed:
    """As `parse`, for any JSON value, but never raises: what cannot be read is left out and listed in `faults`."""
    walker = _Walker()
    found = walker.definition(definition, pointer)
    if dialect == "auto":
        dialect = detect(
            found.triggers, walk(found.actions), walker.mapping(found.raw, "parameters", pointer, quiet=True)
        )
    return Parsed(replace(found, dialect=dialect), tuple(walker.faults))


class _Walker:
    def __init__(self) -> None:
        self.faults: list[DefinitionError] = []

    def fault(self, at: str, message: str, code: str = "InvalidDefinition", hint: str | None = None) -> None:
        self.faults.append(DefinitionError(message, at=at, code=code, hint=hint))

    def mapping(self, owner: JsonObject, name: str, pointer: str, *, quiet: bool = False) -> JsonObject:
        """The object under `name`; absent and null are empty (the host writes both)."""
        found = owner.get(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            if not quiet:
                self.fault(join(pointer, name), f"'{name}' must be an object, not {_kind(found)}.")
            return {}
        return found

    def definition(self, raw: Any, pointer: str) -> Definition:
        if not isinstance(raw, dict):
            self.fault(pointer, f"A workflow definition must be an object, not {_kind(raw)}.")
            raw = {}
        elif {"actions", "triggers"}.isdisjoint(name.lower() for name in raw):
            self.fault(
                pointer,
                "This is no workflow definition: it has neither 'triggers' nor 'actions'.",
                hint="Give the object that holds 'triggers' and 'actions', or one of the files that wrap it.",
            )
        raw = usual(raw, DEFINITION)
        return Definition(
            triggers=self.triggers(self.mapping(raw, "triggers", pointer), join(pointer, "triggers")),
            actions=self.actions(self.mapping(raw, "actions", pointer), join(pointer, "actions"), 1),
            parameters=self.parameters(self.mapping(raw, "parameters", pointer), join(pointer, "parameters")),
            static_results=self.mapping(raw, "staticResults", pointer),
            outputs=self.mapping(raw, "outputs", pointer),
            dialect="logic-apps",
            raw=raw,
            pointer=pointer,
        )

    def actions(self, raw: JsonObject, pointer: str, depth: int) -> tuple[Action, ...]:
        if depth > MAXIMUM_DEPTH:
            self.fault(pointer, f"Actions are nested deeper than {MAXIMUM_DEPTH} levels.", code="NestingTooDeep")
            return ()
        found = []
        for name, body in raw.items():
            at = join(pointer, name)
            if not isinstance(body, dict):
                self.fault(at, f"Action '{name}' must be an object, not {_kind(body)}.")
                continue
            body = usual(body, ACTION)
            kind = self.type_of(body, name, at, "Action")
            depends_on, conditions = self.old_conditions(body, name, at)
            found.append(
                Action(
                    name=name,
                    key=key_of(name),
                    type=kind[0],
                    kind=kind[1],
                    pointer=at,
                    run_after=(*self.run_after(body, name, at), *depends_on),
                    inputs=body.get("inputs"),
                    branches=self.branches(body, kind[0], name, at, depth),
                    raw=body,
                    conditions=conditions,
                )
            )
        return tuple(found)

    def type_of(self, body: JsonObject, name: str, at: str, what: str) -> tuple[str, str]:
        """Type and kind, lower-case; an empty type, with a fault, where there is none."""
        operation = body.get("type")
        if not isinstance(operation, str) or not operation.strip():
            wrong = "has no 'type'" if operation is None else "must have a text as its 'type'"
            self.fault(at if operation is None else join(at, "type"), f"{what} '{name}' {wrong}.", code="MissingType")
            return "", ""
        kind = body.get("kind")
        if kind is not None and not isinstance(kind, str):
            self.fault(join(at, "kind"), f"The 'kind' of {what.lower()} '{name}' must be text, not {_kind(kind)}.")
            kind = None
        return operation.strip().lower(), (kind or "").strip().lower()

    def run_after(self, body: JsonObject, name: str, at: str) -> tuple[RunAfter, ...]:
        found = []
        for predecessor, listed in self.mapping(body, "runAfter", at).items():
            here = join(at, "runAfter", predecessor)
            if not isinstance(listed, list) or not listed:
                self.fault(
                    here,
                    f"Action '{name}' must list the statuses of '{predecessor}' it runs after.",
                    code="InvalidRunAfter",
                    hint='For example ["Succeeded"].',
                )
                continue
            statuses = set()
            for index, status in enumerate(listed):
                canonical = STATUSES.get(status.strip().lower()) if isinstance(status, str) else None
                if canonical is None:
                    self.fault(
                        join(here, index),
                        f"Action '{name}' runs after the unknown status {_shown(status)} of '{predecessor}'.",
                        code="UnknownStatus",
                        hint="The statuses are Succeeded, Failed, Skipped and TimedOut.",
                    )
                else:
                    statuses.add(canonical)
            found.append(RunAfter(predecessor, key_of(predecessor), frozenset(statuses), here))
        return tuple(found)

    def old_conditions(self, body: JsonObject, name: str, at: str) -> tuple[list[RunAfter], tuple[Any, ...]]:
        """The `conditions` of the schema of 2015: after what the action runs, and what must be true for it to run.

        A `dependsOn` is met by success. Source: Logic Apps, "Schema updates - June 1, 2016", runAfter.
        """
        listed = body.get("conditions")
        here = join(at, "conditions")
        if listed is not None and not isinstance(listed, list):
            self.fault(here, f"The conditions of action '{name}' must be an array.")
        after: list[RunAfter] = []
        expressions = []
        for index, condition in enumerate(listed if isinstance(listed, list) else ()):
            given = condition if isinstance(condition, dict) else {}
            before = given.get("dependsOn")
            if isinstance(before, str):
                where = join(here, index, "dependsOn")
                after.append(RunAfter(before, key_of(before), frozenset({"Succeeded"}), where))
            if "expression" in given:
                expressions.append(given["expression"])
            elif not isinstance(before, str):
                message = f"A condition of action '{name}' must be an object with 'dependsOn' or 'expression'."
                self.fault(join(here, index), message)
        return after, tuple(expressions)

    def branches(self, body: JsonObject, operation: str, name: str, at: str, depth: int) -> tuple[Branch, ...]:
        if operation == "if":
            return (self.branch(body, "actions", at, depth), self.nested(body, "else", "else", at, depth))
        if operation == "switch":
            return (*self.cases(body, name, at, depth), self.nested(body, "default", "default", at, depth))
        if operation == "agent":  # not run in this version, but its tools' actions count, and their names are taken
            tools = self.mapping(body, "tools", at)
            return tuple(self.nested(tools, tool, tool, join(at, "tools"), depth) for tool in tools)
        if operation in ("scope", "foreach", "until") or isinstance(body.get("actions"), dict):
            return (self.branch(body, "actions", at, depth),)
        return ()

    def branch(self, owner: JsonObject, label: str, at: str, depth: int, case: Any = None) -> Branch:
        here = join(at, "actions")
        return Branch(label, case, self.actions(self.mapping(owner, "actions", at), here, depth + 1), here)

    def nested(self, owner: JsonObject, name: str, label: str, at: str, depth: int) -> Branch:
        """The branch in an object of its own: `else`, `default`, a tool."""
        return self.branch(usual(self.mapping(owner, name, at), BRANCH), label, join(at, name), depth)

    def cases(self, body: JsonObject, name: str, at: str, depth: int) -> list[Branch]:
        found = []
        for label, case in self.mapping(body, "cases", at).items():
            here = join(at, "cases", label)
            if not isinstance(case, dict):
                self.fault(here, f"Case '{label}' of switch '{name}' must be an object, not {_kind(case)}.")
                continue
            case = usual(case, BRANCH)
            if "case" not in case:
                self.fault(here, f"Case '{label}' of switch '{name}' has no 'case' value.", code="InvalidSwitch")
            found.append(self.branch(case, label, here, depth, case.get("case")))
        return found

    def triggers(self, raw: JsonObject, pointer: str) -> tuple[Trigger, ...]:
        found = []
        for name, body in raw.items():
            at = join(pointer, name)
            if not isinstance(body, dict):
                self.fault(at, f"Trigger '{name}' must be an object, not {_kind(body)}.")
                continue
            body = usual(body, TRIGGER)
            kind = self.type_of(body, name, at, "Trigger")
            split_on = body.get("splitOn")
            if split_on is not None and not isinstance(split_on, str):
                self.fault(join(at, "splitOn"), f"'splitOn' must be an expression, not {_kind(split_on)}.")
                split_on = None
            found.append(
                Trigger(
                    name=name,
                    key=key_of(name),
                    type=kind[0],
                    kind=kind[1],
                    pointer=at,
                    inputs=body.get("inputs"),
                    recurrence=self.mapping(body, "recurrence", at) or None,
                    conditions=self.conditions(body, name, at),
                    split_on=split_on,
                    raw=body,
                )
            )
        return tuple(found)

    def conditions(self, body: JsonObject, name: str, at: str) -> tuple[Any, ...]:
        listed = body.get("conditions")
        if listed is None:
            return ()
        if not isinstance(listed, list):
            self.fault(join(at, "conditions"), f"The conditions of trigger '{name}' must be an array.")
            return ()
        found = []
        for index, condition in enumerate(listed):
            if not isinstance(condition, dict) or "expression" not in condition:
                here = join(at, "conditions", index)
                self.fault(here, f"A condition of trigger '{name}' must be an object with an 'expression'.")
            else:
                found.append(condition["expression"])
        return tuple(found)

    def parameters(self, raw: JsonObject, pointer: str) -> tuple[Parameter, ...]:
        found = []
        for name, body in raw.items():
            at = join(pointer, name)
            if not isinstance(body, dict):
                self.fault(at, f"Parameter '{name}' must be an object, not {_kind(body)}.")
                continue
            declared = body.get("type")
            if not isinstance(declared, str):
                self.fault(at, f"Parameter '{name}' has no 'type'.", code="MissingType")
                continue
            found.append(
                Parameter(
                    name=name,
                    key=name.lower(),
                    type=declared.strip().lower(),
                    default=body.get("defaultValue"),
                    has_default="defaultValue" in body,
                    pointer=at,
                    allowed=tuple(allowed) if isinstance(allowed := body.get("allowedValues"), list) else None,
                )
            )
        return tuple(found)


def _kind(value: Any) -> str:
    """What a JSON value is, for a message."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "text"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "a number"


def _shown(value: Any) -> str:
    """A value as a message quotes it: text itself, of anything else only what it is."""
    return f"'{value[:40]}'" if isinstance(value, str) else _kind(value)
