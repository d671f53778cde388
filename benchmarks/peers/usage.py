"""What processes and folders take: processor time, memory, bytes. Linux, from /proc; needs nothing but Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def family(processes: Iterable[int]) -> set[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = list(processes)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def cpu(processes: Iterable[int]) -> float:
    """Seconds of processor time that they and theirs have taken, those that have ended included."""
    return sum(sum(map(int, fields[11:15])) for pid in family(processes) if (fields := _stat(pid))) / TICKS


def machine_cpu() -> float:
    """Seconds of processor time that everybody has taken."""
    fields = Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:9]
    return (sum(map(int, fields)) - int(fields[3]) - int(fields[4])) / TICKS


def peak_megabytes(processes: Iterable[int]) -> float:
    """The sum of the peaks of their resident memory."""
    total = 0
    for pid in family(processes):
        try:
            lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return round(total / 1024, 1)


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # a temporary file that is gone
            pass
    return total


def _stat(pid: int) -> list[str]:
    """The fields behind the name: state, parent, ..."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()
