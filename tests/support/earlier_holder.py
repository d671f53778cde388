"""Somebody who has the service's keystore and the key rows of an earlier moment, and writes the database.

He uses the storage's own primitives to seal what he likes. He never has a customer's key of a later moment.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from attacked_store import AttackedStore, Row
from gcm_forgeries import same_tag
from sealflow.storage import Keystore
from sealflow.storage.format.codec import pack
from sealflow.storage.format.envelope import (
    CODEC,
    HEADER_BYTES,
    LINKED_FORMAT,
    NONCE_BYTES,
    REFERRING,
    TAG_BYTES,
    ScopeKey,
    expand,
    format_of,
    lp,
    number,
)
from sealflow.storage.format.purposes import Domain, Kind, Purpose, Role
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.port import EnvironmentKeyRow, KeyProvider, KeyRow


class EarlierHolder:
    """Made by `earlier_holder`, while the environment is under the keys that he keeps."""

    def __init__(self, attacked: AttackedStore, keyring: Keyring, keys: list[KeyRow]) -> None:
        self.attacked = attacked
        self.keyring = keyring
        self._keys = keys

    def key(self, kind: Kind, scope: bytes) -> ScopeKey:
        """The latest scope key of a thing that he has."""
        return self.keyring.open_scope(self._row(kind, scope))

    def _row(self, kind: Kind, scope: bytes) -> KeyRow:
        rows = [row for row in self._keys if (row.kind, row.scope) == (kind, scope)]
        return max(rows, key=lambda row: row.generation)

    def secret(self, kind: Kind, scope: bytes) -> bytes:
        """The AES key that seals with that scope key."""
        row = self._row(kind, scope)
        owner = self.keyring._keys[row.domain, row.key_version]
        secret = owner._unwrap(row.kind, row.scope, row.generation, row.kid, row.wrapped)
        return expand(secret, b"enc|chain", length=64)[:32]

    async def run_row(self, run: bytes) -> Row:
        (row,) = await self.attacked.rows("runs", f"run_id = {self.literal(run)}")
        return row

    def literal(self, data: bytes) -> str:
        return f"x'{data.hex()}'" if self.attacked.url is None else f"'\\x{data.hex()}'"

    async def pages(self, run: bytes) -> list[Row]:
        row = await self.run_row(run)
        return sorted(await self.attacked.rows("pages", f"run = {row['id']}"), key=lambda page: page["seq"])

    async def exchange_page(self, run: bytes, page: Row, records: list[object]) -> None:
        """Put other records into a page, with its nonce and tag, so that a link over these stays right."""
        record, key = page["record"], self.key(Kind.RUN, run)
        filler = bytes(range(64))
        codec = record[3]
        packed = [pack([*values, filler]) for values in records]  # type: ignore[misc]
        plaintext = pack(packed) if codec == REFERRING else pack([[*values, filler] for values in records])  # type: ignore[misc]
        place = key.place(Purpose.PAGE, run, codec, format_of(record))
        free = -(-plaintext.rindex(filler) // 16) * 16
        nonce = record[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES]
        body = same_tag(
            self.secret(Kind.RUN, run), nonce, place + lp(number(page["seq"]), number(0)), record[-TAG_BYTES:],
            plaintext, free,
        )  # fmt: skip
        forged = record[: HEADER_BYTES + NONCE_BYTES] + body
        assert key.open(place, page["seq"], 0, forged) != key.open(place, page["seq"], 0, record)
        assert key.link(bytes(32), 1, b"\x57\x01" + forged[2:]) == key.link(bytes(32), 1, b"\x57\x01" + record[2:])
        await self.attacked.changed(
            f"UPDATE pages SET record = ? WHERE run = {page['run']} AND seq = {page['seq']}", forged
        )

    def page(self, run: bytes, seq: int, previous: bytes, records: list[object]) -> tuple[bytes, bytes]:
        """A page of his own and its link."""
        key = self.key(Kind.RUN, run)
        record = key.seal(key.place(Purpose.PAGE, run, CODEC, LINKED_FORMAT), seq, 0, pack(records))
        return record, key.link(previous, seq, record)


async def earlier_holder(
    attacked: AttackedStore, folder: Path, customers: dict[int, KeyProvider] | None = None
) -> EarlierHolder:
    """Keep the keystore and the key rows as they are now, and with `customers` what these keys open as well."""
    kept = _copied(attacked.keys.keystore, folder)
    ((environment,),) = [row.values() for row in await attacked.execute("SELECT environment_id FROM meta")]
    providers: dict[int, KeyProvider] = {Domain.SERVICE: Keystore(kept).provider(environment), **(customers or {})}
    rows = [EnvironmentKeyRow(**row) for row in await attacked.rows("environment_keys")]
    keyring = await Keyring.open(environment, Role.ENVIRONMENT, providers, rows)
    keys = [KeyRow(*(row[name] for name in KeyRow._fields)) for row in await attacked.rows("keys")]
    return EarlierHolder(attacked, keyring, keys)


def _copied(keystore: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(keystore, folder / "keystore.json"))
