"""What a run of a desktop flow has outside: its allowed folders, its settings, and what it holds open.

One session belongs to one run in one process. What is open - workbooks, browsers, connections - is found by the handle
in an `Item`; after a crash the handle names nothing any more, and its next use is the fault `InstanceLost`.
"""

from __future__ import annotations

import inspect
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from ...engine.datatypes import Datum, Item
from ..egress.policy import Egress
from ..port import Clock, Limits
from .fault import Fault
from .folders import Allowed, Folders

T = TypeVar("T")

NO_SCRIPTS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator decided for an environment's desktop flows. By default nothing that could harm is allowed.

    `folders` and `mapping`: see `Folders`. `scripts`: which of `python`, `powershell`, `javascript`, `shell` may be
    run. `applications`: whether programs may be started, and which by path or name. `culture` and `time_zone` are what
    texts, numbers and dates are read and written by; `answers` what message boxes and dialogs get, by title.
    `file_bytes` is the most that one file may have that is read or written whole.
    """

    folders: tuple[Allowed, ...] = ()
    mapping: Mapping[str, Path] = field(default_factory=dict)
    scripts: frozenset[str] = NO_SCRIPTS
    applications: frozenset[str] = frozenset()
    culture: str = "en-US"
    time_zone: str = "UTC"
    answers: Mapping[str, Any] = field(default_factory=dict)
    browser: str = ""
    file_bytes: int = 104_857_600


class Session:
    """One run's. `aclose` closes whatever is still open.

    `run` names the run. Handles may be put and taken by several threads.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        run: str = "",
        egress: Egress | None = None,
        limits: Limits | None = None,
        working: Path | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.run = run
        self.egress = egress if egress is not None else Egress()
        self.limits = limits if limits is not None else Limits()
        self.folders = Folders(settings.folders, settings.mapping, working)
        self.kept: dict[str, Any] = {}
        """What modules keep for the run beside handles, by module: the clipboard, cookies."""
        self._open: dict[str, Any] = {}
        self._count = 0
        self._closed = False
        # Not the address of this object: the next session of the run may be at the same one.
        self._token = secrets.token_hex(8)
        self._lock = threading.Lock()

    @property
    def idle(self) -> bool:
        """Whether nothing is open and no module keeps anything."""
        return not self._open and not self.kept

    def keep(self, kind: str, thing: Any, properties: Mapping[str, Datum] | None = None, text: str = "") -> Item:
        """Holds something open and gives the item that names it. `thing` is closed by its `close` or `aclose`."""
        with self._lock:
            self._count += 1
            number = self._count
            handle = f"{self.run}:{self._token}:{number}"
            closed = self._closed
            if not closed:
                self._open[handle] = thing
        if closed:
            # The run ended while a thread of it was at work; nobody would ever close what it comes back with.
            if (close := getattr(thing, "close", None)) is not None:
                close()
            raise Fault("InstanceLost", f"The run of this {kind} has ended.")
        return Item(kind, text or f"{kind} {number}", {"Handle": number, **(properties or {})}, handle)

    def use(self, item: Item, kind: type[T]) -> T:
        """What the item names. Raises Fault InstanceLost where it is not open in this process (any more)."""
        found = self._open.get(item.handle)
        if not isinstance(found, kind):
            raise Fault(
                "InstanceLost",
                f"The {item.kind} is not open any more.",
                hint="It was closed, or the process that had it has ended. Open it again in an ON ERROR section.",
            )
        return found

    def drop(self, item: Item) -> Any:
        """Forgets what the item names, and gives it, None if it was not open."""
        with self._lock:
            return self._open.pop(item.handle, None)

    async def aclose(self) -> None:
        """Closes what is still open, the latest first. A thing that fails to close does not keep the others open."""
        with self._lock:
            self._closed = True
            things = list(self._open.values())
            self._open.clear()
        for thing in reversed(things):
            try:
                close = getattr(thing, "aclose", None) or getattr(thing, "close", None)
                outcome = close() if close is not None else None
                if inspect.isawaitable(outcome):
                    await outcome
            except Exception:  # noqa: S112
                continue
        self.kept.clear()
