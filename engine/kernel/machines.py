"""The two machines, and the choice between them.

The runtime does not ask whether a flow is a cloud or a desktop flow: it takes `machine_of(plan)` and calls that
machine's functions. The machine of desktop flows is loaded with the first plan of a script.

A desktop flow starts with `records.start(at, desktop.interface.start_value(plan, inputs, culture), pins)`; its pins are
`seed`, `revision` (of `machine_of(plan)`), `culture` and `zone`, where they are not the usual ones, and what the
runtime keeps for itself. It has no caller that waits for a response: `pins["caller"]` is False.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from .cloud.decide import REVISION, REVISIONS
from .cloud.decide import apply as apply_cloud
from .cloud.decide import decide as decide_cloud
from .cloud.decide import needs_tick as needs_tick_cloud
from .cloud.decide import pending as pending_cloud
from .cloud.decide import unfinished as unfinished_cloud
from .cloud.history.history import History
from .cloud.history.replay import replay as replay_cloud
from .cloud.history.snapshot import dump as dump_cloud
from .cloud.history.snapshot import restore as restore_cloud
from .cloud.memory import relieve as relieve_cloud
from .cloud.memory import supply as supply_cloud
from .cloud.plan.plan import Plan
from .cloud.state import State
from .contract.machine import Machine

if TYPE_CHECKING:
    from .desktop.plan import ScriptPlan

AnyPlan: TypeAlias = "Plan | ScriptPlan"


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
    from .desktop.machine import SCRIPT

    return SCRIPT
