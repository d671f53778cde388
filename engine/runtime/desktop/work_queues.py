"""Work queues: items that wait for desktop flows, in the environment's encrypted store.

A queue is an entry among the environment's flows, of the kind `work-queue`, that runs nothing and owns messages, one
for each item, in a partition for each status. Items are sealed one by one, move with the key of their queue, and go
when it is deleted, as the messages of a batch trigger do.

What an action does to an item is in the commit that holds the action's result: neither without the other. An item is
claimed first, by a message of its own that can be there once only, so two workers never get the same one.

Sources: desktop flows, "Work queues"; exported solutions (calls of the four actions).
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ....connectors import ConnectorError
from ....storage import Message, NotStorable, StorageError, Vault, ensure_storable
from ...datatypes import Datum, Item, plain, restored, stored
from ...errors import DefinitionError, NotFound, SealflowError
from ...kernel import Invoke
from ...kernel.contract.commands import CONDITION
from ...kernel.contract.status import FAILED, SUCCEEDED
from ...kernel.desktop.plan import ASK
from ...revocable import Revocable
from ..calls.dispatch import Answer
from ..flows.library import Flow, Library
from ..flows.start import run_name
from ..keys.access import Opened
from ..keys.scopes import keyed

if TYPE_CHECKING:
    from ..runs.live_run import LiveRun
    from ..workers.clock import Clock

KIND: Final = "work-queue"
"""What `kind` says of a queue where flows are listed."""

_PREFIX: Final = "queue:"
"""What the name of a queue's entry begins with."""
_PAGE: Final = 100

PRIORITIES: Final = ("High", "Normal", "Low")
QUEUED: Final = "Queued"
PROCESSING: Final = "Processing"
ON_HOLD: Final = "OnHold"
FINAL: Final = ("Processed", "GenericException", "BusinessException", "ITException")
STATUSES: Final = (QUEUED, PROCESSING, *FINAL, ON_HOLD)
_BY_NAME: Final = {name.lower(): name for name in (*STATUSES, *PRIORITIES)}

_NOTHING: Final = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": {}}
"""The definition of a queue's entry."""


@dataclass(frozen=True, slots=True, repr=False)
class QueueItem(Revocable):
    """One item. `value` is what it is about, `notes` were added one by one, `result` is the last word on it."""

    id: str
    name: str
    value: Any = field(repr=False)
    status: str = QUEUED
    priority: str = "Normal"
    notes: str = field(default="", repr=False)
    result: str = field(default="", repr=False)
    enqueued: str = ""
    run: str = ""
    """The run that has claimed it."""
    claim: str = field(default="", repr=False)
    """The call that did."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept, and shown."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def partition(self) -> str:
        """Where it waits: by status, and while it is queued by priority."""
        return f"{self.status}/{self.priority}" if self.status == QUEUED else self.status

    def item(self, queue: str) -> Item:
        """What a script gets."""
        properties: dict[str, Datum] = {
            "Id": self.id,
            "Name": self.name,
            "Value": restored(self.value),
            "Status": self.status,
            "Priority": self.priority,
            "ProcessingNotes": self.notes,
            "ProcessingResult": self.result,
            "EnqueuedOn": datetime.fromisoformat(self.enqueued) if self.enqueued else None,
            "WorkQueue": queue,
        }
        return Item("WorkQueueItem", self.name, properties)


class WorkQueues:
    """The queues of one environment, as a host uses them."""

    def __init__(self, access: Opened) -> None:
        self._access = access

    @property
    def _open(self) -> OpenQueues:
        return OpenQueues(self._access.vault, self._access.library, self._access.clock)

    @keyed
    async def create(self, name: str, *, id: str = "") -> str:
        """Make a queue, or leave the one that is there; its name. `id` is the one that scripts from elsewhere know.

        Raises DefinitionError, code InvalidName.
        """
        return await self._open.create(name, id=id)

    @keyed
    async def names(self) -> list[str]:
        """The queues there are."""
        return await self._open.names()

    @keyed
    async def find(self, name: str) -> Flow:
        """A queue by its name or id. Raises NotFound, code WorkQueueNotFound."""
        return self._access.given(await self._open.find(name))

    @keyed
    async def add(
        self, queue: str, name: str, value: Any, *, priority: str = "Normal", id: str | None = None
    ) -> QueueItem:
        """Enqueue an item, durably; one with the same `id` that still waits is not added again. Raises NotFound,
        NotStorable, DefinitionError InvalidPriority.
        """
        return self._access.given(await self._open.add(queue, name, value, priority=priority, id=id))

    @keyed
    async def items(self, queue: str, *, status: str | None = None) -> list[QueueItem]:
        """The items of a queue by status and age; of one `status`, or of all. Raises NotFound."""
        return [*map(self._access.given, await self._open.items(queue, status=status))]


class OpenQueues:
    """The same of a vault that is open. See `WorkQueues`."""

    def __init__(self, vault: Vault, library: Library, clock: Clock) -> None:
        self._vault = vault
        self._library = library
        self._clock = clock

    async def create(self, name: str, *, id: str = "") -> str:
        if not name.strip():
            raise DefinitionError("A work queue needs a name.", code="InvalidName")
        aliases = [each.strip("{}").lower() for each in (name, id) if each.strip("{}")]
        document: dict[str, Any] = {
            "definition": _NOTHING,
            "dialect": "power-automate",
            "kind": KIND,
            "pointer": "",
            "parameters": {},
            "aliases": list(dict.fromkeys(aliases)),
        }
        await self._vault.put_flow(_PREFIX + name, document)
        return name

    async def names(self) -> list[str]:
        return sorted(_bare(flow.name) for flow in await self._vault.flows() if flow.name.startswith(_PREFIX))

    async def find(self, name: str) -> Flow:
        for each in (_PREFIX + name, name):
            try:
                flow = await self._library.find(each)
            except NotFound:
                continue
            if flow.kind == KIND:
                return flow
        raise NotFound(
            f"There is no work queue '{name}'.",
            code="WorkQueueNotFound",
            hint="`sealflow queue create NAME` makes one; --id gives it the id that a script calls it by.",
        )

    async def add(
        self, queue: str, name: str, value: Any, *, priority: str = "Normal", id: str | None = None
    ) -> QueueItem:
        flow = await self.find(queue)
        id = id or secrets.token_hex(16)
        item = QueueItem(id, name, value, priority=_named(priority, PRIORITIES, "InvalidPriority"))
        kept = {**item.to_json(), "enqueued": _moment(self._clock.now())}
        await self._vault.add_message(flow.id, item.partition, kept, dedupe=id.encode())
        return QueueItem(**kept)

    async def items(self, queue: str, *, status: str | None = None) -> list[QueueItem]:
        flow = await self.find(queue)
        wanted = STATUSES if status is None else (_named(status, STATUSES, "InvalidStatus"),)
        places = [partition for each in wanted for partition in partitions(each)]
        found = [item for place in places async for _, item in self.each(flow, place)]
        claimed = {item.id for item in found if item.status == PROCESSING}
        return [item for item in found if item.status != QUEUED or item.id not in claimed]

    async def each(self, flow: Flow, partition: str) -> AsyncIterator[tuple[Message, QueueItem]]:
        """The items of a partition, the oldest first, with their messages."""
        after = 0
        while page := await self._vault.messages(flow.id, partition=partition, limit=_PAGE, after=after):
            for message in page:
                yield message, QueueItem(**message.value)
            after = page[-1].number


def partitions(status: str) -> tuple[str, ...]:
    """Where the items of a status wait, what comes first at first."""
    return tuple(f"{QUEUED}/{each}" for each in PRIORITIES) if status == QUEUED else (status,)


class QueueActions:
    """The four actions of desktop flows, for the runs of one executor."""

    def __init__(self, vault: Vault, library: Library, clock: Clock) -> None:
        self._vault = vault
        self._queues = OpenQueues(vault, library, clock)

    async def answer(self, run: LiveRun, command: Invoke) -> Answer:
        """The outcome of the action; what it does to an item goes with the commit of this outcome."""
        action = _ACTIONS.get(command.operation.name.lower())
        try:
            if action is None:
                raise ConnectorError("OperationNotFound", f"There is no action '{command.operation.name}' here.")
            given = command.inputs if isinstance(command.inputs, dict) else {}
            outputs = await action(self, run, command, {name.lower(): restored(value) for name, value in given.items()})
        except (ConnectorError, SealflowError) as error:
            if isinstance(error, StorageError) and not isinstance(error, NotStorable):
                raise  # it waits for the store: no outcome of an action
            code = "WorkQueueNotFoundError" if error.code == "WorkQueueNotFound" else error.code
            return Answer(FAILED, code, None, {"code": code, "message": error.message})
        return Answer(SUCCEEDED, "OK", {"body": {name: stored(value) for name, value in outputs.items()}}, None)

    async def _enqueue(self, run: LiveRun, command: Invoke, given: Mapping[str, Datum]) -> dict[str, Datum]:
        flow = await self._queues.find(_text(given, "workqueue"))
        status = _named(_text(given, "status") or QUEUED, (QUEUED, ON_HOLD), "InvalidArgument")
        priority = _named(_text(given, "priority") or "Normal", PRIORITIES, "InvalidArgument")
        id = sha256(command.key.encode()).hexdigest()[:32]
        value = stored(given.get("value"))
        item = QueueItem(id, _text(given, "name"), value, status, priority, enqueued=_moment(run.now()))
        await self._with_result(run, command, flow, put=item)
        return {"workqueueitem": item.item(_bare(flow.name))}

    async def _process(self, run: LiveRun, command: Invoke, given: Mapping[str, Datum]) -> dict[str, Datum]:
        flow = await self._queues.find(_text(given, "workqueue"))
        asked = command.node.op == ASK
        found = await self._claimed(run, command, flow)
        if found is None:
            if asked:
                return {CONDITION: False}
            raise ConnectorError("WorkQueueItemNotFoundError", f"No item waits in the work queue '{_bare(flow.name)}'.")
        outputs: dict[str, Datum] = {"workqueueitem": found.item(_bare(flow.name))}
        return {**outputs, CONDITION: True} if asked else outputs

    async def _claimed(self, run: LiveRun, command: Invoke, flow: Flow) -> QueueItem | None:
        """The next item, claimed for this call, or the one it had claimed before a crash."""
        vault, queues = self._vault, self._queues
        await vault.flush()  # what was enqueued has to be durable to be seen
        claims = {item.id: (message, item) async for message, item in queues.each(flow, PROCESSING)}
        mine = next((item for _, item in claims.values() if item.claim == command.key), None)
        for partition in partitions(QUEUED):
            async for message, item in queues.each(flow, partition):
                if mine is not None and item.id != mine.id:
                    continue
                if mine is None and item.id in claims and not await self._is_stale(*claims[item.id], flow):
                    continue
                own = QueueItem(
                    **{**item.to_json(), "status": PROCESSING, "run": run_name(run.log.run_id), "claim": command.key}
                )
                number = await vault.add_message(flow.id, PROCESSING, own.to_json(), dedupe=_claim_of(item.id))
                (there,) = await vault.messages(flow.id, partition=PROCESSING, limit=1, after=number - 1)
                if there.number != number or QueueItem(**there.value).claim != command.key:
                    continue  # another worker was faster
                again = await vault.messages(flow.id, partition=partition, limit=1, after=message.number - 1)
                if not again or again[0].number != message.number:
                    vault.consume_message(flow.id, number)  # it was dealt with since it was read
                    await vault.flush()
                    continue
                run.with_result(command, lambda: vault.consume_message(flow.id, message.number))  # noqa: B023
                return own
        return None

    async def _is_stale(self, message: Message, claim: QueueItem, flow: Flow) -> bool:
        """Whether a claim on an item that is still queued is of a run that has ended; such a one is removed."""
        vault = self._vault
        run_id = bytes.fromhex(claim.run.replace("-", ""))
        if await vault.run_exists(run_id) and (await vault.run(run_id)).ended_ms is None:
            return False
        vault.consume_message(flow.id, message.number)
        await vault.flush()
        return True

    async def _update(self, run: LiveRun, command: Invoke, given: Mapping[str, Datum]) -> dict[str, Datum]:
        flow, message, item = await self._processing(given)
        status = _named(_text(given, "status"), FINAL, "InvalidArgument")
        changed = {**item.to_json(), "status": status, "result": _text(given, "processingresult")}
        notes = [note async for note in self._notes(flow, item.id)]
        changed["notes"] = "\n".join(filter(None, [item.notes, *(text for _, text in notes)]))
        taken = [message.number, *(number for number, _ in notes)]
        await self._with_result(run, command, flow, put=QueueItem(**changed), taken=taken)
        return {}

    async def _note(self, run: LiveRun, command: Invoke, given: Mapping[str, Datum]) -> dict[str, Datum]:
        flow, _, item = await self._processing(given)
        note = {"notes": _text(given, "processingnotes")}
        vault, domain = self._vault, await self._domain(run, flow)
        ensure_storable(note)
        run.with_result(command, lambda: vault.queue_message(flow.id, _notes_of(item.id), note, domain=domain))
        return {}

    async def _processing(self, given: Mapping[str, Datum]) -> tuple[Flow, Message, QueueItem]:
        """The item that is meant, as it is kept while it is processed. Raises ConnectorError, NotFound."""
        value = given.get("workqueueitem")
        if not isinstance(value, Item) or value.kind != "WorkQueueItem":
            raise ConnectorError("InvalidArgument", "'WorkQueueItem' must be an item of a work queue.")
        flow = await self._queues.find(str(value.get("WorkQueue")))
        await self._vault.flush()
        async for message, item in self._queues.each(flow, PROCESSING):
            if item.id == value.get("Id"):
                return flow, message, item
        raise ConnectorError("WorkQueueItemNotFoundError", f"The item '{value.text}' is not being processed.")

    async def _notes(self, flow: Flow, id: str) -> AsyncIterator[tuple[int, str]]:
        after = 0
        vault = self._vault
        while page := await vault.messages(flow.id, partition=_notes_of(id), limit=_PAGE, after=after):
            for message in page:
                yield message.number, str(message.value["notes"])
            after = page[-1].number

    async def _domain(self, run: LiveRun, flow: Flow) -> int:
        return max((await self._vault.flow(flow.id)).domain, run.log.domain)

    async def _with_result(
        self, run: LiveRun, command: Invoke, flow: Flow, *, put: QueueItem, taken: list[int] | None = None
    ) -> None:
        """Move an item when the result of this call is written. Raises NotStorable."""
        vault, domain, kept = self._vault, await self._domain(run, flow), put.to_json()
        ensure_storable(kept)

        def move() -> None:
            for number in taken or []:
                vault.consume_message(flow.id, number)
            vault.queue_message(flow.id, put.partition, kept, domain=domain)

        run.with_result(command, move)


_ACTIONS: Final = {
    "workqueues.enqueueworkqueueitem.withoutuniqueid": QueueActions._enqueue,
    "workqueues.processworkqueueitem.processworkqueueitem": QueueActions._process,
    "workqueues.updateprocessingnotes.withprocessingnotes": QueueActions._note,
    "workqueues.updateworkqueueitem.updatewithprocessingnotes": QueueActions._update,
}


def _claim_of(id: str) -> bytes:
    return b"claim:" + id.encode()


def _notes_of(id: str) -> str:
    return f"Notes/{id}"


def _bare(name: str) -> str:
    return name.removeprefix(_PREFIX)


def _text(given: Mapping[str, Datum], name: str) -> str:
    value = plain(given.get(name))
    return "" if value is None else str(value)


def _named(given: str, known: tuple[str, ...], code: str) -> str:
    """One of `known`, which may be written with its enumeration's name before it. Raises DefinitionError."""
    name = _BY_NAME.get(given.rsplit(".", 1)[-1].lower())
    if name not in known:
        raise DefinitionError(f"'{given}' is none of {', '.join(known)}.", code=code)
    return name


def _moment(ticks: int) -> str:
    return datetime.fromtimestamp(ticks // 10_000_000, UTC).replace(tzinfo=None).isoformat()
