"""Callbacks: the answer that a webhook action waits for, from its arrival to the run that it belongs to.

A callback names its run and proves by a token that it was asked for. Both stand at the end of the address that
`listCallbackUrl()` gave out: `…/RUN/TOKEN`. Nothing here trusts what comes in beyond that.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ....connectors import ConnectorError, ConnectorResponse
from ....connectors.answers import as_value
from ....storage import InboxItem, Vault, ensure_storable
from ....storage.stores.inbox.sealed_items import SealedItems
from ...errors import NotFound, SealflowError
from ...kernel import Command, Entry, Invoke, Open, State, listens
from ...kernel.contract.randomness import callback_token
from ...kernel.contract.status import SKIPPED
from ..flows.library import Library
from ..flows.start import UNSET, Unset, run_name
from ..history.reading import read_state
from ..workers.requests import CALLBACK, CANCEL
from .dispatch import Answer, answer_of

RECORDED: Final = 200
ACCEPTED: Final = 202
UNKNOWN: Final = 404
GONE: Final = 410
FULL: Final = 503

_ADDRESS: Final = re.compile(
    r"(?:.*/)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/([0-9a-f]{32})/?(?:[?#].*)?", re.ASCII
)


class InvalidCallbackError(SealflowError):
    """A callback whose status, headers or body are none."""

    code = "InvalidCallback"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a callback; `status` is what an HTTP host answers.

    200: it is recorded. 202: it is kept for the process that executes the run, or until the environment is unlocked.
    404: nobody asked for it. 410: another callback was accepted before, the run was cancelled, or the action is over.
    503: the locked environment takes nothing more in; try again after `retry_after` seconds. `run` and `path` name the
    action, where it is known.
    """

    status: int
    run: str | None = None
    path: str | None = None
    retry_after: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the callback counts."""
        return self.status in (RECORDED, ACCEPTED)


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a callback is for. The token is a secret."""

    run_id: bytes
    token: str

    @classmethod
    def read(cls, text: str) -> Address | None:
        """The address in a callback URL, or in its last two parts alone; None where it is none."""
        match = _ADDRESS.fullmatch(text.strip())
        return cls(bytes.fromhex(match[1].replace("-", "")), match[2]) if match else None

    def __repr__(self) -> str:
        return f"Address({run_name(self.run_id)})"


def answer_to(body: Any | Unset, headers: Mapping[str, Any] | None, status: int) -> Answer:
    """The outcome that a callback gives its action: judged by its status, as the answer to a call.

    Raises InvalidCallbackError, and NotStorable for a body that cannot be kept.
    """
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise InvalidCallbackError("The status of a callback must be an HTTP status.")
    try:
        given = as_value({str(name): str(value) for name, value in (headers or {}).items()}, "The headers")
        value = None if isinstance(body, Unset) else as_value(body, "The body of the callback")
    except ConnectorError as failure:
        raise InvalidCallbackError(failure.message, hint=failure.hint) from None
    answer = answer_of(ConnectorResponse(status, given, value, empty=body is UNSET), "callback")  # type: ignore[arg-type]
    ensure_storable([*answer])
    return answer


def find(state: State, token: str) -> Open | None:
    """The open action that this token belongs to and that a callback would count for. Takes the same time for any."""
    found = None
    for entry in state.open.values():
        if listens(entry) and _belongs(state, state.plan.path(entry.node, entry.frame.it), token):
            found = entry
    return found


def addresses(state: State) -> dict[str, str]:
    """The callback URLs of the actions that wait for one, by path. They are secrets."""
    if state.end is not None:
        return {}
    paths = [state.plan.path(entry.node, entry.frame.it) for entry in state.open.values() if listens(entry)]
    return {path: state.callback_url(path) for path in paths}


async def look_up(vault: Vault, library: Library, address: Address) -> Delivery:
    """How a callback would be answered by what is stored of its run: 202, 404 or 410."""
    name = run_name(address.run_id)
    told: dict[str, Entry] = {}

    def changed(known: Entry) -> None:
        if known.node.operation is not None and known.node.operation.webhook:
            told[known.path] = known

    try:
        state, _ = await read_state(vault, library, address.run_id, changed, keep=0)
    except NotFound:
        return Delivery(UNKNOWN)
    entry = find(state, address.token) if state.end is None else None
    if entry is not None:
        return Delivery(ACCEPTED, name, state.plan.path(entry.node, entry.frame.it))
    for path, known in told.items():
        if known.status != SKIPPED and _belongs(state, path, address.token):
            return Delivery(GONE, name, path)
    return Delivery(UNKNOWN)


async def accept(vault: Vault, library: Library, address: Address, answer: Answer) -> Delivery:
    """Store a callback for the process that executes its run. The first one for an action counts."""
    delivery = await look_up(vault, library, address)
    if not delivery.accepted:
        return delivery
    number = await store(vault, address, answer)
    if number is None or await is_late(vault, address, number):
        return Delivery(GONE, delivery.run, delivery.path)
    return delivery


async def store(vault: Vault, address: Address, answer: Answer) -> int | None:
    """Store a callback in the inbox, durably; its number there. None where the action has had one, or is over."""
    request = {"token": address.token, "answer": [*answer]}
    return await vault.callbacks.accept(CALLBACK, request, address.run_id, bytes.fromhex(address.token))


async def is_late(vault: Vault, address: Address, number: int) -> bool:
    """Whether something that was accepted before this request of the inbox makes it count for nothing: the run was
    cancelled, or a release that claimed no tokens stored another callback.
    """
    for item in await vault.callbacks.requests_for(address.run_id):
        if item.id < number and (item.kind == CANCEL or is_for(item, address)):
            return True
    return False


def is_for(item: InboxItem, address: Address) -> bool:
    """Whether a request is a callback with this address."""
    return item.kind == CALLBACK and item.run_id == address.run_id and item.value["token"] == address.token


def _belongs(state: State, path: str, token: str) -> bool:
    return hmac.compare_digest(callback_token(state.pins["seed"], path), token)


def expect_callbacks(sealed: SealedItems, run_id: bytes, commands: Sequence[Command], *, ended: bool) -> None:
    """Register the callbacks that these commands request, until the run has ended. Part of the current commit."""
    for command in commands:
        if isinstance(command, Invoke) and command.operation.webhook and not command.unsubscribes:
            address = Address.read(command.callback_url)
            if address is not None:
                sealed.expect(run_id, bytes.fromhex(address.token))
    if ended:
        sealed.forget(run_id)
