"""`sealflow runs show --action --trace`, and `Run.trace`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli, S, compose, wait
from sealflow.engine.runtime.observe import tracing


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def looped(cli: Cli) -> Cli:
    """A folder with a run of a loop whose second iteration fails."""
    actions = {"C": compose({"x": "@div(10, item())", "y": "@toUpper('a')"})}
    loop = {"type": "Foreach", "foreach": "@createArray(1, 0)", "actions": actions}
    cli.flow("f", {"Before": compose("plain"), "L": {**loop, "runAfter": {"Before": S}}})
    assert cli("run", "f.json").code == 1
    return cli


def test_a_trace_for_people(looped: Cli) -> None:
    error = "InvalidTemplate: Attempt to divide an integral or decimal value by zero in function 'div'."
    assert looped("runs", "show", "latest", "--action", "/l[1]/c", "--trace").out.splitlines() == [
        "/L[1]/C (Compose)",
        "Failed (InvalidTemplate)",
        "/inputs/x: @div(10, item())",
        "    item() = 0",
        f"    div(10, item()) = {error}",
        f"  = {error}",
        "/inputs/y: @toUpper('a')",
        "  not evaluated",
    ]
    plain = looped("runs", "show", "latest", "--action", "Before", "--trace")
    assert plain.err == "This action has no expressions.\n"


def test_a_trace_for_programs(looped: Cli) -> None:
    found = looped("runs", "show", "latest", "--action", "/L[0]/C", "--trace", "--json").json
    assert list(found) == ["run", "path", "type", "status", "code", "expressions", "leftOut"]
    assert found["path"] == "/L[0]/C"
    assert found["expressions"][0] == {
        "pointer": "/inputs/x",
        "text": "@div(10, item())",
        "evaluated": True,
        "value": 10,
        "parts": [{"expression": "item()", "value": 1}, {"expression": "div(10, item())", "value": 10}],
    }


def test_a_name_in_a_loop_says_which_iterations_there_are(looped: Cli) -> None:
    for more in ([], ["--trace"]):
        outcome = looped("runs", "show", "latest", "--action", "C", *more, "--json")
        assert outcome.code == 2
        assert outcome.error["code"] == "AmbiguousAction"
        assert "/L[0]/C, /L[1]/C" in outcome.error["message"]
    assert looped("runs", "show", "latest", "--action", "/L[2]/C", "--trace").code == 3
    assert looped("runs", "show", "latest", "--trace", "--json").error["code"] == "InvalidUsage"


def test_a_run_that_has_not_ended_can_be_traced(cli: Cli) -> None:
    cli.flow("slow", {"A": compose("@add(1, 2)"), "Delay": wait(3600, "A"), "B": compose("@outputs('A')", "Delay")})
    assert cli.left("run", "slow.json").code == 124
    assert cli("runs", "show", "latest", "--action", "A", "--trace", "--json").json["expressions"][0]["value"] == 3
    missing = cli("runs", "show", "latest", "--action", "B", "--trace", "--json")
    assert (missing.code, missing.error["code"]) == (3, "NotFound")


async def test_large_values_are_loaded_where_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "RESIDENT", 1)
    loaded: list[Any] = []
    load = tracing._load

    async def counted(vault: Any, run_id: bytes, wanted: Any) -> Any:
        loaded.extend(wanted)
        return await load(vault, run_id, wanted)

    monkeypatch.setattr(tracing, "_load", counted)
    big = "@{join(range(0, 9000), '-')}"
    actions = {
        "Big": compose(big),
        "Other": compose(big, "Big"),
        "C": compose(["@length(outputs('Big'))", "@length(outputs('Other'))"], "Other"),
    }
    definition = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("f", definition))
        outputs = (await run.result()).actions[-1]["outputs"]
        trace = await run.trace("C")
    assert isinstance(trace, sealflow.Trace)
    assert [each["value"] for each in trace.expressions] == outputs
    assert loaded
