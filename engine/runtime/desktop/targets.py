"""Which names a call of a desktop flow goes by: those of its connection, and of the machine or group that it leads to.

Sources: exported flows (`host.connectionName`, connection references); desktop flows, "Create desktop flow connections"
(a connection is one to a machine or to a machine group).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ....storage import RecordNotFound, Vault

RUN_MODES: Final = frozenset({"attended", "unattended"})

_TARGETS: Final = ("machineGroup", "group", "machine", "targetId", "target")
"""Parameters of a stored connection that name where it leads, in the order in which they are asked."""


def connection_names(host: object) -> tuple[str, ...]:
    """What the `host` of an action says of its connection."""
    if not isinstance(host, Mapping):
        return ()
    inner = host.get("connection")
    given = [host.get("connectionName"), host.get("connectionReferenceName")]
    if isinstance(inner, Mapping):
        given += [inner.get("name"), inner.get("referenceName")]
    return tuple(dict.fromkeys(each.rstrip("/").rsplit("/", 1)[-1] for each in given if isinstance(each, str) and each))


async def target_names(vault: Vault, references: object, names: Iterable[str]) -> list[str]:
    """Further names: what the flow's connection reference of one of these names says, and where the environment's
    connection of one of them leads. Raises storage errors.
    """
    found = [*names]
    for name in names:
        reference = references.get(name) if isinstance(references, Mapping) else None
        found += _said(reference) if isinstance(reference, Mapping) else []
    leads: list[str] = []
    for name in dict.fromkeys(found):
        try:
            values: Any = await vault.connection_values(name)
        except RecordNotFound:
            continue
        parameters = values.get("values", values) if isinstance(values, Mapping) else {}
        leads += [parameters[key] for key in _TARGETS if isinstance(parameters.get(key), str) and parameters[key]]
    return [*leads, *found]


def _said(reference: Mapping[str, Any]) -> list[str]:
    inner = reference.get("connection")
    given = [reference.get("connectionName"), reference.get("connectionReferenceLogicalName")]
    if isinstance(inner, Mapping):
        given += [inner.get("name"), inner.get("connectionReferenceLogicalName"), inner.get("id")]
    return [each.rstrip("/").rsplit("/", 1)[-1] for each in given if isinstance(each, str) and each]
