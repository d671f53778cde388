"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie.
"""

from __future__ import annotations

from .administration import Actor, Administration
from .approvals import Request
from .audit import Act
from .backup import create_backup, expire_backup
from .backup_files import keys_file
from .backups import Backup, Registry
from .bundle import export_bundle, open_bundle
from .codec import ensure_storable, pack_record
from .connections import ConnectionInfo
from .errors import (
    AlreadyThere,
    ApprovalNeeded,
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
    LocationMismatch,
    NotARecord,
    NotDedicated,
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
from .history import RunReader
from .keystore import Keystore
from .moving import Moved, move_environment
from .operations import Operation
from .overdue import delete_overdue, overdue
from .plaintext_exports import exporting
from .policy import Policy
from .port import Backend, KeyProvider
from .resealing import Copied
from .reset import Reset, reset_environment
from .restoring import restore_backup
from .restoring_elsewhere import restore_into
from .retention import Retention
from .rows import Batch
from .run_log import RunLog
from .sealed_inbox import SealedInbox, SealedItem
from .shredding import Shredded
from .status import EnvironmentStatus, environment_status
from .store import Store
from .vault import Vault
from .verify import Finding, Verification, verify_control, verify_environment
from .views import (
    Damaged,
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
    "ApprovalNeeded",
    "Backend",
    "Backup",
    "Batch",
    "Conflict",
    "ConnectionInfo",
    "Copied",
    "Damaged",
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
    "LocationMismatch",
    "Message",
    "MessageCount",
    "Moved",
    "NotARecord",
    "NotDedicated",
    "NotPermitted",
    "NotStorable",
    "Operation",
    "Page",
    "Policy",
    "PolicyLimit",
    "RecordNotFound",
    "Registry",
    "Request",
    "Reset",
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
    "delete_overdue",
    "ensure_storable",
    "environment_status",
    "expire_backup",
    "export_bundle",
    "exporting",
    "keys_file",
    "move_environment",
    "open_bundle",
    "overdue",
    "pack_record",
    "reset_environment",
    "restore_backup",
    "restore_into",
    "taken_over",
    "verify_control",
    "verify_environment",
]
