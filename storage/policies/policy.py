"""Enterprise policies and which environment each covers: sealed rows of the control store.

A policy names a customer's key, never a version of it, so that new versions are followed. Nothing here touches an
environment's own store; `administration` does both sides of an act.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import AlreadyThere, Conflict, IntegrityError, InvalidName, InvalidPolicy, NotARecord, RecordNotFound
from ..format.codec import pack, unpack
from ..format.envelope import ScopeKey, random_id
from ..format.purposes import Index, Kind, Purpose
from ..format.record_names import named
from ..keys.key_state import Cover, Floor, KeyState
from ..keys.keyring import Keyring
from ..models import Value
from ..port import AssignmentRow, Backend, Batch, ControlChanges, KeyChanges, PolicyRow
from .audit import Act, Audit

DEFAULT_PROBE = 300.0
DEFAULT_GRACE = 1800.0
LONGEST_PROBE = 3600.0
"""Seconds. A key that was taken away may be used for as long as nobody asks for it."""

REPAIR: Final = "assignment repair"
"""The act that says what a crash kept from being said."""

NO_LOCATION = "local"
"""The location that names no region: it goes with every other."""

_FIELDS = (9, 12)
"""Of a policy, in records of before there were approvals, and since."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An enterprise policy of the kind Encryption.

    `uri` is the key's address, `readers` are those who may attach environments to it besides its owner. `probe` and
    `grace` are seconds: how often each process asks the key again, and how long it works on through an outage.
    `all_connections` covers connections without OAuth as well. `approvals` is how many administrators an act on the
    keys of a covered environment takes (1 or 2), `delete_after` the days after which a locked environment is deleted
    (None: never), `recovery` a second key of the customer's, by which environment keys are wrapped as well.
    """

    id: bytes
    name: str = field(repr=False)
    uri: str
    location: str
    owner: str = field(repr=False)
    readers: tuple[str, ...] = field(repr=False)
    created_ms: int
    probe: float = DEFAULT_PROBE
    grace: float = DEFAULT_GRACE
    all_connections: bool = False
    row_version: int = 1
    approvals: int = 1
    delete_after: int | None = None
    recovery: str | None = None

    def cover(self, applied_ms: int) -> Cover:
        """What an environment that comes under it now keeps of it."""
        return Cover(
            self.id, self.name, self.uri, applied_ms, self.all_connections, self.probe, self.grace, self.approvals,
            self.delete_after, self.recovery,
        )  # fmt: skip

    def may_attach(self, actor: str) -> bool:
        """Whether somebody may put environments under this policy."""
        return actor == self.owner or actor in self.readers or "*" in self.readers

    def elsewhere(self, location: str | None) -> bool:
        """Whether it is of another region than an environment in `location`, where both name one."""
        named = {each.casefold() for each in (self.location, location or NO_LOCATION)} - {NO_LOCATION}
        return len(named) > 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is kept of an environment's keys outside of its own store, also after it was deleted: the policy that was in
    force, and the epochs, after the last act on them. The audit's head says which version of it is the latest, and the
    act itself says the same, see `keys_in`.
    """

    policy: bytes | None
    floor: Floor

    @staticmethod
    def of(state: KeyState) -> Assignment:
        return Assignment(None if state.cover is None else state.cover.policy, Floor.of(state))

    def follows(self, other: Assignment) -> bool:
        """Whether this is the other one, or a later one."""
        if self.floor == other.floor:
            return self.policy == other.policy
        return self.floor.epoch >= other.floor.epoch and self.floor.lock_epoch >= other.floor.lock_epoch

    def keys_in(self, environment: bytes) -> Value:
        """What an act says of an environment's keys."""
        return [environment, self.floor.epoch, self.floor.lock_epoch, self.policy, self.floor.digest]


def said_keys(act: Act) -> tuple[bytes, Assignment] | None:
    """What an act says of an environment's keys, and of which; None for one that says nothing. Raises NotARecord."""
    if act.keys is None:
        return None
    try:
        environment, epoch, lock_epoch, policy, digest = act.keys
    except (TypeError, ValueError) as error:
        raise NotARecord("An act has other fields than this version writes.") from error
    return environment, Assignment(policy, Floor(epoch, lock_epoch, digest))


class Policies:
    """The policies and assignments of a control store. What changes them is given as a batch, for one commit with the
    audit.
    """

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms
        self._head = Audit(backend, keyring, now_ms).head

    async def create(
        self,
        name: str,
        uri: str,
        *,
        location: str,
        owner: str,
        readers: tuple[str, ...],
        probe: float,
        grace: float,
        all_connections: bool,
        approvals: int = 1,
        delete_after: int | None = None,
        recovery: str | None = None,
    ) -> tuple[Policy, Batch]:
        """A new policy, and the batch that makes it. Raises InvalidName, InvalidPolicy, AlreadyThere."""
        if not name.strip():
            raise InvalidName("A policy needs a name.")
        if not 0 < probe <= LONGEST_PROBE:
            raise InvalidPolicy(
                f"A probe every {probe:g} seconds: it has to be {LONGEST_PROBE:g} at most, and more than 0.",
                hint="An environment is used for that long after its key was taken away.",
            )
        if approvals not in (1, 2):
            raise InvalidPolicy(
                f"{approvals} approvals: an act on keys takes one administrator, or two.",
                hint="Leave it out, or give 2.",
            )
        if delete_after is not None and delete_after < 1:
            raise InvalidPolicy(
                f"Deleted after {delete_after} days: it has to be 1 at least.", hint="Leave it out for never."
            )
        if recovery == uri:
            raise InvalidPolicy(
                "The recovery key is the key itself.", hint="Give another key, which is lost at another time."
            )
        if await self._find(name) is not None:
            raise AlreadyThere(f"There is a policy {name} already.")
        policy = Policy(
            random_id(), name, uri, location, owner, readers, self._now_ms(), probe, grace, all_connections,
            approvals=approvals, delete_after=delete_after, recovery=recovery,
        )  # fmt: skip
        key, key_row = self._keyring.new_scope(Kind.POLICY, policy.id)
        return policy, Batch(
            keys=KeyChanges(inserts=[key_row]), control=ControlChanges(policies=[self._sealed(key, policy)])
        )

    async def all(self) -> list[Policy]:
        """All policies, oldest first. Raises IntegrityError."""
        return [await self._open(row) for row in await self._rows()]

    async def one(self, name_or_id: str | bytes) -> Policy:
        """A policy by name (in any case) or id. Raises RecordNotFound."""
        if isinstance(name_or_id, str):
            found = await self._find(name_or_id)
        else:
            found = next((policy for policy in await self.all() if policy.id == name_or_id), None)
        if found is None:
            shown = name_or_id if isinstance(name_or_id, str) else name_or_id.hex()
            raise RecordNotFound(f"There is no policy {shown}.", hint="`sealflow policy list` shows the policies.")
        return found

    async def _find(self, name: str) -> Policy | None:
        index = self._keyring.name_index(Index.POLICY_NAME, name)
        for row in await self._rows():
            if row.name_index == index:
                return await self._open(row)
        return next((each for each in await self.all() if each.name.casefold() == name.casefold()), None)

    async def changed(self, policy: Policy) -> tuple[Policy, Batch]:
        """A policy whose facts were changed (`dataclasses.replace`), and the batch that keeps it."""
        policy = replace(policy, row_version=policy.row_version + 1)
        return policy, Batch(control=ControlChanges(policies=[self._sealed(await self._key(policy.id), policy)]))

    async def removed(self, policy: Policy) -> Batch:
        """The batch that removes a policy. Raises Conflict while it covers an environment."""
        if any(covering == policy.id for covering in (await self.assignments()).values()):
            raise Conflict(
                f"The policy {policy.name} covers environments.",
                hint="Remove it from each first (policy remove); to see them: "
                f"sealflow policy show {shlex.quote(policy.name)}",
            )
        return Batch(control=ControlChanges(removed_policies=[policy.id]))

    async def recreated(self, cover: Cover, owner: str) -> Batch:
        """The batch that makes a policy again, of which only what it covers is left: in a backup."""
        name = cover.name if await self._find(cover.name) is None else f"{cover.name} {cover.policy.hex()[:8]}"
        policy = Policy(
            cover.policy, name, cover.uri, NO_LOCATION, owner, (), self._now_ms(), cover.probe, cover.grace,
            cover.all_connections, approvals=cover.approvals, delete_after=cover.delete_after, recovery=cover.recovery,
        )  # fmt: skip
        key, key_row = self._keyring.new_scope(Kind.POLICY, policy.id)
        return Batch(keys=KeyChanges(inserts=[key_row]), control=ControlChanges(policies=[self._sealed(key, policy)]))

    async def assignments(self) -> dict[bytes, bytes]:
        """Which policy covers which environment that is there, by their ids. Raises IntegrityError."""
        found: dict[bytes, bytes] = {}
        there = set(await self._backend.consistency.environment_scopes())
        for row in await self._head.fresh(Kind.ASSIGNMENT, self._backend.control.assignments):
            policy = (await self._assignment(row)).policy
            if policy is not None and row.environment_id in there:
                found[row.environment_id] = policy
        return found

    async def assignment(self, environment: bytes) -> Assignment | None:
        """What is kept of one environment; None where no act ever came to its keys. Raises IntegrityError."""
        keys = await self._backend.keys.newest(
            Kind.ASSIGNMENT, [environment]
        )  # first: it comes with the row, in one commit
        row = await self._row(environment)
        if row is not None:
            return await self._assignment(row)
        if keys:
            raise IntegrityError(f"The assignment of environment {environment.hex()} is missing.")
        return None

    async def following(self, environment: bytes, state: KeyState) -> Batch | None:
        """The batch that lets the assignment say what a later state of the environment says; None where it says that,
        or what a later one said. Raises IntegrityError for two states of the same epochs.
        """
        current = await self.assignment(environment)
        said = Assignment.of(state)
        known = current or Assignment(None, Floor())
        if said.floor == known.floor:
            if said.policy == known.policy and known.floor.bears(state):
                return None
            raise IntegrityError("The control store names another policy than the environment's state of that time.")
        if not known.floor.bears(state):
            return None
        return await self._assigned(environment, said)

    async def left(self, environment: bytes, state: KeyState | None) -> Batch:
        """The batch that keeps what is known of an environment beyond its end. `state` is None where that cannot be
        opened.
        """
        last = await self.assignment(environment)
        if state is not None and (last is not None or state != KeyState()):
            last = Assignment.of(state)
        return Batch() if last is None else await self._assigned(environment, last)

    async def _assigned(self, environment: bytes, assignment: Assignment) -> Batch:
        """The batch with the next row, sealed by a key that stays when the environment goes."""
        now = self._now_ms()
        current = await self._row(environment)
        version = 1 if current is None else current.row_version + 1
        batch = Batch()
        keys = await self._backend.keys.newest(Kind.ASSIGNMENT, [environment])
        if keys:
            key = self._keyring.open_scope(keys[0])
        else:
            key, key_row = self._keyring.new_scope(Kind.ASSIGNMENT, environment)
            batch.keys.inserts.append(key_row)
        floor = assignment.floor
        fields = [assignment.policy, now, floor.epoch, floor.lock_epoch, floor.digest]
        record = key.seal(key.place(Purpose.ASSIGNMENT, environment), 0, version, pack(fields))
        batch.control.assignments.append(AssignmentRow(environment, version, now, record))
        return batch

    async def _row(self, environment: bytes) -> AssignmentRow | None:
        rows = await self._head.fresh(Kind.ASSIGNMENT, self._backend.control.assignments)
        return next((row for row in rows if row.environment_id == environment), None)

    async def _rows(self) -> Sequence[PolicyRow]:
        return await self._head.fresh(Kind.POLICY, self._backend.control.policies)

    async def _assignment(self, row: AssignmentRow) -> Assignment:
        # Rows of before there were floors are sealed by the environment's own key.
        for kind in (Kind.ASSIGNMENT, Kind.ENVIRONMENT):
            keys = await self._backend.keys.newest(kind, [row.environment_id])
            if keys:
                break
        else:
            raise IntegrityError(f"The key of environment {row.environment_id.hex()} is missing.")
        key = self._keyring.open_scope(keys[0])
        place = key.place(Purpose.ASSIGNMENT, row.environment_id)
        with named(f"The assignment of environment {row.environment_id.hex()}"):
            fields = unpack(key.open(place, 0, row.row_version, row.record))
        if type(fields) is not list or len(fields) not in (2, 4, 5) or fields[1] != row.updated_ms:
            raise IntegrityError(f"The assignment of environment {row.environment_id.hex()} was altered.")
        return Assignment(fields[0], Floor(*fields[2:]))

    async def _key(self, policy: bytes) -> ScopeKey:
        keys = await self._backend.keys.newest(Kind.POLICY, [policy])
        if not keys:
            raise IntegrityError(f"The key of policy {policy.hex()} is missing.")
        return self._keyring.open_scope(keys[0])

    def _sealed(self, key: ScopeKey, policy: Policy) -> PolicyRow:
        facts = [
            policy.name, policy.uri, policy.location, policy.owner, list(policy.readers), policy.created_ms,
            policy.probe, policy.grace, policy.all_connections, policy.approvals, policy.delete_after, policy.recovery,
        ]  # fmt: skip
        record = key.seal(key.place(Purpose.POLICY, policy.id), 0, policy.row_version, pack(facts))
        index = self._keyring.name_index(Index.POLICY_NAME, policy.name)
        return PolicyRow(policy.id, index, policy.row_version, policy.created_ms, record)

    async def _open(self, row: PolicyRow) -> Policy:
        key = await self._key(row.policy_id)
        with named(f"Policy {row.policy_id.hex()}"):
            fields = unpack(key.open(key.place(Purpose.POLICY, row.policy_id), 0, row.row_version, row.record))
        try:
            if len(fields) not in _FIELDS:
                raise ValueError
            name, uri, location, owner, readers, created_ms, probe, grace, all_connections, *later = fields
        except (TypeError, ValueError) as error:
            raise NotARecord("A stored policy has other fields than this version writes.") from error
        if created_ms != row.created_ms or row.name_index not in self._keyring.name_indexes(Index.POLICY_NAME, name):
            raise IntegrityError(f"Policy {row.policy_id.hex()}: its row says otherwise than its record.")
        return Policy(
            row.policy_id, name, uri, location, owner, tuple(readers), created_ms, probe, grace, all_connections,
            row.row_version, *later,
        )  # fmt: skip
