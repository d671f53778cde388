"""Rules about connections: those that actions and triggers name are among those that the file brings.

A definition alone brings none; then nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..catalog import CONNECTORS
from ..connection_names import picked_connections
from ..outline import Outline
from ..report.problem import Problems
from ..similar_names import nearest
from ..syntax.definition import JsonObject
from ..syntax.pointer import join


def check_connections(outline: Outline, connections: Mapping[str, Any], problems: Problems) -> None:
    """All rules of this file. `connections` are those of the file by name."""
    if not connections:
        return
    known = {name.lower() for name in connections}
    holders = [(place.action.raw, place.action.pointer, place.action.name) for place in outline.places if place.built]
    holders += [(trigger.raw, trigger.pointer, trigger.name) for trigger in outline.definition.triggers]
    for raw, pointer, holder in holders:
        for name, at in _named(raw, pointer):
            if name.lower() not in known:
                other = nearest(name, connections)
                problems.warning(
                    "UnknownConnection",
                    at,
                    f"'{holder}' uses the connection '{name[:80]}', which the file does not bring.",
                    f"Did you mean '{other}'?" if other else "Add it to the connections of the file.",
                )


def _named(raw: JsonObject, pointer: str) -> Iterator[tuple[str, str]]:
    """The connections that an action or trigger names, each with its place."""
    inputs = raw.get("inputs")
    host = inputs.get("host") if isinstance(inputs, dict) else None
    if str(raw.get("type", "")).lower() not in CONNECTORS or not isinstance(host, dict):
        return
    at = join(pointer, "inputs", "host")
    connection = host.get("connection")
    if isinstance(connection, dict):
        reference, name = connection.get("referenceName"), connection.get("name")
        if isinstance(reference, str) and not reference.startswith("@"):
            yield reference, join(at, "connection", "referenceName")
        elif isinstance(name, str) and (picked := picked_connections(name)):
            yield picked[0], join(at, "connection", "name")
    for field in ("connectionReferenceName", "connectionName"):
        name = host.get(field)
        if isinstance(name, str) and name and not name.startswith("@"):
            yield name, join(at, field)
            return
