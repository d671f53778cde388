"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie.
"""

from __future__ import annotations

from .administration import Actor, Administration
from .audit import Act
from .backup import create_backup, expire_backup, keys_file, restore_backup
from .backups import Backup, Registry
from .bundle import export_bundle, open_bundle
from .codec import ensure_storable
from .connections import ConnectionInfo
from .errors import (
    AlreadyThere,
    Conflict,
    DatabaseRefused,
    EnvironmentLocked,
    EnvironmentSuspended,
    ExecutorLost,
    InboxFull,
    IntegrityError,
    InvalidAnchor,
    InvalidBackup,
    InvalidDatabaseUrl,
    InvalidKeyUri,
    InvalidName,
    InvalidPolicy,
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
    StoreRolledBack,
    StoreTooNew,
    StoreUnreachable,
    TamperedHistory,
    UnsuitableKey,
    WrongKey,
    taken_over,
)
from .history import RunLog, RunReader
from .keystore import Keystore
from .operations import Operation
from .policy import Policy
from .port import Backend, KeyProvider
from .retention import Retention
from .rows import Batch
from .sealed_inbox import SealedInbox, SealedItem
from .shredding import Shredded
from .status import EnvironmentStatus, environment_status
from .store import Store
from .vault import Vault
from .verify import Finding, Verification, verify_control, verify_environment
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
    "Backup",
    "Batch",
    "Conflict",
    "ConnectionInfo",
    "DatabaseRefused",
    "EnvironmentInfo",
    "EnvironmentLocked",
    "EnvironmentStatus",
    "EnvironmentSuspended",
    "ExecutorLost",
    "Finding",
    "FlowDocument",
    "FlowInfo",
    "FlowVersion",
    "InboxFull",
    "InboxItem",
    "IntegrityError",
    "InvalidAnchor",
    "InvalidBackup",
    "InvalidDatabaseUrl",
    "InvalidKeyUri",
    "InvalidName",
    "InvalidPolicy",
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
    "Registry",
    "Retention",
    "RunInfo",
    "RunLog",
    "RunReader",
    "SealLimit",
    "SealedInbox",
    "SealedItem",
    "Shredded",
    "StaleKeys",
    "StorageError",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreFull",
    "StoreNotWritable",
    "StoreRolledBack",
    "StoreTooNew",
    "StoreUnreachable",
    "TamperedHistory",
    "TriggerState",
    "UnsuitableKey",
    "Value",
    "Vault",
    "Verification",
    "WrongKey",
    "create_backup",
    "ensure_storable",
    "environment_status",
    "expire_backup",
    "export_bundle",
    "keys_file",
    "open_bundle",
    "restore_backup",
    "taken_over",
    "verify_control",
    "verify_environment",
]
