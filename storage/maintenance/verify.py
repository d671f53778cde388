"""Verifies a whole environment, one thing after the other, and says everything that is wrong with it.

Nothing is changed and nothing is held in memory but digests; the environment may be in use meanwhile. What a database
writer can still do unnoticed is what anchors are for: see `anchor`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ..errors import (
    EnvironmentLocked,
    IntegrityError,
    KeyDenied,
    KeyMissing,
    KeyUnavailable,
    RecordNotFound,
    StaleKeys,
    StorageError,
    TamperedHistory,
    WrongKey,
)
from ..format.envelope import same
from ..format.purposes import Kind
from ..keys.closing import closed_at
from ..keys.key_source import KeySource
from ..keys.key_state import Floor
from ..keys.keyring import Keyring
from ..models import EnvironmentInfo
from ..policies.anchor import Anchor, differences, read_anchor, write_anchor
from ..policies.audit import Act
from ..policies.content_digests import NOWHERE, START, Facts, Place, RowFact, RunFact, content_of, with_page
from ..policies.policy import Assignment, said_keys
from ..port import Backend
from ..stores.batch_messages import Messages
from ..stores.connections import Connections
from ..stores.flows import Definitions
from ..stores.inbox.requests import Inbox
from ..stores.inbox.sealed_items import SealedItems
from ..stores.ledger import ANCHOR, CONNECTION, FLOW, RUN, Ledger
from ..stores.operations import Operations
from ..stores.retention import Retentions
from ..stores.runs.history import Head
from ..stores.runs.journal import Journal
from ..stores.runs.runs import Runs
from ..stores.triggers import Triggers

if TYPE_CHECKING:
    from ..vault.home import Store

_STEP: Final = 256
_TOMBSTONES: Final = (RUN, FLOW, CONNECTION)
_ORPHANS: Final = (
    Kind.RUN, Kind.FLOW, Kind.CONNECTION, Kind.INBOX, Kind.TRIGGER, Kind.MESSAGE, Kind.OPERATION, Kind.RETENTION,
    Kind.INBOX_KEY,
)  # fmt: skip

_FORGED: Final = "It was forged or changed outside of Sealflow."
ORPHANED: Final = "Its key is there, but its row was removed."

Progress = Callable[[int, str], None]
"""Called with how much was verified and what is being verified now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: with which run (if with one; that of an item of the inbox is the one it names), where,
    and what.
    """

    run: bytes | None
    at: str
    problem: str


@dataclass(slots=True)
class Verification:
    """What `checked` rows and pages say; `anchor` is the new anchor's file, where one was asked for and all is well."""

    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    anchor: bytes | None = None

    @property
    def ok(self) -> bool:
        return not self.findings


async def verify_environment(
    store: Store,
    name: str,
    *,
    run_id: bytes | None = None,
    anchor: bytes | None = None,
    new_anchor: bool = False,
    progress: Progress = lambda checked, what: None,
) -> Verification:
    """Verifies an environment, or one run of it; against an anchor's file where there is one.

    With `new_anchor` the answer holds the file of a new anchor, unless something is wrong. Of a locked
    environment, what the service's keys open is verified, where an anchor is given or asked for: its keys, policy and
    lock. Raises RecordNotFound (no such environment or run), InvalidAnchor, EnvironmentLocked, KeyDenied,
    KeyUnavailable, KeyMissing, and the errors of a failing store; what was changed is part of the answer.
    """
    result = Verification()
    at = "control store"
    try:
        info = await store.environment(name)
        at = "assignment"
        await store.policies.assignment(info.id)
        at = "store"
        backend, source = await store.open_backend(info)
    except IntegrityError as error:
        result.findings.append(Finding(None, at, error.message))
        return result
    try:
        keyring = await source.load()
        closed = keyring.locked or source.state.lock is not None
        if closed and (run_id is not None or (anchor is None and not new_anchor)):
            raise EnvironmentLocked(
                f"The environment {info.name} is locked.", hint=f"Unlock it first: sealflow env unlock {info.name}"
            )
        verifier = _Verifier(store, info, backend, source, keyring, result, progress)
        if anchor is not None:
            await verifier.use(anchor)
        if run_id is not None:
            await verifier.only(run_id)
        elif closed:
            await verifier.keys_only()
        else:
            await verifier.everything()
        if new_anchor and result.ok:
            result.anchor = await write_anchor(backend, keyring, verifier.ledger, verifier.facts)
    except (IntegrityError, WrongKey) as error:
        result.findings.append(Finding(None, "environment keys", error.message))
    finally:
        await source.aclose()
        await backend.close()
    return result


async def verify_rows(
    store: Store, info: EnvironmentInfo, backend: Backend, source: KeySource, keyring: Keyring, progress: Progress
) -> tuple[Verification, Facts]:
    """Verifies everything in an environment's rows, wherever they are, with keys that are given; and what they hold."""
    result = Verification()
    verifier = _Verifier(store, info, backend, source, keyring, result, progress)
    await verifier.everything()
    return result, verifier.facts


class _Verifier:
    def __init__(
        self,
        store: Store,
        info: EnvironmentInfo,
        backend: Backend,
        source: KeySource,
        keyring: Keyring,
        result: Verification,
        progress: Progress,
    ) -> None:
        self._store = store
        self._info = info
        self._backend = backend
        self._source = source
        self._keyring = keyring
        self._result = result
        self._progress = progress
        self._anchor: Anchor | None = None
        self._shredded: set[bytes] = set()
        self._seen: set[bytes] = set()
        self._definitions_seen: set[tuple[bytes, int, bytes]] = set()
        self.facts = Facts()
        now_ms, journal = store.now_ms, Journal(backend)
        self.ledger = Ledger(backend, keyring, now_ms)
        self._definitions = Definitions(backend, keyring, now_ms, self._reload)
        self._runs = Runs(backend, keyring, journal)
        self._triggers = Triggers(backend, keyring, journal)
        self._messages = Messages(backend, keyring, journal, now_ms)
        self._inbox = Inbox(backend, keyring, now_ms)
        self._connections = Connections(backend, keyring, now_ms, lambda: source.state, self._reload)
        self._operations = Operations(backend, keyring, now_ms)
        self._retentions = Retentions(backend, keyring)
        self._sealed_items = SealedItems(backend, keyring, journal, now_ms)

    async def use(self, data: bytes) -> None:
        """Compares with this anchor's file from now on. Raises InvalidAnchor."""
        try:
            self._anchor = await read_anchor(self._backend, self._keyring, data)
        except IntegrityError as error:
            self._say(None, "anchor", error.message)

    async def only(self, run_id: bytes) -> None:
        """Raises RecordNotFound for a run that is not there, and no anchor knows."""
        await self._check("ledger", self._ledger)
        known = self._anchor is not None and run_id in self._anchor.facts.runs and run_id not in self._shredded
        if await self._backend.runs.get(run_id) is None and not await self._backend.keys.newest(Kind.RUN, [run_id]):
            if not known:
                raise RecordNotFound(f"There is no run {run_id.hex()}.")
            self._say(run_id, "run", "It was there when the anchor was written and is gone, without a tombstone.")
            return
        await self._run(run_id)

    async def keys_only(self) -> None:
        """What the service's keys open while the environment is locked: keys, policy and lock."""
        await self._keys()
        if self._anchor is not None:
            known = self._anchor.facts
            rows = {place: fact for place, fact in known.rows.items() if place[0] in (Kind.KEY_STATE, Kind.ENVIRONMENT)}
            anchor = replace(self._anchor, facts=Facts(rows=rows, keys=known.keys, audit=known.audit))
            for run, at, problem in differences(anchor, self.facts, (), ()):
                self._say(run, at, problem)

    async def _keys(self) -> None:
        self.facts.keys = {(row.domain, row.version): row.kid for row in self._keyring.rows}
        self._result.checked += len(self.facts.keys)
        for what, look in {
            "key state": self._key_state,
            "ledger": self._ledger,
            "audit": self._audit,
            "assignment": self._assignment,
        }.items():
            self._progress(self._result.checked, what)
            await self._check(what, look)

    async def everything(self) -> None:
        """All there is, in an order in which what others refer to comes first."""
        await self._keys()
        for what, look in {
            "closing of earlier keys": self._closing,
            "connections": self._all_connections,
            "operations": self._operations.all,
            "retention": self._all_retentions,
            "inbox": self._all_requests,
        }.items():
            self._progress(self._result.checked, what)
            await self._check(what, look)
        await self._all_flows()
        await self._all_runs()
        await self._missing()
        if self._anchor is not None:
            for run, at, problem in differences(self._anchor, self.facts, self._seen, self._shredded):
                self._say(run, at, problem)

    # --- one after the other

    async def _key_state(self) -> None:
        state = self._source.state  # opened with the keys
        self._fact(Kind.KEY_STATE, self._info.id, state.epoch + state.lock_epoch, [state.epoch, state.lock_epoch])

    async def _closing(self) -> None:
        domain, place = int(self._source.state.domain), (int(Kind.CLOSING), self._info.id)
        _, version = await closed_at(self._backend, self._keyring)
        before = None if self._anchor is None else self._anchor.facts.rows.get(place)
        if version:
            self._fact(Kind.CLOSING, self._info.id, version, [domain])
        elif before is not None and not same(before.content, content_of([domain])):
            self.facts.rows[place] = before  # in another domain

    async def _ledger(self) -> None:
        expected = self._anchor
        async for said in self.ledger.statements():
            self._result.checked += 1
            if said.kind in _TOMBSTONES:
                self._shredded.add(said.subject)
            if expected is not None and said.number == expected.ledger.number:
                same_one = said.kind == ANCHOR and same(said.subject, expected.root)
                if not same_one or not same(said.link, expected.ledger.link):
                    self._say(None, "ledger", "It is not the one in which the anchor was put on record.")

    async def _audit(self) -> None:
        expected = self._anchor.facts.audit if self._anchor is not None else NOWHERE
        place, newest = NOWHERE, Assignment(None, Floor())
        async for entry in self._store.audit.entries():
            self._result.checked += 1
            place = Place(entry.number, entry.link)
            if entry.number == expected.number and not same(entry.link, expected.link):
                self._say(None, "audit", f"Act number {entry.number} is not the one that the anchor knows.")
            said = said_keys(Act(entry.number, entry.at_ms, *entry.fields))
            if said is not None and said[0] == self._info.id:
                newest = said[1]
        if not newest.floor.bears(self._source.state):
            await self._reload()  # the act may have come after the keys were read
            newest.floor.hold(self._source.state)
        if place.number < expected.number:
            self._say(
                None, "audit", f"It ends with act number {place.number}; the anchor knows number {expected.number}."
            )
        self.facts.audit = place

    async def _assignment(self) -> None:
        policies = self._store.policies
        assigned = (await policies.assignments()).get(self._info.id)
        cover = self._source.state.cover
        if assigned != (None if cover is None else cover.policy):
            self._say(None, "assignment", "The control store names another policy than the environment's own state.")
        known = {policy.id for policy in await policies.all()}
        for domain, each in self._source.state.covers.items():
            if each.policy not in known:
                self._say(None, "key state", f"The policy that covers domain {domain} does not exist.")
        for row in await self._store.backend.control.assignments():
            if row.environment_id == self._info.id:
                self._fact(Kind.ENVIRONMENT, self._info.id, row.row_version, [assigned])

    async def _all_connections(self) -> None:
        for row in await self._backend.connections.all():
            at = f"connection {row.connection_id.hex()}"

            async def look(row: object = row) -> None:
                info = await self._connections.opened(row)  # type: ignore[arg-type]
                values = await self._connections.values(info.name)
                self._fact(Kind.CONNECTION, info.id, row.row_version, [info.name, info.connector, values])  # type: ignore[attr-defined]

            await self._check(at, look)

    async def _all_retentions(self) -> None:
        for flow_id, (version, retention) in (await self._retentions.all()).items():
            self._fact(Kind.RETENTION, flow_id, version, retention.to_value())

    async def _all_requests(self) -> None:
        self._result.checked += len(await self._inbox.items(1 << 30))
        for number in sorted(self._inbox.unreadable):
            stored = await self._backend.inbox.waiting(1, number - 1)
            named = stored[0].row.run_id if stored and stored[0].number == number else None
            self._say(await self._known_run(named), f"inbox item {number}", _FORGED)
        for what, named in await self._sealed_items.refused():
            self._say(await self._known_run(named), f"sealed inbox, {what}", _FORGED)

    async def _known_run(self, named: object) -> bytes | None:
        """The run that a forged item says it is for, where there is such a run."""
        if not isinstance(named, bytes) or len(named) != len(self._info.id):
            return None
        return named if await self._backend.keys.newest(Kind.RUN, [named]) else None

    async def _all_flows(self) -> None:
        for row in await self._backend.flows.all():
            flow_id = row.flow_id
            self._progress(self._result.checked, "flows")
            await self._check(f"flow {flow_id.hex()}", lambda: self._flow(flow_id))  # noqa: B023 (called at once)
            for number in sorted({*await self._backend.flows.version_numbers(flow_id), *range(1, row.version + 1)}):
                at = f"flow {flow_id.hex()} version {number}"
                await self._check(at, lambda: self._version(flow_id, number))  # noqa: B023
            await self._check(f"trigger of flow {flow_id.hex()}", lambda: self._trigger(flow_id))  # noqa: B023
            await self._all_messages(flow_id)

    async def _flow(self, flow_id: bytes) -> None:
        while True:
            info = await self._definitions.one(flow_id)
            row = await self._backend.flows.find(flow_id=flow_id)
            if row is not None and row.version == info.version and row.updated_ms == info.updated_ms:
                self._fact(Kind.FLOW, flow_id, row.row_version, [info.name, info.version, info.updated_ms])
                return
            if row is None:
                raise IntegrityError("Its row is missing.")

    async def _version(self, flow_id: bytes, number: int) -> None:
        document = await self._definitions.version(flow_id, number, None)
        self.facts.versions[flow_id, number] = document.digest[: len(START)]

    async def _trigger(self, flow_id: bytes) -> None:
        state = await self._triggers.one(flow_id)
        if state is not None:
            self._fact(Kind.TRIGGER, flow_id, state.row_version, [state.due_ms, state.value])

    async def _all_messages(self, flow_id: bytes) -> None:
        after = 0
        while rows := await self._backend.messages.waiting(flow_id, None, _STEP, after):
            for number, _ in rows:
                await self._check(
                    f"message {number} of flow {flow_id.hex()}",
                    lambda: self._messages.items(flow_id, None, 1, number - 1),  # noqa: B023 (called at once)
                )
            after = rows[-1].number

    async def _all_runs(self) -> None:
        after = 0
        while rows := await self._backend.runs.ids(after, _STEP):
            for _, run_id in rows:
                self._progress(self._result.checked, "runs")
                await self._run(run_id)
            after = rows[-1][0]

    async def _run(self, run_id: bytes) -> None:
        self._seen.add(run_id)
        if run_id in self._shredded:
            self._say(run_id, "run", "It was shredded, and somebody has put it back.")
        await self._check("run", lambda: self._history(run_id), run_id)

    async def _history(self, run_id: bytes) -> None:
        try:
            reader = await self._runs.reader(run_id, apart=True)
        except RecordNotFound:
            self._seen.discard(run_id)  # it was shredded since it was listed
            return
        known = None if self._anchor is None else self._anchor.facts.runs.get(run_id)
        seq, content, matched = 1, START, known is None or known.seq == 1
        async for page in reader.pages():
            self._result.checked += 1
            content, seq = with_page(content, page), page.seq + len(page.records)
            for value in reader.named:
                self._result.checked += value.count
                async for _ in reader.values.parts(value):
                    pass
            matched = matched or (known is not None and seq == known.seq and same(content, known.content))
        await self._runs.one(run_id)
        taken = await self._runs.snapshot(run_id)
        if taken > seq:  # since the pages were read, or they were cut
            await reader.read()
            if taken > reader.seq:
                raise TamperedHistory(
                    f"its history ends here, but a snapshot was taken at record {taken - 1}.",
                    run=run_id.hex(), seq=reader.seq,
                )  # fmt: skip
        row = await self._backend.runs.get(run_id)
        if row is None or reader.head is None:
            raise TamperedHistory("its row is missing.", run=run_id.hex(), seq=0)
        if known is not None:
            if seq < known.seq:
                raise TamperedHistory(
                    f"the anchor knows its record {known.seq - 1}: an earlier state was put back.",
                    run=run_id.hex(), seq=seq,
                )  # fmt: skip
            if not matched:
                raise TamperedHistory("it is another history than the anchor's.", run=run_id.hex(), seq=known.seq)
            if row.head_version < known.head_version or row.summary_version < known.summary_version:
                raise TamperedHistory("an earlier row was put back: the anchor's is later.", run=run_id.hex(), seq=0)
        self.facts.runs[run_id] = RunFact(seq, content, row.head_version, row.summary_version)
        await self._definition_of(reader.head)

    async def _definition_of(self, head: Head) -> None:
        """The version that a run was started with is there, and has the content it had then."""
        named = (head.flow_id, head.version, head.definition_digest)
        if head.definition_digest and named not in self._definitions_seen:
            await self._definitions.version(*named)
            self._definitions_seen.add(named)

    async def _missing(self) -> None:
        """Keys without the row they are for, and rows that belong to nothing."""
        for kind in _ORPHANS:
            for scope in await self._backend.consistency.orphaned_keys(kind):
                if kind == Kind.RUN:
                    self._say(scope, "run", ORPHANED)
                else:
                    self._say(None, f"{kind.name.lower()} {scope.hex()}", ORPHANED)
        for what, count in (await self._backend.consistency.orphaned_rows()).items():
            self._say(None, what, f"{count:,} of them belong to a run or flow that is not there.")

    # --- how

    async def _check(self, at: str, look: Callable[[], Awaitable[object]], run: bytes | None = None) -> None:
        """Looks, and notes what is wrong there. Keys that were exchanged meanwhile are read again once."""
        for attempt in range(2):
            try:
                await look()
                self._result.checked += 1
                return
            except StaleKeys as error:
                if attempt:
                    self._say(run, at, error.message)
                else:
                    await self._reload()
            except TamperedHistory as error:
                where = f"record {error.seq}" if error.seq else at
                self._say(run if run is not None else bytes.fromhex(error.run), where, error.message)
                return
            except (EnvironmentLocked, KeyDenied, KeyUnavailable, KeyMissing):
                raise
            except StorageError as error:
                self._say(run, at, error.message)
                return

    def _say(self, run: bytes | None, at: str, problem: str) -> None:
        self._result.findings.append(Finding(run, at, problem))

    def _fact(self, kind: Kind, row: bytes, version: int, value: object) -> None:
        self.facts.rows[int(kind), row] = RowFact(version, content_of(value))

    async def _reload(self) -> None:
        self._keyring.adopt(await self._source.load())
