"""Stores as earlier versions wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sealflow.storage.format.codec import pack
from sealflow.storage.format.envelope import FORMAT, ScopeKey
from sealflow.storage.stores.runs import run_log
from sealflow.storage.stores.runs.history import Head


def _seal_page(self: ScopeKey, place: bytes, seq: int, plaintext: bytes, previous: bytes) -> tuple[bytes, bytes]:
    record = self.seal(place, seq, 0, plaintext)
    return record, self.link(previous, seq, record)


def _pack(value: Any) -> bytes:
    if len(value) == len(Head._fields) and value[9:] == (1, b""):  # a head
        value = value[:9]
    elif len(value) == 3 and value[2] == b"":  # a snapshot
        value = value[:2]
    return pack(value)


@contextmanager
def earlier_version() -> Iterator[None]:
    """Pages are of format 1: their links do not cover the ciphertext, and no head says of which format they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_log, "LINKED_FORMAT", FORMAT)
        patch.setattr(run_log, "pack", _pack)
        patch.setattr(ScopeKey, "seal_page", _seal_page)
        yield
