"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie. Names are loaded when they are first used, as those of the package: what administrators do is much
code, and a process that runs flows needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
    from .format.codec import ensure_storable, pack_record
    from .format.stored_values import StoredValue
    from .keys.keystore import Keystore
    from .maintenance.backup.backup import create_backup, expire_backup
    from .maintenance.backup.copy_reencryption import Copied
    from .maintenance.backup.files import keys_file
    from .maintenance.backup.register import Backup, Registry
    from .maintenance.backup.restore import restore_backup
    from .maintenance.backup.restore_elsewhere import restore_into
    from .maintenance.bundle import export_bundle, open_bundle
    from .maintenance.relocation import Moved, move_environment
    from .maintenance.repair import Outcome, Recovered
    from .maintenance.reset import Reset, reset_environment
    from .maintenance.retention import Retention
    from .maintenance.shredding import Shredded
    from .maintenance.status import EnvironmentStatus, environment_status
    from .maintenance.verify import Finding, Verification, verify_environment
    from .maintenance.verify_control_store import verify_control
    from .policies.administration import Actor, Administration
    from .policies.approvals import Request
    from .policies.audit import Act
    from .policies.operations import Operation
    from .policies.overdue import delete_overdue, find_overdue
    from .policies.plaintext_exports import exporting
    from .policies.policy import Policy
    from .port import Backend, KeyProvider
    from .rows import Batch
    from .stores.connections import ConnectionInfo
    from .stores.home import Store
    from .stores.runs.history import RunReader
    from .stores.runs.run_log import RunLog
    from .stores.sealed_inbox import SealedInbox, SealedItem
    from .stores.vault import Vault
    from .stores.views import (
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

_WHERE: Final = {
    "Act": ".policies.audit",
    "Actor": ".policies.administration",
    "Administration": ".policies.administration",
    "AlreadyAnswered": ".errors",
    "AlreadyThere": ".errors",
    "ApprovalNeeded": ".errors",
    "Backend": ".port",
    "Backup": ".maintenance.backup.register",
    "Batch": ".rows",
    "Conflict": ".errors",
    "ConnectionInfo": ".stores.connections",
    "Copied": ".maintenance.backup.copy_reencryption",
    "CorruptRecord": ".stores.views",
    "DatabaseRefused": ".errors",
    "EnvironmentInfo": ".stores.views",
    "EnvironmentLocked": ".errors",
    "EnvironmentStatus": ".maintenance.status",
    "EnvironmentSuspended": ".errors",
    "ExecutorLost": ".errors",
    "Finding": ".maintenance.verify",
    "FlowDocument": ".stores.views",
    "FlowInfo": ".stores.views",
    "FlowVersion": ".stores.views",
    "InboxFull": ".errors",
    "InboxItem": ".stores.views",
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
    "Keystore": ".keys.keystore",
    "KeystoreUnreadable": ".errors",
    "LocationMismatch": ".errors",
    "Message": ".stores.views",
    "MessageCount": ".stores.views",
    "Moved": ".maintenance.relocation",
    "NotARecord": ".errors",
    "NotDedicated": ".errors",
    "NotPermitted": ".errors",
    "NotStorable": ".errors",
    "Operation": ".policies.operations",
    "Outcome": ".maintenance.repair",
    "Page": ".stores.views",
    "Policy": ".policies.policy",
    "PolicyLimit": ".errors",
    "RecordNotFound": ".errors",
    "Recovered": ".maintenance.repair",
    "Registry": ".maintenance.backup.register",
    "Request": ".policies.approvals",
    "Reset": ".maintenance.reset",
    "Retention": ".maintenance.retention",
    "RunInfo": ".stores.views",
    "RunLog": ".stores.runs.run_log",
    "RunReader": ".stores.runs.history",
    "RunNotOwned": ".errors",
    "SealLimit": ".errors",
    "SealedInbox": ".stores.sealed_inbox",
    "SealedItem": ".stores.sealed_inbox",
    "Shredded": ".maintenance.shredding",
    "StaleKeys": ".errors",
    "StorageError": ".errors",
    "Store": ".stores.home",
    "StoreBusy": ".errors",
    "StoreClosed": ".errors",
    "StoreCorrupt": ".errors",
    "StoreFull": ".errors",
    "StoreGone": ".errors",
    "StoreNotWritable": ".errors",
    "StoreRolledBack": ".errors",
    "StoreTooNew": ".errors",
    "StoreUnreachable": ".errors",
    "StoredValue": ".format.stored_values",
    "TamperedHistory": ".errors",
    "TriggerState": ".stores.views",
    "UnsuitableKey": ".errors",
    "Value": ".stores.views",
    "ValueTooLarge": ".errors",
    "Vault": ".stores.vault",
    "Verification": ".maintenance.verify",
    "WrongKey": ".errors",
    "create_backup": ".maintenance.backup.backup",
    "delete_overdue": ".policies.overdue",
    "ensure_storable": ".format.codec",
    "environment_status": ".maintenance.status",
    "expire_backup": ".maintenance.backup.backup",
    "export_bundle": ".maintenance.bundle",
    "exporting": ".policies.plaintext_exports",
    "find_overdue": ".policies.overdue",
    "keys_file": ".maintenance.backup.files",
    "move_environment": ".maintenance.relocation",
    "open_bundle": ".maintenance.bundle",
    "pack_record": ".format.codec",
    "reset_environment": ".maintenance.reset",
    "restore_backup": ".maintenance.backup.restore",
    "restore_into": ".maintenance.backup.restore_elsewhere",
    "taken_over": ".errors",
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
