"""Decompresses the body of an answer piece by piece: what a small body unfolds to is never in memory as a whole, so a
limit of size stops it in time. RFC 9110, section 8.4.1: gzip, deflate.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Final

PIECE: Final = 64 * 1024
"""Bytes of one piece."""

_A_TURN: Final = 16
"""Pieces after which the event loop has a turn."""

_MOST_CODINGS: Final = 4


class BadEncodingError(Exception):
    """The body is not compressed in the way its headers say."""


def codings(encoding: str) -> list[str] | None:
    """The codings of a Content-Encoding, the one to be undone first at first. None where one is not known: the body
    stays as it is then. Raises BadEncodingError for too many.
    """
    names = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if len(names) > _MOST_CODINGS:
        raise BadEncodingError
    if any(name not in ("gzip", "x-gzip", "deflate") for name in names):
        return None
    return names[::-1]


async def decoded(parts: AsyncIterator[bytes], names: list[str], check: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The body without its codings, in pieces of bounded size. `check` is told how many bytes each coding has given so
    far, and raises where that is too many.
    """
    for name in names:
        parts = _inflated(parts, name, check)
    async for part in parts:
        yield part


class _Inflater:
    """One coding. `raw` deflate without a header is accepted too: some servers send it."""

    def __init__(self, name: str) -> None:
        self._deflate = name == "deflate"
        self._stream = zlib.decompressobj(zlib.MAX_WBITS if self._deflate else zlib.MAX_WBITS | 16)
        self._begun = False
        self.left = b""

    def piece(self, data: bytes) -> bytes:
        """At most `PIECE` bytes; `left` is what has to be given again."""
        if self._stream.eof:  # what follows the end is no part of the body
            self.left = b""
            return b""
        try:
            found = self._stream.decompress(data, PIECE)
        except zlib.error:
            if self._begun or not self._deflate:
                raise BadEncodingError from None
            self._stream, self._deflate = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self.piece(data)
        self._begun = True
        self.left = self._stream.unconsumed_tail
        return found


async def _inflated(parts: AsyncIterator[bytes], name: str, check: Callable[[int], None]) -> AsyncIterator[bytes]:
    inflater, number, size = _Inflater(name), 0, 0
    async for part in parts:
        left = part
        while True:
            found = inflater.piece(left)
            left = inflater.left
            size += len(found)
            check(size)
            if found:
                yield found
            if not left and len(found) < PIECE:
                break
            number += 1
            if not number % _A_TURN:
                await asyncio.sleep(0)
