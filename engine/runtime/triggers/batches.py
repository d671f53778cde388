"""Batches: messages that flows send to a flow with a batch trigger wait in the store until they are released together.

A message is added in the commit that holds the result of the action which sent it, and taken out in the commit that
holds the start of the run which gets it. So a crash at any moment neither loses one nor doubles it, and no message is
in two batches. Where the flow's trigger limits how many runs go on, messages wait for that too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....storage import Message, NotStorable, StorageError, Vault, ensure_storable
from ...errors import NotFound, SealflowError
from ...kernel import Invoke
from ...kernel.cloud.triggers.batch import Batch, Sent, batches_of, of_queue, queue_of, released, sent, trigger_named
from ...kernel.cloud.triggers.trigger import trigger_of
from ...kernel.contract.status import FAILED, SUCCEEDED
from ..calls.dispatch import Answer
from ..flows.library import Flow, Library, flow_name
from ..flows.start import declared, trigger_pins

if TYPE_CHECKING:
    from ..calls.protocols import CallingRun
    from ..workers.clock import Clock

_PAGE = 500
"""Messages that are read at a time."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Messages that are to be released together."""

    batch: Batch
    partition: str
    messages: Sequence[Message]

    @property
    def body(self) -> dict[str, Any]:
        """The body of the trigger of the run that gets them."""
        return released(self.batch, self.partition, [each.value for each in self.messages])


class Batches:
    """Sends the messages of one environment, and finds those that are to be released.

    `arrived` is called with the id of a flow that has to be looked at.
    """

    def __init__(self, vault: Vault, library: Library, clock: Clock) -> None:
        self._vault = vault
        self._library = library
        self._clock = clock
        self.arrived: Callable[[bytes], None] | None = None

    def tell(self, flow_id: bytes) -> None:
        """Have a flow looked at: it got a message, or another definition."""
        if self.arrived is not None:
            self.arrived(flow_id)

    # ---- SendToBatch

    async def send(self, run: CallingRun, command: Invoke) -> Answer:
        """The outcome of the action that sends a message, which itself goes with the commit of this outcome.

        A simulation sends nothing.
        """
        try:
            message = sent(command.inputs, command.key)
            # As deep as it will be in the start of a run: what waits can be released.
            ensure_storable({"trigger": {"outputs": {"body": {"items": [message.item()]}}}})
            if run.simulation is None:
                flow = await self._receiver(command, message)
                domain = max((await self._vault.flow(flow.id)).domain, run.log.domain)
                run.with_result(command, lambda: self._queue(flow, message, domain, run.log.run_id))
        except SealflowError as error:
            if isinstance(error, StorageError) and not isinstance(error, NotStorable):
                raise  # it waits for the store: no outcome of an action
            return _failure(error.code, error.message)
        return Answer(SUCCEEDED, "Accepted", message.outputs(), None)

    async def _receiver(self, command: Invoke, message: Sent) -> Flow:
        """The flow that collects this message. Raises NotFound."""
        library = self._library
        name = flow_name(command.inputs)
        if not name:
            raise NotFound("SendToBatch names no workflow.", code="WorkflowNotFound")
        try:
            flow = await library.find(name)
        except NotFound as error:
            raise NotFound(error.message, code="WorkflowNotFound") from None
        plan = await library.plan(flow.id, flow.version)
        trigger, addressed = trigger_of(plan), trigger_named(command.inputs)
        if trigger is None or trigger.type != "batch" or (addressed and addressed != trigger.name.lower()):
            raise NotFound(f"The flow '{flow.name}' has no such batch trigger.", code="TriggerNotFound")
        document, now = await library.document(flow.id, flow.version), self._clock.now()
        pins = trigger_pins(plan, flow, self._vault.environment.name, now, declared(document, plan))
        if message.batch.lower() not in batches_of(plan, pins, now):
            raise NotFound(f"The flow '{flow.name}' collects no batch '{message.batch}'.", code="BatchNotFound")
        return flow

    def _queue(self, flow: Flow, message: Sent, domain: int, sender: bytes) -> None:
        queue = queue_of(message.batch, message.partition)
        self._vault.queue_message(flow.id, queue, message.item(), domain=domain, sender=sender)
        self.tell(flow.id)

    # ---- releasing

    async def ready(
        self, flow_id: bytes, batches: Mapping[str, Batch], is_due: Callable[[Batch], bool]
    ) -> AsyncGenerator[Ready, None]:
        """What one of its criteria releases, batch by batch; the messages have to be consumed before the next is asked
        for.

        `batches` are the flow's by name, `is_due` says whether a recurrence releases whatever waits at this time.
        Messages of a batch that the definition has lost go on waiting.
        """
        await self._vault.flush()  # what was sent has to be durable to be seen
        for queue, waiting in (await self._vault.message_counts(flow_id)).items():
            name, partition = of_queue(queue)
            batch = batches.get(name)
            if batch is None:
                continue
            due, left, size = is_due(batch), waiting.count, waiting.bytes
            while left > 0 and (due or batch.reached(left, size)):
                messages = await self._next(flow_id, queue, batch, left, due)
                if not messages:
                    break
                yield Ready(batch, partition, messages)
                left -= len(messages)
                size -= sum(message.size for message in messages)

    async def _next(self, flow_id: bytes, queue: str, batch: Batch, most: int, due: bool) -> list[Message]:
        """The oldest messages that are released together, of the `most` oldest ones."""
        found: list[Message] = []
        while len(found) < most and not batch.take([each.size for each in found], due=False):
            after = found[-1].number if found else 0
            limit = min(_PAGE, most - len(found))
            page = await self._vault.messages(flow_id, partition=queue, limit=limit, after=after)
            if not page:
                break
            found += page
        return found[: batch.take([each.size for each in found], due=due)]

    def consume(self, flow_id: bytes, ready: Ready) -> None:
        """Take the messages out with the current commit."""
        for message in ready.messages:
            self._vault.consume_message(flow_id, message.number)


def _failure(code: str, message: str) -> Answer:
    return Answer(FAILED, code, None, {"code": code, "message": message})
