"""Where expressions stand in a definition: every string value and property name that is evaluated.

What is only a description of data (schemas), of a designer's state (metadata) or literal by definition is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...expressions.template import Found, Meanings, find_expressions
from ..outline import Outline, Place
from .definition import Trigger
from .pointer import join

# Structure, read when the flow is parsed and never evaluated.
_STRUCTURE = frozenset(
    {
        "actions", "else", "cases", "default", "tools", "runAfter", "type", "kind", "description", "metadata",
        "operationOptions", "staticResults", "evaluatedRecurrence",
    }
)  # fmt: skip

# Inputs that are data about data, or code: names such as `@odata.id` in them are no expressions.
_LITERAL_INPUTS = {
    "parsejson": frozenset({"schema"}),
    "response": frozenset({"schema"}),
    "request": frozenset({"schema"}),
    "manual": frozenset({"schema"}),
    "javascriptcode": frozenset({"code", "explicitDependencies"}),
}


@dataclass(frozen=True, slots=True)
class Site:
    """An expression, or a string that should be one, and the property of the action or trigger it belongs to.

    `field` is the first property (`inputs`, `expression`, …), `part` the second (`where`, `from`, …). `place` is None
    in a trigger and in the workflow's outputs, `trigger` in an action and in the outputs.
    """

    found: Found
    field: str
    part: str
    place: Place | None
    trigger: Trigger | None = None


def sites(outline: Outline) -> Iterator[Site]:
    """Every site, in document order within its action, trigger or output; none in actions that are not built."""
    known: Meanings = {}
    for trigger in outline.definition.triggers:
        for field, part, pointer, value in fields(trigger.raw, trigger.type, trigger.pointer):
            for found in find_expressions(value, pointer, known):
                yield Site(found, field, part, None, trigger)
    for place in outline.places:
        if not place.built:
            continue
        action = place.action
        for field, part, pointer, value in fields(action.raw, action.type, action.pointer):
            for found in find_expressions(value, pointer, known):
                yield Site(found, field, part, place)
    outputs = join(outline.definition.pointer, "outputs")
    for name, value in outline.definition.outputs.items():
        for found in find_expressions(value, join(outputs, name), known):
            yield Site(found, "outputs", name, None)


def fields(raw: dict[str, Any], operation: str, pointer: str) -> Iterator[tuple[str, str, str, Any]]:
    """What is evaluated of an action or trigger of the type `operation` that stands at `pointer`.

    Its first property, the second within inputs, the pointer of the value, and the value.
    """
    for field, value in raw.items():
        if field in _STRUCTURE:
            continue
        at = join(pointer, field)
        if field == "inputs" and isinstance(value, dict):
            literal = _LITERAL_INPUTS.get(operation, frozenset())
            for part, inner in value.items():
                if "@" in part:
                    yield field, part, join(at, part), part
                if part not in literal:
                    yield field, part, join(at, part), inner
        else:
            yield field, "", at, value
