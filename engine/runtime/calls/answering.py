"""Who answers a call that does not simply go out: a queue, a child flow, a simulation, or a built-in connector."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ....connectors.desktop.modules import MODULES
from ...kernel import Invoke
from ...kernel.cloud.actions.inline import INLINE
from ...kernel.cloud.triggers.batch import BATCH
from .built_in_operations import is_queue_action, may_be_desktop_flow
from .dispatch import Answer

if TYPE_CHECKING:
    from .protocols import CallingRun


def goes_outside(run: CallingRun, command: Invoke) -> bool:
    """Whether it is a call to a connector, which goes on by itself when the environment is locked."""
    if run.simulation is not None:
        return False
    operation = command.operation
    if _is_plain(operation.kind, operation.connector, operation.name):
        return True
    if operation.kind in (BATCH, INLINE, "workflow"):
        return False
    return not run.routes.desktop_calls.covers(operation) and not is_queue_action(operation)


@lru_cache(maxsize=1_024)  # asked for with every call
def _is_plain(kind: str, connector: str, name: str) -> bool:
    """Whether these words alone say so: an HTTP request, or an operation that nobody in this process could answer."""
    return kind == "http" or (
        kind == "connector" and not connector.startswith(MODULES) and not may_be_desktop_flow(name)
    )


async def answer_of_call(run: CallingRun, command: Invoke) -> Answer:
    """The outcome of a call that a run makes, simulated where the run is. Raises CancelledError only."""
    simulation, kind = run.simulation, command.operation.kind
    if kind == BATCH and not (simulation and simulation.covers(command)):
        return await run.routes.batches.send(run, command)
    if kind == "workflow" and not (simulation and simulation.covers(command)):
        answer = await run.routes.children.call(run, command)
        if answer is not None:
            return answer
    if run.routes.desktop_calls.covers(command.operation) and not (simulation and simulation.covers(command)):
        answer = await run.routes.desktop_calls.call(run, command)
        if answer is not None:
            return answer
    if simulation is None and is_queue_action(command.operation):
        return await run.routes.queue_actions.answer(run, command)
    if simulation is not None and (kind != INLINE or simulation.covers(command) or _lacks_artifact(command)):
        key = command.node.key
        earlier = run.simulated.get(key, 0)
        run.simulated[key] = earlier + 1
        return simulation.answer(command, earlier, run.state.root)
    return await run.routes.performer.perform(command)


def _lacks_artifact(command: Invoke) -> bool:
    from .artifacts import is_missing

    return is_missing(command)
