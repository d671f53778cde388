"""Every example runs, against the stand-in where it calls a service, and every recorded run replays strictly.

Time passes faster here, so that a pause before a retry takes moments; what a flow sees of it is the same.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sealflow
from example_modules import module
from sealflow.engine.cloud import read, report

ROOT = Path(__file__).resolve().parents[2]
CLOUD = ROOT / "examples" / "cloud"
SIMULATE = ROOT / "examples" / "simulate"
EMBED = ROOT / "examples" / "embed"

PATIENCE = 60.0
"""Seconds after which a run that should have ended is a failure."""

INPUTS: dict[str, Any] = {
    "hello": {"name": "Ada"},
    "approval_with_retry": {"text": "A new laptop", "number": 900},
    "approval_webhook": {"purpose": "A new laptop"},
    "order_fanout": {"customer": "Contoso"},
    "nightly_report": sealflow.UNSET,
    "http_enrichment": {
        "currency": "USD",
        "lines": [{"sku": "LAMP-2", "quantity": 2}, {"sku": "SOFA-7", "quantity": 1}],
    },
    "order_intake": {"number": "SO-1001", "warehouse": "North"},
    "order_batches": {
        "batchName": "orders",
        "partitionName": "North",
        "items": [{"content": {"number": f"SO-{number}"}, "messageId": str(number)} for number in (1001, 1002)],
    },
    "child": {"net": 10},
    "parent": {"amounts": [10, 20]},
    "until_polling": {"text": "orders"},
    "sales_watch": [{"region": "North", "amount": 1890.0, "state": "paid"}],
    "price_rules": {
        "lines": [{"sku": "LAMP-2", "quantity": 12, "price": 9.5}, {"sku": "DESK-9", "quantity": 1, "price": 249}]
    },
    "partner_order": {
        "sender": "contoso",
        "xml": "<Order><Number>SO-7</Number><Customer>Fabrikam</Customer>"
        "<Line><Sku>LAMP-2</Sku><Quantity>2</Quantity></Line><Line><Sku>DESK-9</Sku><Quantity>1</Quantity></Line></Order>",
    },
}

BODIES: dict[str, Any] = {
    "hello": {"greeting": "Hello, Ada!"},
    "approval_with_retry": {"purpose": "A new laptop", "outcome": "approved by Maria Perera"},
    "order_fanout": {
        "customer": "Contoso",
        "confirmed": [{"order": f"SO-{number}", "reservation": f"R-SO-{number}"} for number in (1001, 1002, 1004)],
        "rejected": [
            {"order": "SO-1003", "step": "Reserve_stock", "reason": "0 of DESK-9 are in stock, not 1."},
            {"order": "SO-1005", "step": "Reserve_stock", "reason": "There is no item SOFA-7."},
        ],
    },
    "http_enrichment": {
        "currency": "USD",
        "lines": [{"sku": "LAMP-2", "name": "Desk lamp", "quantity": 2, "amount": 98.75}],
        "unknown": 1,
    },
    "order_intake": {"collected": "SO-1001", "for": "North"},
    "child": {"net": 10, "gross": 12.0},
    "parent": {"total": 36.0},
    "until_polling": {"file": "exports/job-1.csv", "rows": 1284},
    "price_rules": {"lines": [{"sku": "LAMP-2", "amount": 108.3}, {"sku": "DESK-9", "amount": 249}], "total": 357.3},
    "partner_order": {
        "confirmation": {
            "order": "SO-7",
            "customer": "FABRIKAM",
            "lines": [{"sku": "LAMP-2", "quantity": 2}, {"sku": "DESK-9", "quantity": 1}],
        },
        "pieces": 3,
        "sent": '<?xml version="1.0" encoding="utf-8"?><order from="contoso" reference="SO-7">'
        '<item code="LAMP-2" pieces="2"/><item code="DESK-9" pieces="1"/></order>',
    },
}


class FastClock:
    """The machine's clock, `rate` times as fast from the moment it is made.

    Calls take seconds on a busy machine, and must not meet limits of minutes for that.
    """

    def __init__(self, rate: int = 4) -> None:
        self._rate = rate
        self._start = time.time_ns() // 100
        self._base = time.monotonic_ns()

    def now(self) -> int:
        return self._start + (time.monotonic_ns() - self._base) * self._rate // 100

    async def sleep_until(self, due: int) -> None:
        while (left := due - self.now()) > 0:
            await asyncio.sleep(left / 1e7 / self._rate)


@dataclass(frozen=True)
class Recorded:
    """An example's run: what it came to, its bundle in plaintext, and what the stand-in was asked on the way."""

    result: sealflow.RunResult
    bundle: bytes
    calls: list[Any]

    def action(self, path: str) -> dict[str, Any]:
        return next(action for action in self.result.actions if action["path"] == path)


async def record(folder: Path) -> dict[str, Recorded]:
    standin = module(CLOUD / "standin.py")

    async def one(environment: sealflow.Environment, name: str) -> tuple[str, Recorded]:
        definition = read((CLOUD / f"{name}.json").read_bytes()).definition
        with standin.StandIn() as service:
            given = {"service": service.url} if "service" in definition.get("parameters", {}) else {}
            [run] = await environment.start(name, INPUTS[name], parameters=given)
            if name == "approval_webhook":
                while not service.calls:
                    await asyncio.sleep(0)
                url = service.calls[0].body["callbackUrl"]
                assert (await environment.callback(url, body={"decision": "approve"})).status == 200
            result = await run.result(PATIENCE)
            return name, Recorded(result, await run.export(plaintext=True), list(service.calls))

    async with sealflow.open(folder / "home", keystore=folder / "keystore.json", clock=FastClock()) as engine:
        environment = await engine.environment("examples")
        for name in INPUTS:
            await environment.deploy(name, CLOUD / f"{name}.json", artifacts=CLOUD / "Artifacts")
        return dict(await asyncio.gather(*(one(environment, name) for name in INPUTS)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorded]:
    """All examples, run at the same time in one environment."""
    return asyncio.run(record(tmp_path_factory.mktemp("examples")))


@pytest.fixture
def isolated(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that must not find the user's store or keystore."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SEALFLOW_")},
        "SEALFLOW_HOME": str(tmp_path / "home"),
        "SEALFLOW_KEYSTORE": str(tmp_path / "keystore.json"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }


def test_every_cloud_example_is_run_here() -> None:
    assert {path.stem for path in CLOUD.glob("*.json")} == set(INPUTS)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_no_cloud_example_has_a_problem(name: str) -> None:
    found = report((CLOUD / f"{name}.json").read_bytes(), name)
    given = ("NeedsWorker", "ArtifactNeeded")
    assert [problem for problem in found["problems"] if problem["code"] not in given] == []


def test_both_products_and_every_control_action_are_among_the_examples() -> None:
    kinds, types = set(), set()
    for path in CLOUD.glob("*.json"):
        kinds.add(report(path.read_bytes(), path.name)["kind"])
        types |= set(_types(json.loads(path.read_bytes())))
    assert {"cloud/logic-apps", "cloud/power-automate", "cloud/standard"} <= kinds
    assert {"If", "Switch", "Foreach", "Until", "Scope", "Terminate", "Workflow", "Wait", "ParseJson"} <= types


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_a_cloud_example_succeeds(name: str, recorded: dict[str, Recorded]) -> None:
    result = recorded[name].result
    assert (result.status, result.error) == ("Succeeded", None)
    if name in BODIES:
        assert result.response is not None
        assert result.response["statusCode"] == 200
        assert result.response["body"] == BODIES[name]
    else:
        assert result.response is None


@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_a_recorded_example_replays_strictly(name: str, recorded: dict[str, Recorded]) -> None:
    found = await sealflow.replay(recorded[name].bundle)
    assert found.differences == []
    assert found.actions > 0


@pytest.mark.parametrize("name", sorted(name for name in INPUTS if name != "hello"))
async def test_replay_names_the_action_whose_run_after_was_changed(name: str, recorded: dict[str, Recorded]) -> None:
    """One `Succeeded` becomes `Failed`: the action behind it does not run any more."""
    definition = copy.deepcopy(read((CLOUD / f"{name}.json").read_bytes()).definition)
    victim = next(each for each, action in definition["actions"].items() if action["runAfter"])
    after = definition["actions"][victim]["runAfter"]
    first = next(iter(after))
    after[first] = ["Failed"]
    found = await sealflow.replay(recorded[name].bundle, definition=definition)
    assert found.differences[0]["path"] == f"/{victim}"
    assert found.differences[0]["kind"] == "missing"


def test_the_approval_is_asked_for_again_with_the_same_key(recorded: dict[str, Recorded]) -> None:
    run = recorded["approval_with_retry"]
    assert [call.path for call in run.calls] == ["/approvals", "/approvals"]
    assert run.calls[0].key == run.calls[1].key is not None
    assert run.action("/Ask_for_approval")["attempts"] == 2
    assert run.action("/Switch_on_decision/Set_rejected")["status"] == "Skipped"


def test_a_failed_order_is_caught_and_the_loop_still_succeeds(recorded: dict[str, Recorded]) -> None:
    run = recorded["order_fanout"]
    assert run.action("/For_each_order[2]/Try")["status"] == "Failed"
    assert run.action("/For_each_order[2]/Catch")["status"] == "Succeeded"
    assert run.action("/For_each_order[0]/Catch")["status"] == "Skipped"
    assert run.action("/For_each_order")["status"] == "Succeeded"
    keys = [call.key for call in run.calls if call.method == "POST"]
    assert len(set(keys)) == len(keys) == 5


def test_the_approval_is_waited_for_and_withdrawn(recorded: dict[str, Recorded]) -> None:
    run = recorded["approval_webhook"]
    assert run.action("/Outcome")["outputs"] == {"purpose": "A new laptop", "decision": "approve"}
    assert run.action("/Nobody_answered")["status"] == "Skipped"
    assert [call.method for call in run.calls] == ["POST", "DELETE"]
    assert run.calls[0].key != run.calls[1].key


def test_a_sale_that_was_found_is_noted(recorded: dict[str, Recorded]) -> None:
    assert recorded["sales_watch"].action("/Note")["outputs"]["sale"] == "North 1,890.00"


def test_the_report_is_made_and_handed_in(recorded: dict[str, Recorded]) -> None:
    run = recorded["nightly_report"]
    made = run.action("/Report")["outputs"]
    assert made["regions"] == "North, South, West"
    assert made["count"] == 3
    assert "<td>1.890,00</td>" in made["html"]
    assert made["csv"].splitlines() == ["region,amount", "North,1890", "South,240.5", "West,3120.25"]
    assert run.calls[-1].body == made


def test_a_batch_is_delivered_together(recorded: dict[str, Recorded]) -> None:
    delivery = recorded["order_batches"].action("/Delivery")["outputs"]
    assert delivery == {"warehouse": "North", "orders": ["SO-1001", "SO-1002"], "count": 2}


def test_the_child_is_a_run_of_its_own_for_each_call(recorded: dict[str, Recorded]) -> None:
    run = recorded["parent"]
    outputs = [run.action(f"/For_each_amount[{number}]/Add_tax")["outputs"]["body"] for number in (0, 1)]
    assert outputs == [{"net": 10, "gross": 12.0}, {"net": 20, "gross": 24.0}]


def test_polling_ends_when_the_job_is_done(recorded: dict[str, Recorded]) -> None:
    run = recorded["until_polling"]
    assert [action["outputs"]["body"]["status"] for action in run.result.actions if action["name"] == "Get_job"] == [
        "running",
        "running",
        "done",
    ]


async def test_the_simulated_example_needs_no_connector(tmp_path: Path) -> None:
    mocks = json.loads((SIMULATE / "ticket_triage.mocks.json").read_bytes())
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json") as engine:
        environment = await engine.environment("examples")
        flow = await environment.deploy("ticket_triage", SIMULATE / "ticket_triage.json")
        [run] = await environment.start(flow, simulate=mocks)
        result = await run.result(PATIENCE)
        found = await sealflow.replay(await run.export(), engine=engine)
    assert result.status == "Succeeded"
    mails = {action["path"]: action["attempts"] for action in result.actions if action["name"] == "Send_mail"}
    assert [attempts for attempts in mails.values() if attempts] != []
    assert mails["/Apply_to_each_ticket[1]/Is_it_urgent/Send_mail"] == 2
    assert mails["/Apply_to_each_ticket[2]/Is_it_urgent/Send_mail"] == 1
    assert found.differences == []


async def test_connectors_of_the_program_answer(tmp_path: Path) -> None:
    """What docs/how-to/embed.md says about bringing a connector, with the flow that the mocks are for."""
    sent: list[sealflow.Call] = []
    clock = FastClock(10_000)
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json", clock=clock) as engine:

        @engine.connectors.connector("sharepointonline")
        async def lists(call: sealflow.Call) -> dict[str, Any]:
            assert call.operation == "GetItems"
            return {"value": [{"ID": 1, "Title": "Outage", "Priority": "Low"}]}

        @engine.connectors.connector("office365")
        async def mail(call: sealflow.Call) -> sealflow.ConnectorResponse | dict[str, Any]:
            sent.append(call)
            return sealflow.ConnectorResponse(503) if len(sent) == 1 else {}

        environment = await engine.environment("examples")
        flow = await environment.deploy("ticket_triage", SIMULATE / "ticket_triage.json")
        [run] = await environment.start(flow)
        result = await run.result(PATIENCE)
    assert result.status == "Succeeded"
    assert [call.inputs["parameters"]["emailMessage/Subject"] for call in sent] == ["Urgent: Outage"] * 2  # type: ignore[index, call-overload]
    assert sent[0].key == sent[1].key


def test_the_script_runs(isolated: dict[str, str], tmp_path: Path) -> None:
    done = _python(EMBED / "script.py", isolated, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Succeeded {'statusCode': 200")
    assert "Hello, Ada!" in done.stdout


def test_the_first_run_finds_nothing_in_the_clear(isolated: dict[str, str], tmp_path: Path) -> None:
    done = _python(ROOT / "examples" / "first_run.py", isolated, tmp_path, "--home", str(tmp_path / "first"))
    assert done.returncode == 0, done.stderr
    assert "  found   0\n" in done.stdout
    assert "control 13 of 13" in done.stdout
    assert not (tmp_path / "keystore.json").exists()
    assert not (tmp_path / "config").exists()


async def test_the_application_starts_flows_and_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx

    monkeypatch.setenv("SEALFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(tmp_path / "keystore.json"))
    app = module(EMBED / "fastapi_app.py").app
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://flows") as client,
    ):
        answer = await client.post("/flows/hello/runs", json={"name": "Ada"})
        assert (answer.status_code, answer.json()) == (200, {"greeting": "Hello, Ada!"})
        answer = await client.post("/flows/hello/runs")
        assert answer.json() == {"greeting": "Hello, world!"}
        shown = await client.get(answer.headers["Location"])
        assert shown.json()["status"] in ("Running", "Succeeded")
        assert [action["path"] for action in shown.json()["actions"]] == ["/Greeting", "/Response"]
        answer = await client.post("/flows/parent/runs", json={"amounts": [5]})
        assert answer.json() == {"total": 6.0}
        answer = await client.post("/flows/nowhere/runs", json={})
        assert (answer.status_code, answer.json()["detail"]["code"]) == (404, "NotFound")
        answer = await client.get("/runs/ffffffff-ffff-7fff-bfff-ffffffffffff")
        assert answer.status_code == 404


def _python(
    script: Path, environment: dict[str, str], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str) and ("runAfter" in value):
            yield value["type"]
        for member in value.values():
            yield from _types(member)
    elif isinstance(value, list):
        for member in value:
            yield from _types(member)
