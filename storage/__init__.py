"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie. Names are loaded when they are first used, as those of the package: what administrators do is much
code, and a process that runs flows needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .administration import Actor, Administration
    from .approvals import Request
    from .audit import Act
    from .backup import create_backup, expire_backup
    from .backup_files import keys_file
    from .backups import Backup, Registry
    from .bundle import export_bundle, open_bundle
    from .codec import ensure_storable, pack_record
    from .connections import ConnectionInfo
    from .control_store import verify_control
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
        StoreUnreachable,
        TamperedHistory,
        UnsuitableKey,
        ValueTooLarge,
        WrongKey,
        taken_over,
    )
    from .history import RunReader
    from .keystore import Keystore
    from .moving import Moved, move_environment
    from .operations import Operation
    from .overdue import delete_overdue, find_overdue
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
    from .stored_values import StoredValue
    from .vault import Vault
    from .verify import Finding, Verification, verify_environment
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

_WHERE: Final = {
    "Act": ".audit",
    "Actor": ".administration",
    "Administration": ".administration",
    "AlreadyAnswered": ".errors",
    "AlreadyThere": ".errors",
    "ApprovalNeeded": ".errors",
    "Backend": ".port",
    "Backup": ".backups",
    "Batch": ".rows",
    "Conflict": ".errors",
    "ConnectionInfo": ".connections",
    "Copied": ".resealing",
    "Damaged": ".views",
    "DatabaseRefused": ".errors",
    "EnvironmentInfo": ".views",
    "EnvironmentLocked": ".errors",
    "EnvironmentStatus": ".status",
    "EnvironmentSuspended": ".errors",
    "ExecutorLost": ".errors",
    "Finding": ".verify",
    "FlowDocument": ".views",
    "FlowInfo": ".views",
    "FlowVersion": ".views",
    "InboxFull": ".errors",
    "InboxItem": ".views",
    "IntegrityError": ".errors",
    "InvalidAnchor": ".errors",
    "InvalidBackup": ".errors",
    "InvalidDatabaseUrl": ".errors",
    "InvalidKeyUri": ".errors",
    "InvalidName": ".errors",
    "InvalidPolicy": ".errors",
    "KeyDenied": ".errors",
    "KeyMissing": ".errors",
    "KeyProvider": ".port",
    "KeyUnavailable": ".errors",
    "Keystore": ".keystore",
    "KeystoreUnreadable": ".errors",
    "LocationMismatch": ".errors",
    "Message": ".views",
    "MessageCount": ".views",
    "Moved": ".moving",
    "NotARecord": ".errors",
    "NotDedicated": ".errors",
    "NotPermitted": ".errors",
    "NotStorable": ".errors",
    "Operation": ".operations",
    "Page": ".views",
    "Policy": ".policy",
    "PolicyLimit": ".errors",
    "RecordNotFound": ".errors",
    "Registry": ".backups",
    "Request": ".approvals",
    "Reset": ".reset",
    "Retention": ".retention",
    "RunInfo": ".views",
    "RunLog": ".run_log",
    "RunReader": ".history",
    "RunNotOwned": ".errors",
    "SealLimit": ".errors",
    "SealedInbox": ".sealed_inbox",
    "SealedItem": ".sealed_inbox",
    "Shredded": ".shredding",
    "StaleKeys": ".errors",
    "StorageError": ".errors",
    "Store": ".store",
    "StoreBusy": ".errors",
    "StoreClosed": ".errors",
    "StoreCorrupt": ".errors",
    "StoreFull": ".errors",
    "StoreGone": ".errors",
    "StoreNotWritable": ".errors",
    "StoreRolledBack": ".errors",
    "StoreTooNew": ".errors",
    "StoreUnreachable": ".errors",
    "StoredValue": ".stored_values",
    "TamperedHistory": ".errors",
    "TriggerState": ".views",
    "UnsuitableKey": ".errors",
    "Value": ".views",
    "ValueTooLarge": ".errors",
    "Vault": ".vault",
    "Verification": ".verify",
    "WrongKey": ".errors",
    "create_backup": ".backup",
    "delete_overdue": ".overdue",
    "ensure_storable": ".codec",
    "environment_status": ".status",
    "expire_backup": ".backup",
    "export_bundle": ".bundle",
    "exporting": ".plaintext_exports",
    "find_overdue": ".overdue",
    "keys_file": ".backup_files",
    "move_environment": ".moving",
    "open_bundle": ".bundle",
    "pack_record": ".codec",
    "reset_environment": ".reset",
    "restore_backup": ".restoring",
    "restore_into": ".restoring_elsewhere",
    "taken_over": ".errors",
    "verify_control": ".control_store",
    "verify_environment": ".verify",
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


def __getattr__(name: str) -> object:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(import_module(where, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
