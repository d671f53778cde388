"""Scripts, maps and schemas in runs on a real store: deployed with their artifacts, simulated, resumed, sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from sealflow.engine.errors import DefinitionError

S = ["Succeeded"]
SHEET = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    '<o mark="PlantedInMap"><xsl:value-of select="a"/></o></xsl:template></xsl:stylesheet>'
)
ARTIFACTS = {"maps": {"M.xslt": SHEET, "T.liquid": "{{ content.n | Plus: 1 }}"}, "schemas": {}}


def definition(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


SCRIPT = {"type": "JavaScriptCode", "inputs": {"code": "return workflowContext.trigger.outputs.body.n + 1"}}
ENDLESS = {"type": "JavaScriptCode", "inputs": {"code": "while (true);"}}
MAP = {"type": "Xslt", "inputs": {"content": "<a>1</a>", "map": {"name": "m"}}}
TEXT = {"type": "Liquid", "kind": "JsonToText", "inputs": {"content": "@triggerBody()", "map": {"name": "T"}}}


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Any]:
    async with sealflow.open(folder / "home", keystore=folder / "keys" / "k.json", **options) as engine:
        yield await engine.environment("env")


async def outcome(env: Any, flow: str, body: Any = None, **more: Any) -> Any:
    [run] = await env.start(flow, body, **more)
    return await run.result(60)


def action(result: Any, path: str) -> Any:
    return next(each for each in result.actions if each["path"] == path)


async def test_a_flow_runs_with_the_artifacts_of_its_version(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("f", definition(S=SCRIPT, X=MAP, T=TEXT), artifacts=ARTIFACTS)
        result = await outcome(env, "f", {"n": 4})
        assert result.status == "Succeeded"
        assert action(result, "/S")["outputs"] == {"body": 5}
        assert action(result, "/T")["outputs"] == {"body": "5"}
        assert action(result, "/X")["outputs"]["body"]["$content-type"] == "application/xml; charset=utf-8"
        assert action(result, "/X")["inputs"] == MAP["inputs"]  # the map itself is not recorded
        again = await env.deploy("f", definition(S=SCRIPT, X=MAP, T=TEXT), artifacts=ARTIFACTS)
        assert (again.version, again.created) == (1, False)
        other = {**ARTIFACTS, "maps": {**ARTIFACTS["maps"], "T.liquid": "other"}}
        assert (await env.deploy("f", definition(S=SCRIPT, X=MAP, T=TEXT), artifacts=other)).version == 2
        assert action(await outcome(env, "f", {"n": 4}), "/T")["outputs"] == {"body": "other"}


async def test_artifacts_come_from_a_folder_and_stay_when_it_is_gone(tmp_path: Path) -> None:
    maps = tmp_path / "Artifacts" / "Maps"
    maps.mkdir(parents=True)
    (maps / "M.xslt").write_text(SHEET, "utf-8")
    async with opened(tmp_path) as env:
        await env.deploy("f", definition(X=MAP), artifacts=tmp_path / "Artifacts")
    (maps / "M.xslt").unlink()
    async with opened(tmp_path) as env:
        assert (await outcome(env, "f")).status == "Succeeded"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"PlantedInMap" not in stored


async def test_what_is_missing_is_refused_at_deployment(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        with pytest.raises(DefinitionError) as caught:
            await env.deploy("f", definition(X=MAP))
        assert (caught.value.code, caught.value.at) == ("ArtifactNotFound", "/actions/X/inputs/map/name")


async def test_a_name_that_is_computed_is_looked_for_at_run_time(tmp_path: Path) -> None:
    computed = {"type": "Xslt", "inputs": {"content": "<a/>", "map": {"name": "@concat(triggerBody(), '')"}}}
    async with opened(tmp_path) as env:
        await env.deploy("f", definition(X=computed), artifacts=ARTIFACTS)
        assert (await outcome(env, "f", "M.xslt")).status == "Succeeded"
        failed = action(await outcome(env, "f", "N.xslt"), "/X")
        assert failed["code"] == "ArtifactNotFound"
        assert "Did you mean 'm.xslt'?" in failed["error"]["message"]


async def test_a_simulation_runs_scripts_for_real_unless_they_are_mocked(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("f", definition(S=SCRIPT))
        real = await outcome(env, "f", {"n": 1}, simulate=True)
        assert action(real, "/S")["outputs"] == {"body": 2}
        mocked = await outcome(env, "f", {"n": 1}, simulate={"S": {"outputs": {"body": "mock"}}})
        assert action(mocked, "/S")["outputs"] == {"body": "mock"}


async def test_a_script_that_loops_for_ever_does_not_keep_other_runs_waiting(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("endless", definition(S=ENDLESS))
        await env.deploy("f", definition(S=SCRIPT))
        [endless] = await env.start("endless")
        assert (await outcome(env, "f", {"n": 1})).status == "Succeeded"
        await endless.cancel()
        assert (await endless.result(60)).status == "Cancelled"


async def test_a_script_that_was_under_way_is_run_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("endless", definition(S=ENDLESS))
        [run] = await env.start("endless")
    async with opened(tmp_path) as env:
        again = await env.run(run.id)
        await again.cancel()
        result = await again.result(60)
        assert (result.status, action(result, "/S")["attempts"]) == ("Cancelled", 1)


async def test_a_run_with_scripts_replays_strictly(tmp_path: Path) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("f", definition(S=SCRIPT, X=MAP), artifacts=ARTIFACTS)
        [run] = await env.start("f", {"n": 1})
        await run.result(60)
        report = await sealflow.replay(await run.export(plaintext=True))
        assert report.differences == []
