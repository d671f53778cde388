"""Work on an environment's keys and place, as one process of the chaos harness does it while others are killed.

Each work may be refused (the environment is locked by a move, another one goes on, the server is gone) and is then left
to the next process; a move that was killed in the middle is continued by the next one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import sealflow
from sealflow.storage import StorageError, create_backup, move_environment
from sealflow.storage.maintenance.backup.files import keys_file

ROTATE: Final = "rotate"
MIGRATE: Final = "migrate"
BACKUP: Final = "backup"
MOVE: Final = "move"


class Teller(Protocol):
    """Takes what happened, before anything else does."""

    def tell(self, what: str, **more: object) -> None: ...


async def do_work(
    engine: sealflow.Engine, environment: str, works: Sequence[str], places: Sequence[str | None], told: Teller
) -> None:
    """Do these works, one after the other. `places`: where the environment may be, each a database's URL or None."""
    for work in works:
        try:
            await _do(engine, environment, work, places)
        except StorageError as error:
            told.tell("refused", act=work, code=error.code, message=error.message)
        else:
            told.tell("ack", act=work)


async def _do(engine: sealflow.Engine, environment: str, work: str, places: Sequence[str | None]) -> None:
    acts = engine.administration("chaos")
    if work == ROTATE:
        await acts.rotate(environment, data_keys=True)
        await (await engine.environment(environment, create=False)).keys.pick_up()
    elif work == MIGRATE:
        await (await engine.environment(environment, create=False)).keys.begin_migration(full=True)
    elif work == BACKUP:
        file = Path(engine.store.home) / f"backup-{os.getpid()}"
        try:
            await create_backup(acts, environment, file, expires_days=1)
        finally:
            for path in (file, keys_file(file)):
                with suppress(FileNotFoundError):
                    path.unlink()
    else:
        info = await engine.store.environment(environment)
        here = info.database
        await move_environment(acts, environment, next(place for place in places if place != here))
