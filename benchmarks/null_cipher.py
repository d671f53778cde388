"""A suite that hides nothing and proves nothing, to measure by: what an engine without sealing and linking would do.

It lives here and nowhere else. Its records carry suite number 0, which no key of Sealflow opens.
"""

from __future__ import annotations

from typing import Final

from sealflow.storage.format import envelope
from sealflow.storage.format.envelope import ScopeKey

SUITE: Final = 0
_NONCE: Final = bytes(envelope.NONCE_BYTES)
_TAG: Final = bytes(envelope.TAG_BYTES)
_BODY: Final = envelope.HEADER_BYTES + envelope.NONCE_BYTES


def install() -> None:
    """From now on every scope key of this process seals, opens and links nothing. Records stay as large as ever."""

    def seal(self: ScopeKey, place: bytes, seq: int, row_version: int, plaintext: bytes) -> bytes:
        header = place[4:6] + bytes((SUITE,)) + place[7:8]  # a place begins with the length of its header
        return header + self.kid + _NONCE + plaintext + _TAG

    def opened(self: ScopeKey, place: bytes, seq: int, row_version: int, record: bytes) -> bytes:
        return record[_BODY : -envelope.TAG_BYTES]

    def link(self: ScopeKey, previous: bytes, seq: int, record: bytes) -> bytes:
        return envelope.FIRST_LINK

    def seal_page(self: ScopeKey, place: bytes, seq: int, plaintext: bytes, previous: bytes) -> tuple[bytes, bytes]:
        return seal(self, place, seq, 0, plaintext), envelope.FIRST_LINK

    for name, method in (("seal", seal), ("open", opened), ("link", link), ("seal_page", seal_page)):
        setattr(ScopeKey, name, method)
