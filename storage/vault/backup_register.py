"""Which backups were made, and what each needs to be opened again: sealed entries in the control store.

An entry lives longer than the files it is of only if somebody destroys those early; `removed` says that this was done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..errors import IntegrityError, NotARecord, RecordNotFound
from ..format.codec import pack, unpack
from ..format.purposes import Kind, Purpose
from ..format.record_names import named
from ..port import BackupChanges, BackupRow, Batch, KeyChanges

if TYPE_CHECKING:
    from .home import Store


REGISTER: Final = "backup register"
EXPIRE: Final = "backup expire"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup on record. `keys` are domain, version and id of the wrapping key of each environment key it needs;
    `expires_ms` is when the part with the keys is to be destroyed, None for never. `digests` are those of both files.
    """

    id: bytes
    environment: bytes
    created_ms: int
    file: str = field(repr=False)
    expires_ms: int | None
    keys: list[tuple[int, int, bytes]]
    digests: tuple[bytes, bytes]

    def expired(self, now_ms: int) -> bool:
        """Whether its keys were to be destroyed by now."""
        return self.expires_ms is not None and self.expires_ms <= now_ms


def removed(backup: Backup) -> Batch:
    """The batch that takes a backup off the record: its keys were destroyed."""
    return Batch(backups=BackupChanges(removed=[backup.id]))


class Registry:
    """The entries of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self, environment: bytes | None = None) -> list[Backup]:
        """All of them, or those of an environment, oldest first. Raises IntegrityError."""
        stored = await self._store.audit.head.fresh(Kind.BACKUP, self._store.backend.backups.all)
        rows = [row for row in stored if environment in (None, row.environment_id)]
        keys = {
            row.scope: row
            for row in await self._store.backend.keys.newest(Kind.BACKUP, [row.backup_id for row in rows])
        }
        found = []
        for row in rows:
            if row.backup_id not in keys:
                raise IntegrityError(f"The key of backup {row.backup_id.hex()} is missing.")
            key = self._store.keyring.open_scope(keys[row.backup_id])
            with named(f"Backup {row.backup_id.hex()}"):
                fields = unpack(key.open(key.place(Purpose.BACKUP, row.backup_id), 0, 0, row.record))
            if type(fields) is not list or len(fields) != 6:
                raise NotARecord("A stored backup has other fields than this version writes.")
            owner, created_ms, file, expires_ms, needed, digests = fields
            if (owner, created_ms) != (row.environment_id, row.created_ms):
                raise IntegrityError(f"Backup {row.backup_id.hex()}: its row says otherwise than its record.")
            found.append(
                Backup(
                    row.backup_id, owner, created_ms, file, expires_ms, [(d, v, kek) for d, v, kek in needed],
                    (digests[0], digests[1]),
                )
            )  # fmt: skip
        return found

    async def held(self, environment: bytes) -> list[Backup]:
        """Those of an environment whose keys may still exist: not expired."""
        now = self._store.now_ms()
        return [backup for backup in await self.all(environment) if not backup.expired(now)]

    async def until_ms(self, environment: bytes) -> int | None:
        """When the last backup of an environment expires; None where that is not known: none is on record, or one does
        not expire.
        """
        ends = [backup.expires_ms for backup in await self.held(environment)]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    def added(self, backup: Backup) -> Batch:
        """The batch that puts a backup on record."""
        key, row = self._store.keyring.new_scope(Kind.BACKUP, backup.id)
        facts = [
            backup.environment, backup.created_ms, backup.file, backup.expires_ms,
            [list(each) for each in backup.keys], list(backup.digests),
        ]  # fmt: skip
        record = key.seal(key.place(Purpose.BACKUP, backup.id), 0, 0, pack(facts))
        return Batch(
            keys=KeyChanges(inserts=[row]),
            backups=BackupChanges(inserts=[BackupRow(backup.id, backup.environment, backup.created_ms, record)]),
        )

    async def one(self, begin: str) -> Backup:
        """The backup whose id begins like this, in hex. Raises RecordNotFound where that is none, or several."""
        found = [backup for backup in await self.all() if backup.id.hex().startswith(begin.lower())]
        if len(found) != 1 or not begin:
            raise RecordNotFound(
                f"{len(found)} backups have an id that begins with '{begin}'.",
                hint="`sealflow backup list` shows them.",
            )
        return found[0]
