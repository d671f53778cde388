"""Which policy covers an environment, and whether it is locked: one sealed row in the environment's own store.

    epoch       one more with each change of policy or keys: whoever decides a domain names the epoch it looked at
    lock_epoch  one more with each lock and unlock, odd while locked: every commit names it

Both are clear columns, because each transaction compares them, and both are authenticated with the record: a row that
was edited opens no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..errors import IntegrityError, NotARecord, StoreRolledBack
from ..format.codec import pack, unpack
from ..format.envelope import digest, same
from ..format.purposes import Domain, Kind, Purpose
from ..format.record_names import named
from ..port import KeyRow, KeyStateRow, Wrapped
from .keyring import Keyring

_FIELDS: Final = (8, 12)
"""Of a cover, in records of before there were recovery copies, and since."""

_STATE_FIELDS: Final = (3, 4, 5)
"""In records of before there was a highest domain, of before the rows of keys were bound, and since."""


MOVING: Final = "moving"
"""The reason of a lock that keeps everybody out while the environment goes to another place; see `moving`."""


@dataclass(frozen=True, slots=True)
class Cover:
    """The policy behind a customer's domain. `all_connections`: it covers those without OAuth as well.

    `probe` seconds a process may work on without asking the key again, `grace` how long through an outage. `approvals`:
    how many administrators an act on its keys takes. An environment that is locked for `delete_after` days is deleted.
    `recovery` is the address of a second key of the customer's, and `copies` are the domain's environment keys wrapped
    by that one as well, by version.
    """

    policy: bytes
    name: str = field(repr=False)
    uri: str
    applied_ms: int
    all_connections: bool = False
    probe: float = 300.0
    grace: float = 1800.0
    approvals: int = 1
    delete_after: int | None = None
    recovery: str | None = None
    copies: Mapping[int, Wrapped] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lock:
    """Why an environment is locked, and since when: `denied` (its key said no), `administrator` or `moving`."""

    reason: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class KeyState:
    """An environment's keys as of one epoch.

    `domain` is the one that new flows belong to; `covers` the policy behind each customer's domain. A customer's domain
    without one was given back to the service: its environment keys are wrapped by the service's key. `highest` is the
    highest number that a domain ever had: none is used twice.
    """

    epoch: int = 0
    lock_epoch: int = 0
    domain: int = Domain.SERVICE
    covers: Mapping[int, Cover] = field(default_factory=dict)
    lock: Lock | None = None
    highest: int = Domain.SERVICE

    @property
    def cover(self) -> Cover | None:
        """The policy that covers what is new."""
        return self.covers.get(self.domain)

    @property
    def digest(self) -> bytes:
        """The digest of everything it says; empty for an environment that no act has come to."""
        return b"" if self == KeyState() else digest(pack([self.epoch, self.lock_epoch, *_said(self)[:3]]))

    def domain_name(self, domain: int) -> str:
        """`service`, or `customer:` and the name of the policy behind the domain."""
        cover = self.covers.get(domain)
        return "service" if cover is None else f"customer:{cover.name}"

    def covered(self, domain: int, cover: Cover) -> KeyState:
        """The next epoch, in which new flows belong to `domain`, under this policy."""
        covers, highest = {**self.covers, domain: cover}, max(self.highest, domain)
        return replace(self, epoch=self.epoch + 1, domain=domain, covers=covers, highest=highest)

    def reverted(self) -> KeyState:
        """The next epoch, without a policy: every domain is the service's."""
        return replace(self, epoch=self.epoch + 1, domain=int(Domain.SERVICE), covers={})

    def next(self) -> KeyState:
        """The next epoch, with other keys."""
        return replace(self, epoch=self.epoch + 1)

    def locked(self, lock: Lock) -> KeyState:
        """Locked, in the same epoch; the state itself if it is locked already."""
        return self if self.lock is not None else replace(self, lock_epoch=self.lock_epoch + 1, lock=lock)

    def unlocked(self) -> KeyState:
        """Not locked, in the same epoch."""
        return self if self.lock is None else replace(self, lock_epoch=self.lock_epoch + 1, lock=None)


@dataclass(frozen=True, slots=True)
class Floor:
    """The epochs of an environment after the last act on its keys, as kept outside of its own store: no state is below
    them, unless an earlier copy of the store was put back. `digest` is that of the state of these epochs, empty where
    that is not known: there is no other state of the same epochs.
    """

    epoch: int = 0
    lock_epoch: int = 0
    digest: bytes = field(default=b"", compare=False, repr=False)

    @staticmethod
    def of(state: KeyState) -> Floor:
        return Floor(state.epoch, state.lock_epoch, state.digest)

    @property
    def locked(self) -> bool:
        """Whether the environment was locked then."""
        return self.lock_epoch % 2 == 1

    def bears(self, state: KeyState) -> bool:
        """Whether a state is this one, or a later one."""
        if (state.epoch, state.lock_epoch) == (self.epoch, self.lock_epoch):
            return not self.digest or same(self.digest, state.digest)
        return state.epoch >= self.epoch and state.lock_epoch >= self.lock_epoch

    def hold(self, state: KeyState) -> None:
        """Raises StoreRolledBack for a state that is below."""
        if not self.bears(state):
            raise StoreRolledBack(
                "An earlier copy of the environment's store was put back: its keys, policy or lock were changed since."
            )


def seal_state(keyring: Keyring, state: KeyState, key_row: KeyRow | None) -> tuple[KeyStateRow, KeyRow | None]:
    """The state's row, and the row of its scope key if it has none yet. It is the service's: a locked environment can
    still be told about.
    """
    new_row = None
    if key_row is None:
        key, new_row = keyring.new_scope(Kind.KEY_STATE, keyring.environment, Domain.SERVICE)
    else:
        key = keyring.open_scope(key_row)
    place = key.place(Purpose.KEY_STATE, keyring.environment)
    record = key.seal(place, state.epoch, state.lock_epoch, pack([*_said(state), _rows_digest(keyring)]))
    return KeyStateRow(state.epoch, state.lock_epoch, record), new_row


def _said(state: KeyState) -> list[Any]:
    covers = [
        [
            int(domain), c.policy, c.name, c.uri, c.applied_ms, c.all_connections, c.probe, c.grace, c.approvals,
            c.delete_after, c.recovery, [[version, *copy] for version, copy in sorted(c.copies.items())],
        ]
        for domain, c in sorted(state.covers.items())
    ]  # fmt: skip
    lock = None if state.lock is None else [state.lock.reason, state.lock.since_ms]
    return [int(state.domain), covers, lock, int(state.highest)]


def _rows_digest(keyring: Keyring) -> bytes:
    """What binds the rows of environment keys to the state of their epoch: none of them is exchanged, removed or put
    back without it.
    """
    return digest(
        pack([[int(row.domain), int(row.version), row.kek, row.kid, int(row.policy_epoch)] for row in keyring.rows])
    )


def open_state(keyring: Keyring, row: KeyStateRow | None, key_row: KeyRow | None) -> KeyState:
    """The state of a store's row; that of an environment no policy ever came to, where there is none.

    Raises IntegrityError for a row that was edited, exchanged, removed, or put back: its keys are of a later epoch.
    """
    latest = max((row.policy_epoch for row in keyring.rows), default=0)
    customers = {row.domain for row in keyring.rows} - {Domain.SERVICE}
    if row is None:
        if key_row is not None or customers or latest:
            raise IntegrityError("The row that says which policy covers the environment is missing.")
        return KeyState()
    if key_row is None:
        raise IntegrityError("The key of the row that says which policy covers the environment is missing.")
    if key_row.domain != Domain.SERVICE:  # before it is opened: a customer's key may be away
        raise IntegrityError(
            "The key of the row that says which policy covers the environment is not the service's: it was changed."
        )
    key = keyring.open_scope(key_row)
    place = key.place(Purpose.KEY_STATE, keyring.environment)
    with named("The row that says which policy covers the environment"):
        data = unpack(key.open(place, row.epoch, row.lock_epoch, row.record))
    try:
        if len(data) not in _STATE_FIELDS:
            raise ValueError
        domain, covers, lock, *later = data
        highest, bound = later[:1], later[1:]
        state = KeyState(
            row.epoch,
            row.lock_epoch,
            domain,
            {cover[0]: _cover(cover[1:]) for cover in covers},
            None if lock is None else Lock(*lock),
            max([domain, *customers, *highest]),
        )
    except (TypeError, ValueError) as error:
        raise NotARecord("A stored record has other fields than this version writes.") from error
    if bound and not same(bound[0], _rows_digest(keyring)):
        raise IntegrityError("An environment key's row was removed, added or put back: the key state knows other ones.")
    if latest > state.epoch:
        raise IntegrityError("The row that says which policy covers the environment is an earlier one.")
    if not {state.domain, *state.covers} <= {Domain.SERVICE, *customers}:
        raise IntegrityError("An environment key is missing: a policy names it.")
    return state


def _cover(fields: Sequence[Any]) -> Cover:
    """Raises ValueError, TypeError."""
    if len(fields) + 1 not in _FIELDS:
        raise ValueError
    copies = [copy for copies in fields[10:] for copy in copies]
    cover = Cover(*fields[:10])
    return replace(cover, copies={version: Wrapped(kek, data) for version, kek, data in copies})
