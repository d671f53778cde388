"""Large values that are stored apart from the records that name them: where a run can go on without them, and where
they are read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from ....storage import Page, RecordNotFound, RunReader, StoredValue, Vault
from ...errors import NotFound
from ...kernel import Record, from_stored
from ...kernel.cloud.plan.plan import SIMPLE, Plan
from ...kernel.contract import records as event
from ...kernel.machines import AnyPlan
from ...values import holds_elsewhere
from ..flows.start import run_name

Given = TypeVar("Given")

Whole = Callable[[Any], Awaitable[Any]]
"""Gives a value with its large parts in it."""

_APART: Final[dict[int, tuple[int, ...]]] = {
    event.START: (3,),
    event.SCHEDULED: (5,),
    event.RESULT: (8,),
    event.CALLBACK: (8,),
    event.DONE: (6, 7),
}
"""Where records have values that a state only names as long as nothing reads them."""


async def foldable(plan: AnyPlan, record: Record, whole: Whole) -> Record:
    """The record as `apply` takes it: without names of large values where the state needs these themselves."""
    left = _APART.get(record[1], ()) if isinstance(plan, Plan) else ()
    if left and record[1] != event.START and isinstance(plan, Plan):
        node = plan.nodes[record[2]]
        webhook = node.operation is not None and node.operation.webhook
        if webhook or node.tracked is not None or (record[1] == event.DONE and node.op != SIMPLE):
            left = ()
    return tuple([field if at in left else await whole(field) for at, field in enumerate(record)])


async def folding_pages(vault: Vault, plan: AnyPlan, run_id: bytes, after_seq: int = 0) -> AsyncIterator[list[Record]]:
    """The stored records of a run as `apply` takes them, those behind number `after_seq`, page by page.

    Raises NotFound, and storage errors for a tampered history.
    """
    try:
        reader = await vault.reader(run_id, apart=True)
    except RecordNotFound:
        raise NotFound(f"There is no run {run_name(run_id)}.", hint="`sealflow runs list` shows the runs.") from None
    async for page in reader.pages():
        records = await foldable_page(plan, page, reader, after_seq)
        if records:
            yield records


async def foldable_page(plan: AnyPlan, page: Page, reader: RunReader, after_seq: int) -> list[Record]:
    """The records of a page that the reader has just given, as `apply` takes them: those behind number `after_seq`."""
    records = [from_stored(stored) for stored in page.records[max(0, after_seq + 1 - page.seq) :]]
    if records and reader.named:
        records = [await foldable(plan, record, reader.values.whole) for record in records]
    return records


async def whole_of(vault: Vault, run_id: bytes, value: Given) -> Given:
    """A value of a stored run with its large parts in it."""
    if not holds_elsewhere(value):
        return value
    whole: Given = await (await vault.reader(run_id, apart=True)).values.whole(value)
    return whole


async def bytes_of(vault: Vault, run_id: bytes, value: StoredValue) -> AsyncIterator[bytes]:
    """The bytes of a large value of a stored run, a chunk at a time; of base64, those that it stands for."""
    async for part in (await vault.reader(run_id, apart=True)).values.parts(value):
        yield part
