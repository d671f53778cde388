"""Files opened, made, moved and removed so that nobody can change the way to them meanwhile.

A path is judged once, by where it really ends (`Folders`). Whoever else can write to an allowed folder - another run,
a program, somebody at a share - could then exchange a folder on the way for a link out of it before it is used. So the
way is gone once more, from the allowed folder on and step by step by descriptor, and through no link: a real path has
none. What is opened in the end, or done there, is done in the folder that was reached.

Hard links are left alone: Linux makes them only to files that their maker may write to anyway
(`fs.protected_hardlinks`), so they lead nobody to a file that was out of reach before.

Where a system has no such descriptors, paths are used as they are.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

from ..folders import Folders

Mode = Literal["rb", "wb", "ab", "r+b", "w+b", "xb"]

_CAN: Final = {os.open, os.mkdir, os.unlink, os.rename, os.stat} <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_ONCE: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# A folder that may be gone through, but not listed, is enough.
_STEP: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _ONCE
# Not waiting: a pipe that nobody writes to would be waited for, for ever.
_ALWAYS: Final = _ONCE | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS: Final[dict[Mode, int]] = {
    "rb": os.O_RDONLY,
    "wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "r+b": os.O_RDWR,
    "w+b": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
}


@contextmanager
def held(folders: Folders, folder: Path) -> Iterator[int | None]:
    """A descriptor of a real folder, None where the system has none. Raises OSError where it cannot be gone to."""
    if not _CAN:
        yield None
        return
    root = folders.around(folder)
    found = os.open(root, _STEP & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        for part in folder.relative_to(root).parts:
            further = os.open(part, _STEP, dir_fd=found)
            os.close(found)
            found = further
        yield found
    finally:
        os.close(found)


def opened(folders: Folders, path: Path, mode: Mode = "rb") -> BinaryIO:
    """A regular file, by its real path. Raises OSError; FileNotFoundError for a pipe, a device and the like."""
    with held(folders, path.parent) as folder:
        where = str(path) if folder is None else path.name
        number = os.open(where, _FLAGS[mode] | _ALWAYS, 0o666, dir_fd=folder)
    kind = os.fstat(number).st_mode
    if not stat.S_ISREG(kind):
        os.close(number)
        code = errno.EISDIR if stat.S_ISDIR(kind) else errno.ENOENT
        raise OSError(code, os.strerror(code), path.name)
    return cast(BinaryIO, os.fdopen(number, mode.replace("x", "w")))


def written(folders: Folders, path: Path, data: bytes) -> None:
    """Makes the file, or what stands in it anew. Raises OSError."""
    with opened(folders, path, "wb") as file:
        file.write(data)


def copied(folders: Folders, source: Path, target: Path) -> None:
    """A file with its times and permissions. Raises OSError."""
    with opened(folders, source) as read, opened(folders, target, "wb") as write:
        shutil.copyfileobj(read, write, 1024 * 1024)
        known = os.fstat(read.fileno())
        if os.chmod in os.supports_fd and os.utime in os.supports_fd:
            write.flush()
            os.fchmod(write.fileno(), stat.S_IMODE(known.st_mode) & 0o777)
            os.utime(write.fileno(), ns=(known.st_atime_ns, known.st_mtime_ns))


def moved(folders: Folders, source: Path, target: Path) -> None:
    """A file or folder takes the other name, in the place of what has it. Raises OSError; between disks, EXDEV."""
    with held(folders, source.parent) as here, held(folders, target.parent) as there:
        if here is None or there is None:
            os.replace(source, target)
        else:
            os.replace(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def removed(folders: Folders, path: Path) -> None:
    """A file, or a link and not what it leads to. Raises OSError."""
    with held(folders, path.parent) as folder:
        os.unlink(path if folder is None else path.name, dir_fd=folder)


def cleared(folders: Folders, path: Path) -> None:
    """A folder and all that is in it; links in it are not followed. Raises OSError."""
    with held(folders, path.parent) as folder:
        shutil.rmtree(path if folder is None else path.name, dir_fd=folder)


def made(folders: Folders, path: Path, *, there: bool = True) -> None:
    """A folder and those above it; `there`: it may be there already. Raises OSError."""
    root = folders.around(path)
    for each in (*reversed(path.parents), path):
        if root in each.parents:
            with held(folders, each.parent) as folder:
                try:
                    os.mkdir(each if folder is None else each.name, dir_fd=folder)
                except FileExistsError:
                    if (each == path and not there) or not each.is_dir():
                        raise
