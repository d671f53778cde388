"""Callbacks that come while an environment is locked: kept unread by whoever has it open, carried out by its executor
afterwards, in order.

A callback is known by the hash of its token, which was stored when it was asked for; any other is refused as always.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ....storage import (
    AlreadyAnswered,
    InboxFull,
    IntegrityError,
    RecordNotFound,
    SealedInbox,
    SealedItem,
    StorageError,
)
from ..calls.callbacks import ACCEPTED, FULL, GONE, UNKNOWN, Address, Delivery
from ..calls.dispatch import Answer
from ..flows.start import UNSET, run_id_of, run_name
from ..observe.trigger_info import unknown_trigger
from ..runs.claims import RunElsewhereError
from ..triggers.subscriptions import address as trigger_address
from ..workers.requests import ANSWERED, CALLBACK, CALLED, STARTED

if TYPE_CHECKING:
    from .executor import Executor

log = logging.getLogger("sealflow")

_MOST_AT_ONCE: Final = 100


async def keep_callback(inbox: SealedInbox, address: Address, answer: Answer) -> Delivery:
    """Store what a webhook action was told: 202, 404, 410 where the action has had a callback, or 503 where no more is
    taken in.
    """
    token = bytes.fromhex(address.token)
    async with inbox:
        if not await inbox.knows(address.run_id, token):
            return Delivery(UNKNOWN)
        try:
            await inbox.accept(CALLBACK, address.run_id, {"token": address.token, "answer": [*answer]}, token)
        except AlreadyAnswered:
            return Delivery(GONE, run_name(address.run_id))
        except InboxFull as full:
            return Delivery(FULL, run_name(address.run_id), retry_after=full.retry_after)
    return Delivery(ACCEPTED, run_name(address.run_id))


async def keep_call(inbox: SealedInbox, address: str, body: Any, headers: Mapping[str, Any] | None) -> None:
    """Keep what a webhook trigger was told. Raises NotFound for an address that no trigger has, and InboxFull."""
    known = trigger_address(address)
    async with inbox:
        if known is None or not await inbox.knows(*known):
            raise unknown_trigger()
        flow_id, token = known
        told: dict[str, Any] = {"token": token, "headers": dict(headers) if headers is not None else None}
        if body is not UNSET:
            told["body"] = body
        await inbox.accept(CALLED, flow_id, told)


async def keep_start(inbox: SealedInbox, flow_id: bytes, given: Mapping[str, Any]) -> bool:
    """Keep the start of a flow, with arguments of `plan_starts`; False for a flow that somebody waits for who starts
    it, and for one that is not known. Raises InboxFull, NotStorable.
    """
    async with inbox:
        known = await inbox.may_start(flow_id)
        if known:
            await inbox.accept(STARTED, flow_id, dict(given))
    return known


async def drain(executor: Executor) -> int:
    """Carry out what has come in, and exchange the key that it was sealed to; how many items there were.

    Each is consumed in the commit that holds what it led to. Raises the store's errors, after which the rest is still
    there.
    """
    vault, sealed, drained = executor.vault, executor.vault.sealed_items, 0
    async with executor.draining:  # an item that is being carried out is still there for others
        while items := await vault.inbox_items(_MOST_AT_ONCE):
            for item in items:
                await _carry_out(executor, item)
                sealed.consume(item.place, item.scope)
            await vault.flush()
            drained += len(items)
        if drained or sealed.lacks_key:
            await vault.renew_inbox(drained=bool(drained))
    return drained


async def _carry_out(executor: Executor, item: SealedItem) -> None:
    try:
        if item.kind == CALLBACK:
            await executor.callbacks.carry_out(Address(item.scope, item.value["token"]), Answer(*item.value["answer"]))
        elif item.kind == ANSWERED:
            await executor.take_answer(item.scope, item.value)
        elif item.kind == STARTED:
            await executor.triggers.started(item.scope, item.value, _run_id(item))
        elif item.kind == CALLED:
            value = item.value
            body = value.get("body", UNSET)
            await executor.triggers.called(item.scope, value["token"], body, value["headers"], _run_id(item))
    except RunElsewhereError:
        await _pass_on(executor, item)
    except StorageError as error:
        if not isinstance(error, IntegrityError | RecordNotFound):
            raise
        log.error("what came while the environment was locked cannot be carried out: %s", error.code)
    except Exception as error:
        log.warning("what came while the environment was locked failed: %s", type(error).__name__)


def _run_id(item: SealedItem) -> bytes:
    key_id, sequence = item.place
    return run_id_of(item.created_ms, key_id + sequence.to_bytes(8, "big"))


async def _pass_on(executor: Executor, item: SealedItem) -> None:
    """To the worker that has the run, through the inbox. What it is told twice, it takes in once."""
    value: Any = item.value
    if item.kind == CALLBACK:
        value = {"token": item.value["token"], "answer": [*item.value["answer"]]}
    await executor.vault.inbox_add(item.kind, value, run_id=item.scope)
