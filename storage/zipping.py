"""Compression of pages, before they are sealed and after they were opened. No keys, no I/O.

The length of what is sealed can be seen, and tells something of what was compressed together. So a run that keeps
secrets is not compressed, nor is anything but the pages of runs.

Of a page of 2 KB, half of which repeats the other half and all of which is mostly random hexadecimal digits, level 1 of
Zstandard makes 721 bytes in 6.4 microseconds and level -2 makes 1,009 in 2.3 (higher levels take twice as long for
nothing more): what level 1 finds besides repetitions costs a small page a table of its own. So level 1 is for large
pages, and for a run's first one, which repeats nothing within itself.
"""

from __future__ import annotations

import threading
from typing import Final

import zstandard

from .codec import MAX_BYTES
from .errors import NotARecord

LEAST: Final = 512
"""Bytes that a page must have."""

SMALL: Final = 4096
"""Bytes below which a page is compressed at level -2."""

_WORTH: Final = 0.9
"""What it must shrink to."""

_of_thread = threading.local()


def zipped(data: bytes, *, first: bool = False) -> bytes | None:
    """The page compressed, None where that does not pay. `first`: it begins its run."""
    size = len(data)
    if size < LEAST:
        return None
    compressors: tuple[zstandard.ZstdCompressor, zstandard.ZstdCompressor] | None = getattr(_of_thread, "own", None)
    if compressors is None:
        compressors = _of_thread.own = zstandard.ZstdCompressor(level=-2), zstandard.ZstdCompressor(level=1)
    found = compressors[first or size >= SMALL].compress(data)
    return found if len(found) <= size * _WORTH else None


def unzipped(data: bytes) -> bytes:
    """The page again. Raises NotARecord. Of authenticated bytes only, and bounded all the same."""
    try:
        if not 0 <= zstandard.frame_content_size(data) <= MAX_BYTES:
            raise NotARecord("The page says no length, or one larger than any that is written.")
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise NotARecord("The page is not one of codec 3.") from error
