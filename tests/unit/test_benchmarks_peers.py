"""What the benchmarks of peers need of themselves: what is measured, how it is compared, what is said without network.

The peers are not installed here: a stand-in does nothing instead.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"
NAMES = ("usage", "load", "install", "compare")


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, ModuleType]]:
    """The modules, as a script beside them imports them."""
    payloads = tmp_path / "payloads.json"
    payloads.write_text(json.dumps([{"id": 0}, {"id": 1}]))
    monkeypatch.setenv("SEALFLOW_PEER_PAYLOADS", str(payloads))
    monkeypatch.setenv("SEALFLOW_PEERS", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(PEERS))
    held = {name: sys.modules.pop(name, None) for name in NAMES}
    yield {name: importlib.import_module(name) for name in NAMES}
    for name, module in held.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module


class Standin:
    """A peer that does nothing, and counts it."""

    def __init__(self, lost: int = 0) -> None:
        self.rows: list[tuple[str, int]] = []
        self.lost = lost

    async def row(self, name: str, steps: int, number: int) -> None:
        self.rows.append((name, steps))

    async def fan(self, name: str, steps: int) -> int:
        await asyncio.sleep(0)
        return steps - self.lost


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
async def test_a_peer_is_measured_in_the_words_of_the_other_benchmark(
    peers: dict[str, ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    load, peer, sizes = peers["load"], Standin(), iter((1_000, 41_000))
    running = load.Running([], lambda: next(sizes), {"version": "1"})
    await load.measure("standin", peer, running, load.Options(flows=4, lone=2, fan=7, tries=2, warm=1))
    found = json.loads(capsys.readouterr().out)
    assert found["w1"].keys() == {"steps_per_s", "flows_per_s", "cpu_s_per_1k_steps", "bytes_per_step"}
    assert found["w1"]["bytes_per_step"] == 1_000
    assert found.keys() >= {"bench", "flows", "version", "w2", "w3_s", "w4", "peak_mb", "other_cores"}
    names = [name for name, _ in peer.rows]
    assert len(set(names)) == len(names) == 1 + 4 + 2 + 2  # a name is never given twice
    assert [steps for name, steps in peer.rows if name.startswith("w4")] == [1, 1]
    running = load.Running([], lambda: 0)
    with pytest.raises(RuntimeError, match="6 of 7"):
        await load.measure("standin", Standin(lost=1), running, load.Options(flows=1, lone=1, fan=7, tries=1, warm=0))


def measured(speed: float) -> dict[str, Any]:
    return {
        "w1": {"steps_per_s": 100 * speed, "cpu_s_per_1k_steps": 1 / speed, "bytes_per_step": 1_000 / speed},
        "w2": {"p50_ms": 10 / speed},
        "w3_s": 1 / speed,
        "w4": {"p50_ms": 1 / speed},
        "peak_mb": 100 / speed,
    }


def test_ratios_are_above_one_where_sealflow_is_better(
    peers: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compare = peers["compare"]
    order = []

    def run(command: list[str]) -> dict[str, Any]:
        ours = command[1].endswith("steps.py") and "peers" not in command[1]
        order.append("ours" if ours else "theirs")
        return measured(4.0 if ours else 1.0)

    monkeypatch.setattr(compare, "run", run)
    line = compare.compare("dbos-sqlite", compare.PAIRS["dbos-sqlite"], 2, True)
    assert order == ["ours", "theirs", "theirs", "ours"]  # in turns
    assert set(line["ratios"].values()) == {4.0}
    assert json.loads(capsys.readouterr().out.splitlines()[0])["side"] == "sealflow"
    rows = compare.table([line]).splitlines()
    assert rows[0] == "| how many times better | dbos-sqlite |"
    assert "| steps a second, many flows | 4 (wanted 80) |" in rows


def test_a_peer_that_cannot_be_had_is_left_out_with_a_reason(
    peers: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install, compare = peers["install"], peers["compare"]
    with pytest.raises(install.NotInstalled, match="'no-such-npm', which was not found"):
        install._run("restate", ["no-such-npm"])
    no_network = [sys.executable, "-c", "import sys; sys.exit('no route to host')"]
    with pytest.raises(install.NotInstalled) as refused:
        install._run("restate", no_network)
    assert "no route to host" in str(refused.value)
    assert "PyPI and npm: is the network there?" in str(refused.value)

    def nothing(name: str) -> Path:
        raise refused.value

    monkeypatch.setattr(compare, "python_of", nothing)
    monkeypatch.setattr(sys, "argv", ["compare.py", "restate"])
    assert compare.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("restate is left out: ")


def test_peers_live_outside_of_the_project_and_are_pinned(peers: dict[str, ModuleType], tmp_path: Path) -> None:
    install = peers["install"]
    assert install.folder() == tmp_path / "cache"
    for peer in install.PEERS.values():
        assert all("==" in package for package in peer.packages)
        assert all("@" in package[1:] for package in peer.npm)
