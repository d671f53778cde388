"""A flow's trigger as its environment has it registered: whether it is enabled, how it recurs, where it stands.

It is kept in the trigger's state, one sealed row for each flow, and changes in the commit that also starts the runs
that it fired. Times are ticks. A flow without one was never looked at, and counts as enabled.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ....storage import TriggerState, Vault
from ...errors import SealflowError
from ...kernel.cloud.triggers.polling import CALLED, WEBHOOK
from ...kernel.cloud.triggers.recurrence import Recurrence
from ...kernel.cloud.triggers.recurrence_rules import read_rules
from ...kernel.contract.timing import iso

KEPT: Final = 20
"""How many firings a trigger remembers."""

_TICKS_PER_MS: Final = 10_000


@dataclass(slots=True)
class Registration:
    """Where a trigger stands.

    `kind` is one of `kernel.polling`; `version` that of the flow when it was registered, 0 for never. `scheduled` is
    the occurrence that comes next, `due` when there is something to do: the same, but for a delay, a wait that a
    service asked for, or a subscription. `last` is the occurrence that fired last. `location` is the address of the
    next poll where an answer named one, `subscription` what a webhook trigger has to undo. `token` is a secret.
    `history` has the latest firings, the newest last.
    """

    flow_id: bytes
    row_version: int = 0
    enabled: bool = True
    version: int = 0
    kind: str = CALLED
    fingerprint: str = ""
    recurrence: dict[str, Any] | None = None
    registered: int = 0
    scheduled: int | None = None
    due: int | None = None
    last: int | None = None
    delay: int = 0
    location: str | None = None
    token: bytes = field(default=b"", repr=False)
    subscription: dict[str, Any] | None = field(default=None, repr=False)
    problem: dict[str, str] | None = None
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, flow_id: bytes, state: TriggerState | None) -> Registration:
        """What is stored, or that of a flow that was never looked at."""
        if state is None:
            return cls(flow_id)
        known = {name: value for name, value in state.value.items() if name in _STORED}
        return cls(flow_id, state.row_version, **known)

    def write(self, vault: Vault) -> None:
        """Queue it: in the commit of whatever else is queued before control returns to the event loop."""
        value = _value(self)
        due_ms = None if self.due is None else max(0, -(-self.due // _TICKS_PER_MS))
        if self.kind == WEBHOOK:
            vault.sealed_items.expect(self.flow_id, self.token)
        self.row_version = vault.set_trigger(self.flow_id, value, due_ms=due_ms, expected=self.row_version)

    @property
    def rule(self) -> Recurrence | None:
        """Its recurrence. Raises DefinitionError for one that is none."""
        return None if self.recurrence is None else Recurrence(read_rules(self.recurrence), self.registered)

    @property
    def callback_url(self) -> str:
        """Where a webhook trigger is called back: a secret."""
        return f"sealflow:trigger/{self.flow_id.hex()}/{self.token.hex()}"

    def key(self, purpose: str) -> str:
        """The idempotency key of a call: the same when it is made again after a crash, another one for the next."""
        return hmac.digest(self.token, f"{purpose}/{self.row_version}".encode(), "sha256").hex()[:32]

    def with_token(self) -> None:
        """Give it its secret, once."""
        self.token = self.token or secrets.token_bytes(16)

    def note(
        self, at: int, status: str, code: str, *, runs: Sequence[str] = (), error: SealflowError | str | None = None
    ) -> dict[str, Any]:
        """Remember how a firing went: `{time, scheduledTime, status, code, runs, message?}`."""
        entry: dict[str, Any] = {
            "time": iso(at),
            "scheduledTime": iso(self.scheduled if self.scheduled is not None else at),
            "status": status,
            "code": code,
            "runs": list(runs)[:KEPT],
        }
        if error is not None:
            entry["message"] = error.message if isinstance(error, SealflowError) else error
        self.history = [*self.history, entry][-KEPT:]
        return entry


def copied(enabled: bool) -> Callable[[Any], Any]:
    """From the stored state of a flow's trigger to that of a copy of the flow in another environment: nothing of it but
    whether the flow may start runs. Otherwise both would fire. With `enabled`, it may where the first one may.
    """

    def copy(value: Any) -> Any:
        on = enabled and (value is None or bool(value.get("enabled", True)))
        return None if on else _value(Registration(b"", enabled=False))

    return copy


def _value(registration: Registration) -> dict[str, Any]:
    return {name: getattr(registration, name) for name in _STORED}


_STORED: Final = tuple(name for name in Registration.__slots__ if name not in ("flow_id", "row_version"))
