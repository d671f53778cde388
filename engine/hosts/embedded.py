"""The embedded engine: what `import sealflow` gives to a program.

    async with sealflow.open() as engine:
        env = await engine.environment("contoso")
        flow = await env.deploy("invoice", definition)
        run, = await env.start(flow, {"amount": 1250})
        result = await run.result()

Everything that touches a disk goes through the environment's vault; keys are never seen here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from ...storage.format.stored_values import CHUNK_BYTES, MOST_BYTES
from ..errors import NotFound, SealflowError
from ..runtime.desktop.machine_groups import Serving, groups_of
from ..runtime.environment.environment import Environment
from ..runtime.flows.start import UNSET, Unset
from ..runtime.keys.opening import Opening
from ..runtime.runs.expiry import in_ticks
from ..runtime.workers.clock import BootClock, SystemBootClock

if TYPE_CHECKING:
    from ...connectors import Egress, Registry
    from ...connectors.desktop import Settings
    from ...storage import (
        Actor,
        Administration,
        EnvironmentInfo,
        EnvironmentLocked,
        EnvironmentStatus,
        Keystore,
        Store,
    )
    from ..runtime.environment.locked_inbox import LockedInbox
    from ..runtime.workers.clock import Clock

__all__ = ["UNSET", "Engine", "Environment", "Unset", "open"]

DEFAULT_HOME: Final = ".sealflow"
DEFAULT_ENVIRONMENT: Final = "default"


def home_folder(home: str | os.PathLike[str] | None = None) -> Path:
    """Where the store is: `home`, else $SEALFLOW_HOME, else `.sealflow` in the current folder."""
    return Path(home or os.environ.get("SEALFLOW_HOME") or DEFAULT_HOME)


@dataclass(frozen=True, slots=True)
class _Options:
    home: Path
    keystore: Path | None
    passphrase: Callable[[], str] | None
    resume: bool
    clock: Clock | None
    create: bool
    run_duration: timedelta | None
    concurrency: int | None
    desktop: Settings | None
    egress: Egress | None
    egress_default: str
    serving: Serving | None
    max_value_bytes: int


def open(
    home: str | os.PathLike[str] | None = None,
    *,
    keystore: str | os.PathLike[str] | None = None,
    passphrase: Callable[[], str] | None = None,
    resume: bool = True,
    clock: Clock | None = None,
    create: bool = True,
    run_duration: timedelta | None = None,
    concurrency: int | None = None,
    desktop: Settings | None = None,
    egress: Egress | None = None,
    egress_default: str = "local",
    machine_groups: Sequence[str] | None = None,
    sessions: int | None = None,
    max_value_bytes: int | None = None,
) -> Engine:
    """An engine on the store in `home`, made on first use. Use it with `async with`.

    `keystore` is the service keystore's file (default: $SEALFLOW_KEYSTORE, else the user's configuration folder);
    `passphrase` is asked when that file is protected by one and $SEALFLOW_PASSPHRASE is not set. With `resume`,
    unfinished runs of an environment go on as soon as this process becomes its executor. `clock` replaces the
    system's, for tests. Without `create` a store must exist. A run that has not ended after `run_duration` ends as
    TimedOut; the default is that of the products: 30 days for flows of Power Automate, 90 for those of Logic Apps.
    `concurrency` is how many runs of an environment go on in this process before it takes no more of those that are
    ready (default 1,000); what it starts itself begins at once. `desktop` is what desktop flows may touch in every
    environment of this engine, in place of what each environment's own settings allow; `egress` is what flows may
    connect to, likewise. `egress_default` is what is reached in environments that have not set a default: "none",
    "public", "private" or "local". With `machine_groups` this
    process is a machine of these groups, of all with (): it executes the desktop runs that wait for one and nothing
    else, `sessions` at once (default: as many as each group says). `max_value_bytes` is
    what one value of a run may have (default: $SEALFLOW_MOST_VALUE_BYTES, else 100 MiB); a run that makes a larger one
    fails with ValueTooLarge. Raises SealflowError, code `InvalidRunDuration`, `InvalidConcurrency` or
    `InvalidValueLimit`, for one that is nothing.
    """
    in_ticks(run_duration)
    if (concurrency is not None and concurrency < 1) or (sessions is not None and sessions < 1):
        raise SealflowError("At least one run must be allowed to go on.", code="InvalidConcurrency")
    return Engine(
        _Options(
            home_folder(home),
            Path(keystore) if keystore is not None else None,
            passphrase,
            resume,
            clock,
            create,
            run_duration,
            concurrency,
            desktop,
            egress,
            egress_default,
            None if machine_groups is None else Serving(tuple(machine_groups) or None, sessions),
            _value_limit(max_value_bytes),
        )
    )


VALUE_LIMIT: Final = "SEALFLOW_MOST_VALUE_BYTES"
"""The environment variable with the bytes that one value of a run may have."""

_LARGEST_LIMIT: Final = 256 << 20
"""What the codec carries."""


def _value_limit(given: int | None) -> int:
    """Bytes that one value may have. Raises SealflowError, code `InvalidValueLimit`."""
    text = os.environ.get(VALUE_LIMIT, "") if given is None else str(given)
    if not text:
        return MOST_BYTES
    if not (text.isascii() and text.isdigit() and CHUNK_BYTES <= int(text[:12]) <= _LARGEST_LIMIT):
        raise SealflowError(
            f"What one value may have must be a number of bytes from {CHUNK_BYTES:,} to {_LARGEST_LIMIT:,}.",
            code="InvalidValueLimit",
            hint=f"Set ${VALUE_LIMIT}, or `max_value_bytes`, to such a number.",
        )
    return int(text)


def _quietly(error: EnvironmentLocked) -> None:
    """Nobody is told why a worker waits."""


class Engine:
    """An open store with its environments.

    `connectors` holds what flows may call; register yours before starting flows. `boot_clock` says when environments'
    keys are asked for; another one is for tests, and is set before an environment is opened.
    """

    def __init__(self, options: _Options) -> None:
        from ...connectors import standard

        self._options = options
        self._store: Store | None = None
        self._keystore: Keystore | None = None
        self._environments: dict[bytes, Environment] = {}
        self._opening = asyncio.Lock()
        self.connectors: Registry = standard()
        self.boot_clock: BootClock = SystemBootClock()

    async def __aenter__(self) -> Engine:
        from ...storage import Keystore, Store

        options = self._options
        self._keystore = Keystore.default(options.keystore, passphrase=options.passphrase)
        if not options.create and not (options.home / "control.db").exists():
            raise NotFound(
                f"There is no store in {options.home}.",
                hint="Run a flow first, or name the store with --home or $SEALFLOW_HOME.",
            )
        self._store = await Store.open(options.home, self._keystore, create=options.create)
        self._store.max_value_bytes = options.max_value_bytes
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop driving runs, make everything durable, forget the keys.

        Raises the storage error of what could not be made durable, and has closed everything all the same.
        """
        async with AsyncExitStack() as closing:  # from its end to its beginning
            closing.callback(setattr, self, "_store", None)
            if self._store is not None:
                closing.push_async_callback(self._store.close)
            closing.push_async_callback(self.connectors.aclose)
            environments, self._environments = self._environments, {}
            for environment in environments.values():
                closing.push_async_callback(environment.close)

    @property
    def home(self) -> Path:
        return self._options.home

    @property
    def notice(self) -> str | None:
        """On the first run: where the keystore was made and how to back it up; else None."""
        return self._keystore.first_run_notice() if self._keystore is not None and self._keystore.created else None

    async def environments(self) -> list[EnvironmentInfo]:
        """The store's environments, oldest first."""
        return await self.store.environments()

    async def create_environment(
        self, name: str, *, database: str | None = None, location: str | None = None
    ) -> EnvironmentInfo:
        """Make an environment, with its own store and keys: in a file, or in the PostgreSQL database with this URL.
        `location` says in which region it is: a policy that names another one does not come to it.

        The URL (postgresql://USER@HOST:PORT/DATABASE) has no password; that comes from PGPASSWORD, ~/.pgpass or a
        service file. Raises AlreadyExists, InvalidDatabaseUrl, DatabaseRefused, StoreUnreachable.
        """
        from ...storage import AlreadyThere
        from ..runtime.keys.administration import actor_name

        try:
            return await self.store.create_environment(name, database=database, location=location, actor=actor_name())
        except AlreadyThere:
            raise SealflowError(f"There is an environment '{name}' already.", code="AlreadyExists") from None

    def administration(self, actor: Actor | str | None = None, *, limit: int | None = None) -> Administration:
        """Policies, keys, locks and the audit of this store, in the name of `actor`.

        That is advisory: whoever may read the keystore holds the keys. The default is $SEALFLOW_ACTOR, else the user of
        the operating system. `limit` is how many environments may be under a policy at the same time; the default is
        $SEALFLOW_POLICY_LIMIT, else 25. With $SEALFLOW_APPROVALS set to 2 acts on keys take a second administrator's
        approval. Raises SealflowError, code `InvalidActor`, `InvalidPolicyLimit` or `InvalidApprovals`.
        """
        from ..runtime.keys.administration import administration

        return administration(self.store, actor, limit)

    async def export_keys(self, name: str, path: str | os.PathLike[str]) -> str:
        """Make a keystore with the keys of one environment, for a process that is to open no other; the environment's
        name. Raises NotFound, and AlreadyThere for a file that is there.
        """
        info = await self._info(name)
        assert self._keystore is not None  # noqa: S101 (the store is open)
        await asyncio.to_thread(self._keystore.export, info.id, Path(path))
        return info.name

    async def dedicate(self, name: str) -> None:
        """Make sure that this process can open one environment only: its keystore has no other's keys.

        Raises NotFound, and NotDedicated where it has.
        """
        info = await self._info(name)
        assert self._keystore is not None  # noqa: S101 (the store is open)
        await asyncio.to_thread(self._keystore.refuse_others, info.id)

    async def _info(self, name: str) -> EnvironmentInfo:
        from ...storage import RecordNotFound

        try:
            return await self.store.environment(name)
        except RecordNotFound:
            raise _no_environment(name) from None

    async def environment_status(self, name: str = DEFAULT_ENVIRONMENT) -> EnvironmentStatus:
        """Which keys an environment has and what each seals; of a locked one too. Raises NotFound."""
        from ...storage import RecordNotFound, environment_status

        try:
            return await environment_status(self.store, name)
        except RecordNotFound:
            raise _no_environment(name) from None

    async def environment(self, name: str = DEFAULT_ENVIRONMENT, *, create: bool = True) -> Environment:
        """Open an environment, making it on first use.

        Raises NotFound without `create`, EnvironmentLocked where it is locked or its key is denied (it is locked
        then), and EnvironmentSuspended where its key store gives no answer.
        """
        async with self._opening:  # two tasks that ask for one name get one object
            return await self._environment(name, create)

    async def _environment(self, name: str, create: bool) -> Environment:
        from ...storage import AlreadyThere, RecordNotFound
        from ..runtime.keys.administration import actor_name

        store = self.store
        try:
            info = await store.environment(name)
        except RecordNotFound:
            if not create:
                raise _no_environment(name) from None
            try:
                info = await store.create_environment(name, actor=actor_name())
            except AlreadyThere:  # another process was faster
                info = await store.environment(name)
        known = self._environments.get(info.id)
        if known is None:
            if self._options.serving is not None:
                self._options.serving.check(groups_of(info.settings), info.name, info.database)
            opening = Opening(store, info.name, self.boot_clock)
            known = Environment(
                opening,
                await opening.open(),
                self.connectors,
                clock=self._options.clock,
                resume=self._options.resume,
                run_duration=self._options.run_duration,
                concurrency=self._options.concurrency,
                desktop=self._options.desktop,
                egress=self._options.egress,
                egress_default=self._options.egress_default,
                serving=self._options.serving,
            )
            self._environments[info.id] = known
        return known

    async def wait_until_unlocked(
        self, name: str = DEFAULT_ENVIRONMENT, *, told: Callable[[EnvironmentLocked], None] = _quietly
    ) -> Environment:
        """As `environment` without `create`, for a worker: while the environment is locked or suspended this waits.

        `told` is called with why, once for each reason. What a policy has deleted after some time is deleted meanwhile.
        Raises NotFound, and EnvironmentLocked when it was deleted.
        """
        from ...storage import EnvironmentLocked
        from ..runtime.keys.unlock_wait import Patience

        patience: Patience | None = None
        while True:
            try:
                return await self.environment(name, create=False)
            except EnvironmentLocked as error:
                if patience is None:
                    patience = Patience(Opening(self.store, (await self._info(name)).name, self.boot_clock), told)
                await patience.after(error)

    async def inbox(self, name: str = DEFAULT_ENVIRONMENT) -> LockedInbox:
        """What takes callbacks in for an environment that `environment` refuses to open, since it is locked.

        It needs the service's key only. Raises NotFound.
        """
        from ...storage import RecordNotFound

        try:
            info = await self.store.environment(name)
        except RecordNotFound:
            raise _no_environment(name) from None
        from ..runtime.environment.locked_inbox import LockedInbox

        return LockedInbox(Opening(self.store, info.name, self.boot_clock))

    @property
    def store(self) -> Store:
        """The open store. Raises SealflowError before `async with` and after it."""
        if self._store is None:
            raise SealflowError(
                "The engine is not open.", hint="Use it inside of `async with sealflow.open() as engine:`."
            )
        return self._store


def _no_environment(name: str) -> NotFound:
    return NotFound(f"There is no environment '{name}'.", hint="`sealflow env list` shows the environments.")
