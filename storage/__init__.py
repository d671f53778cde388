"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie.
"""

from __future__ import annotations

from .administration import Actor, Administration
from .audit import Act
from .bundle import export_bundle, open_bundle
from .codec import ensure_storable
from .connections import ConnectionInfo
from .errors import (
    AlreadyThere,
    Conflict,
    EnvironmentLocked,
    EnvironmentSuspended,
    IntegrityError,
    InvalidKeyUri,
    InvalidName,
    KeyDenied,
    KeyMissing,
    KeystoreUnreadable,
    KeyUnavailable,
    NotARecord,
    NotPermitted,
    NotStorable,
    PolicyLimit,
    RecordNotFound,
    SealLimit,
    StaleKeys,
    StorageError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreNotWritable,
    StoreTooNew,
    TamperedHistory,
    UnsuitableKey,
    WrongKey,
)
from .history import RunLog, RunReader
from .keystore import Keystore
from .operations import Operation
from .policy import Policy
from .port import Backend, Batch, KeyProvider
from .status import EnvironmentStatus, environment_status
from .store import Store
from .vault import Vault
from .views import (
    EnvironmentInfo,
    FlowDocument,
    FlowInfo,
    FlowVersion,
    InboxItem,
    Message,
    MessageCount,
    Page,
    RunInfo,
    TriggerState,
    Value,
)

__all__ = [
    "Act",
    "Actor",
    "Administration",
    "AlreadyThere",
    "Backend",
    "Batch",
    "Conflict",
    "ConnectionInfo",
    "EnvironmentInfo",
    "EnvironmentLocked",
    "EnvironmentStatus",
    "EnvironmentSuspended",
    "FlowDocument",
    "FlowInfo",
    "FlowVersion",
    "InboxItem",
    "IntegrityError",
    "InvalidKeyUri",
    "InvalidName",
    "KeyDenied",
    "KeyMissing",
    "KeyProvider",
    "KeyUnavailable",
    "Keystore",
    "KeystoreUnreadable",
    "Message",
    "MessageCount",
    "NotARecord",
    "NotPermitted",
    "NotStorable",
    "Operation",
    "Page",
    "Policy",
    "PolicyLimit",
    "RecordNotFound",
    "RunInfo",
    "RunLog",
    "RunReader",
    "SealLimit",
    "StaleKeys",
    "StorageError",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreFull",
    "StoreNotWritable",
    "StoreTooNew",
    "TamperedHistory",
    "TriggerState",
    "UnsuitableKey",
    "Value",
    "Vault",
    "WrongKey",
    "ensure_storable",
    "environment_status",
    "export_bundle",
    "open_bundle",
]
