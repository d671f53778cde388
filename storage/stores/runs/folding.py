"""Who takes a history in while it is opened to go on, so that it is read once."""

from __future__ import annotations

from typing import Protocol

from ...models import Page, Value
from .history import RunReader


class Folding(Protocol):
    """A state that is made of a run's pages. An opening that begins anew, since a key changed under it, says so by
    `begin`; what it then gives up are pages that were verified as far as it came.
    """

    def begin(self, seq: int, snapshot: Value | None) -> bool:
        """Begin with the state of this snapshot, which record `seq` is the next after; None: before the first record.
        False where the snapshot is of no use: then `begin` is called once more, with None.
        """
        ...

    async def take(self, page: Page, reader: RunReader) -> None:
        """The next page. Its large values are only named in it; the reader's `named` are those, `values` reads them."""
        ...
