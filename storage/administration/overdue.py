"""Environments that were locked for longer than their policy allows: they are deleted, where the policy says so and the
key is refused still.

    policy                  after its `delete_after` days (never, unless it was given)
    locked                  for all that time, by a denial or by an administrator
    the key                 asked for again, and denied: not given, and no outage

Whoever deletes looks at all three at that moment. A worker does it by itself, and so does `sealflow env purge`.
"""

from __future__ import annotations

from ..errors import KeyDenied, RecordNotFound, StorageError
from ..format.purposes import Role
from ..keys.key_state import KeyState
from ..keys.keyring import unwrapped
from ..stores.retention import DAY_MS
from ..stores.shredding import Shredded
from ..vault.backup_register import Registry
from .administration import DELETE, Administration
from .authorization import Opened


def due_ms(state: KeyState) -> int | None:
    """When an environment is to be deleted, in Unix milliseconds; None for never, as long as it is not locked too."""
    cover = state.cover
    if state.lock is None or cover is None or cover.delete_after is None:
        return None
    return state.lock.since_ms + cover.delete_after * DAY_MS


async def find_overdue(administration: Administration) -> list[str]:
    """The environments that `delete_overdue` would delete now. Raises the errors of the stores."""
    found = []
    for info in await administration.store.environments():
        async with administration.opened(info.name, locked=True) as opened:
            if await _is_overdue(administration, opened):
                found.append(info.name)
    return found


async def delete_overdue(administration: Administration, name: str) -> Shredded | None:
    """Deletes an environment that is overdue, runs in flight included; None where it is not (or is gone). It takes no
    approval: that was given with the policy. Raises NotPermitted, StoreBusy, and the errors of the stores.
    """
    administration.need_environment_administrator("delete it")
    store = administration.store
    try:
        async with administration.opened(name, locked=True) as opened:
            if not await _is_overdue(administration, opened):
                return None
            info, cover, lock = opened.info, opened.state.cover, opened.state.lock
    except RecordNotFound:
        return None
    assert cover is not None  # noqa: S101 (it is overdue)
    assert lock is not None  # noqa: S101
    until = await Registry(store).until_ms(info.id)
    detail = {"lockedSince": lock.since_ms, "days": cover.delete_after, "policy": cover.name}
    async with administration.act(DELETE, info.name, detail):
        runs = await store.delete_environment(info.name, in_flight=True, actor=administration.actor.name)
    return Shredded(runs, "done", until)


async def _is_overdue(administration: Administration, opened: Opened) -> bool:
    due = due_ms(opened.state)
    return due is not None and due <= administration.store.now_ms() and await _denied(opened)


async def _denied(opened: Opened) -> bool:
    """Whether the key store says no, now."""
    row = [row for row in opened.keyring.rows if row.domain == opened.state.domain][-1]
    provider = opened.source.provider(opened.state.domain)
    try:
        await unwrapped(opened.info.id, Role.ENVIRONMENT, provider, row)
    except KeyDenied:
        return True
    except StorageError:  # an outage, or something that is for people to look at
        return False
    return False
