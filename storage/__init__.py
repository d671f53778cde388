"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie. Names are loaded when they are first used, as those of the package: what administrators do is much
code, and a process that runs flows needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..engine import lazy
from .errors import (
    AlreadyAnswered,
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
    RunNotOwned,
    SealLimit,
    StaleKeys,
    StorageError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreGone,
    StoreNotWritable,
    StoreRolledBack,
    StoreTooNew,
    StoreTooOld,
    StoreUnreachable,
    TamperedHistory,
    UnsuitableKey,
    ValueTooLarge,
    WrongKey,
    taken_over,
)
from .models import (
    CorruptRecord,
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

if TYPE_CHECKING:
    from .administration.administration import Actor, Administration
    from .administration.overdue import delete_overdue, find_overdue
    from .administration.plaintext_exports import exporting
    from .format.codec import ensure_storable, pack_record
    from .format.stored_values import StoredValue
    from .keys.keystore import Keystore
    from .maintenance.backup.backup import create_backup, expire_backup
    from .maintenance.backup.copy_reencryption import Copied
    from .maintenance.backup.files import keys_file
    from .maintenance.backup.restore import restore_backup
    from .maintenance.backup.restore_elsewhere import restore_into
    from .maintenance.bundle import export_bundle, open_bundle
    from .maintenance.relocation import Moved, move_environment
    from .maintenance.reset import Reset, reset_environment
    from .maintenance.status import EnvironmentStatus, environment_status
    from .maintenance.verify import Finding, Verification, verify_environment
    from .maintenance.verify_control_store import verify_control
    from .policies.approvals import Request
    from .policies.audit import Act
    from .policies.policy import Policy
    from .port import Backend, Batch, KeyProvider
    from .stores.connections import ConnectionInfo
    from .stores.inbox.sealed_items import SealedInbox, SealedItem
    from .stores.operations import Operation
    from .stores.repair import Outcome, Recovered
    from .stores.retention import Retention
    from .stores.runs.history import RunReader
    from .stores.runs.run_log import RunLog
    from .stores.shredding import Shredded
    from .vault.backup_register import Backup, Registry
    from .vault.home import Store
    from .vault.vault import Vault

_WHERE: Final = {
    "Act": ".policies.audit",
    "Actor": ".administration.administration",
    "Administration": ".administration.administration",
    "Backend": ".port",
    "Backup": ".vault.backup_register",
    "Batch": ".port",
    "ConnectionInfo": ".stores.connections",
    "Copied": ".maintenance.backup.copy_reencryption",
    "EnvironmentStatus": ".maintenance.status",
    "Finding": ".maintenance.verify",
    "KeyProvider": ".port",
    "Keystore": ".keys.keystore",
    "Moved": ".maintenance.relocation",
    "Operation": ".stores.operations",
    "Outcome": ".stores.repair",
    "Policy": ".policies.policy",
    "Recovered": ".stores.repair",
    "Registry": ".vault.backup_register",
    "Request": ".policies.approvals",
    "Reset": ".maintenance.reset",
    "Retention": ".stores.retention",
    "RunLog": ".stores.runs.run_log",
    "RunReader": ".stores.runs.history",
    "SealedInbox": ".stores.inbox.sealed_items",
    "SealedItem": ".stores.inbox.sealed_items",
    "Shredded": ".stores.shredding",
    "Store": ".vault.home",
    "StoredValue": ".format.stored_values",
    "Vault": ".vault.vault",
    "Verification": ".maintenance.verify",
    "create_backup": ".maintenance.backup.backup",
    "delete_overdue": ".administration.overdue",
    "ensure_storable": ".format.codec",
    "environment_status": ".maintenance.status",
    "expire_backup": ".maintenance.backup.backup",
    "export_bundle": ".maintenance.bundle",
    "exporting": ".administration.plaintext_exports",
    "find_overdue": ".administration.overdue",
    "keys_file": ".maintenance.backup.files",
    "move_environment": ".maintenance.relocation",
    "open_bundle": ".maintenance.bundle",
    "pack_record": ".format.codec",
    "reset_environment": ".maintenance.reset",
    "restore_backup": ".maintenance.backup.restore",
    "restore_into": ".maintenance.backup.restore_elsewhere",
    "verify_control": ".maintenance.verify_control_store",
    "verify_environment": ".maintenance.verify",
}

__all__ = [
    "Act",
    "Actor",
    "Administration",
    "AlreadyAnswered",
    "AlreadyThere",
    "ApprovalNeeded",
    "Backend",
    "Backup",
    "Batch",
    "Conflict",
    "ConnectionInfo",
    "Copied",
    "CorruptRecord",
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
    "Outcome",
    "Page",
    "Policy",
    "PolicyLimit",
    "RecordNotFound",
    "Recovered",
    "Registry",
    "Request",
    "Reset",
    "Retention",
    "RunInfo",
    "RunLog",
    "RunNotOwned",
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
    "StoreGone",
    "StoreNotWritable",
    "StoreRolledBack",
    "StoreTooNew",
    "StoreTooOld",
    "StoreUnreachable",
    "StoredValue",
    "TamperedHistory",
    "TriggerState",
    "UnsuitableKey",
    "Value",
    "ValueTooLarge",
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
    "find_overdue",
    "keys_file",
    "move_environment",
    "open_bundle",
    "pack_record",
    "reset_environment",
    "restore_backup",
    "restore_into",
    "taken_over",
    "verify_control",
    "verify_environment",
]

__getattr__, __dir__ = lazy.names(globals(), _WHERE)
