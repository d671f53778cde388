"""What holds for every test: a busy machine, or one that runs the tests in the background, fails nothing that is right.

Hypothesis measures no time. A runner in the background may have SIGINT ignored, and what tests start inherits that.

And what keeps the suite short, without a difference for what it proves. Tests work in memory where there is room: they
kill processes, not the machine, so that waiting for a disk shows nothing more. Compiled modules are kept, even where
the environment says otherwise, or each process that a test starts would compile all of them again. And what was
collected is not looked through for garbage again and again.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import hypothesis

hypothesis.settings.register_profile("sealflow", deadline=None)
hypothesis.settings.load_profile("sealflow")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30
"""Bytes; the folders of tests that passed are removed, and those of a whole run never come near."""


def _has_room(folder: Path) -> bool:
    try:
        room = os.statvfs(folder)
    except OSError:
        return False
    executes = not room.f_flag & getattr(os, "ST_NOEXEC", 0)
    return executes and room.f_bavail * room.f_frsize >= _ROOM and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


if _has_room(_MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
