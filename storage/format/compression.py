"""Compression of pages, before they are sealed and after they were opened. No keys, no I/O.

The length of what is sealed can be seen, and tells something of what was compressed together. So a run that keeps
secrets is not compressed, nor is anything but the pages of runs. Level 1 of Zstandard takes about 6 microseconds for a
page of 1 KiB, a tenth of a step, so small pages are not compressed: there, references (`references`) replace the values
that repeat. Higher levels take twice as long for nothing more.
"""

from __future__ import annotations

import threading
from typing import Final

import zstandard

from ..errors import NotARecord
from .codec import MAX_BYTES

LEAST: Final = 2048
"""Bytes that a page must have."""

_WORTH: Final = 0.9
"""What it must shrink to."""

_of_thread = threading.local()


def zipped(data: bytes) -> bytes | None:
    """The page compressed, None where that does not pay."""
    if len(data) < LEAST:
        return None
    compressor: zstandard.ZstdCompressor | None = getattr(_of_thread, "compressor", None)
    if compressor is None:
        compressor = _of_thread.compressor = zstandard.ZstdCompressor(level=1)
    found = compressor.compress(data)
    return found if len(found) <= len(data) * _WORTH else None


def unzipped(data: bytes) -> bytes:
    """The page again. Raises NotARecord. Of authenticated bytes only, and bounded all the same."""
    try:
        if not 0 <= zstandard.frame_content_size(data) <= MAX_BYTES:
            raise NotARecord("The page says no length, or one larger than any that is written.")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise NotARecord("The page is not one of codec 3.") from error
