"""The pure kernel: a run is a fold over its records.

`build(definition)` makes a plan; `decide` takes one event in and gives records and commands; `apply` folds stored
records; `pending` names what was under way. No I/O, no clock, no randomness: time and chance come in with events.
"""

from __future__ import annotations

from .cloud.actions.webhook import listens
from .cloud.decide import REVISION, REVISIONS, MismatchError, apply, decide, needs_tick, pending, unfinished
from .cloud.history.counters import Failure, Tally
from .cloud.history.history import Entry, History
from .cloud.history.replay import Difference, Replayed, replay
from .cloud.history.secured import Secured
from .cloud.history.snapshot import dump, restore
from .cloud.memory import relieve, supply
from .cloud.plan.build import SUPPORTED, build
from .cloud.plan.parameters import resolve
from .cloud.plan.plan import Node, Plan
from .cloud.state import End, Open, State, live_frames
from .cloud.triggers.trigger import fire, waits_for_response
from .contract.commands import Abandon, Command, Expire, Invoke, Listen, Respond, Sleep
from .contract.large_values import Large
from .contract.operations import Operation
from .contract.records import Record, from_stored

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
