"""What several processes on one machine can reach at most, and what held them up. No benchmark of its own.

Everything is told in processors: how many of them were at work, seconds of processor time for each second. Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).with_name("peers")))
from usage import cpu as cpu_of
from usage import machine_cpu

PROCESSORS = os.cpu_count() or 1
BUSY = 0.9
"""What is at work for this share of the time is what holds the others up."""

_COUNT = """
import sys, time
table = {number: str(number) for number in range(1000)}
sys.stdin.readline()
end, turns = time.perf_counter() + 0.5, 0
while time.perf_counter() < end:
    for number in table:
        table[number] = table[number * 7 % 1000] + ""
    turns += 1
print(turns)
"""


def loops(processes: int) -> int:
    """How many turns so many processes make together that do nothing but compute, in half a second."""
    pipe = subprocess.PIPE
    made = [
        subprocess.Popen([sys.executable, "-c", _COUNT], stdin=pipe, stdout=pipe, text=True) for _ in range(processes)
    ]
    for each in made:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    return sum(int(each.communicate()[0]) for each in made)


def scale(processes: int = PROCESSORS) -> float:
    """How many processors' work so many give together: fewer than there are where they share a core, or others work."""
    return loops(processes) / loops(1)


@dataclass(frozen=True)
class Taken:
    """What a stretch of work took: seconds, the processor time of ours, the server's and everybody's, and the seconds
    for which each of us had a commit under way.
    """

    steps: int
    seconds: float
    workers: list[float]
    server: float
    everybody: float
    committing: list[float]

    @property
    def rate(self) -> float:
        return self.steps / self.seconds

    @property
    def processors(self) -> float:
        """How many processors we and the server kept at work."""
        return (sum(self.workers) + self.server) / self.seconds

    def limit(self) -> str:
        """What held it up.

        `cores`: all processors were at work, three quarters of it for us and the server. `other work`: they were at
        work, but for others. `worker`: each of ours kept one processor at work, and Python keeps a
        process to about one. `database`: a commit was under way all the time. `waiting`: none of them, so we waited
        for commits, and the commits for us.
        """
        if self.everybody / self.seconds >= BUSY * PROCESSORS:
            return "cores" if self.processors >= 0.75 * self.everybody / self.seconds else "other work"
        if min(self.workers) / self.seconds >= BUSY:
            return "worker"
        if min(self.committing) / self.seconds >= BUSY:
            return "database"
        return "waiting"

    def to_json(self) -> dict[str, Any]:
        per_1k = 1e3 / self.steps
        return {
            "steps_per_s": round(self.rate),
            "cpu_s_per_1k_steps": round(sum(self.workers) * per_1k, 4),
            "server_cpu_s_per_1k_steps": round(self.server * per_1k, 4),
            "processors_busy": {
                "workers": round(sum(self.workers) / self.seconds, 2),
                "server": round(self.server / self.seconds, 2),
                "everybody": round(self.everybody / self.seconds, 2),
            },
            "commit_under_way": round(sum(self.committing) / len(self.committing) / self.seconds, 2),
            "limit": self.limit(),
        }


def most(one: Taken, workers: int, processors: float) -> float:
    """How many times as much as one worker so many can reach, when a step costs each of them what it costs that one
    and this many processors work for them and for the server.
    """
    return min(workers, processors / one.processors)


__all__ = ["PROCESSORS", "Taken", "cpu_of", "loops", "machine_cpu", "most", "scale"]
