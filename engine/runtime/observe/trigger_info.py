"""What interfaces show of a flow's trigger, and the requests about it that another process carries out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ....storage import RecordNotFound, Vault
from ...errors import NotFound, SealflowError
from ...revocable import Revocable
from ..triggers.registration import Registration
from ..triggers.subscriptions import address, belongs
from ..workers.requests import SWITCH

_LOOK: Final = 0.05
"""Seconds between two looks at what another process was asked to do."""
_TAKE_OVER: Final = 10
"""After so many looks without news, whether that process is still there."""
_MOST_LOOKS: Final = 600


@dataclass(frozen=True, slots=True)
class TriggerInfo(Revocable):
    """A flow's trigger. `kind` is called, recurrence, window, batch, poll or webhook.

    `next_ms` is when there is something to do next, in Unix milliseconds: None where nothing is planned, or the flow
    was deployed and no worker has looked at it yet (`registered` False). `history` has the latest firings, the newest
    first: `{time, scheduledTime, status, code, runs, message?}`. `problem` is why it cannot fire. `callback_url` is a
    secret, None where it is not called back.
    """

    enabled: bool
    registered: bool
    kind: str
    next_ms: int | None
    problem: dict[str, str] | None
    history: list[dict[str, Any]]
    callback_url: str | None = None

    def __repr__(self) -> str:
        if self.revoked:
            return "TriggerInfo(revoked)"
        return f"TriggerInfo(kind={self.kind!r}, enabled={self.enabled})"


def info_of(registration: Registration, library_kind: str) -> TriggerInfo:
    """`library_kind` is the kind that the newest version has, for a trigger that was not registered yet."""
    due = registration.due
    return TriggerInfo(
        enabled=registration.enabled,
        registered=registration.version > 0,
        kind=registration.kind if registration.version else library_kind,
        next_ms=None if due is None else due // 10_000,
        problem=registration.problem,
        history=registration.history[::-1],
        callback_url=registration.callback_url if registration.subscription is not None else None,
    )


class Leader(Protocol):
    """A worker that can lead."""

    async def lead(self) -> bool:
        """Become the worker that leads, if possible. Returns whether this worker leads."""
        ...

    async def take_inbox(self) -> int:
        """Carry out the requests of other processes. Returns how many there were."""
        ...


async def switch_elsewhere(
    vault: Vault, flow_id: bytes, enabled: bool, execute: Callable[[], Awaitable[Leader | None]]
) -> None:
    """Ask the process that executes the environment to enable or disable a flow, and wait until it has.

    Where that process is gone, this one takes its place. Raises SealflowError `NoAnswer` after half a minute.
    """
    await vault.inbox_add(SWITCH, {"flow": flow_id, "enabled": enabled})
    for look in range(1, _MOST_LOOKS + 1):
        if Registration.of(flow_id, await vault.trigger(flow_id)).enabled == enabled:
            return
        if look % _TAKE_OVER == 0 and (executor := await execute()) is not None:
            await executor.lead()
            await executor.take_inbox()
        else:
            await asyncio.sleep(_LOOK)
    raise SealflowError(
        "The process that executes this environment has not answered yet.",
        code="NoAnswer",
        hint="It carries the request out as soon as it can: look again with `sealflow flow list`.",
    )


async def called_back(vault: Vault, text: str) -> str:
    """The name of the flow whose trigger gave out this callback URL. Raises NotFound for any other."""
    known = address(text)
    if known is None:
        raise unknown_trigger()
    flow_id, token = known
    try:
        registration = Registration.of(flow_id, await vault.trigger(flow_id))
    except RecordNotFound:
        raise unknown_trigger() from None
    if not belongs(registration, token):
        raise unknown_trigger()
    return (await vault.flow(flow_id)).name


def unknown_trigger() -> NotFound:
    """The error of an address that no trigger has."""
    return NotFound("No trigger is called back at this address.", hint="A trigger's address changes with its flow.")
