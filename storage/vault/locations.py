"""Where an environment's rows are: in a SQLite file of the home folder, or in a schema of a PostgreSQL database.

HOME/environments/<id>/store.db          everything of one environment
HOME/environments/<id>/executor.lock

The address of a database stands in the environment's sealed record, without a password.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends.sqlite import SQLiteBackend
from ..errors import InvalidDatabaseUrl, RecordNotFound, StoreCorrupt
from ..files import make_folder, os_error, sync_folder
from ..models import EnvironmentInfo
from ..port import Backend

if TYPE_CHECKING:
    from ..backends.postgres import PostgresBackend


def make_home(home: Path) -> None:
    """Makes the folder of a store. Raises StoreNotWritable, StoreFull."""
    try:
        make_folder(home)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "ascii")
            sync_folder(home)
    except OSError as error:
        raise os_error(error, home, "folder") from error


def has_environments(home: Path) -> bool:
    """Whether a folder has stores of environments."""
    try:
        return any((home / "environments").iterdir())
    except OSError:  # there is no such folder
        return False


class Places:
    """The places of all environments of one home folder."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def create(self, info: EnvironmentInfo) -> Backend:
        """An empty store for a new environment. Raises the store's errors."""
        if info.database is not None:
            return await _postgres(info, info.database, create=True)
        path = self._file(info.id)
        make_folder(path.parent)
        return await SQLiteBackend.open(path)

    async def open(self, info: EnvironmentInfo) -> Backend:
        """The store of an environment. Raises StoreCorrupt where there is none, and the store's errors."""
        missing = StoreCorrupt(f"The store of environment {info.name} is missing: {self.name(info)}.")
        if info.database is not None:
            try:
                return await _postgres(info, info.database, create=False)
            except RecordNotFound as error:
                raise missing from error
        path = self._file(info.id)
        if not path.exists():
            raise missing
        return await SQLiteBackend.open(path)

    async def remove(self, info: EnvironmentInfo) -> None:
        """Removes the store of an environment, if there is one. Nobody may use it any more."""
        if info.database is None:
            shutil.rmtree(self._file(info.id).parent, ignore_errors=True)
            return
        try:
            backend = await _postgres(info, info.database, create=False)
        except RecordNotFound:
            return
        try:
            await backend.drop()
        finally:
            await backend.close()

    def name(self, info: EnvironmentInfo) -> str:
        """The place, for people."""
        return info.database if info.database is not None else str(self._file(info.id))

    def _file(self, environment: bytes) -> Path:
        return self._home / "environments" / environment.hex() / "store.db"


async def _postgres(info: EnvironmentInfo, url: str, *, create: bool) -> PostgresBackend:
    # Imported when it is needed: the driver is an extra.
    try:
        from ..backends.postgres import PostgresBackend, schema_name
    except ModuleNotFoundError as error:
        raise InvalidDatabaseUrl(
            f"A store in PostgreSQL needs a package that is not installed ({error.name}).",
            hint="pip install 'sealflow[postgres]'",
        ) from error
    return await PostgresBackend.open(url, schema_name(info.id), create=create)
