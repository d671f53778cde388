"""Where a reader may begin within a run's history: places that were verified when they were read or written."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from .envelope import FIRST_LINK

_PAGES, _BYTES = 16, 64 * 1024
"""A place is kept once this much lies behind the one before: far from all, near enough to read on from there."""


class Marks:
    """Numbers of records that begin a page, each with the link that the page continues. About 100 bytes a mark."""

    __slots__ = ("_bytes", "_links", "_pages", "_seqs")

    def __init__(self) -> None:
        self._seqs = array("Q", [1])
        self._links = [FIRST_LINK]
        self._pages = self._bytes = 0

    def passed(self, seq: int, link: bytes, size: int) -> None:
        """A page of `size` bytes ends before record `seq`, and the next one continues `link`."""
        self._pages += 1
        self._bytes += size
        if self._pages >= _PAGES or self._bytes >= _BYTES:
            self._seqs.append(seq)
            self._links.append(link)
            self._pages = self._bytes = 0

    def before(self, seq: int) -> tuple[int, bytes]:
        """The last place from which record `seq` is ahead."""
        place = bisect_right(self._seqs, seq) - 1
        return self._seqs[place], self._links[place]
