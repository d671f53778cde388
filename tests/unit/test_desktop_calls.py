"""Desktop flows that other flows call: inputs and outputs, failures, the history of both, cancel and time limits."""

# ruff: noqa: E501 (a row of a script is one line)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from desktop_callers import GREETING, calling, deploy, first_of
from sealflow.engine.kernel.contract.timing import SECOND

START = 17_000_000_000_000_000
FAILING = """@INPUT Code : { 'Description': '', 'FriendlyName': 'Code', 'Type': 'Numeric', 'IsOptional': True, 'DefaultValue': 7 }
EXIT Code: Code ErrorMessage: $'''no more'''
"""
WAITING = "WAIT 3600\n"


async def called(tmp_path: Path, script: str, parameters: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The result of the caller, and the results of the runs it started."""
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", script)
        (run,) = await env.start(await env.deploy("caller", calling(parameters)))
        result = await run.result()
        children = [await (await env.run(each.id)).result() for each in await env.runs(flow="greet")]
        return result, children


async def test_inputs_go_to_a_desktop_flow_and_its_outputs_come_back(tmp_path: Path) -> None:
    result, (child,) = await called(tmp_path, GREETING, {"uiFlowId": "greet", "item/Who": "Ada", "item/Number": 2})
    assert result.response["body"] == {"greeting": "Hello Ada", "rows": ["1 Ada", "2 Ada"], "error": None}
    call = next(each for each in result.actions if each["name"] == "Call")
    assert call["status"] == "Succeeded"
    assert call["inputs"]["parameters"]["runMode"] == "unattended"
    assert (child.status, child.outputs) == ("Succeeded", {"Greeting": "Hello Ada", "Rows": ["1 Ada", "2 Ada"]})
    assert child.tracking == result.tracking


async def test_the_called_run_names_its_caller(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", GREETING)
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "greet", "item": {"Who": "Bo"}})))
        await run.result()
        (child,) = await env.runs(flow="greet")
        assert child.parent == run.id


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"uiFlowId": "greet"}, "MissingInput"),
        ({"uiFlowId": "greet", "item/Who": "a", "item/None": 1}, "UnknownInput"),
        ({"uiFlowId": "greet", "item/Who": "a", "item/Number": "x"}, "InvalidInput"),
        ({"uiFlowId": "nothing"}, "FlowNotFound"),
        ({}, "FlowNotFound"),
        ({"uiFlowId": "caller"}, "NotADesktopFlow"),
    ],
)
async def test_a_call_that_does_not_fit_fails_its_action(tmp_path: Path, parameters: dict[str, Any], code: str) -> None:
    result, children = await called(tmp_path, GREETING, parameters)
    assert result.response["body"]["error"]["code"] == code
    assert not children


async def test_a_desktop_flow_that_fails_fails_the_action_with_its_error(tmp_path: Path) -> None:
    result, (child,) = await called(tmp_path, FAILING, {"uiFlowId": "greet"})
    assert child.status == "Failed"
    assert result.response["body"]["error"] == {"code": child.code, "message": "no more"}


async def test_the_limit_of_the_action_cancels_the_desktop_flow(tmp_path: Path) -> None:
    clock = sealflow.VirtualClock(START)
    async with sealflow.open(tmp_path / "home", clock=clock) as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", WAITING)
        caller = calling({"uiFlowId": "greet"}, limit={"timeout": "PT10M"})
        (run,) = await env.start(await env.deploy("caller", caller))
        child = await first_of(env, "greet")
        clock.advance(600 * SECOND)
        call = next(each for each in (await run.result()).actions if each["name"] == "Call")
        assert call["status"] == "TimedOut"
        assert (await child.result()).status == "Cancelled"


async def test_cancelling_the_caller_cancels_the_desktop_flow(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", WAITING)
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "greet"})))
        child = await first_of(env, "greet")
        assert await run.cancel()
        assert (await child.result()).status == "Cancelled"


async def test_a_caller_that_goes_on_later_finds_the_run_it_had_started(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START)) as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", "WAIT 60\n")
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "greet"})))
        child = await first_of(env, "greet")
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START + 60 * SECOND)) as engine:
        env = await engine.environment()
        await env.resume_unfinished()
        result: Any = await (await env.run(run.id)).result()
        assert result.response["body"]["error"] is None
        assert [each.id for each in await env.runs(flow="greet")] == [child.id]


async def test_a_desktop_flow_whose_caller_has_ended_unseen_does_not_go_on(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START)) as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", WAITING)
        (run,) = await env.start(await env.deploy("caller", calling({"uiFlowId": "greet"})))
        child = await first_of(env, "greet")
        executor = env._executor
        assert executor is not None
        executor.desktop_calls._cancel = nothing  # type: ignore[method-assign] # the process dies before it does it
        assert await run.cancel()
        assert (await run.result()).status == "Cancelled"
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START)) as engine:
        env = await engine.environment()
        again = await env.run(child.id)
        await again.resume()
        assert (await again.result()).status == "Cancelled"


async def nothing(run_id: bytes) -> None:
    """What a process does that is not there any more."""


async def test_a_desktop_flow_that_nobody_waits_for_goes_on(tmp_path: Path) -> None:
    text = "External.RunFlow FlowId: $'''greet''' WaitToComplete: False\n"
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START)) as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", WAITING)
        (run,) = await env.start(await deploy(env, tmp_path, "outer", text), {})
        assert (await run.result()).status == "Succeeded"
        child = await first_of(env, "greet")
    async with sealflow.open(tmp_path / "home", clock=sealflow.VirtualClock(START + 3600 * SECOND)) as engine:
        env = await engine.environment()
        again = await env.run(child.id)
        await again.resume()
        assert (await again.result()).status == "Succeeded"


OUTER = """@OUTPUT Said : { 'Description': '', 'FriendlyName': 'Said', 'Type': 'String' }
@OUTPUT Count : { 'Description': '', 'FriendlyName': 'Count', 'Type': 'Numeric' }
External.RunFlow FlowId: $'''greet''' @Who: $'''Eve''' @Number: 3 @Greeting=> Said @Rows=> Rows
SET Count TO Rows.Count
"""
HANDLING = """@OUTPUT Said : { 'Description': '', 'FriendlyName': 'Said', 'Type': 'String' }
External.RunFlow FlowId: $'''greet'''
ON ERROR
    SET Said TO $'''handled'''
END
"""


async def test_a_desktop_flow_runs_another_one(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", GREETING)
        (run,) = await env.start(await deploy(env, tmp_path, "outer", OUTER), {})
        assert (await run.result()).outputs == {"Said": "Hello Eve", "Count": 3}
        (child,) = await env.runs(flow="greet")
        assert child.parent == run.id


async def test_an_error_of_a_desktop_flow_is_handled_where_it_was_called(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        await deploy(env, tmp_path, "greet", FAILING)
        (run,) = await env.start(await deploy(env, tmp_path, "outer", HANDLING), {})
        assert (await run.result()).outputs == {"Said": "handled"}


async def test_a_desktop_flow_that_calls_itself_is_stopped(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await deploy(env, tmp_path, "greet", "External.RunFlow FlowId: $'''greet'''\n"), {})
        result = await run.result()
        assert (result.status, result.code) == ("Failed", "NestedWorkflowsTooDeep")
        assert len(await env.runs(flow="greet", limit=100)) == 51


CLOUD = """@OUTPUT Answer : { 'Description': '', 'FriendlyName': 'Answer', 'Type': 'String' }
External.InvokeCloudConnector Connection: $'''c1''' ConnectorId: $'''/providers/Microsoft.PowerApps/apis/shared_office365''' OperationId: $'''SendEmailV2''' @'emailMessage/To': $'''ada@example.org''' @OpResponse=> Sent
ON ERROR
    SET Answer TO $'''failed'''
    THROW ERROR
END
SET Answer TO Sent.id
"""


async def test_a_desktop_flow_calls_a_cloud_connector(tmp_path: Path) -> None:
    calls: list[sealflow.Call] = []

    async def office(call: sealflow.Call) -> sealflow.ConnectorResponse:
        calls.append(call)
        return sealflow.ConnectorResponse(200, {}, {"id": "m1"})

    async with sealflow.open(tmp_path / "home") as engine:
        engine.connectors.register("shared_office365", office)
        env = await engine.environment()
        (run,) = await env.start(await deploy(env, tmp_path, "mail", CLOUD), {})
        assert (await run.result()).outputs == {"Answer": "m1"}
    (call,) = calls
    assert (call.connector, call.operation) == ("shared_office365", "SendEmailV2")
    assert call.inputs["parameters"] == {"emailMessage/To": "ada@example.org"}  # type: ignore[index, call-overload]


async def test_a_cloud_connector_that_refuses_fails_the_row(tmp_path: Path) -> None:
    async def office(call: sealflow.Call) -> sealflow.ConnectorResponse:
        return sealflow.ConnectorResponse(403, {}, {"error": {"code": "Denied", "message": "not you"}})

    for registered, code in ((True, "Forbidden"), (False, "ConnectorNotFound")):
        async with sealflow.open(tmp_path / str(registered)) as engine:
            if registered:
                engine.connectors.register("shared_office365", office)
            env = await engine.environment()
            (run,) = await env.start(await deploy(env, tmp_path, "mail", CLOUD), {})
            result = await run.result()
            assert (result.status, result.code) == ("Failed", code)
