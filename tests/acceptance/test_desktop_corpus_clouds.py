"""Published scripts that manage machines of Amazon and Azure, run to their end against what stands in for the two."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import sealflow
from azure_manager import CLIENT, SECRET, SUBSCRIPTION, TENANT, Manager
from desktop_corpus_cases import OUTPUT, text_of
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.services import azure
from sealflow.engine.desktop.syntax.recognition import decoded
from sealflow.engine.runtime.flows.script_files import ScriptSource

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "desktop"
TEXTS = {path.name: decoded(path.read_bytes()) for path in sorted(CORPUS.glob("*.robin"))}

pytestmark = pytest.mark.skipif(not TEXTS, reason="the published scripts are not here")


async def ran(folder: Path, script: str, answers: dict[str, str] | None = None) -> sealflow.RunResult:
    settings = Settings(answers=answers or {})
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json", desktop=settings) as engine:
        environment = await engine.environment("published")
        [run] = await environment.start(await environment.deploy("clouds", ScriptSource("clouds", script)), {})
        return await run.result(120)


@pytest.fixture
def moto() -> Iterator[str]:
    pytest.importorskip("moto.ec2", reason="pip install 'moto[server]'")
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


async def test_stopped_instances_are_started(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.session import Session

    login = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret"}
    client = Session().create_client("ec2", region_name="eu-west-1", endpoint_url=moto, **login)
    made = client.run_instances(ImageId="ami-12c6146b", MinCount=2, MaxCount=2)
    ids = sorted(each["InstanceId"] for each in made["Instances"])
    client.stop_instances(InstanceIds=ids[:1])
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", moto)
    before = "SET AccessKey TO 'AKIAEXAMPLE'\nSET Secret TO 'secret'\n"
    script = OUTPUT.format(name="ButtonPressed") + before + text_of(TEXTS, "09_AWS_actions")
    result = await ran(tmp_path, script, {"VM instance stopped": "Yes"})
    assert (result.status, result.error) == ("Succeeded", None)
    assert result.outputs == {"ButtonPressed": "Yes"}
    found = client.describe_instances()["Reservations"]
    states = {each["InstanceId"]: each["State"]["Name"] for group in found for each in group["Instances"]}
    client.close()
    assert {id: states[id] for id in ids} == dict.fromkeys(ids, "running")


async def test_a_machine_is_started_and_gets_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = Manager()
    manager.wait = 0
    await manager.server.start()
    try:
        monkeypatch.setitem(azure.CLOUDS, "global", (manager.server.url, manager.server.url))
        manager.group("Lab")
        path = manager.thing("Lab", "virtualMachines", "vm1", properties={"storageProfile": {}})
        manager.power[path.lower()] = "deallocated"
        text = text_of(TEXTS, "09_Azure_actions").replace(
            "WAIT 10", "WAIT 0.01"
        )  # for the disk, which is there at once
        for real, ours in (
            ("55c3c6be-fe97-423f-9c16-6a473251a0ce", CLIENT),
            ("a568e04d-9804-441c-a9b6-a104903a0238", TENANT),
            ("bee963f2-566d-4ce3-a3ef-0fb65afa0365", SUBSCRIPTION),
        ):
            text = text.replace(real, ours)
        before = f"SET ClientSecret TO '{SECRET}'\nSET ResourceGroup TO 'Lab'\nSET Location TO 'westeurope'\n"
        result = await ran(tmp_path, OUTPUT.format(name="VMName") + before + text)
        assert (result.status, result.error) == ("Succeeded", None)
        assert result.outputs == {"VMName": "vm1"}
        assert manager.power[path.lower()] == "running"
        [disk] = manager.things[path.lower()]["properties"]["storageProfile"]["dataDisks"]
        assert disk["name"] == "paddisk2"
    finally:
        await manager.server.stop()
