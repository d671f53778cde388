"""Flows and runs as an environment lists and shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....storage import RunInfo
from ...cloud.artifacts import Artifacts
from ...kernel.contract.status import NAMES, RUNNING
from ...revocable import Revocable
from ..flows.start import run_name


@dataclass(frozen=True, slots=True, repr=False)
class FlowDetail(Revocable):
    """A flow with the definition of one of its versions. `versions` is the newest version's number.

    `aliases` are ids it had in the package it came in, `connections` its connection references there, by name.
    """

    name: str
    id: str
    version: int
    versions: int
    definition: dict[str, Any]
    dialect: str
    kind: str
    created_ms: int
    artifacts: Artifacts = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    connections: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class FlowSummary(Revocable):
    """A flow as lists show it."""

    name: str
    id: str
    version: int
    created_ms: int
    updated_ms: int
    enabled: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class RunSummary(Revocable):
    """A run as lists show it."""

    id: str
    flow: str
    version: int
    status: str
    started_ms: int
    ended_ms: int | None
    parent: str | None


def summary_of(info: RunInfo, names: Mapping[bytes, str]) -> RunSummary:
    """A run's row with its flow's name, `names` being those of all flows."""
    return RunSummary(
        run_name(info.run_id),
        names.get(info.flow_id, ""),
        info.version,
        NAMES[info.status] if 0 <= info.status < len(NAMES) else NAMES[RUNNING],
        info.started_ms,
        info.ended_ms,
        run_name(info.parent) if info.parent is not None else None,
    )
