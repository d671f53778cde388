"""The executor lock: an operating system's lock on a file beside the store, so that it ends with its process, however
that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from weakref import WeakSet

_YIELDS = b" yields"


class ExecutorLock:
    """At most one holder on this machine. The file names the holder's process, for messages, and says whether it
    hands the lock over to one that asks for it.

    The lock stays with the process that took it: a fork has a copy of the handle, but not the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        _locks.add(self)

    @property
    def held(self) -> bool:
        return self._handle is not None

    def acquire(self, *, yields: bool = False) -> bool:
        """Takes the lock, or says at once that somebody else has it. `yields`: the file says that this process hands it
        over. Raises OSError if the file cannot be made.
        """
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        # On a full disk the lock holds as well; only the message is poorer.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode("ascii") + (_YIELDS if yields else b""), 0)
        return True

    def is_free(self) -> bool:
        """Whether nobody has the lock at this moment."""
        if self._handle is not None or not self.acquire():
            return False
        self.release()
        return True

    def yields(self) -> bool:
        """Whether the holder hands the lock over, as the file says."""
        try:
            return self._path.read_bytes().endswith(_YIELDS)
        except OSError:
            return False

    def holder(self) -> int | None:
        """The process that holds the lock, if the file says so and that process is alive."""
        try:
            pid = int(self._path.read_bytes().removesuffix(_YIELDS))
            if pid <= 0:
                return None
            os.kill(pid, 0)
        except PermissionError:  # alive, and somebody else's
            return pid
        except (OSError, ValueError, OverflowError):
            return None
        return pid

    def release(self) -> None:
        """Gives the lock up. The file stays: removing it would let two processes lock two different files."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, 0)
            # The lock belongs to the opened file, which a forked child shares: closing alone would not end it.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)

    def _forget(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


_locks: WeakSet[ExecutorLock] = WeakSet()


def _after_fork() -> None:
    for lock in list(_locks):
        lock._forget()


os.register_at_fork(after_in_child=_after_fork)
