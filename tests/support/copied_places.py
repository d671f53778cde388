"""What many tests begin with, made once in a process and copied for each of them.

All copies have one name, since a store holds absolute addresses of keys: a link to the one that was asked for last.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_made: dict[Path, Any] = {}
"""What was told of each origin when it was made."""


async def copied(folder: Path, name: str, make: Callable[[Path], Awaitable[T]]) -> tuple[Path, T]:
    """Fills a test's own folder (`tmp_path`) with what `make` makes in a folder; the name that it has there, and what
    `make` told when it was called. A test has one of each name.
    """
    origin, link = folder.parent / f"{name}-origin", folder.parent / name
    if origin not in _made:
        shutil.rmtree(origin, ignore_errors=True)
        origin.mkdir()
        _lead(link, origin)
        _made[origin] = await make(link)
    shutil.copytree(origin, folder, dirs_exist_ok=True)
    _lead(link, folder)
    return link, _made[origin]


def _lead(link: Path, folder: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)
