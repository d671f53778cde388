"""The groups of machines of an environment, as its settings keep them, and which group a call of a desktop flow is for.

Here a machine is a process that executes desktop flows: `sealflow worker --desktop`. What waits for one, and how it is
taken, is in `desktop_queue`.

Sources: desktop flows, "Manage machine groups"; "Monitor desktop flow queues" (priority, then the time of the request).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import NotFound, SealflowError

GROUPS: Final = "machineGroups"
"""The name under which they stand among the settings of an environment."""

MOST_MINUTES: Final = 30 * 24 * 60
"""No run lasts longer, so none waits longer."""


@dataclass(frozen=True, slots=True)
class MachineGroup:
    """One group. `connections` are names of connections, and `machines` names of machines, whose calls go to it;
    without any it takes the calls that no other group takes. `sessions` is how many runs one machine executes at once,
    `minutes` how long one may wait for a machine, None for as long as it takes.
    """

    name: str
    id: bytes
    connections: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    sessions: int = 1
    minutes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept, and shown, beside its name."""
        kept: dict[str, Any] = {"id": self.id.hex(), "sessions": self.sessions}
        for key, values in (("connections", self.connections), ("machines", self.machines)):
            if values:
                kept[key] = list(values)
        return kept if self.minutes is None else {**kept, "queueMinutes": self.minutes}

    def answers_to(self, name: str) -> bool:
        """Whether a call that names this - a connection, a machine, a group - goes to this group."""
        wanted = name.lower()
        return any(wanted == each.lower() for each in (self.name, *self.connections, *self.machines))


@dataclass(frozen=True, slots=True)
class Serving:
    """A process that is a machine: it executes the desktop runs of these groups (None: of all) and nothing else,
    `sessions` at once (None: as many as each group says).
    """

    groups: tuple[str, ...] | None = None
    sessions: int | None = None

    def check(self, groups: Sequence[MachineGroup], environment: str, database: str | None) -> None:
        """Raises NotFound for a group that is not there, and SealflowError `NoMachineGroup` or `NeedsDatabase`."""
        for name in self.groups or ():
            named(groups, name)
        if not groups:
            raise SealflowError(
                f"The environment '{environment}' has no machine group: its desktop flows run where they are called.",
                code="NoMachineGroup",
                hint=f"Create one with: sealflow machine-group create NAME -e {environment}",
            )
        if database is None:
            raise SealflowError(
                f"The store of '{environment}' is a file, which has one worker: it executes desktop flows too.",
                code="NeedsDatabase",
                hint="Start `sealflow worker` without --desktop; machines of their own need a store in PostgreSQL, see"
                " `sealflow env move`.",
            )


def groups_of(settings: Mapping[str, Any] | None) -> tuple[MachineGroup, ...]:
    """The groups of an environment, in the order in which they were made."""
    return tuple(
        MachineGroup(
            name,
            bytes.fromhex(kept["id"]),
            tuple(kept.get("connections", ())),
            tuple(kept.get("machines", ())),
            int(kept.get("sessions", 1)),
            kept.get("queueMinutes"),
        )
        for name, kept in ((settings or {}).get(GROUPS) or {}).items()
    )


def named(groups: Iterable[MachineGroup], name: str) -> MachineGroup:
    """The group of this name, in any case. Raises NotFound."""
    for group in groups:
        if group.name.lower() == name.lower():
            return group
    raise NotFound(
        f"Machine group '{name}' not found.", hint="List the groups with: sealflow machine-group list -e ENV"
    )


def needs_new(groups: Iterable[MachineGroup], name: str) -> None:
    """Raises SealflowError, code AlreadyThere, if there is a group of this name, in any case."""
    if any(group.name.lower() == name.lower() for group in groups):
        raise SealflowError(
            f"Machine group '{name}' exists already.",
            code="AlreadyThere",
            hint=f"Change it with: sealflow machine-group update {name} -e ENV",
        )


def group_for(groups: Iterable[MachineGroup], names: Iterable[str]) -> MachineGroup | None:
    """The group that a call goes to which names these; None where no group takes it, and it runs where it is made."""
    known = tuple(groups)
    for name in names:
        for group in known:
            if group.answers_to(name):
                return group
    return next((group for group in known if not group.connections and not group.machines), None)


def changed(
    kept: Mapping[str, Any],
    name: str,
    *,
    connections: Iterable[str] = (),
    machines: Iterable[str] = (),
    sessions: int | None = None,
    minutes: int | None = None,
) -> dict[str, Any]:
    """The settings of an environment with this group made, or more said of it; 0 minutes: as long as it takes.

    Raises SealflowError, code InvalidSetting.
    """
    if not name.strip() or name != name.strip():
        raise SealflowError("A machine group needs a name.", code="InvalidSetting")
    if sessions is not None and sessions < 1:
        raise SealflowError("A machine needs at least one session.", code="InvalidSetting")
    if minutes is not None and not 0 <= minutes <= MOST_MINUTES:
        raise SealflowError(f"A run can wait for at most {MOST_MINUTES} minutes.", code="InvalidSetting")
    groups = list(groups_of(kept))
    known = next((group for group in groups if group.name.lower() == name.lower()), None)
    before = known or MachineGroup(name, secrets.token_bytes(16))
    after = MachineGroup(
        before.name,
        before.id,
        tuple(dict.fromkeys([*before.connections, *connections])),
        tuple(dict.fromkeys([*before.machines, *machines])),
        sessions if sessions is not None else before.sessions,
        before.minutes if minutes is None else minutes or None,
    )
    for other in groups:
        taken = [each for each in (after.name, *after.connections, *after.machines) if other.answers_to(each)]
        if taken and other.id != after.id:
            raise SealflowError(
                f"'{taken[0]}' is of the machine group '{other.name}' already.",
                code="InvalidSetting",
                hint="Remove that group, or name another.",
            )
    groups = [after if each is known else each for each in groups] if known is not None else [*groups, after]
    return {**kept, GROUPS: {group.name: group.to_json() for group in groups}}


def without(kept: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The settings of an environment without this group. Raises NotFound."""
    gone = named(groups_of(kept), name)
    left = {group.name: group.to_json() for group in groups_of(kept) if group.id != gone.id}
    settings = {key: value for key, value in kept.items() if key != GROUPS}
    return {**settings, GROUPS: left} if left else settings
