"""Feeds changed inputs to everything that reads input: `./dev fuzz [--count N] [--seed N] [--target NAME ...]`.

Inputs are made from the seeds of the tests and of examples by changes that keep their structure. Whatever is not
refused with a code, and whatever takes longer than a second of processor time, is a finding: its smallest input is
saved.
Progress goes to stderr, one JSON line to stdout. Exit code 1 where anything was found. The same seed makes the same
inputs.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

from fuzz_mutation import smallest
from fuzz_stored import Findings, stored_targets
from fuzz_targets import REFUSALS, Target, pure_targets

BLOCK: Final = 256
"""Inputs made from one seed, and fed to one target in a row."""
_STUCK: Final = 10.0
"""Seconds after which an input is given up."""
_MEMORY: Final = 4 << 30
_TOLD: Final = 5.0


class Stuck(BaseException):
    """An input that does not come to an end. Not an Exception, so that the code under test does not catch it."""


@dataclass(slots=True)
class Finding:
    """What went wrong, and the smallest input that makes it."""

    target: str
    what: str
    input: Any
    trace: str
    times: int = 1


@dataclass(slots=True)
class Campaign:
    """Inputs that are fed, and what was found."""

    targets: Sequence[Target]
    seed: int
    folder: Path | None = None
    shrink: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    _number: int = 0
    _looked: int = -1

    def run(self, count: int, *, tell: bool = False) -> None:
        """Feed this many inputs, to each target its share, in turns."""
        total = sum(target.share for target in self.targets)
        left = {target.name: max(1, round(count * target.share / total)) for target in self.targets}
        blocks = dict.fromkeys(left, 0)
        told = time.monotonic()
        with _watched(self._look):
            while any(left.values()):
                for target in self.targets:
                    # A turn of each target takes its share of a round, so that all of them end together.
                    for _ in range(max(1, round(target.share / total * 200))):
                        most = min(BLOCK, left[target.name])
                        if most == 0:
                            break
                        self._block(target, blocks[target.name], most)
                        blocks[target.name] += 1
                        left[target.name] -= most
                        if tell and time.monotonic() - told > _TOLD:
                            told = time.monotonic()
                            faulthandler.dump_traceback_later(600)
                            self._tell(count)
        if tell:
            faulthandler.cancel_dump_traceback_later()

    def _block(self, target: Target, block: int, count: int) -> None:
        rng = Random(f"{self.seed} {target.name} {block}")
        outcomes = self.outcomes.setdefault(target.name, Counter())
        began = time.thread_time()
        for _ in range(count):
            value = target.make(rng)
            outcomes[self.feed(target, value)] += 1
        self.counts[target.name] += count
        self.seconds[target.name] += time.thread_time() - began  # type: ignore[assignment]

    def feed(self, target: Target, value: Any) -> str:
        """Feed one input, and keep what it finds."""
        self._number += 1
        began = time.thread_time()
        what, trace = _outcome(target, value)
        took = time.thread_time() - began
        if took > self.slowest.get(target.name, 0.0):
            self.slowest[target.name] = took
        if not trace and took > target.seconds:
            what, trace = f"slow: {what}", f"took {took:.1f} s of processor time"
        if not trace:
            return what
        found = self.findings.get(f"{target.name} {what}")
        if found is not None:
            found.times += 1
            return "FINDING"
        found = self.findings[f"{target.name} {what}"] = Finding(target.name, what, value, trace)
        if self.shrink and not what.startswith("slow") and "Stuck" not in what:
            found.input = smallest(value, lambda smaller: _outcome(target, smaller)[0] == what)
        self._save(found)
        return "FINDING"

    def _save(self, found: Finding) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{found.target}-{len(self.findings)}.json"
        written = {"target": found.target, "what": found.what, "input": _plain(found.input), "trace": found.trace}
        path.write_text(json.dumps(written, indent=1), "utf-8")
        print(f"\nfound: {found.target}: {found.what} ({path})", file=sys.stderr, flush=True)

    def _look(self) -> None:
        """Every few seconds: give up an input that was there the last time as well."""
        if self._looked == self._number and self._number:
            raise Stuck
        self._looked = self._number

    def _tell(self, count: int) -> None:
        told = ", ".join(f"{name} {number:,}" for name, number in self.counts.items())
        line = f"{sum(self.counts.values()):,} of {count:,}: {told}; {len(self.findings)} found"
        print(
            f"\r{line}" if sys.stderr.isatty() else line,
            end="" if sys.stderr.isatty() else "\n",
            file=sys.stderr,
            flush=True,
        )

    def to_json(self) -> dict[str, Any]:
        """The counts of each target and what was found."""
        targets = {
            name: {
                "inputs": count,
                "us": round(self.seconds[name] / count * 1e6),
                "slowest": round(self.slowest.get(name, 0.0), 3),
                "outcomes": dict(self.outcomes[name].most_common(8)),
            }
            for name, count in self.counts.items()
        }
        found = [{"target": each.target, "what": each.what, "times": each.times} for each in self.findings.values()]
        return {"inputs": sum(self.counts.values()), "targets": targets, "findings": found}


def _outcome(target: Target, value: Any) -> tuple[str, str]:
    """What became of an input, and the traceback where that must not happen."""
    try:
        return target.run(value), ""
    except REFUSALS as refusal:
        code = getattr(refusal, "code", "")
        return (code, "") if code else (f"{type(refusal).__name__} without a code", traceback.format_exc())
    except (Exception, Stuck) as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        what = f"{type(error).__name__} in {Path(last.filename).name}:{last.name}:{last.lineno}"
        if isinstance(error, Findings):
            what = str(error)[:80]
        return what, traceback.format_exc()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value


def given_input(value: Any) -> Any:
    """An input as it was before `_plain`."""
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return [given_input(each) for each in value] if isinstance(value, list) else value


class _watched:  # noqa: N801 (used as a function)
    """Calls `look` every few seconds of time and of processor time, in the main thread."""

    def __init__(self, look: Any) -> None:
        self._look = look

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = signal.signal(signal.SIGPROF, self._fired)
        signal.setitimer(signal.ITIMER_PROF, _STUCK, _STUCK)

    def __exit__(self, *ignored: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def _fired(self, number: int, frame: FrameType | None) -> None:
        self._look()


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs over all targets")
    parser.add_argument("--seed", type=int, default=1, help="chooses the inputs")
    parser.add_argument("--target", action="append", help="only this one; may be given several times")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for what is found")
    parser.add_argument("--again", type=Path, help="feed one saved input again")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    faulthandler.enable()
    for number in (signal.SIGTERM, signal.SIGINT):  # also where a shell has it ignored
        signal.signal(number, _interrupted)
    findings = given.findings.absolute()
    shm = Path("/dev/shm")
    where = str(shm) if shm.is_dir() and os.access(shm, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sealflow-fuzz-", dir=where) as folder:
        stored, store = stored_targets(Path(folder))
        targets = [*pure_targets(), *stored]
        if given.again is not None:
            return _again(targets, json.loads(given.again.read_text("utf-8")))
        names = {target.name for target in targets}
        if unknown := set(given.target or ()) - names:
            parser.error(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
        campaign = Campaign(
            [each for each in targets if not given.target or each.name in given.target], given.seed, findings
        )
        gc.freeze()
        began = time.monotonic()
        try:
            campaign.run(given.count, tell=True)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
        store.close()
        told = {"fuzz": "inputs", "seed": given.seed, "seconds": round(time.monotonic() - began), **campaign.to_json()}
        print(json.dumps(told))
    return 1 if campaign.findings else 0


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _again(targets: Sequence[Target], saved: dict[str, Any]) -> int:
    (target,) = [each for each in targets if each.name == saved["target"]]
    what, trace = _outcome(target, given_input(saved["input"]))
    print(trace or what)
    return 1 if trace else 0


if __name__ == "__main__":
    sys.exit(main())
