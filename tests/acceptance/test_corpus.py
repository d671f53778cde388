"""Real definitions from public repositories, where they are at hand: all are checked, most run in a simulation.

Whatever a definition holds, `check` reports and does not break; what runs ends as its definition says, never by a
fault of the engine; and every run replays strictly.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sealflow
from processes import Place
from sealflow.engine.cloud import read

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus" / "cloud"
RUNNABLE = 150
"""At least so many run from their trigger to an end. 156 did when this was written."""

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of public definitions is not at {CORPUS}")


def definitions() -> list[Path]:
    found = sorted(CORPUS.glob("*.json"))
    assert len(found) >= 180
    return found


def test_check_reports_on_all_of_them(place: Place) -> None:
    ended = place("check", *map(str, definitions()), "--json").expect(2)
    lines = ended.lines
    assert [line["file"] for line in lines] == [str(path) for path in definitions()]
    for line in lines:
        assert list(line) == ["file", "ok", "kind", "actions", "problems"]
        assert line["kind"].startswith("cloud/")
        assert isinstance(line["actions"], int)
        severities = set()
        for problem in line["problems"]:
            assert list(problem)[:4] == ["code", "severity", "at", "message"]
            assert problem["at"][:1] in ("", "/")
            assert problem["message"]
            severities.add(problem["severity"])
        assert severities <= {"error", "warning", "info"}
        assert line["ok"] == ("error" not in severities)
    assert sum(line["ok"] for line in lines) >= RUNNABLE


def body_of(definition: dict[str, Any]) -> Any:
    """A body that the trigger's splitOn can split; otherwise any object."""
    trigger: dict[str, Any] = next(iter(definition.get("triggers", {}).values()), {})
    return [{}] if trigger.get("splitOn") in ("@triggerBody()", "@trigger().outputs.body") else {"value": [{}]}


async def test_most_run_in_a_simulation_and_all_replay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ends: Counter[str] = Counter()
    faults: list[str] = []
    replayed = 0
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json") as engine:
        environment = await engine.environment("corpus")
        for path in definitions():
            source = read(path.read_bytes())
            try:
                flow = await environment.deploy(path.stem, source)
                runs = await environment.start(flow, body_of(source.definition), simulate=True)
            except sealflow.SealflowError as refusal:
                ends[f"refused: {refusal.code}"] += 1
                continue
            for run in runs:
                try:
                    result = await run.result(60)
                except TimeoutError:
                    await run.cancel("It takes too long.")
                    faults.append(f"{path.name}: does not end")
                    continue
                ends[result.status] += 1
                faults += [
                    f"{path.name}{action['path']}: {action['error']}"
                    for action in result.actions
                    if action["code"] in ("InternalError", "ConnectorFailed")
                ]
                report = await sealflow.replay(await run.export(plaintext=True))
                faults += [f"{path.name}: replay differs at {each['path']}" for each in report.differences]
                json.dumps(result.to_json())
                replayed += 1
    print(dict(ends))
    assert faults == []
    assert [record.getMessage() for record in caplog.records] == []
    assert replayed >= RUNNABLE
    assert ends["Succeeded"] >= 60
