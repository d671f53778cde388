"""Where a reader may begin within a run's history: places that were verified when they were read or written."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

from .envelope import FIRST_LINK

_PAGES, _BYTES = 16, 64 * 1024
"""A place is kept once this much lies behind the one before: far from all, near enough to read on from there."""


class Mark(NamedTuple):
    """A verified place of a history: the number of the record that begins the next page, the link which that page
    continues, and the digest of the pages of format 1 before, None where it is not known (history.Chain).
    """

    seq: int
    link: bytes
    earlier: bytes | None


FIRST: Final = Mark(1, FIRST_LINK, b"")
"""Where every history begins."""


class Marks:
    """Marks of one run, in their order, about 100 bytes each. `earlier` is the digest of the pages of format 1."""

    __slots__ = ("_bytes", "_digests", "_links", "_pages", "_seqs", "earlier")

    def __init__(self) -> None:
        self.earlier: bytes | None = b""
        self._seqs = array("Q", [1])
        self._links = [FIRST_LINK]
        self._digests: dict[int, bytes | None] = {}
        self._pages = self._bytes = 0

    def passed(self, seq: int, link: bytes, size: int) -> None:
        """A page of `size` bytes ends before record `seq`, and the next one continues `link`."""
        self._pages += 1
        self._bytes += size
        if self._pages >= _PAGES or self._bytes >= _BYTES:
            self.put(seq, link)

    def put(self, seq: int, link: bytes) -> None:
        """Keep this place, which is not before any other."""
        self._pages = self._bytes = 0
        if seq > self._seqs[-1]:
            self._seqs.append(seq)
            self._links.append(link)
            if self.earlier != b"":
                self._digests[seq] = self.earlier

    def before(self, seq: int) -> Mark:
        """The last mark from which record `seq` is ahead."""
        return self._at(bisect_right(self._seqs, seq) - 1)

    def behind(self, seq: int) -> Mark | None:
        """The first mark that record `seq` is before, None where there is none."""
        place = bisect_right(self._seqs, seq)
        return self._at(place) if place < len(self._seqs) else None

    def _at(self, place: int) -> Mark:
        seq = self._seqs[place]
        return Mark(seq, self._links[place], self._digests.get(seq, b""))
