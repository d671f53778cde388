"""No core files of a process that holds keys.

A core file is a copy of the memory, keys and plain values included, on a disk. `sealflow` disables them for its own
processes and for all that these start. A program that embeds the engine decides for itself: it calls
`sealflow.disable_core_files()` before it opens an engine.
"""

from __future__ import annotations

import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def disable_core_files() -> None:
    """Let this process and its children leave no core files, and on Linux hand no memory to other processes of the
    same user. Where a system lacks one of these protections, the others hold.
    """
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass
    if sys.platform == "linux":
        # A limit of zero does not stop a handler that the system pipes core files to; this does.
        try:
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        except (ImportError, OSError, AttributeError):
            pass
