"""Anchors: small files, kept by the customer outside of the database, that say what an environment was at a time.

Whoever can write the database can put back an earlier copy of a run, of a row or of all of it, and everything in it
verifies. An anchor tells: `verify` compares it with what is there. What came after the anchor it cannot know.

    {"format": "sealflow anchor", "version": 1, "environment": HEX, "sequence": N, "time": MS, "root": HEX,
     "sealed": BASE64}

`sequence` is the number of the entry in the environment's ledger that says that the anchor was written; the facts are
sealed by the ledger's key, so that the file tells nobody anything and cannot be made without the service's key. It
takes some 60 bytes a run.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import IntegrityError, InvalidAnchor, NotARecord
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, random_id, same
from ..format.purposes import Kind, Purpose
from ..keys.keyring import Keyring
from ..port import Backend
from ..stores.ledger import ANCHOR, Ledger
from .content_digests import Facts, Place

_FORMAT: Final = "sealflow anchor"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor that was read. `ledger` is the place of the entry that says it was written."""

    environment: bytes
    at_ms: int
    root: bytes
    ledger: Place
    facts: Facts


async def write_anchor(backend: Backend, keyring: Keyring, ledger: Ledger, facts: Facts) -> bytes:
    """Puts an anchor with these facts on record, and gives its file."""
    salt = random_id()
    root = facts.root(salt)
    said = await ledger.say([(ANCHOR, root)], keyring.guard)
    key = await _key(backend, keyring)
    body = pack([salt, said.link, facts.to_value()])
    record = key.seal(key.place(Purpose.ANCHOR, keyring.environment), said.number, 0, body)
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "environment": keyring.environment.hex(),
        "sequence": said.number,
        "time": said.at_ms,
        "root": root.hex(),
        "sealed": b64encode(record).decode("ascii"),
    }
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


async def read_anchor(backend: Backend, keyring: Keyring, data: bytes) -> Anchor:
    """The anchor of a file.

    Raises InvalidAnchor for a file that is none, or another environment's, and IntegrityError where the store cannot
    be the one that it was written for, or a later one.
    """
    try:
        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise ValueError
        version, environment = document["version"], bytes.fromhex(document["environment"])
        sequence, at_ms, root = int(document["sequence"]), int(document["time"]), bytes.fromhex(document["root"])
        record = b64decode(document["sealed"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidAnchor("The file is no anchor, or it was damaged.") from error
    if version != _VERSION:
        raise InvalidAnchor(f"The anchor has version {version}; this Sealflow knows {_VERSION}.")
    if environment != keyring.environment:
        raise InvalidAnchor("The anchor is another environment's.")
    last = await backend.operations.last_ledger()
    if last is None or last.number < sequence:
        raise IntegrityError("The whole store is older than the anchor: an earlier copy was put back.")
    key = await _key(backend, keyring)
    try:
        salt, link, value = unpack(key.open(key.place(Purpose.ANCHOR, environment), sequence, 0, record))
        facts = Facts.of_value(value)
    except (NotARecord, TypeError, ValueError) as error:
        raise InvalidAnchor("The anchor was altered, or was written with another ledger's key.") from error
    if not same(root, facts.root(salt)):
        raise InvalidAnchor("The anchor's root is not that of its facts.")
    return Anchor(environment, at_ms, root, Place(sequence, link), facts)


def environment_of(data: bytes) -> bytes:
    """The id of the environment that an anchor says to be of; `read_anchor` proves it. Raises InvalidAnchor."""
    try:
        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise ValueError
        return bytes.fromhex(document["environment"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidAnchor("The file is no anchor, or it was damaged.") from error


async def _key(backend: Backend, keyring: Keyring) -> ScopeKey:
    rows = await backend.keys.newest(Kind.LEDGER, [keyring.environment])
    if not rows:
        raise IntegrityError("The key of the ledger is missing.")
    return keyring.open_scope(rows[0])


def differences(
    anchor: Anchor, now: Facts, seen: Collection[bytes], shredded: Collection[bytes]
) -> Iterator[tuple[bytes | None, str, str]]:
    """What the anchor knows better: the run, the place and the problem of each.

    `seen` are the runs that are there at all, `shredded` the ids of what has a tombstone. How far each run goes on is
    found while its history is read.
    """
    for run in sorted(anchor.facts.runs.keys() - set(seen) - set(shredded)):
        yield run, "run", "It was there when the anchor was written and is gone, without a tombstone."
    for (kind, row), before in sorted(anchor.facts.rows.items()):
        what = f"{Kind(kind).name.lower().replace('_', ' ')} {row.hex()}"
        found = now.rows.get((kind, row))
        if found is None:
            if row not in shredded:
                yield None, what, "It was there when the anchor was written and is gone, without a tombstone."
        elif found.row_version < before.row_version:
            yield None, what, "An earlier state was put back: the anchor knows a later one."
        elif found.row_version == before.row_version and not same(found.content, before.content):
            yield None, what, "It holds something else than when the anchor was written."
    for (flow, version), content in sorted(anchor.facts.versions.items()):
        known = now.versions.get((flow, version))
        if known is not None and not same(known, content):
            yield None, f"flow {flow.hex()} version {version}", "It is another one than when the anchor was written."
        elif known is None and (Kind.FLOW, flow) in now.rows:
            yield None, f"flow {flow.hex()} version {version}", "The anchor knows it, and it is gone."
    newest = dict(sorted(now.keys))
    for (domain, version), kid in sorted(anchor.facts.keys.items()):
        there = now.keys.get((domain, version))
        retired = there is None and newest.get(domain, 0) > version
        if not retired and not (there is not None and same(there, kid)):
            yield None, f"environment key {domain}.{version}", "It is gone or another one: the anchor knows it."
