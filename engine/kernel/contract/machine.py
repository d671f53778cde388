"""Two machines behind one contract: which functions drive the runs of a plan.

The runtime need not ask whether a flow is a cloud or a desktop flow: it takes `machine_of(plan)` where it has a plan,
and calls that machine's functions.

- `state(plan, watch)` and `history(plan, changed, keep=...)` in place of `State(...)` and `History(...)`;
- `decide(plan, state, event)`, then `unfinished(state)` and `needs_tick(state)` for the next turn;
- `apply(plan, state, record)` and `pending(state)` for recovery, `revisions` for what may be recovered;
- `dump(state)` and `restore(plan, value)` for snapshots; `relieve` and `supply` for large values (a script has none);
- `replay(records, plan, recorded)`; `outputs(state)` as everything that shows a run tells them.

The script's machine is loaded with the first plan of a script (`script_machine`): a plan says by its `kind` whose it
is, so that nobody has to import the language to tell the two apart.

Events are made by `records`; those about an action name `command.node.index` and `command.it` (a row of a script has
them too), and answer `Invoke` and `Sleep` as ever. Of a state the runtime may read `end`, `open`, `limits`, `ready`,
`need`, `room`, `resident`, `small`, `response`, `started`, `now`, `seq`, `pins` and `revision`; of a script's plan
`nodes`, `path`, `definition` (an empty cloud flow that is started on request), `listens`, `answers`, `connections`,
`artifacts` and `secretive`.

A desktop flow starts with `records.start(at, script_interface.start_value(plan, inputs, culture), pins)`; its pins are
`seed`, `revision` (of `machine_of(plan)`), `culture` and `zone`, where they are not the usual ones, and what the
runtime keeps for itself. Its outputs are `script_interface.outputs_of(state)`, at any time. It has no caller that waits
for a response: `pins["caller"]` is False.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...values import Value
from ..cloud.decide import REVISION, REVISIONS
from ..cloud.decide import apply as apply_cloud
from ..cloud.decide import decide as decide_cloud
from ..cloud.decide import needs_tick as needs_tick_cloud
from ..cloud.decide import pending as pending_cloud
from ..cloud.decide import unfinished as unfinished_cloud
from ..cloud.history.history import History
from ..cloud.history.replay import Replayed
from ..cloud.history.replay import replay as replay_cloud
from ..cloud.history.snapshot import dump as dump_cloud
from ..cloud.history.snapshot import restore as restore_cloud
from ..cloud.memory import relieve as relieve_cloud
from ..cloud.memory import supply as supply_cloud
from ..cloud.plan.plan import Plan
from ..cloud.state import State
from .commands import Command
from .records import Record

if TYPE_CHECKING:
    from ..desktop.plan import ScriptPlan

AnyPlan: TypeAlias = "Plan | ScriptPlan"


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
    replay: Callable[..., Replayed]
    outputs: Callable[[Any], dict[str, Value] | None]
    revision: int
    revisions: frozenset[int]


def _no_outputs(state: object) -> None:
    """A cloud flow answers its caller by a response; what it leaves behind has no name."""


CLOUD: Final = Machine(
    kind="cloud",
    state=State,
    history=History,
    decide=decide_cloud,
    apply=apply_cloud,
    pending=pending_cloud,
    needs_tick=needs_tick_cloud,
    unfinished=unfinished_cloud,
    dump=dump_cloud,
    restore=restore_cloud,
    relieve=relieve_cloud,
    supply=supply_cloud,
    replay=replay_cloud,
    outputs=_no_outputs,
    revision=REVISION,
    revisions=REVISIONS,
)


def machine_of(plan: AnyPlan) -> Machine:
    """The machine that drives runs of this plan."""
    if plan.kind == CLOUD.kind:
        return CLOUD
    from ..desktop.machine import SCRIPT

    return SCRIPT
