"""Which environment keys can go: those that seal nothing new, once nothing that is there, and no backup, needs them."""

from __future__ import annotations

from ..errors import Conflict
from ..format.purposes import Domain, Kind
from ..keys.key_state import KeyState
from ..port import EnvironmentKeyRow
from ..vault.backup_register import Registry
from .authorization import Opened


def live_keys(rows: list[EnvironmentKeyRow], state: KeyState) -> dict[int, EnvironmentKeyRow]:
    """The key of each domain that seals what is new in it. A domain that was given back to the service has one only for
    what is still there.
    """
    newest = {row.domain: row for row in rows}  # rows come in the order of their versions
    return {domain: row for domain, row in newest.items() if domain == Domain.SERVICE or domain in state.covers}


async def removable(opened: Opened, backups: Registry) -> list[tuple[int, int]]:
    """Domain and version of the environment keys that can be retired now.

    Raises Conflict where something still needs an earlier one. A key of a domain that was given back stays, without
    any word, for as long as something in that domain needs it.
    """
    name, rows = opened.info.name, opened.keyring.rows
    needed: dict[tuple[int, int], int] = {}
    kept: set[tuple[int, int]] = set()
    for count in await opened.backend.keys.counts():
        place = (count.domain, count.key_version)
        if count.kind != Kind.CLOSING:
            needed[place] = needed.get(place, 0) + count.scopes
        else:
            kept.add(place)
    newest = {row.domain: row.version for row in rows}
    live = live_keys(rows, opened.state)
    earlier = [(row.domain, row.version) for row in rows if row.version != newest[row.domain]]
    held = sum(needed.get(place, 0) for place in earlier)
    if held:
        raise Conflict(
            f"{_count(held)} an earlier key of {name}.",
            hint=f"Wrap them anew first: sealflow policy migrate --environment {name}",
        )
    back = [(domain, version) for domain, version in newest.items() if domain not in live]
    gone = [place for place in earlier + back if not needed.get(place) and place not in kept]
    await _refuse_for_backups(opened, backups, gone)
    return gone


def _count(held: int) -> str:
    return "1 run, flow or connection still needs" if held == 1 else f"{held:,} runs, flows and connections still need"


async def _refuse_for_backups(opened: Opened, backups: Registry, gone: list[tuple[int, int]]) -> None:
    """A backup is opened by the keys of its time: neither they nor what wrapped them may go before it expires."""
    kept = {(row.domain, row.version, row.kek) for row in opened.keyring.rows if (row.domain, row.version) not in gone}
    newest = {row.domain: (row.domain, row.version, row.kek) for row in opened.keyring.rows}
    held = [
        backup for backup in await backups.held(opened.info.id) if not set(backup.keys) <= (kept & set(newest.values()))
    ]
    if held:
        raise Conflict(
            f"{len(held)} {'backup' if len(held) == 1 else 'backups'} of {opened.info.name} "
            f"{'needs' if len(held) == 1 else 'need'} an earlier key.",
            hint="Wait until they expire, or destroy their keys and say so: sealflow backup expire ID",
        )
