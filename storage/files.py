"""Folders and files that are durable before anything relies on them, and readable by their owner only."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .errors import StorageError, StoreFull, StoreNotWritable


def make_folder(path: Path, what: str = "folder") -> None:
    """Makes a folder (0700) with its parents where they are missing, each durable in the folder above it.

    Without the latter, a power cut may forget a folder whose files were written with every care. Raises
    StoreNotWritable, StoreFull.
    """
    try:
        missing = []
        folder = path
        while not folder.is_dir() and folder != folder.parent:
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)
    except OSError as error:
        raise os_error(error, path, what) from error


def sync_folder(path: Path) -> None:
    """Makes the folder's entries durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that does not know how: then it is not needed either
            raise
    finally:
        os.close(handle)


def os_error(error: OSError, path: Path, what: str) -> StorageError:
    """The storage error of an operating system's error on writing."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"The disk is full: the {what} {path} cannot be written.")
    return StoreNotWritable(f"The {what} {path} cannot be written: {error.strerror}.")
