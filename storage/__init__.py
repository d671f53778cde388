"""Sealflow's storage: everything is sealed on the way to the disk and verified on the way back.

`Store` is a home folder with its environments, `Vault` the one door to an environment's data, `Keystore` where the
service's keys lie.
"""

from __future__ import annotations

from .bundle import export_bundle, open_bundle
from .codec import ensure_storable
from .errors import (
    AlreadyThere,
    Conflict,
    IntegrityError,
    InvalidName,
    KeyMissing,
    KeystoreUnreadable,
    NotARecord,
    NotStorable,
    RecordNotFound,
    SealLimit,
    StorageError,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreNotWritable,
    StoreTooNew,
    TamperedHistory,
    WrongKey,
)
from .history import RunLog, RunReader
from .keystore import Keystore
from .port import Backend, Batch, KeyProvider
from .store import Store
from .vault import Vault
from .views import EnvironmentInfo, FlowDocument, FlowInfo, FlowVersion, InboxItem, Page, RunInfo, Value

__all__ = [
    "AlreadyThere",
    "Backend",
    "Batch",
    "Conflict",
    "EnvironmentInfo",
    "FlowDocument",
    "FlowInfo",
    "FlowVersion",
    "InboxItem",
    "IntegrityError",
    "InvalidName",
    "KeyMissing",
    "KeyProvider",
    "Keystore",
    "KeystoreUnreadable",
    "NotARecord",
    "NotStorable",
    "Page",
    "RecordNotFound",
    "RunInfo",
    "RunLog",
    "RunReader",
    "SealLimit",
    "StorageError",
    "Store",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreFull",
    "StoreNotWritable",
    "StoreTooNew",
    "TamperedHistory",
    "Value",
    "Vault",
    "WrongKey",
    "ensure_storable",
    "export_bundle",
    "open_bundle",
]
