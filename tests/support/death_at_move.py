"""kill -9 at each of the steps of a move: at a commit of either store, or where one is copied or removed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from sealflow.storage.backends.sqlite import SQLiteBackend
from sealflow.storage.backends.sqlite.stores.backups import SQLiteBackups
from sealflow.storage.vault.locations import Places

_COPIES = ("copy_to", "copy_from")


def counted(tell: Callable[[int, str], None]) -> None:
    """Has every step of this process told from now on, right before it and right after: its number, and which."""
    from sealflow.storage.backends.postgres import PostgresBackend
    from sealflow.storage.backends.postgres.stores.backups import PostgresBackups

    count = 0

    def step(kind: type[Any], name: str) -> None:
        real = getattr(kind, name)

        async def told(self: Any, *arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            tell(count, name)
            answer = await real(self, *arguments, **options)
            count += 1
            tell(count, name)
            return answer

        setattr(kind, name, told)

    for kind, names in (
        (SQLiteBackend, ("commit",)), (PostgresBackend, ("commit",)), (SQLiteBackups, _COPIES),
        (PostgresBackups, _COPIES), (Places, ("create", "remove")),
    ):  # fmt: skip
        for name in names:
            step(kind, name)


def die_at(number: int) -> None:
    """This process dies at the step with this number."""

    def tell(count: int, _: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    counted(tell)
