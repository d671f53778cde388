"""The SQLite backend: one file for each environment, no set-up."""

from __future__ import annotations

from .backend import SQLiteBackend
from .lock import ExecutorLock

__all__ = ["ExecutorLock", "SQLiteBackend"]
