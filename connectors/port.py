"""The port between a run and the outside: what a connector is asked, what it answers, what it is handed.

Connectors know nothing of flows, runs or the store. Retries are the kernel's: a connector tries once and says how it
went.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from ..engine.errors import SealflowError
from ..engine.values import Value
from .egress.policy import Egress

Recovery: TypeAlias = Literal["rerun", "keyed", "never"]
"""What happens to a call that was under way when the process died.

`rerun`: it is made again, since repeating it does no harm. `keyed`: it is made again with the same idempotency key.
`never`: it is not repeated; the action fails as interrupted, and the flow can handle that.
"""

SECOND = 10_000_000
"""Clocks count ticks of 100 nanoseconds since 1970-01-01T00:00Z; this many are a second."""


class Clock(Protocol):
    """Time as a connector sees it: waiting is done here and nowhere else, so that tests need not wait."""

    def now(self) -> int:
        """Ticks of 100 nanoseconds since 1970-01-01T00:00Z."""
        ...

    async def sleep_until(self, due: int) -> None:
        """Return when the clock shows `due` (ticks) or later."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use. Sizes in bytes, `timeout` in seconds.

    `chunked_bytes` is the most that may go, or come, in chunks of at most `chunk_bytes`.

    Source: Logic Apps, limits and configuration: HTTP limits (104,857,600 bytes, 120 seconds for an outbound
    synchronous call, 1 GiB with chunking).
    """

    request_bytes: int = 104_857_600
    response_bytes: int = 104_857_600
    timeout: float = 120.0
    chunk_bytes: int = 52_428_800
    chunked_bytes: int = 1_073_741_824


class Content(Protocol):
    """Large content of the run that a call is made for, which is kept outside of memory.

    What stands for it takes the place of a value: in the inputs of a call (where the connector says `streams`), and in
    what is answered. `engine.values.is_elsewhere` knows it. `least` is how many bytes are worth it.
    """

    @property
    def least(self) -> int: ...

    def kind(self, value: object) -> Literal["text", "base64", "other"]:
        """What its bytes are: a text in UTF-8, those that a base64 text stands for, or nothing that is of use."""
        ...

    def size(self, value: object) -> int:
        """How many bytes it has."""
        ...

    def read(self, value: object) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece."""
        ...

    async def whole(self, value: Any) -> Any:
        """A value without anything that stands for another."""
        ...

    async def keep(self, parts: AsyncIterator[bytes], *, text: bool) -> object:
        """What stands for these bytes: for the text that they are in UTF-8, or for its base64.

        Raises ConnectorError `ValueTooLarge`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What the runtime hands to a connector with every call.

    `session` is what the run has outside, of desktop flows (`desktop.Session`); None for others. `content` is there for
    a connector that says `streams = True`, where the run can keep large content.
    """

    clock: Clock
    egress: Egress = field(default_factory=Egress)
    limits: Limits = field(default_factory=Limits)
    session: object | None = None
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A map or schema of the flow: its name and text. `related` are all of its kind, by lower-case name."""

    name: str
    text: str = field(repr=False)
    related: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of one operation.

    `inputs` are the action's evaluated inputs and must not be changed. `key` is the same for all attempts of this
    action in this run. `options` are the action's operationOptions, lower-case; `settings` its runtimeConfiguration.
    `webhook` says that the definition expects the answer later: the connector waits for it, or passes `callback_url` on
    and answers `Subscribed`. That address is a secret, "" for other calls. `timeout`: seconds for one exchange, None
    for the usual limit.
    """

    connector: str
    operation: str
    inputs: Value
    key: str
    path: str = ""
    attempt: int = 1
    options: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    webhook: bool = False
    callback_url: str = field(default="", repr=False)
    timeout: float | None = None
    artifact: Artifact | None = None


class _Draft:
    """A Call while it is filled in: its members and nothing else."""

    __slots__ = tuple(Call.__slots__)

    def __init__(
        self,
        connector: str,
        operation: str,
        inputs: Value,
        key: str,
        path: str,
        attempt: int,
        options: frozenset[str],
        settings: Mapping[str, Any],
        webhook: bool,
        callback_url: str,
        timeout: float | None,
        artifact: Artifact | None,
    ) -> None:
        self.connector = connector
        self.operation = operation
        self.inputs = inputs
        self.key = key
        self.path = path
        self.attempt = attempt
        self.options = options
        self.settings = settings
        self.webhook = webhook
        self.callback_url = callback_url
        self.timeout = timeout
        self.artifact = artifact


def drafted(*members: Any) -> Call:
    """`Call(*members)`, all of them given, at a fifth of its cost: a frozen dataclass sets each by a call of its own,
    and every step of every run makes one.
    """
    call: Any = _Draft(*members)
    call.__class__ = Call
    return call  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class ConnectorResponse:
    """What was answered; statuses 200 to 299 are successes. `empty`: there was no body at all, not even null."""

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Value = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Subscribed:
    """To a webhook's call: whoever was asked has the callback URL, and the answer comes there.

    The run waits for it, asleep and across restarts, until the action's limit lapses. `details` are kept in the run's
    records, where nothing but an export shows them.
    """

    details: Value = None


class ConnectorError(SealflowError):
    """A call without an answer, or one that was never made.

    ConnectionFailed, ConnectionTimedOut and RequestTimedOut are tried again as the action's retry policy says, other
    codes are not. `message` goes into the run's history: it must not name secrets. `outputs` are what the action has
    to show nevertheless.
    """

    code = "ConnectorFailed"

    def __init__(self, code: str, message: str, outputs: Value = None, *, hint: str | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.outputs = outputs


@runtime_checkable
class Connector(Protocol):
    """Performs the operations of one service. One object serves all calls of a process, many at a time.

    `conformance.ConnectorContract` is the suite that every connector passes. A connector that holds connections has
    `async aclose()`.
    """

    @property
    def recovery(self) -> Recovery:
        """What the runtime does about a call that a crash interrupted."""
        ...

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse | Subscribed:
        """Perform the call once; `Subscribed` may answer a webhook's only.

        Raises ConnectorError where there is no answer; cancelling it gives the call up at once.
        """
        ...
