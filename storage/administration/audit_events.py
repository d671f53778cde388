"""Acts on an environment's keys as operations: from the audit, where each is on record before it is done and after.

An act is one commit, so it is done or not; what is on record as begun only is going on, or its process died. No process
is asked whether it lives: after ten minutes an act counts as interrupted, whatever it is. What goes on longer, in the
background, is an operation of the environment's own store (see `operations`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..keys.provider_calls import CALLS
from ..models import EnvironmentInfo
from ..policies.audit import FAILED, RUNNING, SUCCEEDED, Act, Audit
from ..stores.operations import Operation
from .administration import APPLY, DELETE, RECOVER, REMOVE, RESET, RETIRE, ROTATE

INTERRUPTED: Final = "Interrupted"

PATIENCE_MS: Final = 600_000
"""How long an act may take, whatever key store it waits for."""

MOST: Final = 20
"""Acts on one environment that are told of."""

_LOOKED_AT: Final = 5_000
"""Acts on record that are looked at for them, of the whole store, calls of key stores aside."""

_READ: Final = 20_000
"""Records that are read for them: each process that opens an environment leaves some."""

_NAMES: Final = {
    APPLY: "apply",
    REMOVE: "revert",
    ROTATE: "rotate",
    RETIRE: "retire",
    RECOVER: "recover",
    RESET: "reset",
    DELETE: "delete",
}
_SWAP: Final = "swap"

ACTS: Final = frozenset({*_NAMES.values(), _SWAP})
"""The kinds of operations that are acts."""


async def recent_acts(audit: Audit, info: EnvironmentInfo, now_ms: int) -> list[Operation]:
    """The newest acts on an environment's keys, oldest first: of the newest 5,000 acts, and 20,000 records. Raises
    IntegrityError.
    """
    found: list[Operation] = []
    ends: dict[tuple[str, str], list[Act]] = {}
    looked_at = read = 0
    async for act in audit.latest():  # the newest first: the end of an act comes before its beginning
        read += 1
        looked_at += act.kind not in CALLS
        if looked_at > _LOOKED_AT or read > _READ or len(found) == MOST or act.at_ms < info.created_ms:
            break
        if act.subject != info.name or act.kind not in _NAMES:
            continue
        whose = ends.setdefault((act.actor, act.kind), [])
        if act.status != RUNNING:
            whose.append(act)
        else:
            found.append(_operation(act, whose.pop() if whose else None, now_ms))
    return found[::-1]


def _operation(begun: Act, ended: Act | None, now_ms: int) -> Operation:
    detail = begun.detail or {}
    kind = _SWAP if begun.kind == APPLY and "instead" in detail else _NAMES[begun.kind]
    going_on = Operation(begun.number.to_bytes(8), kind, RUNNING, 0, 1, begun.at_ms, begun.at_ms)
    if ended is not None:
        code = (ended.detail or {}).get("code")
        done = int(ended.status == SUCCEEDED)
        return replace(
            going_on, status=ended.status, done=done, updated_ms=ended.at_ms, ended_ms=ended.at_ms, error=code
        )
    if now_ms - begun.at_ms >= PATIENCE_MS:
        return replace(going_on, status=FAILED, error=INTERRUPTED)
    return going_on
