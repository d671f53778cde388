"""Which calls of actions the runtime answers itself, where no connector does: of desktop flows, and of work queues.

How they are answered is in `desktop_calls` and `work_queues`.
"""

from __future__ import annotations

from typing import Final

from ....connectors import Registry
from ....connectors.registry import canonical
from ...kernel.contract.operations import Operation

QUEUES: Final = "desktop.workqueues"
EXTERNAL: Final = "desktop.external"
_UI_FLOW: Final = "uiflow"
"""Without `shared_`."""
_FROM_CLOUD: Final = "runuiflow_v2"
_FROM_SCRIPT: Final = "external.runflow"


def may_be_desktop_flow(name: str) -> bool:
    """Whether a cloud flow's operation of this name may call a desktop flow; its connector says the rest."""
    return name.lower() == _FROM_CLOUD


def calls_desktop_flow(operation: Operation, registry: Registry) -> bool:
    """Whether a call is one of a desktop flow. A connector that is registered under the name goes first."""
    if operation.kind != "connector":
        return False
    name = operation.name.lower()
    if operation.connector == EXTERNAL:
        return name == _FROM_SCRIPT
    if not may_be_desktop_flow(name) or canonical(operation.connector) != _UI_FLOW:
        return False
    return operation.connector not in registry


def is_queue_action(operation: Operation) -> bool:
    """Whether a call is an action of a work queue."""
    return operation.connector == QUEUES
