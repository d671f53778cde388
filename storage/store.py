"""A home folder: the control store, which knows the environments, and one store for each of them.

HOME/.gitignore                          "*"
HOME/control.db                          sealed names of environments
HOME/environments/<id>/store.db          everything of one environment
HOME/environments/<id>/executor.lock
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .backends.sqlite import SQLiteBackend
from .codec import pack, unpack
from .envelope import random_id
from .errors import AlreadyThere, Conflict, IntegrityError, RecordNotFound, StoreCorrupt
from .keyring import Keyring
from .keystore import Keystore, os_error
from .port import Backend, Batch, EnvironmentRow
from .purposes import Index, Kind, Purpose
from .vault import Vault, system_ms
from .views import EnvironmentInfo


class Store:
    """An opened home folder. Environments are partitions: each has its own file, keys and executor."""

    def __init__(
        self, home: Path, keystore: Keystore, backend: Backend, keyring: Keyring, now_ms: Callable[[], int]
    ) -> None:
        self.home = home
        self._keystore = keystore
        self._backend = backend
        self._keyring = keyring
        self._now_ms = now_ms

    @staticmethod
    async def open(
        home: Path, keystore: Keystore, *, create: bool = True, now_ms: Callable[[], int] = system_ms
    ) -> Store:
        """Opens the folder, and makes it if it is not there and `create` says so.

        Raises RecordNotFound (no store there), KeyMissing, WrongKey, KeystoreUnreadable, StoreNotWritable, StoreFull,
        StoreBusy, StoreCorrupt, StoreTooNew.
        """
        home, path = _control(home)
        keystore.refuse_inside(home)
        if not path.exists():
            if not create:
                raise RecordNotFound(f"There is no store in {home}.")
            _make_home(home)
        backend = await SQLiteBackend.open(path)
        try:
            keyring = await _open_or_create(backend, keystore, now_ms())
        except BaseException:
            await backend.close()
            raise
        return Store(home, keystore, backend, keyring, now_ms)

    async def close(self) -> None:
        """Closes the control store; vaults are closed by whoever opened them."""
        await self._backend.close()

    async def create_environment(self, name: str) -> EnvironmentInfo:
        """A new environment with its own store and keys. Raises AlreadyThere for a name that exists, in any case."""
        if not name:
            raise ValueError("An environment needs a name.")
        index = self._keyring.name_index(Index.ENVIRONMENT_NAME, name)
        if await self._backend.environment(index) is not None:
            raise AlreadyThere(f"There is an environment {name} already.")
        info = EnvironmentInfo(random_id(), name, self._now_ms())
        await self._create_environment_store(info)
        key, key_row = self._keyring.new_scope(Kind.ENVIRONMENT, info.id)
        record = key.seal(key.place(Purpose.ENVIRONMENT, info.id), 0, 1, pack([name, info.created_ms]))
        row = EnvironmentRow(info.id, index, 1, info.created_ms, record)
        try:
            # Last, so that an environment that is listed has its store; a crash before leaves an unused folder.
            await self._backend.commit(Batch(keys=[key_row], environments=[row]))
        except Conflict as error:
            raise AlreadyThere(f"There is an environment {name} already.") from error
        return info

    async def environments(self) -> list[EnvironmentInfo]:
        """All environments, oldest first."""
        return [await self._open_row(row) for row in await self._backend.environments()]

    async def environment(self, name: str) -> EnvironmentInfo:
        """An environment by name, in any case. Raises RecordNotFound."""
        row = await self._backend.environment(self._keyring.name_index(Index.ENVIRONMENT_NAME, name))
        if row is None:
            raise RecordNotFound(f"There is no environment {name}.")
        return await self._open_row(row)

    async def open_vault(self, name: str) -> Vault:
        """The vault of an environment. Raises RecordNotFound, KeyMissing, WrongKey, StoreCorrupt and the store's
        errors.
        """
        info = await self.environment(name)
        path = self._path(info.id)
        if not path.exists():
            raise StoreCorrupt(f"The store of environment {name} is missing: {path}.")
        backend = await SQLiteBackend.open(path)
        try:
            if await backend.identity() != info.id:
                raise IntegrityError(f"{path} is not the store of environment {name}.")
            keyring = await Keyring.open(info.id, self._keystore.provider(info.id), await backend.environment_keys())
        except BaseException:
            await backend.close()
            raise
        return Vault(info, backend, keyring, now_ms=self._now_ms)

    async def _create_environment_store(self, info: EnvironmentInfo) -> None:
        path = self._path(info.id)
        try:
            path.parent.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise os_error(error, path.parent, "folder") from error
        backend = await SQLiteBackend.open(path)
        try:
            await _create(backend, self._keystore, info.id, info.created_ms)
        finally:
            await backend.close()

    async def _open_row(self, row: EnvironmentRow) -> EnvironmentInfo:
        keys = await self._backend.keys(Kind.ENVIRONMENT, [row.environment_id])
        if not keys:
            raise IntegrityError(f"The key of environment {row.environment_id.hex()} is missing.")
        key = self._keyring.open_scope(keys[0])
        place = key.place(Purpose.ENVIRONMENT, row.environment_id)
        name, created_ms = unpack(key.open(place, 0, row.row_version, row.record))
        if created_ms != row.created_ms:
            raise IntegrityError(f"Environment {row.environment_id.hex()}: its row says otherwise than its record.")
        return EnvironmentInfo(row.environment_id, name, created_ms)

    def _path(self, environment: bytes) -> Path:
        return self.home / "environments" / environment.hex() / "store.db"


def _control(home: Path) -> tuple[Path, Path]:
    home = Path(home).absolute()
    return home, home / "control.db"


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "ascii")
    except OSError as error:
        raise os_error(error, home, "folder") from error


async def _open_or_create(backend: Backend, keystore: Keystore, now_ms: int) -> Keyring:
    """The keyring of the control store; a new identity and key if it has none yet."""
    identity = await backend.identity()
    if identity is None:
        try:
            return await _create(backend, keystore, random_id(), now_ms)
        except Conflict:  # another process was faster
            identity = await backend.identity()
            if identity is None:
                raise
    return await Keyring.open(identity, keystore.provider(identity), await backend.environment_keys())


async def _create(backend: Backend, keystore: Keystore, identity: bytes, now_ms: int) -> Keyring:
    # The key is safe in the keystore before anything is sealed under it.
    keystore.add(identity)
    keyring, rows = await Keyring.create(identity, keystore.provider(identity), now_ms)
    await backend.commit(Batch(identity=identity, environment_keys=rows))
    return keyring
