"""The machine of desktop flows, as `machine` hands it out. Only there is it imported, with the first plan of a script:
with it comes the whole language, which a process that runs cloud flows has no use for.
"""

from __future__ import annotations

from typing import Final

from ..contract.machine import Machine
from . import decide as script
from . import replay as script_replay
from . import snapshot as script_snapshot
from .history import ScriptHistory
from .interface import shown_outputs
from .state import ScriptState


def _nothing_large(state: object, more: object) -> None:
    """A script keeps its variables' values, and has nothing that could be let go or has to be read again."""


SCRIPT: Final = Machine(
    kind="desktop",
    state=ScriptState,
    history=ScriptHistory,
    decide=script.decide,
    apply=script.apply,
    pending=script.pending,
    needs_tick=script.needs_tick,
    unfinished=script.unfinished,
    dump=script_snapshot.dump,
    restore=script_snapshot.restore,
    relieve=_nothing_large,
    supply=_nothing_large,
    replay=script_replay.replay_script,
    outputs=shown_outputs,
    revision=script.SCRIPT_REVISION,
    revisions=script.SCRIPT_REVISIONS,
)
