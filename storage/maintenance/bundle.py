"""Bundles: a value as one sealed file, readable in its own environment only.

    "SEALFLOW BUNDLE 1\\n" | lp(header) | lp(chunk) ...

The header carries a fresh scope key, wrapped by the environment's key; each chunk is a record of up to 64 KiB,
numbered, the last marked.
"""

from __future__ import annotations

from ..errors import IntegrityError, NotARecord, WrongKey
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, lp, random_id
from ..format.purposes import Kind, Purpose
from ..models import Value
from ..port import KeyRow
from ..vault.vault import Vault

MAGIC = b"SEALFLOW BUNDLE 1\n"
_CHUNK = 64 * 1024
_MORE, _LAST = 0, 1


async def export_bundle(vault: Vault, value: Value) -> bytes:
    """The value, sealed to the vault's environment. Raises NotStorable."""
    bundle_id = random_id()
    key, row = vault._keyring.new_scope(Kind.BUNDLE, bundle_id, vault._keyring.domain)
    data = pack(value)
    place = key.place(Purpose.BUNDLE, bundle_id)
    header = pack([vault.environment.id, *row[1:]])
    parts = [header]
    for start in range(0, len(data), _CHUNK):
        last = _LAST if start + _CHUNK >= len(data) else _MORE
        parts.append(key.seal(place, len(parts), last, data[start : start + _CHUNK]))
    return MAGIC + lp(*parts)


async def open_bundle(vault: Vault, data: bytes) -> Value:
    """The value of a bundle. Raises NotARecord (no bundle, or altered), WrongKey (another environment's)."""
    if not data.startswith(MAGIC):
        raise NotARecord("This is no Sealflow bundle.", hint="Give it a file that `sealflow runs export` wrote.")
    header, *chunks = _parts(data[len(MAGIC) :])
    try:
        environment, *fields = unpack(header)
        if environment != vault.environment.id:
            raise WrongKey("The bundle belongs to another environment.", hint="Open it in the one that exported it.")
        row = KeyRow(Kind.BUNDLE, *fields)

        async def opened_key() -> ScopeKey:
            return vault._keyring.open_scope(row)

        key = await vault._fresh(opened_key)
        place = key.place(Purpose.BUNDLE, row.scope)
        opened = [
            key.open(place, number, _LAST if number == len(chunks) else _MORE, chunk)
            for number, chunk in enumerate(chunks, 1)
        ]
    except WrongKey:
        raise
    except (IntegrityError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise NotARecord(
            "The bundle was altered or cut, or was exported under keys that the environment no longer has.",
            hint="Export the run again. A move or a retired key makes earlier bundles unreadable.",
        ) from error
    return unpack(b"".join(opened))


def _parts(data: bytes) -> list[bytes]:
    parts = []
    position = 0
    while position < len(data):
        end = position + 4 + int.from_bytes(data[position : position + 4], "big")
        if end > len(data):
            raise NotARecord("The bundle was altered or cut.")
        parts.append(data[position + 4 : end])
        position = end
    if len(parts) < 2:
        raise NotARecord("The bundle was altered or cut.")
    return parts
