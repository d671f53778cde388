"""A small file that holds keys: readable by its owner only, written whole or not at all, by one process at a time.

`what` names the file in errors, e.g. "keystore". What is in it is its owner's business.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import KeystoreUnreadable
from ..files import make_folder, os_error, sync_folder


def read_secret(path: Path, what: str) -> bytes:
    """The file's content. Raises OSError, and KeystoreUnreadable where others may read or write the file."""
    with path.open("rb") as file:
        _refuse_shared(path, os.fstat(file.fileno()), what)
        return file.read()


def _refuse_shared(path: Path, found: os.stat_result, what: str) -> None:
    name = shlex.quote(str(path))
    if found.st_uid != os.geteuid():
        raise KeystoreUnreadable(f"The {what} {path} belongs to another user.", hint=f"chown {os.geteuid()} {name}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeystoreUnreadable(
            f"The {what} {path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}).",
            hint=f"chmod 600 {name}",
        )


def replace_secret(path: Path, data: bytes, what: str) -> None:
    """Writes the file whole or not at all, durably: a crash leaves the old one.

    Called by the holder of `locked_secret` only, so the new file has a fixed name, and what a killed process left there
    does not stay. Raises StoreNotWritable, StoreFull.
    """
    new = path.with_name(path.name + ".new")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except BaseException:
            new.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise os_error(error, path, what) from error


@contextmanager
def locked_secret(path: Path, what: str) -> Iterator[None]:
    """Processes that change the file at the same moment do so one after the other. Makes its folder.

    Raises StoreNotWritable, StoreFull.
    """
    make_folder(path.parent, f"{what}'s folder")
    try:
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise os_error(error, path, what) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def resolved(path: Path) -> Path:
    """The file that a path leads to by its links. Raises KeystoreUnreadable."""
    try:
        found = path.resolve()
        if found.is_symlink():  # from Python 3.13 on, links in a circle are handed back as they are
            raise RuntimeError("links in a circle")
        return found
    except (OSError, RuntimeError) as error:  # links in a circle, a folder that may not be entered
        raise KeystoreUnreadable(f"The path of the keystore {path} leads nowhere.") from error
