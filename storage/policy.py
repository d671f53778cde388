"""Enterprise policies and which environment each covers: sealed rows of the control store.

A policy names a customer's key, never a version of it, so that new versions are followed. Nothing here touches an
environment's own store; `administration` does both sides of an act.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .codec import pack, unpack
from .envelope import ScopeKey, random_id
from .errors import AlreadyThere, Conflict, IntegrityError, InvalidName, NotARecord, RecordNotFound
from .keyring import Keyring
from .port import Backend
from .purposes import Index, Kind, Purpose
from .rows import AssignmentRow, Batch, PolicyRow

DEFAULT_PROBE = 300.0
DEFAULT_GRACE = 1800.0


@dataclass(frozen=True, slots=True)
class Policy:
    """An enterprise policy of the kind Encryption.

    `uri` is the key's address, `readers` are those who may attach environments to it besides its owner. `probe` and
    `grace` are seconds: how often each process asks the key again, and how long it works on through an outage.
    `all_connections` covers connections without OAuth as well.
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

    def may_attach(self, actor: str) -> bool:
        """Whether somebody may put environments under this policy."""
        return actor == self.owner or actor in self.readers or "*" in self.readers


class Policies:
    """The policies and assignments of a control store. What changes them is given as a batch, for one commit with the
    audit.
    """

    def __init__(self, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]) -> None:
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms

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
    ) -> tuple[Policy, Batch]:
        """A new policy, and the batch that makes it. Raises InvalidName, AlreadyThere."""
        if not name.strip():
            raise InvalidName("A policy needs a name.")
        if await self._find(name) is not None:
            raise AlreadyThere(f"There is a policy {name} already.")
        policy = Policy(random_id(), name, uri, location, owner, readers, self._now_ms(), probe, grace, all_connections)
        key, key_row = self._keyring.new_scope(Kind.POLICY, policy.id)
        return policy, Batch(keys=[key_row], policies=[self._sealed(key, policy)])

    async def all(self) -> list[Policy]:
        """All policies, oldest first. Raises IntegrityError."""
        return [await self._open(row) for row in await self._backend.policies()]

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
        row = await self._backend.policy(self._keyring.name_index(Index.POLICY_NAME, name))
        if row is not None:
            return await self._open(row)
        return next((each for each in await self.all() if each.name.casefold() == name.casefold()), None)

    async def changed(self, policy: Policy) -> tuple[Policy, Batch]:
        """A policy whose facts were changed (`dataclasses.replace`), and the batch that keeps it."""
        policy = replace(policy, row_version=policy.row_version + 1)
        return policy, Batch(policies=[self._sealed(await self._key(policy.id), policy)])

    async def removed(self, policy: Policy) -> Batch:
        """The batch that removes a policy. Raises Conflict while it covers an environment."""
        if any(covering == policy.id for covering in (await self.assignments()).values()):
            raise Conflict(
                f"The policy {policy.name} covers environments.",
                hint="Remove it from them first: sealflow policy remove --environment NAME",
            )
        return Batch(removed_policies=[policy.id])

    async def assignments(self) -> dict[bytes, bytes]:
        """Which policy covers which environment, by their ids. Raises IntegrityError."""
        found: dict[bytes, bytes] = {}
        for row in await self._backend.assignments():
            policy, _ = await self._assignment(row)
            if policy is not None:
                found[row.environment_id] = policy
        return found

    async def assign(self, environment: bytes, policy: bytes | None) -> Batch:
        """The batch that puts an environment under a policy, or under none."""
        now = self._now_ms()
        current = next((row for row in await self._backend.assignments() if row.environment_id == environment), None)
        version = 1 if current is None else current.row_version + 1
        keys = await self._backend.keys(Kind.ENVIRONMENT, [environment])
        if not keys:
            raise RecordNotFound(f"There is no environment {environment.hex()}.")
        key = self._keyring.open_scope(keys[0])
        record = key.seal(key.place(Purpose.ASSIGNMENT, environment), 0, version, pack([policy, now]))
        return Batch(assignments=[AssignmentRow(environment, version, now, record)])

    async def _assignment(self, row: AssignmentRow) -> tuple[bytes | None, int]:
        keys = await self._backend.keys(Kind.ENVIRONMENT, [row.environment_id])
        if not keys:
            raise IntegrityError(f"The key of environment {row.environment_id.hex()} is missing.")
        key = self._keyring.open_scope(keys[0])
        place = key.place(Purpose.ASSIGNMENT, row.environment_id)
        fields = unpack(key.open(place, 0, row.row_version, row.record))
        if type(fields) is not list or len(fields) != 2 or fields[1] != row.updated_ms:
            raise IntegrityError(f"The assignment of environment {row.environment_id.hex()} was altered.")
        return fields[0], fields[1]

    async def _key(self, policy: bytes) -> ScopeKey:
        keys = await self._backend.keys(Kind.POLICY, [policy])
        if not keys:
            raise IntegrityError(f"The key of policy {policy.hex()} is missing.")
        return self._keyring.open_scope(keys[0])

    def _sealed(self, key: ScopeKey, policy: Policy) -> PolicyRow:
        facts = [
            policy.name, policy.uri, policy.location, policy.owner, list(policy.readers), policy.created_ms,
            policy.probe, policy.grace, policy.all_connections,
        ]  # fmt: skip
        record = key.seal(key.place(Purpose.POLICY, policy.id), 0, policy.row_version, pack(facts))
        index = self._keyring.name_index(Index.POLICY_NAME, policy.name)
        return PolicyRow(policy.id, index, policy.row_version, policy.created_ms, record)

    async def _open(self, row: PolicyRow) -> Policy:
        key = await self._key(row.policy_id)
        fields = unpack(key.open(key.place(Purpose.POLICY, row.policy_id), 0, row.row_version, row.record))
        try:
            name, uri, location, owner, readers, created_ms, probe, grace, all_connections = fields
        except (TypeError, ValueError) as error:
            raise NotARecord("A stored policy has other fields than this version writes.") from error
        if created_ms != row.created_ms or row.name_index not in self._keyring.name_indexes(Index.POLICY_NAME, name):
            raise IntegrityError(f"Policy {row.policy_id.hex()}: its row says otherwise than its record.")
        return Policy(
            row.policy_id, name, uri, location, owner, tuple(readers), created_ms, probe, grace, all_connections,
            row.row_version,
        )  # fmt: skip
