"""The FlowControl module, what of it is no word of the language: whether somebody asked the run for a safe stop.

Source: desktop flows, "Flow control actions": in the portal a run can be asked to end where its flow allows it. Nothing
here can ask for that - cancelling ends a run at once - so the answer is no, and a flow that asks goes on.
"""

from __future__ import annotations

from ..arguments import Arguments
from ..port import Outputs, Table, reads
from ..session import Session


def safe_stop(arguments: Arguments, session: Session) -> Outputs:
    """FlowControl.IfSafeStop."""
    arguments.boolean("ShouldStop", False)
    return {"Condition": False}


TABLE: Table = {"FlowControl.IfSafeStop": reads(safe_stop)}
