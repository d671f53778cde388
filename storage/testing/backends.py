"""The suite that every backend passes: the suites of all stores. Shipped, so that an author of a backend can run it.

Subclass `BackendConformance` in a pytest module (with pytest-asyncio in auto mode) and give it a fixture
`open_backend`: an async function that opens the same, at first empty, store each time it is called. The suite closes
what it opens. While you write a backend, subclass the suite of each store on its own.
"""

from __future__ import annotations

from .backups import BackupConformance
from .connections import ConnectionConformance, OperationConformance
from .consistency import ConsistencyConformance
from .control import ControlConformance
from .flows import FlowConformance
from .inbox import CallbackConformance, InboxConformance, SealedInboxConformance
from .keys import KeyConformance
from .orders import OrderConformance
from .runs import RunConformance
from .transactions import TransactionConformance
from .triggers import MessageConformance, TriggerConformance
from .values import ValueConformance
from .workers import ClaimConformance, WorkerConformance


class BackendConformance(
    TransactionConformance,
    OrderConformance,
    BackupConformance,
    KeyConformance,
    ControlConformance,
    FlowConformance,
    ConnectionConformance,
    OperationConformance,
    RunConformance,
    ValueConformance,
    TriggerConformance,
    MessageConformance,
    InboxConformance,
    SealedInboxConformance,
    CallbackConformance,
    WorkerConformance,
    ClaimConformance,
    ConsistencyConformance,
):
    """The promises of `port.Backend`."""
