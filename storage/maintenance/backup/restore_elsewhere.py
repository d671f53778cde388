"""A backup goes into another environment, which is empty and under the same key (Power Platform, customer-managed keys:
restore only into the same environment or one under the same key). Ids of environments are sealed into every record, so
everything is sealed anew, see `resealing`; here is what has to hold, and how all of it comes at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...administration.administration import Administration, Opened
from ...backends.sqlite import SQLiteBackend
from ...errors import Conflict, StoreBusy
from ...keys.key_state import KeyState
from ...models import EnvironmentInfo
from ...port import Backend
from ...stores.ledger import RESTORED, Ledger
from .copy_reencryption import Copied, CopyTrigger, Progress, Resealing, Side, is_empty, no_trigger
from .files import DATA, KEYS, scratch_folder, unpacked
from .restore import TRIED, Tried, try_backup

if TYPE_CHECKING:
    from ...vault.home import Store

_FILLED: Final = "filled.db"


async def restore_into(
    administration: Administration,
    file: Path,
    name: str,
    *,
    copy_trigger: CopyTrigger = no_trigger,
    progress: Progress = lambda done, total: None,
) -> Copied:
    """Puts what a backup holds into another environment, which is empty and under the same key: sealed anew, and all at
    once, so that a crash leaves it empty.

    Flows, ended runs, connections and retentions are copied under their ids; `copy_trigger` gives the state of each
    flow's trigger there. Raises InvalidBackup, EnvironmentLocked, NotPermitted, RecordNotFound, Conflict (it is not
    empty, it is under another key, or it is the backup's own), StoreBusy, KeyMissing, WrongKey, KeyDenied,
    KeyUnavailable, and TamperedHistory or IntegrityError for what was changed before the backup was made.
    """
    administration.need_environment_administrator("restore into it")
    store = administration.store
    async with scratch_folder(file) as at, administration.opened(name) as opened:
        info, backend = opened.info, opened.backend
        keys = await unpacked(file, at)
        tried = await try_backup(store, at, keys)
        if tried.environment == info.id:
            raise Conflict(
                f"The backup is one of {info.name} itself.",
                hint=f"Put it back with: sealflow backup restore {file} --yes",
            )
        _same_key(tried.state, opened.state, info)
        async with administration.act("backup restore", info.name, {"backup": keys["backup"], "into": True}):
            if not await backend.workers.try_become_executor():
                raise StoreBusy(
                    f"The environment {info.name} is in use.", hint="End the process that executes its runs."
                )
            await _need_empty(backend, info)
            copied = await _resealed(store, at, tried, opened, copy_trigger, progress)
            # Others may write to it without being its executor.
            await _need_empty(backend, info)
            row = await backend.keys.state()
            if row is not None and (row.epoch, row.lock_epoch) != (opened.state.epoch, opened.state.lock_epoch):
                raise Conflict(f"The keys of {info.name} were changed meanwhile.", hint="Restore again.")
            await backend.backups.copy_from(at / DATA[1], with_keys=at / KEYS[1])
        return copied


async def _need_empty(backend: Backend, info: EnvironmentInfo) -> None:
    if not await is_empty(backend):
        raise Conflict(
            f"The environment {info.name} is not empty: nothing is restored into it.",
            hint="Make a new one: sealflow env create NAME",
        )


def _same_key(then: KeyState, now: KeyState, info: EnvironmentInfo) -> None:
    """Raises Conflict unless both are under the service's key, or under the same key of a customer's."""
    ours = None if now.cover is None else now.cover.uri
    theirs = None if then.cover is None else then.cover.uri
    if ours == theirs:
        return
    if theirs is None:
        raise Conflict(
            f"The backup is of an environment under the service's key; {info.name} is under a customer's.",
            hint=f"Restore it into one without a policy, or first: sealflow policy remove --environment {info.name}",
        )
    assert then.cover is not None  # noqa: S101 (it has an address)
    raise Conflict(
        f"The backup is of an environment under the policy {then.cover.name}; {info.name} is under another key.",
        hint=f"First: sealflow policy apply {then.cover.name} --environment {info.name}",
    )


async def _resealed(
    store: Store, at: Path, tried: Tried, opened: Opened, copy_trigger: CopyTrigger, progress: Progress
) -> Copied:
    """Makes a copy of the environment as it is, fills it, and leaves it in the two files of the backup."""
    for name in (DATA[1], KEYS[1]):
        (at / name).unlink()
    await opened.backend.backups.copy_to(at / DATA[1], with_keys=at / KEYS[1])
    source, target = await SQLiteBackend.open(at / TRIED), await SQLiteBackend.open(at / _FILLED)
    try:
        await target.backups.copy_from(at / DATA[1], with_keys=at / KEYS[1])
        keys = store.key_source(tried.environment, source)
        try:
            theirs = await keys.load()
        finally:
            await keys.aclose()
        resealing = Resealing(
            Side(source, theirs, tried.state, store.now_ms), Side(target, opened.keyring, opened.state, store.now_ms)
        )
        copied = await resealing.all(opened.info, copy_trigger, progress)
        await Ledger(target, opened.keyring, store.now_ms).say([(RESTORED, tried.backup)], opened.keyring.guard)
        for name in (DATA[1], KEYS[1]):
            (at / name).unlink()
        await target.backups.copy_to(at / DATA[1], with_keys=at / KEYS[1])
    finally:
        await target.close()
        await source.close()
    return copied
