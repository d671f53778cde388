"""Manipulation of objects: addProperty, setProperty, removeProperty, coalesce. Each gives a new object.

Names are found as everywhere: exactly, else whatever their case. Source: "Logic Apps, expression functions reference:
manipulation functions".
"""

from __future__ import annotations

from typing import Any

from ...values import Value, find_name
from ..table import DESIGNER, Family
from .arguments import fault, mismatch, record, text

FAMILY = Family("manipulation", "Logic Apps, expression functions reference: manipulation functions")


def _existing(value: dict[str, Any], name: str) -> str | None:
    return name if name in value else find_name(value, name)


def _record(value: Value, fn: str) -> dict[str, Any]:
    return record(value, fn, 1)


@FAMILY.function("addProperty", 3)
def add_property(value: Value, name: Value, member: Value) -> dict[str, Any]:
    """The object with one more property. It is an error if it has one of this name, ignoring case."""
    source, wanted = _record(value, "addProperty"), text(name, "addProperty", 2)
    if _existing(source, wanted) is not None:
        raise fault(
            "addProperty", f"expects the property to not exist in the object: '{wanted}' does. Use setProperty()."
        )
    return {**source, wanted: member}


@FAMILY.function("setProperty", 3)
def set_property(value: Value, name: Value, member: Value) -> dict[str, Any]:
    """The object with this property set, last in order; one that exists keeps the spelling of its name."""
    source, wanted = _record(value, "setProperty"), text(name, "setProperty", 2)
    found = _existing(source, wanted) or wanted
    return {**{key: old for key, old in source.items() if key != found}, found: member}


@FAMILY.function("removeProperty", 2)
def remove_property(value: Value, name: Value) -> dict[str, Any]:
    """The object without this property; the same object if it has none of this name."""
    source = _record(value, "removeProperty")
    found = _existing(source, text(name, "removeProperty", 2))
    return source if found is None else {key: member for key, member in source.items() if key != found}


@FAMILY.function("coalesce", 1, None)
def coalesce(*values: Value) -> Value:
    """The first value that is not null, null if there is none. Only as many are evaluated as are needed."""
    return next((value for value in values if value is not None), None)


@FAMILY.function("mergeObjects", 1, None, source=DESIGNER)
def merge_objects(*values: Value) -> dict[str, Any]:
    """All properties of all objects, the last value of each."""
    merged: dict[str, Any] = {}
    for n, value in enumerate(values, 1):
        if type(value) is not dict:
            raise mismatch("mergeObjects", n, "an object", value)
        merged.update(value)
    return merged
