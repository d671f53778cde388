"""What an environment is, in digests: what an anchor keeps of it, so that an earlier or another state is told apart.

Digests are of what is sealed, not of the sealed bytes: they stay the same when everything is sealed anew by another
key, so that an anchor goes on through a migration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import InvalidAnchor
from ..format.codec import pack
from ..format.envelope import digest, number
from ..models import Page, Value

DIGEST_BYTES: Final = 16
START: Final = bytes(DIGEST_BYTES)
"""The content of a history without pages."""


class RunFact(NamedTuple):
    """A run: the number of the record after its last, the content up to there, and how often its row was written."""

    seq: int
    content: bytes
    head_version: int
    summary_version: int


class RowFact(NamedTuple):
    """A row that is written again and again: how often that was, and what it holds."""

    row_version: int
    content: bytes


class Place(NamedTuple):
    """How far a series goes: the number of its last record, and the link that binds it to all before."""

    number: int
    link: bytes


NOWHERE: Final = Place(0, b"")


@dataclass(slots=True)
class Facts:
    """`rows` are found by kind (purposes.Kind) and id, `versions` of flows by flow and number, `keys` holds the ids of
    the environment keys by domain and version.
    """

    runs: dict[bytes, RunFact] = field(default_factory=dict)
    rows: dict[tuple[int, bytes], RowFact] = field(default_factory=dict)
    versions: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    keys: dict[tuple[int, int], bytes] = field(default_factory=dict)
    audit: Place = NOWHERE

    def to_value(self) -> list[Value]:
        """All of it for the codec, in one order."""
        parts: list[Mapping[Value, Value]] = [self.runs, self.rows, self.versions, self.keys]
        return [*([[_plain(key), _plain(part[key])] for key in sorted(part)] for part in parts), list(self.audit)]

    @staticmethod
    def of_value(value: Value) -> Facts:
        """What `to_value` made. Raises InvalidAnchor."""
        try:
            runs, rows, versions, keys, audit = value
            return Facts(
                {run: RunFact(*fact) for run, fact in runs},
                {(kind, row): RowFact(*fact) for (kind, row), fact in rows},
                {(flow, version): content for (flow, version), content in versions},
                {(domain, version): kid for (domain, version), kid in keys},
                Place(*audit),
            )
        except (TypeError, ValueError) as error:
            raise InvalidAnchor("The anchor holds other facts than this version knows.") from error

    def root(self, salt: bytes) -> bytes:
        """The root of the Merkle tree over all facts. With a random salt it says nothing about any of them; with it, a
        single fact can be proved without the others.
        """
        level = [digest(b"\0" + salt + pack(leaf)) for leaf in self._leaves()]
        while len(level) > 1:
            pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
            level = [digest(b"\1" + b"".join(pair)) for pair in pairs]
        return level[0]

    def _leaves(self) -> Iterator[Value]:
        for kind, part in enumerate(self.to_value()[:-1]):
            for fact in part:
                yield [kind, fact]
        yield ["audit", list(self.audit)]


def content_of(value: Value) -> bytes:
    """The digest of a value."""
    return digest(pack(value))[:DIGEST_BYTES]


def with_page(content: bytes, page: Page) -> bytes:
    """The content of a history that goes on with this page."""
    return digest(content + number(page.seq) + digest(pack(page.records)))[:DIGEST_BYTES]


def _plain(value: Value) -> Value:
    return list(value) if isinstance(value, tuple) else value
