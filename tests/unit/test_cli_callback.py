"""`sealflow runs callback`, and what the other commands show of a run that waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli, compose
from sealflow.connectors import ConnectorResponse


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def hook() -> dict[str, Any]:
    request = {"method": "POST", "uri": "http://127.0.0.1:9/", "body": {"url": "@listCallbackUrl()"}}
    return {"type": "HttpWebhook", "inputs": {"subscribe": request}}


def leave_waiting(actions: dict[str, Any]) -> dict[str, str]:
    """A run of these actions that waits in the folder's store; the callback URLs by path."""

    async def service(call: sealflow.Call) -> Any:
        return ConnectorResponse(202)

    async def start() -> dict[str, str]:
        async with sealflow.open(".sealflow") as engine:
            engine.connectors.register("http", service)
            env = await engine.environment()
            definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
            await env.deploy("waits", definition)
            (run,) = await env.start("waits")
            left = sum(action["type"] == "HttpWebhook" for action in actions.values())
            async for entry in run.follow():
                left -= entry.status == 6
                if not left:
                    return await run.callbacks()
            raise AssertionError("the run has ended")

    return asyncio.run(start())


def test_a_run_that_waits_is_answered_and_goes_on_when_it_is_resumed(cli: Cli) -> None:
    leave_waiting({"Ask": hook(), "Answer": compose("@body('Ask')", "Ask")})
    told = cli("runs", "callback", "latest", "--body", '{"yes": true}')
    assert told.code == 0
    assert told.out.startswith("/Ask of run ")
    assert "next: sealflow runs resume " in told.out
    result = cli("runs", "resume", "latest", "--json")
    assert result.code == 0
    assert result.json["actions"][1]["outputs"] == {"yes": True}


@pytest.mark.parametrize("which", ["latest", "--all"])
def test_the_progress_is_shown_though_the_callback_brings_the_run_back(cli: Cli, which: str) -> None:
    leave_waiting({"Ask": hook(), "Answer": compose("@body('Ask')", "Ask")})
    assert cli("runs", "callback", "latest", "--body", '{"yes": true}').code == 0
    lines = cli("runs", "resume", which).out.splitlines()
    assert [line.split(" ")[:2] for line in lines[-4:-2]] == [["✓", "Ask"], ["✓", "Answer"]]
    assert lines[-2].startswith("Succeeded")


def test_only_the_first_callback_counts(cli: Cli) -> None:
    url = leave_waiting({"Ask": hook()})["/Ask"]
    first = cli("runs", "callback", url, "--body", "1", "--json")
    assert (first.code, first.json["status"], first.json["accepted"]) == (0, 202, True)
    second = cli("runs", "callback", url, "--body", "2", "--json")
    assert (second.code, second.json["status"], second.json["accepted"]) == (1, 410, False)
    assert "had its answer before" in cli("runs", "callback", "latest").out
    assert cli("runs", "resume", "latest", "--json").json["actions"][0]["outputs"]["body"] == 1
    over = cli("runs", "callback", "latest", "--json")
    assert (over.code, over.error["code"]) == (3, "NotFound")


def test_which_action_is_told_by_path_or_name(cli: Cli) -> None:
    leave_waiting({"Ask": hook(), "Other": hook()})
    several = cli("runs", "callback", "latest", "--json")
    assert (several.code, several.error["code"]) == (2, "InvalidUsage")
    assert "/Ask" in several.error["hint"]
    nobody = cli("runs", "callback", "latest", "--action", "Nobody", "--json")
    assert nobody.code == 3
    assert cli("runs", "callback", "latest", "--action", "ask", "--status", "409", "--json").json["action"] == "/Ask"
    assert cli("runs", "callback", "latest", "--action", "/Other", "--json").code == 0
    result = cli("runs", "resume", "latest", "--json")
    assert {action["name"]: action["status"] for action in result.json["actions"]} == {
        "Ask": "Failed",
        "Other": "Succeeded",
    }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("sealflow:callback/0/0",), 3),
        (("a/b", "--action", "Ask"), 2),
        (("latest", "--body", "no json"), 2),
        (("latest", "--status", "99"), 2),
        (("ffffffff",), 3),
    ],
)
def test_what_is_no_callback(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    leave_waiting({"Ask": hook()})
    refused = cli("runs", "callback", *arguments, "--json")
    assert refused.code == code
    assert refused.error["message"]


def test_the_callback_url_is_shown_only_when_it_is_asked_for(cli: Cli) -> None:
    url = leave_waiting({"Ask": hook()})["/Ask"]
    plain = cli("runs", "show", "latest")
    assert "… Ask waits for its callback" in plain.out
    assert "1 waiting" in plain.out
    assert url not in plain.out
    assert f"callback of /Ask: {url}" in cli("runs", "show", "latest", "--full").out
    assert "callbacks" not in cli("runs", "show", "latest", "--json").json
    assert cli("runs", "show", "latest", "--full", "--json").json["callbacks"] == {"/Ask": url}
    assert [run["status"] for run in cli("runs", "list", "--json").json] == ["Waiting"]


# ---- triggers


def subscribed() -> str:
    """A flow `hooked` whose webhook trigger has subscribed; its callback URL."""
    request = {"method": "POST", "uri": "http://127.0.0.1:9/", "body": "@listCallbackUrl()"}
    trigger = {"T": {"type": "HttpWebhook", "inputs": {"subscribe": request}}}
    urls: list[str] = []

    async def service(call: sealflow.Call) -> Any:
        urls.append(call.callback_url)
        return ConnectorResponse(201)

    async def start() -> str:
        async with sealflow.open(".sealflow") as engine:
            engine.connectors.register("http", service)
            env = await engine.environment()
            await env.deploy("hooked", {"triggers": trigger, "actions": {"A": compose("@triggerOutputs()")}})
            await env.fire_due()
            return urls[0]

    return asyncio.run(start())


def test_a_trigger_is_called_back_by_its_flow_or_its_url(cli: Cli) -> None:
    url = subscribed()
    assert url not in cli("flow", "show", "hooked").out
    assert f"callback  {url}" in cli("flow", "show", "hooked", "--full").out
    assert cli("flow", "show", "hooked", "--full", "--json").json["callbackUrl"] == url
    for target in ("hooked", url):
        done = cli("flow", "callback", target, "--body", '{"n": 1}', "--header", "x-who=maria", "--json")
        assert done.code == 0
        outputs = {"statusCode": 200, "headers": {"x-who": "maria"}, "body": {"n": 1}}
        assert [action["outputs"] for action in done.json["actions"]] == [outputs]
    wrong = cli("runs", "callback", url, "--json")
    assert (wrong.code, wrong.error["hint"]) == (3, "sealflow flow callback URL")


def test_what_no_trigger_is_called_back_by(cli: Cli) -> None:
    url = subscribed()
    other = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert cli("flow", "callback", other, "--json").error["code"] == "NotFound"
    assert cli("flow", "callback", "nobody", "--json").error["code"] == "NotFound"
    cli("flow", "deploy", cli.flow("plain", {"A": compose(1)}))
    assert "sealflow run FLOW" in cli("flow", "callback", "plain", "--json").error["hint"]


def test_a_callback_is_kept_while_the_environment_is_locked(cli: Cli) -> None:
    (url,) = leave_waiting({"Ask": hook(), "Answer": compose("@body('Ask')", "Ask")}).values()
    assert cli("env", "lock").code == 0
    assert cli("runs", "callback", "latest", "--body", "1").code == 4  # which run that is cannot be read
    told = cli("runs", "callback", url, "--body", '{"yes": true}', "--json")
    assert told.code == 0
    assert {"status": 202, "accepted": True, "action": None}.items() <= told.json.items()
    second = cli("runs", "callback", url, "--body", "2")
    assert second.code == 1
    assert second.out.endswith("had its answer before, or is over.\n")
    assert cli("runs", "callback", url[:-1] + ("0" if url[-1] != "0" else "1")).code == 3
    assert cli("env", "unlock").code == 0
    result = cli("runs", "resume", "latest", "--json")
    assert result.json["actions"][1]["outputs"] == {"yes": True}
