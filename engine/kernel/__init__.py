"""The pure kernel: a run is a fold over its records.

`build(definition)` makes a plan; `decide` takes one event in and gives records and commands; `apply` folds stored
records; `pending` names what was under way. No I/O, no clock, no randomness: time and chance come in with events.
"""

from __future__ import annotations

from .build import SUPPORTED, build
from .commands import Abandon, Command, Expire, Invoke, Listen, Respond, Sleep
from .decide import REVISION, REVISIONS, MismatchError, apply, decide, needs_tick, pending, unfinished
from .history import Entry, History
from .large import Large
from .memory import relieve, supply
from .parameters import resolve
from .plan import Node, Operation, Plan
from .records import Record, from_stored
from .replay import Difference, Replayed, replay
from .secured import Secured
from .snapshot import dump, restore
from .state import End, Open, State, live_frames
from .tally import Failure, Tally
from .trigger import fire, waits_for_response
from .webhook import listens

__all__ = [
    "REVISION",
    "REVISIONS",
    "SUPPORTED",
    "Abandon",
    "Command",
    "Difference",
    "End",
    "Entry",
    "Expire",
    "Failure",
    "History",
    "Invoke",
    "Large",
    "Listen",
    "MismatchError",
    "Node",
    "Open",
    "Operation",
    "Plan",
    "Record",
    "Replayed",
    "Respond",
    "Secured",
    "Sleep",
    "State",
    "Tally",
    "apply",
    "build",
    "decide",
    "dump",
    "fire",
    "from_stored",
    "listens",
    "live_frames",
    "needs_tick",
    "pending",
    "relieve",
    "replay",
    "resolve",
    "restore",
    "supply",
    "unfinished",
    "waits_for_response",
]
