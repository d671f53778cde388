"""Runs: their rows, the pages of their histories, their snapshots, and their large values, which are stored in chunks
apart from the records that name them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from .changes import Changes


class RunRow(NamedTuple):
    """A run. `head` seals where its history stands, `summary` what lists show."""

    run_id: bytes
    flow_id: bytes
    version: int
    domain: int
    status: int
    started_ms: int
    ended_ms: int | None
    parent: bytes | None
    head_version: int
    head: bytes
    summary_version: int
    summary: bytes


class RunUpdate(NamedTuple):
    """The changed columns of a run. `summary` is None if it does not change."""

    run_id: bytes
    status: int
    ended_ms: int | None
    head_version: int
    head: bytes
    summary_version: int
    summary: bytes | None


class PageRow(NamedTuple):
    """Consecutive records of a run; `seq` is the number of the first."""

    run_id: bytes
    seq: int
    link: bytes
    record: bytes


class SnapshotRow(NamedTuple):
    """The latest sealed cache of a run's state. It replaces the one before."""

    run_id: bytes
    seq: int
    record: bytes


@dataclass(slots=True)
class RunChanges(Changes):
    """What a commit does to runs and their histories."""

    inserts: list[RunRow] = field(default_factory=list)
    pages: list[PageRow] = field(default_factory=list)
    """Pages with a negative `seq` wait beside the history, and no reader sees them; see `exchanged`."""
    updates: list[RunUpdate] = field(default_factory=list)
    snapshots: dict[bytes, SnapshotRow] = field(default_factory=dict)
    replaced_pages: list[PageRow] = field(default_factory=list)
    """They must exist."""
    exchanged: list[bytes] = field(default_factory=list)
    """Runs whose pages, and chunks of their values, are replaced by those that wait beside them."""
    dropped_pages: list[bytes] = field(default_factory=list)
    """Runs whose waiting pages and chunks are removed, before any are added."""
    removed_snapshots: list[bytes] = field(default_factory=list)
    domains: list[tuple[bytes, int]] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    """With their histories, values and keys."""

    def without(self, runs: Collection[bytes]) -> None:
        self.inserts[:] = [row for row in self.inserts if row.run_id not in runs]
        self.pages[:] = [row for row in self.pages if row.run_id not in runs]
        self.updates[:] = [row for row in self.updates if row.run_id not in runs]
        self.domains[:] = [row for row in self.domains if row[0] not in runs]
        for run_id in runs:
            self.snapshots.pop(run_id, None)


class RunStore(Protocol):
    """Reads runs and their histories."""

    async def get(self, run_id: bytes) -> RunRow | None:
        """Return one run."""
        ...

    async def find(
        self,
        *,
        flow_id: bytes | None,
        statuses: Sequence[int] | None,
        parent: bytes | None,
        limit: int,
        before: bytes | None,
    ) -> list[RunRow]:
        """Return up to `limit` runs that meet all conditions that are not None, newest first. `before` is the id of the
        last run of the previous page.
        """
        ...

    async def needed(self, run_ids: Sequence[bytes]) -> list[bytes]:
        """Return which of these runs cannot be removed now: they or their parents have not ended."""
        ...

    async def ids(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return up to `limit` run ids, each with the number that orders it, with numbers above `after`."""
        ...

    async def counts(self) -> list[tuple[int, int]]:
        """Return each domain with its number of runs."""
        ...

    async def sizes(self, flow_id: bytes) -> dict[bytes, int]:
        """Return the bytes of sealed history of each run of a flow, with large values."""
        ...

    async def unfinished(self) -> list[bytes]:
        """Return the runs that have not ended."""
        ...

    async def unfinished_of(self, flow_id: bytes) -> list[bytes]:
        """Return the runs of a flow that have not ended, oldest first."""
        ...

    async def pages(self, run_id: bytes, from_seq: int, limit: int, most_bytes: int) -> list[PageRow]:
        """Return up to `limit` pages whose `seq` is at least `from_seq`, in order. Stop after the page that reaches
        `most_bytes`; return at least one page. Fewer pages of fewer bytes mean that there are no more.
        """
        ...

    async def snapshot(self, run_id: bytes) -> SnapshotRow | None:
        """Return the snapshot of a run."""
        ...


class LargeValueRow(NamedTuple):
    """A large value of a run. `settled` is 1 once a record names it, else 0. It may be written before its run."""

    value_id: bytes
    run_id: bytes
    created_ms: int
    settled: int


class ChunkRow(NamedTuple):
    """A sealed piece of a large value. Chunks are numbered from 1."""

    value_id: bytes
    number: int
    record: bytes


@dataclass(slots=True)
class ValueChanges(Changes):
    """What a commit does to large values."""

    inserts: list[LargeValueRow] = field(default_factory=list)
    chunks: list[ChunkRow] = field(default_factory=list)
    """A chunk of a value that does not exist is not written, which is no error: its writer gave up or was given up."""
    settled: list[bytes] = field(default_factory=list)
    """Values that a record names from now on. Conflict if one does not exist."""
    dropped: list[bytes] = field(default_factory=list)
    """Values that no record names, with their chunks. A settled value stays; that, and a missing one, is no error."""

    def without(self, runs: Collection[bytes]) -> None:
        values = {row.value_id for row in self.inserts if row.run_id in runs}
        self.inserts[:] = [row for row in self.inserts if row.run_id not in runs]
        self.chunks[:] = [row for row in self.chunks if row.value_id not in values]


class ValueStore(Protocol):
    """Reads large values."""

    async def chunks(self, value_id: bytes, after: int, limit: int) -> list[ChunkRow]:
        """Return up to `limit` chunks of a value with a number above `after`, in order. An empty list means that there
        are no more.
        """
        ...

    async def of_run(self, run_id: bytes) -> list[LargeValueRow]:
        """Return the large values of a run, also those that no record names."""
        ...

    async def unsettled(self, before_ms: int, limit: int) -> list[LargeValueRow]:
        """Return up to `limit` values that no record names, created before this time (Unix milliseconds), of runs that
        are not in flight: their writer crashed or gave up.
        """
        ...
