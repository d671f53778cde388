"""One session of everything that makers do, told as a transcript without ids and times: whatever key seals the
environment, and whatever administrators do meanwhile, it reads the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import sealflow
from sealflow.connectors import ConnectorResponse
from sealflow.engine.errors import SealflowError
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.observe.run import Run
from sealflow.storage import StorageError

S = ["Succeeded"]
VARIES = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-Fa-f]{32,}|\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d{13,18}\b|\b0\d{25,}\b"
    r"|(?<=callbacks/)[^\"]+"
)
OAUTH = {"properties": {"connectionParameters": {"token": {"type": "oauthSetting"}}}}
KEYED = {"properties": {"connectionParameters": {"api_key": {"type": "securestring"}}}}

Turn = Callable[[int], Awaitable[None]]
"""Called between two steps, with how many there were: what administrators do meanwhile."""


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


def compose(value: Any, *after: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, "runAfter": dict.fromkeys(after, S)}


def call(operation: str, *after: str, **parameters: Any) -> dict[str, Any]:
    host = {"apiId": "/providers/Microsoft.PowerApps/apis/shared_test", "connectionName": "c", "operationId": operation}
    return {
        "type": "OpenApiConnection",
        "inputs": {"host": host, "parameters": parameters},
        "runAfter": dict.fromkeys(after, S),
    }


HOOK = {"method": "POST", "uri": "https://example.org/hooks", "body": {"url": "@listCallbackUrl()"}}
FLOWS: dict[str, dict[str, Any]] = {
    "child": flow(
        work=call("Do", n="@triggerBody()['n']"),
        r={"type": "Response", "inputs": {"statusCode": 200, "body": "@body('work')"}, "runAfter": {"work": S}},
    ),
    "parent": flow(
        each={
            "type": "Foreach",
            "foreach": "@triggerBody()['items']",
            "actions": {
                "go": {
                    "type": "Workflow",
                    "inputs": {"host": {"workflow": {"id": "/x/workflows/child"}}, "body": {"n": "@item()"}},
                }
            },
        },
        sum=compose("@length(triggerBody()['items'])", "each"),
    ),
    "failing": flow(bad=call("Fail"), never=compose(1, "bad")),
    "waiting": flow(
        w={"type": "Wait", "inputs": {"interval": {"count": 3, "unit": "Hour"}}},
        after=compose("rested", "w"),
    ),
    "approval": flow(w={"type": "HttpWebhook", "inputs": {"subscribe": HOOK}}, after=compose("@body('w')", "w")),
    "stuck": flow(w={"type": "HttpWebhook", "inputs": {"subscribe": HOOK}}),
}  # fmt: skip


async def service(call: sealflow.Call) -> Any:
    """Whom the flows call: it echoes, and fails where it is asked to."""
    inputs: Any = call.inputs
    if "method" in inputs:
        return ConnectorResponse(202, {}, None)
    if inputs["host"]["operationId"] == "Fail":
        return ConnectorResponse(400, {}, {"error": {"code": "Bad", "message": "No."}})
    return {"echo": inputs["parameters"]}


class Makers:
    """The session: `run` gives its transcript, one entry for each thing that was done."""

    def __init__(self, env: Environment, turn: Turn) -> None:
        self._env = env
        self._turn = turn
        self._steps = 0
        self._told: list[Any] = []
        self._url = ""

    async def run(self) -> list[Any]:
        env = self._env
        for name, definition in FLOWS.items():
            await self._step(f"deploy {name}", self._deploy(name, definition))
        await self._step("deploy again", self._deploy("PARENT", FLOWS["parent"]))
        await self._step("edit", self._deploy("failing", flow(bad=call("Fail"), never=compose(2, "bad"))))
        await self._step("bad definition", self._deploy("broken", flow(a={"type": "Nonsense"})))
        await self._step("no name", self._deploy(" ", FLOWS["child"]))
        approval = await self._started("approval")
        stuck = await self._started("stuck")
        await self._waits(approval)
        await self._waits(stuck)
        await self._step("parent", self._result("parent", {"items": [1, 2, 3]}))
        await self._step("failing", self._result("failing"))
        await self._step("waiting", self._result("waiting"))
        for name, properties, values in (
            ("Office", OAUTH, {"token": "t"}),
            ("Weather", KEYED, {"api_key": "k"}),
        ):
            await self._step(f"connect {name}", self._connect(name, properties, values))
        await self._step("connect again", self._connect("OFFICE", OAUTH, {"token": "t"}))
        await self._step("bad value", self._connect("Other", KEYED, {"nothing": "k"}))
        await self._step("callback", self._call_back(approval))
        await self._step("callback again", self._call_back(approval))
        await self._step("cancel", stuck.cancel("enough"))
        await self._step("cancelled", self._shown(stuck))
        await self._step("disable", self._disabled("child"))
        await self._step("edit later", self._deploy("parent", flow(c=compose("changed"))))
        await self._step("edited", self._result("PARENT"))
        await self._step("history", self._history())
        await self._step("exports", self._exports())
        await self._step("flows", self._flows())
        await self._step("versions", self._versions())
        await self._step("connections", self._connections())
        await self._step("disconnect", env.connections.delete("weather"))
        await self._step("disconnect again", env.connections.delete("weather"))
        await self._step("what is not there", self._missing())
        await self._step("connections left", self._connections())
        return self._told

    async def _step(self, name: str, doing: Awaitable[Any]) -> None:
        try:
            found = await doing
        except (SealflowError, StorageError) as error:
            found = {"error": error.code, "message": error.message, "hint": error.hint}
        self._told.append([name, json.loads(VARIES.sub("-", json.dumps(found)))])
        self._steps += 1
        await self._turn(self._steps)

    async def _deploy(self, name: str, definition: dict[str, Any]) -> Any:
        deployed = await self._env.deploy(name, definition)
        return [deployed.name, deployed.version, deployed.created]

    async def _started(self, name: str) -> Run:
        (run,) = await self._env.start(name)
        return run

    async def _waits(self, run: Run) -> None:
        async for entry in run.follow():
            if entry.code == "Subscribed":
                break

    async def _result(self, name: str, body: Any = None) -> Any:
        (run,) = await self._env.start(name, body)
        async for _ in run.follow():
            pass
        return await self._shown(run)

    async def _shown(self, run: Run) -> Any:
        told = (await run.result(timeout=60)).to_json()
        told["actions"].sort(key=lambda action: action["path"])  # iterations may end in any order
        return told

    async def _call_back(self, run: Run) -> Any:
        urls = await run.callbacks()
        (url,) = urls.values() if urls else (self._url,)
        self._url = url
        delivery = await self._env.callback(url, body={"decision": "yes"})
        return [delivery.status, delivery.path, (await run.result(timeout=60)).status]

    async def _disabled(self, name: str) -> Any:
        await self._env.disable(name)
        try:
            await self._env.start(name, {"n": 1})
        except SealflowError as error:
            refused = error.code
        await self._env.enable(name)
        (run,) = await self._env.start(name, {"n": 1})
        return [refused, await run.wait(timeout=60), (await self._env.trigger(name)).enabled]

    async def _connect(self, name: str, properties: dict[str, Any], values: dict[str, str]) -> Any:
        made = await self._env.connections.create(name, properties, values, connector="shared_test")
        return [made.info.name, made.info.oauth, dict(made.parameters)]

    async def _connections(self) -> Any:
        connections = self._env.connections
        return [
            [each.info.name, each.info.oauth, await connections.values(each.info.name)]
            for each in await connections.all()
        ]

    async def _history(self) -> Any:
        runs = await self._env.runs(limit=100)
        found = [[run.flow, run.version, run.status, run.parent is not None] for run in runs]
        for run in runs:
            shown = (await (await self._env.run(run.id)).snapshot()).to_json()
            found.append([run.flow, sorted((action["path"], action["status"]) for action in shown["actions"])])
        # Children start in any order.
        return sorted(found, key=json.dumps)

    async def _exports(self) -> Any:
        told = []
        for run in await self._env.runs(limit=100):
            found = await self._env.run(run.id)
            plain = await found.export(plaintext=True)
            assert (await sealflow.replay(plain)).differences == []
            sealed = await self._env.open_bundle(await found.export())
            told.append([run.flow, len(json.loads(plain)["records"]), len(sealed["records"])])
        return sorted(told)

    async def _flows(self) -> Any:
        return [[flow.name, flow.version, flow.enabled] for flow in await self._env.flows()]

    async def _versions(self) -> Any:
        found = await self._env.flow("parent")
        return [(await self._env.flow("parent", n + 1)).definition for n in range(found.versions)]

    async def _missing(self) -> Any:
        codes = []
        for missing in (
            self._env.start("nothing"),
            self._env.run("0" * 32),
            self._env.flow("parent", 9),
            self._env.connections.one("nothing"),
            self._env.runs(status="nonsense"),
            self._env.callback("https://example.org/callbacks/1/2"),
        ):
            try:
                codes.append(str(getattr(await missing, "status", None)))
            except (SealflowError, StorageError) as error:
                codes.append(error.code)
        return codes
