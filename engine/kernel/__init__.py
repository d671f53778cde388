"""The pure kernel: a run is a fold over its records.

`build(definition)` makes a plan; `decide` takes one event in and gives records and commands; `apply` folds stored
records; `pending` names what was under way. No I/O, no clock, no randomness: time and chance come in with events.
"""

from __future__ import annotations

from .build import SUPPORTED, build
from .commands import Command, Invoke, Respond, Sleep
from .decide import REVISION, MismatchError, apply, decide, needs_tick, pending, supply
from .history import Entry, History
from .parameters import resolve
from .plan import Node, Operation, Plan
from .records import Record, from_stored
from .replay import Difference, Replayed, replay
from .secured import Secured
from .snapshot import dump, restore
from .state import End, Large, State
from .trigger import fire, waits_for_response

__all__ = [
    "REVISION",
    "SUPPORTED",
    "Command",
    "Difference",
    "End",
    "Entry",
    "History",
    "Invoke",
    "Large",
    "MismatchError",
    "Node",
    "Operation",
    "Plan",
    "Record",
    "Replayed",
    "Respond",
    "Secured",
    "Sleep",
    "State",
    "apply",
    "build",
    "decide",
    "dump",
    "fire",
    "from_stored",
    "needs_tick",
    "pending",
    "replay",
    "resolve",
    "restore",
    "supply",
    "waits_for_response",
]
