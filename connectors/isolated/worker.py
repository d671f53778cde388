"""The process that does one job and ends: limits first, then the input, then the work.

The job arrives as one JSON object on stdin, `{"job": module, "limits": {"seconds", "bytes"}, "inputs": {...}}`; the
answer leaves as one on stdout: `{"value": ...}`, or `{"code", "message", "hint"}` for what was at fault. Files and
sockets are closed off before the input is read: whatever a job may be tricked into, it has nowhere to take it.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
from types import ModuleType
from typing import Any, Final

from .fault import Fault

JOBS: Final = ("javascript", "xslt", "xml_schema", "liquid_template", "flat_file")


def main(job: str) -> None:
    """Do the job that stdin describes. `job` is its module's name, imported before the limits are set."""
    if job not in JOBS:
        raise SystemExit(f"there is no job {job!r}")
    try:
        module = importlib.import_module(f".{job}", __package__)
    except ImportError as missing:
        # What a job needs may be an extra that is not installed; the library's name is all that is told.
        answer: dict[str, Any] = {"code": "LibraryMissing", "message": str(missing.name), "hint": None}
        sys.stdin.buffer.read()
    else:
        answer = _answer(module, sys.argv[1:])
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


def _answer(module: ModuleType, limits: list[str]) -> dict[str, Any]:
    seconds, memory = (int(each) for each in limits)
    _confine(seconds, memory)
    try:
        inputs = json.loads(sys.stdin.buffer.read())
        return {"value": module.perform(inputs)}
    except Fault as fault:
        return {"code": fault.code, "message": fault.message, "hint": fault.hint}
    except MemoryError:
        return {"code": "MemoryLimitExceeded", "message": "", "hint": None}
    except RecursionError:
        return {"code": "NestedTooDeeply", "message": "The content is nested too deeply.", "hint": None}


def _confine(seconds: int, memory: int) -> None:
    """No core dumps, no files, no sockets, no children; so much CPU time and memory."""
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_AS, memory),
    ]
    if hasattr(resource, "RLIMIT_NPROC"):
        limits.append((resource.RLIMIT_NPROC, 0))
    for kind, most in limits:
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            pass  # not every system has every limit; the others hold
