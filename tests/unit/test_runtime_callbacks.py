"""Callbacks through the embedded engine: recorded once, kept for another process, refused where nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.connectors import ConnectorResponse, Subscribed
from sealflow.engine.errors import SealflowError
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.runtime.calls.callbacks import Address
from sealflow.engine.runtime.workers import polling

START = 17_000_000_000_000_000
S = ["Succeeded"]


def hook(*after: str, unsubscribe: bool = True, **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "uri": "https://example.org/hooks", "body": {"url": "@listCallbackUrl()"}}
    inputs: dict[str, Any] = {"subscribe": request}
    if unsubscribe:
        inputs["unsubscribe"] = {**request, "method": "DELETE"}
    return {"type": "HttpWebhook", "inputs": inputs, "runAfter": dict.fromkeys(after, S), **more}


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


class Service:
    """Whom webhooks are subscribed with: which calls came, as `(method, key)`, and the URLs that they gave."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.urls: list[str] = []
        self.called = asyncio.Event()
        self.during: Callable[[str, str], Any] | None = None

    async def __call__(self, call: sealflow.Call) -> Any:
        inputs: Any = call.inputs
        self.calls.append((inputs["method"], call.key))
        self.urls.append(inputs["body"]["url"])
        assert call.callback_url == self.urls[-1]
        assert call.callback_url not in repr(call).replace(repr(inputs), "")
        self.called.set()
        if self.during is not None:
            await self.during(inputs["method"], self.urls[-1])
        return ConnectorResponse(202, {"Location": "/hooks/7"}, None)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]


@asynccontextmanager
async def opened(folder: Path, service: Service | None = None, **options: Any) -> AsyncIterator[Any]:
    clock = options.pop("clock", None) or sealflow.VirtualClock(START)
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json", clock=clock, **options) as engine:
        if service is not None:
            engine.connectors.register("http", service)
        yield await engine.environment("env")


async def waiting(env: Any, run: Any) -> str:
    """The URL that the run waits for, once it does."""
    async for entry in run.follow():
        if entry.code == "Subscribed":
            break
    (url,) = (await run.callbacks()).values()
    return str(url)


async def test_a_run_waits_and_goes_on_with_what_it_was_told(tmp_path: Path) -> None:
    service = Service()
    async with opened(tmp_path, service) as env:
        await env.deploy("f", flow(w=hook(), after={"type": "Compose", "inputs": "@body('w')", "runAfter": {"w": S}}))
        (run,) = await env.start("f")
        url = await waiting(env, run)
        assert url == service.urls[0]
        (shown,) = (await run.snapshot()).actions
        assert (shown["status"], shown["code"], shown["outputs"]) == ("Waiting", "Subscribed", None)
        delivery = await env.callback(url, body={"decision": "approve"}, headers={"X-Who": "Maria"})
        assert (delivery.status, delivery.run, delivery.path) == (200, run.id, "/w")
        result = await run.result()
        assert result.status == "Succeeded"
        answer = {"statusCode": 200, "headers": {"X-Who": "Maria"}, "body": {"decision": "approve"}}
        assert [action["outputs"] for action in result.actions] == [answer, {"decision": "approve"}]
        assert service.methods == ["POST", "DELETE"]
        assert len({key for _, key in service.calls}) == 2
        assert await run.callbacks() == {}


async def test_a_waiting_run_is_listed_as_such_and_leaves_a_snapshot(tmp_path: Path) -> None:
    async with opened(tmp_path, Service()) as env:
        await env.deploy("f", flow(w=hook(limit={"timeout": "P7D"})))
        (run,) = await env.start("f")
        await waiting(env, run)
        await env._vault.flush()
        assert [each.status for each in await env.runs(status="Waiting")] == ["Waiting"]


async def test_the_second_callback_is_gone_and_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, Service()) as env:
        await env.deploy("f", flow(w=hook(unsubscribe=False), v=hook("w", unsubscribe=False)))
        (run,) = await env.start("f")
        url = await waiting(env, run)
        assert (await env.callback(url, body=1)).status == 200
        assert (await env.callback(url, body=2)).status == 410
        await env.callback(await waiting(env, run), body=3)
        result = await run.result()
        assert [action["outputs"]["body"] for action in result.actions] == [1, 3]
        gone = await env.callback(url, body=4)
        assert (gone.status, gone.path, gone.accepted) == (410, "/w", False)


async def test_callbacks_that_nobody_asked_for_are_unknown(tmp_path: Path) -> None:
    async with opened(tmp_path, Service()) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        url = await waiting(env, run)
        base, _, token = url.rpartition("/")
        other = f"{base}/{'0' * 32}"
        nobody = f"sealflow:callback/{'0' * 8}-0000-7000-8000-{'0' * 12}/{token}"
        for address in (other, nobody, "", "nonsense", url + "0", base, url.upper()):
            assert (await env.callback(address)).status == 404, address
        assert (await run.snapshot()).status == "Running"
        assert (await env.callback(f"https://host/x/{run.id}/{token}?sig=1")).status == 200


async def test_a_callback_during_the_subscription_is_not_lost(tmp_path: Path) -> None:
    service = Service()
    async with opened(tmp_path, service) as env:

        async def at_once(method: str, url: str) -> None:
            if method == "POST":
                assert (await env.callback(url, body="early")).status == 200
                assert (await env.callback(url, body="again")).status == 410

        service.during = at_once
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        result = await run.result()
        assert (result.status, result.actions[0]["outputs"]["body"]) == ("Succeeded", "early")
        assert service.methods == ["POST", "DELETE"]


async def test_a_run_that_is_in_no_process_is_brought_back(tmp_path: Path) -> None:
    service = Service()
    async with opened(tmp_path, service) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        url = await waiting(env, run)
    async with opened(tmp_path, service) as env:
        assert (await env.callback(url, body="late")).status == 200
        run = await env.run(run.id)
        assert (await run.result()).status == "Succeeded"
        assert service.methods == ["POST", "DELETE"]


async def test_where_runs_are_left_alone_a_callback_is_kept_for_later(tmp_path: Path) -> None:
    service = Service()
    async with opened(tmp_path, service) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        url = await waiting(env, run)
    async with opened(tmp_path, service, resume=False) as env:
        assert (await env.callback(url, body="kept")).status == 202
        assert (await env.callback(url, body="second")).status == 410
        assert (await env.callback(url[:-1] + ("0" if url[-1] != "0" else "1"))).status == 404
        assert service.methods == ["POST"]
    async with opened(tmp_path, service) as env:
        run = await env.run(run.id)
        await run.resume()
        result = await run.result()
        assert result.actions[0]["outputs"]["body"] == "kept"
        assert await env._vault.inbox() == []


async def test_another_process_hands_a_callback_to_the_executor(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(polling, "INBOX_PERIOD", 0.01)
    async with opened(tmp_path, Service()) as here:
        await here.deploy("f", flow(w=hook()))
        (run,) = await here.start("f")
        url = await waiting(here, run)
        async with opened(tmp_path) as there:
            assert (await there.callback(url, body="from there")).status == 202
            result = await run.result(20)
            assert result.actions[0]["outputs"]["body"] == "from there"
            assert (await there.callback(url)).status == 410


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_run_that_is_ended_unsubscribes(tmp_path: Path, cancelled: bool) -> None:
    service = Service()
    async with opened(tmp_path, service) as env:
        end = {"type": "Terminate", "inputs": {"runStatus": "Cancelled"}, "runAfter": {"v": S}}
        actions = {"w": hook()} if cancelled else {"w": hook(), "v": hook(unsubscribe=False), "end": end}
        await env.deploy("f", flow(**actions))
        (run,) = await env.start("f")
        while len(await run.callbacks()) < len(actions) - (not cancelled):
            await asyncio.sleep(0)
        if cancelled:
            assert await run.cancel("enough")
        else:
            await env.callback((await run.callbacks())["/v"])
        assert (await run.result()).status == "Cancelled"
        url = service.urls[0]
        assert (await env.callback(url)).status == 410
    assert service.methods.count("DELETE") == 1


async def test_its_limit_lapses_after_a_restart(tmp_path: Path) -> None:
    service = Service()
    async with opened(tmp_path, service, clock=sealflow.VirtualClock(START)) as env:
        await env.deploy("f", flow(w=hook(limit={"timeout": "P1D"})))
        (run,) = await env.start("f")
        url = await waiting(env, run)
    async with opened(tmp_path, service, clock=sealflow.VirtualClock(START, jumps=True)) as env:
        await env.resume_unfinished()
        result = await (await env.run(run.id)).result()
        assert (result.status, result.actions[0]["status"]) == ("Failed", "TimedOut")
        assert service.methods == ["POST", "DELETE"]
        assert (await env.callback(url)).status == 410


async def test_a_connector_may_answer_later_or_at_once(tmp_path: Path) -> None:
    urls: list[str] = []

    async def approvals(call: sealflow.Call) -> Any:
        if call.operation == "AtOnce":
            return {"outcome": "Approve"}
        urls.append(call.callback_url)
        return Subscribed({"ticket": 7})

    def approval(operation: str, kind: str = "OpenApiConnectionWebhook") -> dict[str, Any]:
        host = {"apiId": "/apis/shared_approvals", "connectionName": "c", "operationId": operation}
        return {"type": kind, "inputs": {"host": host, "parameters": {}}}

    async with opened(tmp_path) as env:
        env._connectors.register("approvals", approvals)
        await env.deploy("f", flow(a=approval("Wait"), b=approval("AtOnce")))
        (run,) = await env.start("f")
        await waiting(env, run)
        assert (await env.callback(urls[0], body={"outcome": "Reject"}, status=409)).status == 200
        result = await run.result()
        assert {action["name"]: action["status"] for action in result.actions} == {"a": "Failed", "b": "Succeeded"}
        assert result.actions[0]["code"] == "Conflict"
        await env.deploy("g", flow(a=approval("Wait", "OpenApiConnection")))
        (odd,) = await env.start("g")
        assert (await odd.result()).actions[0]["code"] == "InvalidReply"


async def test_what_is_no_callback_is_refused_and_the_run_waits_on(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    async with opened(tmp_path, Service()) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        url = await waiting(env, run)
        for odd in ({"status": 42}, {"status": True}, {"body": {1}}, {"body": deep}):
            with pytest.raises(SealflowError) as refused:
                await env.callback(url, **odd)
            assert refused.value.code == "InvalidCallback"
        assert (await env.callback(url, body="in the end")).accepted
        assert (await run.result()).status == "Succeeded"


async def test_a_simulation_waits_for_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f", simulate={"w": {"outputs": {"statusCode": 200, "body": {"decision": "approve"}}}})
        result = await run.result()
        assert result.actions[0]["outputs"]["body"] == {"decision": "approve"}


async def test_a_history_with_callbacks_replays(tmp_path: Path) -> None:
    async with opened(tmp_path, Service()) as env:
        await env.deploy("f", flow(w=hook()))
        (run,) = await env.start("f")
        await env.callback(await waiting(env, run), body=[1.5, "x"])
        await run.result()
        bundle = await run.export(plaintext=True)
    assert (await sealflow.replay(bundle)).differences == []
    assert f"[1,{event.CALLBACK},0," in bundle.decode().replace(" ", "").replace("\n", "")


def test_a_token_is_not_shown() -> None:
    address = Address.read(f"sealflow:callback/{'0' * 8}-0000-7000-8000-{'0' * 12}/{'ab' * 16}")
    assert address is not None
    assert "abab" not in repr(address)


async def test_whoever_resumes_a_run_is_told_though_a_callback_waits_for_it(tmp_path: Path) -> None:
    """The request in the inbox would bring the run back as well; who asks for it first is told what happens."""
    async with opened(tmp_path, Service()) as env:
        (run,) = await env.start(await env.deploy("f", flow(Ask=hook(unsubscribe=False))))
        url = await waiting(env, run)
    async with opened(tmp_path, Service(), resume=False) as env:
        assert (await env.callback(url, body=1)).status == 202
        told: list[tuple[str, int]] = []
        run = await env.run("latest")
        assert await run.resume(lambda entry: told.append((entry.path, entry.status)))
        assert (await run.result()).status == "Succeeded"
        assert run.told
        assert told[-1] == ("/Ask", 1)
