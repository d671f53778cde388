"""Desktop flows that are called: by a cloud flow's action "Run a flow built with Power Automate for desktop", and by
another desktop flow's `External.RunFlow`.

The called flow is a run of its own, as a child flow is (`children`): its id follows from the caller's, so a caller that
is resumed finds it. What it returns are its outputs at its end, not a response. Where the caller gives the call up - it
is cancelled, or the time of the action is over - the called run is cancelled.

Sources: exported solutions (`RunUIFlow_V2`: `uiFlowId`, `runMode`, `item/<input>`; outputs are read as
`body/<output>`); desktop flows, "Run desktop flow".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ....storage import StorageError
from ...datatypes import plain, restored, stored
from ...errors import NotFound, SealflowError
from ...kernel import Invoke, State
from ...kernel.contract import records as event
from ...kernel.contract.operations import Operation
from ...kernel.contract.status import CANCELLED, FAILED, SUCCEEDED
from ...kernel.machines import machine_of
from ..calls.built_in_operations import EXTERNAL, calls_desktop_flow
from ..calls.dispatch import Answer
from ..flows.start import plan_starts
from ..history.queue_context import queue_of
from ..runs.claims import RunElsewhereError
from ..workers.requests import CANCEL
from .machine_groups import MachineGroup, group_for
from .run_queue import priority_of

if TYPE_CHECKING:
    from ...kernel.desktop.plan import ScriptPlan
    from ...kernel.desktop.state import ScriptState
    from ..calls.child_flows import Children
    from ..calls.protocols import CallingRun
    from ..runs.live_run import LiveRun
    from .protocols import CalledDesktopRuns

_ITEM: Final = "item/"
_OWN: Final = frozenset({"flowid", "waittocomplete"})
"""Arguments of `External.RunFlow` that are no inputs of the called flow."""

_AWAITED: Final = "awaited"
"""The pin of a run that its caller waits for."""

GIVEN_UP: Final = "The flow that called this one does not wait for it any more."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call asks for: the flow, its inputs by name, how it is to be run, whether the caller waits."""

    flow: str
    inputs: Mapping[str, Any] = field(repr=False)
    mode: str = ""
    waits: bool = True
    priority: object = None
    timeout: object = None
    connection: tuple[str, ...] = ()
    """What the call says of its connection, by which a group of machines is found."""


class DesktopCalls:
    """Runs the desktop flows that the runs of one worker call."""

    def __init__(self, runs: CalledDesktopRuns, children: Children) -> None:
        self._runs = runs
        self._children = children

    def covers(self, operation: Operation) -> bool:
        """Whether this is a call of a desktop flow, see `calls_desktop_flow`."""
        return calls_desktop_flow(operation, self._runs.performer.registry)

    def watch(self, parent: CallingRun, command: Invoke, task: asyncio.Task[None]) -> None:
        """Have the called run cancelled when the call is given up, even before it began to wait for it."""
        if self.covers(command.operation):
            task.add_done_callback(lambda done: self._given_up(parent, command) if done.cancelled() else None)

    async def call(self, parent: CallingRun, command: Invoke) -> Answer | None:
        """The called flow's outputs, or its failure, as the outcome of the caller's action.

        None: a simulation has no such flow and answers itself.
        """
        runs, asked = self._runs, _asked(command)
        try:
            if not asked.flow:
                raise NotFound("The action names no desktop flow.", hint="Give its id or name as 'uiFlowId'.")
            flow = await runs.library.find(asked.flow)
        except NotFound as error:
            return None if parent.simulation is not None else _failure("FlowNotFound", error)
        plan: Any = await runs.library.plan(flow.id, flow.version)
        if machine_of(plan).kind != "desktop":
            what = SealflowError(f"The flow '{flow.name}' is no desktop flow.", hint="Call it with a Workflow action.")
            return _failure("NotADesktopFlow", what)
        child_id = command.child_id
        run: CallingRun | None = runs.live.get(child_id)
        if run is None and await runs.vault.run_exists(child_id):
            if not runs.claims.active or queue_of(parent.state.pins) is not None:
                # Nobody else brings it back; or it was on the machine of its caller, whose session it needs.
                with suppress(RunElsewhereError):
                    run = await runs.resume(child_id)
        elif run is None:
            try:
                nested = self._children.level(parent, flow)
                await runs.triggers.refuse(flow, plan)
                (start,) = plan_starts(
                    plan,
                    flow,
                    environment=runs.vault.environment.name,
                    at=parent.now(),
                    body=_by_external_names(plan, asked.inputs),
                    simulate=parent.state.pins["simulate"],
                    run_id=child_id,
                    parent=parent.log.run_id,
                    nested=nested,
                )
                from ..runs.desktop_limits import limit

                limit(start, asked.timeout)
                group, priority = await self._group(parent, asked), priority_of(asked.priority)
            except StorageError:
                raise  # it waits for the store: no outcome of an action
            except SealflowError as error:
                return _failure(error.code, error)
            tracking = parent.state.pins.get("tracking") or start.pins["tracking"]
            start.trigger["clientTrackingId"] = start.pins["tracking"] = tracking
            if asked.waits:
                start.pins[_AWAITED] = True
            if asked.mode:
                start.pins["runMode"] = asked.mode
            if group is not None:
                await runs.queue.put(start, plan, group, priority)
            else:
                runs.queue.inherit(start, parent)
                await self._children.start(start, plan)
            run = runs.live.get(child_id)
        if not asked.waits:
            return Answer(SUCCEEDED, "Accepted", {"statusCode": 202, "headers": {}, "body": {}}, None)
        try:
            state: Any = await self._children.answered_by(parent, command, child_id, run)
        except asyncio.CancelledError:
            self._given_up(parent, command)
            raise
        return _outcome(command, state)

    async def _group(self, parent: CallingRun, asked: _Asked) -> MachineGroup | None:
        """The group of machines that is to execute the called flow; None where it runs in this process.

        What a machine calls itself goes on with that machine.
        """
        runs = self._runs
        if not runs.queue.groups or not asked.mode or parent.simulation is not None:
            return None
        document = await runs.library.document(parent.log.flow_id, parent.log.version)
        from .targets import target_names

        names = [*asked.connection, *await target_names(runs.vault, document.get("connections"), asked.connection)]
        return group_for(runs.queue.groups, names)

    async def is_orphan(self, parent: bytes | None, state: State) -> bool:
        """Whether nobody waits any more for this run of a called desktop flow: its caller ended in a process that died
        before it could cancel it.
        """
        if parent is None or not state.pins.get(_AWAITED) or not await self._runs.vault.run_exists(parent):
            return False
        return (await self._runs.vault.run(parent)).ended_ms is not None

    def end_orphan(self, run: LiveRun) -> None:
        """Cancel a run that was just brought back, before anything else happens in it."""
        run.feed(event.stop(run.now(), CANCELLED, "Cancelled", GIVEN_UP))

    def _given_up(self, parent: CallingRun, command: Invoke) -> None:
        """The call is given up. Not by a caller that goes on later, here or elsewhere: it will ask again."""
        if not parent.aside and parent.failure is None and _asked(command).waits:
            self._runs.background.run(self._cancel(command.child_id))

    async def _cancel(self, run_id: bytes) -> None:
        runs = self._runs
        try:
            await runs.cancel(run_id, GIVEN_UP)
        except NotFound:
            return  # it had not been started
        except RunElsewhereError:
            await runs.vault.inbox_add(CANCEL, GIVEN_UP, run_id=run_id)


def _asked(command: Invoke) -> _Asked:
    inputs: Mapping[str, Any] = command.inputs if isinstance(command.inputs, dict) else {}
    if command.operation.connector == EXTERNAL:
        own = {name.lower(): value for name, value in inputs.items() if name.lower() in _OWN}
        given = {name: plain(restored(value)) for name, value in inputs.items() if name.lower() not in _OWN}
        return _Asked(str(own.get("flowid") or ""), given, waits=own.get("waittocomplete") is not False)
    from .targets import RUN_MODES, connection_names

    found = inputs.get("parameters")
    parameters: Mapping[str, Any] = found if isinstance(found, dict) else {}
    item = parameters.get("item")
    given = dict(item) if isinstance(item, dict) else {}
    given |= {name[len(_ITEM) :]: value for name, value in parameters.items() if name.startswith(_ITEM)}
    mode = str(parameters.get("runMode") or "")
    if mode.lower() not in RUN_MODES:
        mode = ""
    priority = parameters.get("runPriority", parameters.get("priority"))
    return _Asked(
        str(parameters.get("uiFlowId") or ""),
        given,
        mode,
        priority=priority,
        timeout=parameters.get("timeout"),
        connection=connection_names(inputs.get("host")),
    )


def _by_external_names(plan: ScriptPlan, given: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs by the names that callers know; a caller may also use the name of a variable that no other input has."""
    known = {declared.external.lower() for declared in plan.script.inputs}
    variables = {declared.name.lower(): declared.external for declared in plan.script.inputs}
    return {
        name if name.lower() in known else variables.get(name.lower(), name): value for name, value in given.items()
    }


def _outcome(command: Invoke, state: ScriptState) -> Answer:
    from ...kernel.desktop.interface import outputs_of

    end = state.end
    if end is None or end.status != SUCCEEDED:
        code = (end.code if end is not None else None) or "DesktopFlowFailed"
        told = end.error if end is not None and isinstance(end.error, dict) else {}
        message = str(told.get("message") or f"The desktop flow ended with {code}.")
        return Answer(FAILED, code, None, {"code": code, "message": message})
    outputs = outputs_of(state)
    if command.operation.connector != EXTERNAL:
        return Answer(SUCCEEDED, "OK", {"statusCode": 200, "headers": {}, "body": outputs}, None)
    places = state.plan.scope.places
    named = {declared.name.lower(): declared for declared in state.plan.script.outputs}
    named |= {declared.external.lower(): declared for declared in state.plan.script.outputs}
    # Between desktop flows values keep their types.
    wanted = {name for name, _, _ in getattr(command.node, "outputs", ())}
    body = {name: stored(state.slots[places[named[name].name.lower()]]) for name in wanted if name in named}
    return Answer(SUCCEEDED, "OK", {"body": body}, None)


def _failure(code: str, error: SealflowError) -> Answer:
    message = f"{error.message} {error.hint}" if error.hint else error.message
    return Answer(FAILED, code, None, {"code": code, "message": message})
