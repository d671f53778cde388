"""The ports of storage: `Backend` with a store protocol for each noun and the batch of a commit, and `KeyProvider`."""

from __future__ import annotations

from .backend import Backend, Observer, Transactions
from .backups import BackupChanges, BackupRow, BackupStore
from .batch import Batch
from .changes import Changes
from .connections import ConnectionChanges, ConnectionRow, ConnectionStore
from .consistency import ConsistencyStore
from .control import AssignmentRow, ControlChanges, ControlStore, EnvironmentRow, LinkedRow, PolicyRow
from .flows import FlowChanges, FlowRow, FlowStore, RetentionRow, VersionRow
from .inbox import (
    CallbackChanges,
    CallbackStore,
    InboxChanges,
    InboxKeyRow,
    InboxRow,
    InboxStore,
    SealedInboxChanges,
    SealedInboxStore,
    SealedItemRow,
    SealedSize,
    StoredInboxRow,
    TokenRow,
)
from .key_provider import KeyFacts, KeyProvider, Wrapped
from .keys import EnvironmentKeyRow, Guard, KeyChanges, KeyCount, KeyRow, KeyStateRow, KeyStore
from .operations import OperationChanges, OperationRow, OperationStore
from .runs import (
    ChunkRow,
    LargeValueRow,
    PageRow,
    RunChanges,
    RunRow,
    RunStore,
    RunUpdate,
    SnapshotRow,
    ValueChanges,
    ValueStore,
)
from .triggers import (
    MessageChanges,
    MessageRow,
    MessageStore,
    PartitionRow,
    StoredMessageRow,
    TriggerChanges,
    TriggerRow,
    TriggerStore,
)
from .workers import FIRST_EPOCH, FOR_EVENTS, ClaimChanges, ClaimStore, QueueRow, WaitRow, WorkerStore

__all__ = [
    "FIRST_EPOCH",
    "FOR_EVENTS",
    "AssignmentRow",
    "Backend",
    "BackupChanges",
    "BackupRow",
    "BackupStore",
    "Batch",
    "CallbackChanges",
    "CallbackStore",
    "Changes",
    "ChunkRow",
    "ClaimChanges",
    "ClaimStore",
    "ConnectionChanges",
    "ConnectionRow",
    "ConnectionStore",
    "ConsistencyStore",
    "ControlChanges",
    "ControlStore",
    "EnvironmentKeyRow",
    "EnvironmentRow",
    "FlowChanges",
    "FlowRow",
    "FlowStore",
    "Guard",
    "InboxChanges",
    "InboxKeyRow",
    "InboxRow",
    "InboxStore",
    "KeyChanges",
    "KeyCount",
    "KeyFacts",
    "KeyProvider",
    "KeyRow",
    "KeyStateRow",
    "KeyStore",
    "LargeValueRow",
    "LinkedRow",
    "MessageChanges",
    "MessageRow",
    "MessageStore",
    "Observer",
    "OperationChanges",
    "OperationRow",
    "OperationStore",
    "PageRow",
    "PartitionRow",
    "PolicyRow",
    "QueueRow",
    "RetentionRow",
    "RunChanges",
    "RunRow",
    "RunStore",
    "RunUpdate",
    "SealedInboxChanges",
    "SealedInboxStore",
    "SealedItemRow",
    "SealedSize",
    "SnapshotRow",
    "StoredInboxRow",
    "StoredMessageRow",
    "TokenRow",
    "Transactions",
    "TriggerChanges",
    "TriggerRow",
    "TriggerStore",
    "ValueChanges",
    "ValueStore",
    "VersionRow",
    "WaitRow",
    "WorkerStore",
    "Wrapped",
]
