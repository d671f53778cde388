"""Child flows: a Workflow action starts another deployed flow of the environment and waits for its response.

The child's run id is drawn from the parent's seed, path and attempt, so a parent that is resumed finds the child it
had started. Source: Logic Apps, Workflow action: the child must have a Response; a failed child gives BadGateway with
NoResponse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ....connectors import status_name
from ....storage import StorageError
from ...cloud import key_of
from ...errors import NotFound, SealflowError
from ...kernel import Entry, Invoke, Plan, State
from ...kernel.contract.status import FAILED, SUCCEEDED
from ..flows.library import Flow, flow_name
from ..flows.start import UNSET, Start, is_led, plan_starts
from ..history.reading import read_state
from ..workers.requests import START
from .dispatch import Answer

if TYPE_CHECKING:
    from .protocols import CallingRun, ChildRuns

MOST_NESTED: Final = 50
"""How deep flows may call one another. A flow that calls itself without end would start runs until the store is full;
the hosts refuse one that calls itself directly, and document no depth for those that do by way of another."""

TOO_DEEP: Final = "NestedWorkflowsTooDeep"


class Children:
    """Runs child flows for the runs of a worker."""

    def __init__(self, runs: ChildRuns) -> None:
        self._runs = runs

    async def call(self, parent: CallingRun, command: Invoke) -> Answer | None:
        """The child's response as the outcome of the parent's action.

        None: a simulation has no such flow and answers itself.
        """
        runs = self._runs
        inputs = command.inputs if isinstance(command.inputs, dict) else {}
        name = flow_name(inputs)
        try:
            flow = await self._find(name)
        except NotFound as error:
            if parent.simulation is not None:
                return None
            return _failure("WorkflowNotFound", error.message)
        plan = await runs.library.plan(flow.id, flow.version)
        trigger = _trigger_name(inputs)
        if trigger and key_of(trigger) not in {each.key for each in plan.definition.triggers}:
            return _failure("TriggerNotFound", f"The flow '{flow.name}' has no trigger '{trigger}'.")
        if not plan.answers:
            return _failure(
                "NestedWorkflowDoesNotContainResponseAction",
                f"The flow '{flow.name}' has no Response action, so it cannot be called from another flow.",
            )
        try:
            nested = self.level(parent, flow)
        except StorageError:
            raise  # it waits for the store: no outcome of an action
        except SealflowError as error:
            return _failure(error.code, error.message)
        child_id = command.child_id
        run = runs.live.get(child_id)
        if run is None and await runs.vault.run_exists(child_id):
            if not runs.claims.active:  # nobody else brings it back
                run = await runs.resume(child_id)
        elif run is None:
            try:
                await runs.triggers.refuse(flow, plan)
                document = await runs.library.document(flow.id, flow.version)
                starts = plan_starts(
                    plan,
                    flow,
                    environment=runs.vault.environment.name,
                    at=parent.now(),
                    body=inputs.get("body", UNSET),
                    headers=inputs.get("headers") if isinstance(inputs.get("headers"), dict) else None,
                    parameters=document["parameters"],
                    simulate=parent.state.pins["simulate"],
                    run_id=child_id,
                    parent=parent.log.run_id,
                    tracking=parent.state.pins.get("tracking"),
                    nested=nested,
                )
            except StorageError:
                raise  # it waits for the store: no outcome of an action
            except SealflowError as error:
                return _failure(error.code, error.message)
            if not starts:
                return _failure("TriggerConditionNotMet", f"The trigger of '{flow.name}' did not fire for this input.")
            for start in starts:
                await self.start(start, plan)
            run = runs.live.get(child_id)
            if plan.definition.triggers and plan.definition.triggers[0].split_on is not None:
                # One run for each element, and nobody to answer: the caller is only told that they were accepted.
                return Answer(SUCCEEDED, "Accepted", {"statusCode": 202, "headers": {}, "body": None}, None)
        state = await self.answered_by(parent, command, child_id, run)
        response, end = state.response, state.end
        if response is not None:
            return _answered(response)
        if any(node.type == "workflow" for node in plan.nodes) and await self._was_too_deep(child_id):
            # Not a bad gateway, which would be tried again, and so would each of the levels above.
            return _failure(TOO_DEEP, f"The flow '{flow.name}' led to calls more than {MOST_NESTED} levels deep.")
        code = end.code if end is not None else None
        return _failure(
            "BadGateway", f"The flow '{flow.name}' ended without a response ({code or 'NoResponse'}).", "NoResponse"
        )

    def level(self, parent: CallingRun, flow: Flow) -> int:
        """How many flows stand above a child of this run. Raises SealflowError TOO_DEEP where they are too many."""
        nested = int(parent.state.pins.get("nested") or 0) + 1
        if nested > MOST_NESTED:
            message = f"The flow '{flow.name}' would be called {nested} levels deep; the most are {MOST_NESTED}."
            raise SealflowError(message, code=TOO_DEEP)
        return nested

    async def start(self, start: Start, plan: Plan) -> None:
        """Here, or where the runs of its flow have to be."""
        runs = self._runs
        if is_led(plan) and not await runs.lead():
            await runs.vault.inbox_add(START, start.to_json(), run_id=start.run_id, dedupe=start.run_id)
        else:
            await runs.starter.start(start)

    async def answered_by(self, parent: CallingRun, command: Invoke, child_id: bytes, run: CallingRun | None) -> State:
        """The child's state once it has responded, or ended. While it is not in memory here, the parent may sleep.

        A desktop flow responds by ending.
        """
        runs, key = self._runs, (command.node.index, command.it)
        try:
            while True:
                if run is not None:
                    await run.responded.wait()
                    if run.failure is not None:
                        raise run.failure  # the engine's trouble, not the flow's: the parent stays resumable too
                    if not run.aside:
                        return run.state
                news = runs.claims.news(parent.log.run_id)
                if await runs.vault.run_exists(child_id):
                    state, _ = await read_state(runs.vault, runs.library, child_id, keep=0)
                    if state.response is not None or state.end is not None:
                        return state
                run = runs.live.get(child_id)
                if run is None and not news.is_set():
                    parent.far.add(key)
                    parent.doze()
                    await news.wait()
                    run = runs.live.get(child_id)
        finally:
            parent.far.discard(key)

    async def _was_too_deep(self, child_id: bytes) -> bool:
        """Whether a run has met the limit of levels, itself or further down."""
        found: list[Entry] = []

        def changed(entry: Entry) -> None:
            if entry.code == TOO_DEEP and not found:
                found.append(entry)

        await read_state(self._runs.vault, self._runs.library, child_id, changed, keep=0)
        return bool(found)

    async def _find(self, name: str) -> Flow:
        if not name:
            raise NotFound("The action names no workflow.")
        return await self._runs.library.find(name)


def _trigger_name(inputs: dict[str, Any]) -> str:
    """The trigger that the action calls, `host.triggerName`; empty where it gives none."""
    host = inputs.get("host")
    name = host.get("triggerName") if isinstance(host, dict) else None
    return name if isinstance(name, str) else ""


def _answered(response: dict[str, Any]) -> Answer:
    code = int(response["statusCode"])
    name = status_name(code)
    if code < 400:
        return Answer(SUCCEEDED, name, response, None)
    return Answer(FAILED, name, response, {"code": name, "message": f"The child flow answered with {code}."})


def _failure(code: str, message: str, error_code: str | None = None) -> Answer:
    return Answer(FAILED, code, None, {"code": error_code or code, "message": message})
