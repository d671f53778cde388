"""The contract of a machine: the functions that drive the runs of one kind of plan.

- `state(plan, watch)` and `history(plan, changed, keep=...)` make the state and the history of a run;
- `decide(plan, state, event)` takes one event in; `unfinished(state)` and `needs_tick(state)` ask for the next turn;
- `apply(plan, state, record)` and `pending(state)` serve recovery, `revisions` says what may be recovered;
- `dump(state)` and `restore(plan, value)` make and read snapshots; `relieve` and `supply` let large values go and load
  them again (a script has none);
- `replay(records, plan, recorded)` compares; `outputs(state)` gives what everything that shows a run shows.

Events are made by `records`; those about an action name `command.node.index` and `command.it` (a row of a script has
them too), and answer `Invoke` and `Sleep`. Of a state the runtime may read `end`, `open`, `limits`, `ready`, `need`,
`room`, `resident`, `small`, `response`, `started`, `now`, `seq`, `pins` and `revision`; of a script's plan `nodes`,
`path`, `definition` (an empty cloud flow that is started on request), `listens`, `answers`, `connections`, `artifacts`
and `secretive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...values import Value
from .commands import Command
from .records import Record


@dataclass(frozen=True, slots=True)
class Machine:
    """The functions that drive one kind of plan. Plans and states are its own, and pass through here as they are."""

    kind: str
    state: Callable[..., Any]
    history: Callable[..., Any]
    decide: Callable[[Any, Any, Record], tuple[list[Record], list[Command]]]
    apply: Callable[[Any, Any, Record], None]
    pending: Callable[[Any], list[Command]]
    needs_tick: Callable[[Any], bool]
    unfinished: Callable[[Any], bool]
    dump: Callable[[Any], dict[str, Any]]
    restore: Callable[..., Any]
    relieve: Callable[[Any, int], None]
    supply: Callable[[Any, Mapping[tuple[int, int], Any]], None]
    replay: Callable[..., Any]
    outputs: Callable[[Any], dict[str, Value] | None]
    revision: int
    revisions: frozenset[int]
