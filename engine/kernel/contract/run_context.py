"""What is fixed for a run from its start: its seed, its id, and what is derived from them. No state of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .randomness import Keys, callback_token, child_run_id, unsubscribe_key


class RunContext:
    """The values that the start record of a run fixes, and the names that the outside knows the run by.

    It stands for the seed, so nothing that outlives the run may hold it. `plan` is the plan of the run's version.
    """

    __slots__ = ("_keys", "_values", "plan", "seed", "started")

    def __init__(self, plan: Any, values: Mapping[str, Any], started: int) -> None:
        self.plan = plan
        self.seed: bytes = values["seed"]
        self.started = started
        self._values = values
        self._keys: Keys | None = None  # made with the first call

    @property
    def run(self) -> str:
        """The id of the run, as text; "" where the host gave none."""
        return str(self._values.get("run", ""))

    def key(self, path: str) -> str:
        """The idempotency key of the action at `path`: the same for every attempt of it in this run."""
        keys = self._keys
        if keys is None:
            keys = self._keys = Keys(self.seed)
        return keys.of(path)

    def unsubscribe_key(self, path: str) -> str:
        """The idempotency key of the request with which the webhook action at `path` unsubscribes."""
        return unsubscribe_key(self.seed, path)

    def callback_url(self, path: str) -> str:
        """Where the outside answers the action at `path`: the host's base address, the run and a token."""
        base = self._values.get("callback", "sealflow:callback")
        return f"{base}/{self.run}/{callback_token(self.seed, path)}"

    def child_id(self, path: str, attempt: int) -> bytes:
        """The id of the run that the action at `path` starts in this attempt."""
        return child_run_id(self.seed, path, attempt, self.started)
