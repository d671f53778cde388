"""The batch that one commit carries: a part for each store."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, Generic, TypedDict, TypeVar, Unpack

from .backups import BackupChanges
from .changes import Changes
from .connections import ConnectionChanges
from .control import ControlChanges
from .flows import FlowChanges
from .inbox import CallbackChanges, InboxChanges, SealedInboxChanges
from .keys import Guard, KeyChanges
from .operations import OperationChanges
from .runs import RunChanges, ValueChanges
from .triggers import MessageChanges, TriggerChanges
from .workers import ClaimChanges

P = TypeVar("P", bound=Changes)


class Parts(TypedDict, total=False):
    """The parts of a batch, by their names."""

    keys: KeyChanges
    control: ControlChanges
    backups: BackupChanges
    flows: FlowChanges
    connections: ConnectionChanges
    operations: OperationChanges
    runs: RunChanges
    values: ValueChanges
    triggers: TriggerChanges
    messages: MessageChanges
    inbox: InboxChanges
    sealed_inbox: SealedInboxChanges
    callbacks: CallbackChanges
    claims: ClaimChanges


class _Part(Generic[P]):
    """Makes a part when it is first used. From then on it is a plain attribute of the batch."""

    def __init__(self, make: type[P]) -> None:
        self._make = make

    def __set_name__(self, owner: type[Batch], name: str) -> None:
        self._name = name

    def __get__(self, batch: Batch, owner: type[Batch]) -> P:
        part = vars(batch)[self._name] = self._make()
        return part


class Batch:
    """Everything that one commit carries.

    `guard` is what the commit assumes. `identity` names a new store. `owned` has the ownership epoch of each run that a
    worker writes, as `claim_run` returned it, and 1 for a run that it creates: in a shared store, pages, updates and
    snapshots of an unfinished run are written under this epoch only. `tied` has rows that are written only if the rows
    of a run are: the run, the list in a part of this batch, and the row.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        owned: dict[bytes, int] | None = None,
        identity: bytes | None = None,
        **parts: Unpack[Parts],
    ) -> None:
        self.guard = guard
        self.identity = identity
        self.owned: dict[bytes, int] = {} if owned is None else owned
        self.tied: list[tuple[bytes, list[Any], Any]] = []
        vars(self).update(parts)

    keys = _Part(KeyChanges)
    control = _Part(ControlChanges)
    backups = _Part(BackupChanges)
    flows = _Part(FlowChanges)
    connections = _Part(ConnectionChanges)
    operations = _Part(OperationChanges)
    runs = _Part(RunChanges)
    values = _Part(ValueChanges)
    triggers = _Part(TriggerChanges)
    messages = _Part(MessageChanges)
    inbox = _Part(InboxChanges)
    sealed_inbox = _Part(SealedInboxChanges)
    callbacks = _Part(CallbackChanges)
    claims = _Part(ClaimChanges)

    def parts(self) -> Iterator[tuple[str, Changes]]:
        """Yield the name and the changes of each part that was used."""
        return ((name, part) for name, part in vars(self).items() if name in _NAMES)

    def add(self, other: Batch) -> None:
        """Append all rows of another batch. Single values stay."""
        for name, part in other.parts():
            getattr(self, name).add(part)

    @property
    def while_locked(self) -> bool:
        """Whether a locked environment accepts the batch: it writes the key state, or only appends to the ledger."""
        if self.keys.state is not None:
            return True
        ledger = len(self.operations.ledger)
        return bool(ledger) and self.rows() == ledger + len(self.keys.inserts)

    def without(self, runs: Collection[bytes]) -> None:
        """Drop all rows of these runs, and the rows that are tied to them."""
        for run_id, rows, row in self.tied:
            if run_id in runs:
                rows.remove(row)
        self.tied = [each for each in self.tied if each[0] not in runs]
        for _, part in self.parts():
            part.without(runs)
        for run_id in runs:
            self.owned.pop(run_id, None)

    def rows(self) -> int:
        """Return how many rows the batch writes or removes."""
        return sum([part.rows() for _, part in self.parts()])


_NAMES: Final = frozenset(Parts.__annotations__)
