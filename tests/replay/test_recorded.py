"""Histories that earlier releases recorded replay strictly for ever: a difference here is a change of what flows mean.

The bundles are plaintext, made with `sealflow runs export RUN --plaintext`. They are never made again: a change of
the semantics takes a new revision beside the old one.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import sealflow

BUNDLES = sorted((Path(__file__).parent / "bundles").glob("*.json"))


def test_there_are_recorded_histories() -> None:
    assert len(BUNDLES) >= 8


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_a_recorded_history_replays(bundle: Path) -> None:
    report = asyncio.run(sealflow.replay(bundle.read_bytes()))
    assert report.differences == []
    assert report.actions > 0


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.stem)
def test_the_replay_would_notice(bundle: Path) -> None:
    """The same history with one decided value changed is told apart."""
    content = json.loads(bundle.read_bytes())
    done = [record for record in content["records"] if record[1] == 4]
    if content["document"].get("kind") == "desktop":
        changed = [record for record in done if record[7]][-1]
        changed[7] = dict.fromkeys(changed[7], "Other")
    else:
        done[-1][5] = "Other"
    report = asyncio.run(sealflow.replay(json.dumps(content).encode()))
    assert [difference["kind"] for difference in report.differences] == ["changed"]
