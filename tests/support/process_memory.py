"""Searches the memory of another process for bytes. The process that searches holds the needles, the other one does
not, so that nothing is found but what that process itself has kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PIECE: Final = 8 << 20
_UNREADABLE: Final = ("[vvar]", "[vsyscall]", "[vvar_vclock]")


def found_in_memory(pid: int, needles: Mapping[str, bytes]) -> dict[str, int]:
    """How often each needle is in the memory of a process of the same user, or of a child."""
    counts = dict.fromkeys(needles, 0)
    overlap = max(map(len, needles.values())) - 1
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if not rights.startswith("rw") or line.endswith(_UNREADABLE):
                continue  # only what the process has written
            begin, end = (int(each, 16) for each in place.split("-"))
            tail = b""
            while begin < end:
                try:
                    memory.seek(begin)
                    piece = memory.read(min(_PIECE, end - begin))
                except OSError:  # it was unmapped meanwhile
                    break
                if not piece:
                    break
                begin += len(piece)
                both = tail + piece
                for name, needle in needles.items():
                    counts[name] += both.count(needle)
                    if len(tail) >= len(needle):  # counted with the piece before
                        counts[name] -= tail.count(needle)
                tail = both[-overlap:]
    return counts
