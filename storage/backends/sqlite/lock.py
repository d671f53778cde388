"""The executor lock: an operating system's lock on a file beside the store, so that it ends with its process, however
that ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class ExecutorLock:
    """At most one holder on this machine. The file names the holder's process, for messages only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        return self._handle is not None

    def acquire(self) -> bool:
        """Takes the lock, or says at once that somebody else has it. Raises OSError if the file cannot be made."""
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode("ascii"), 0)
        except BaseException:
            os.close(handle)  # gives the lock up
            raise
        self._handle = handle
        return True

    def holder(self) -> int | None:
        """The process that holds the lock, if the file says so and that process is alive."""
        try:
            pid = int(self._path.read_bytes())
            os.kill(pid, 0)
        except PermissionError:  # alive, and somebody else's
            return pid
        except (OSError, ValueError):
            return None
        return pid

    def release(self) -> None:
        """Gives the lock up. The file stays: removing it would let two processes lock two different files."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None
