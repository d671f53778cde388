"""The PostgreSQL backend (extra `postgres`): one schema for each environment."""

from __future__ import annotations

from .backend import PostgresBackend
from .schema import schema_name

__all__ = ["PostgresBackend", "schema_name"]
