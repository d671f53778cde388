"""Child flows: a Workflow action starts another deployed flow of the environment and waits for its response.

The child's run id is drawn from the parent's seed, path and attempt, so a parent that is resumed finds the child it
had started. Source: Logic Apps, Workflow action: the child must have a Response; a failed child gives BadGateway with
NoResponse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...connectors import status_name
from ..cloud import key_of
from ..errors import NotFound, SealflowError
from ..kernel import Invoke
from ..kernel.status import FAILED, SUCCEEDED
from .library import Flow, flow_name
from .perform import Answer
from .reading import read_state
from .start import UNSET, plan_starts

if TYPE_CHECKING:
    from .executor import Executor
    from .live import LiveRun


class Children:
    """Runs child flows for the runs of one executor."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def call(self, parent: LiveRun, command: Invoke) -> Answer | None:
        """The child's response as the outcome of the parent's action.

        None: a simulation has no such flow and answers itself.
        """
        executor = self._executor
        inputs = command.inputs if isinstance(command.inputs, dict) else {}
        name = flow_name(inputs)
        try:
            flow = await self._find(name)
        except NotFound as error:
            if parent.simulation is not None:
                return None
            return _failure("WorkflowNotFound", error.message)
        plan = await executor.library.plan(flow.id, flow.version)
        trigger = _trigger_name(inputs)
        if trigger and key_of(trigger) not in {each.key for each in plan.definition.triggers}:
            return _failure("TriggerNotFound", f"The flow '{flow.name}' has no trigger '{trigger}'.")
        if not plan.answers:
            return _failure(
                "NestedWorkflowDoesNotContainResponseAction",
                f"The flow '{flow.name}' has no Response action, so it cannot be called from another flow.",
            )
        child_id = command.child_id
        if await executor.vault.run_exists(child_id):
            run = await executor.resume(child_id)
        else:
            try:
                await executor.triggers.refuse(flow, plan)
                document = await executor.library.document(flow.id, flow.version)
                starts = plan_starts(
                    plan,
                    flow,
                    environment=executor.vault.environment.name,
                    at=parent.now(),
                    body=inputs.get("body", UNSET),
                    headers=inputs.get("headers") if isinstance(inputs.get("headers"), dict) else None,
                    parameters=document["parameters"],
                    simulate=parent.state.pins["simulate"],
                    run_id=child_id,
                    parent=parent.log.run_id,
                    tracking=parent.state.pins.get("tracking"),
                )
            except SealflowError as error:
                return _failure(error.code, error.message)
            if not starts:
                return _failure("TriggerConditionNotMet", f"The trigger of '{flow.name}' did not fire for this input.")
            for start in starts[1:]:
                await executor.start(start)
            run = await executor.start(starts[0])
            if plan.definition.triggers and plan.definition.triggers[0].split_on is not None:
                # One run for each element, and nobody to answer: the caller is only told that they were accepted.
                return Answer(SUCCEEDED, "Accepted", {"statusCode": 202, "headers": {}, "body": None}, None)
        if run is not None:
            await run.responded.wait()
            if run.failure is not None:
                raise run.failure  # the engine's trouble, not the flow's: the parent stays resumable too
            response = run.state.response
            end = run.state.end
        else:
            state, _ = await read_state(executor.vault, executor.library, child_id)
            response, end = state.response, state.end
        if response is not None:
            return _answered(response)
        code = end.code if end is not None else None
        return _failure(
            "BadGateway", f"The flow '{flow.name}' ended without a response ({code or 'NoResponse'}).", "NoResponse"
        )

    async def _find(self, name: str) -> Flow:
        if not name:
            raise NotFound("The action names no workflow.")
        return await self._executor.library.find(name)


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
