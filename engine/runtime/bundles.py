"""History bundles: a run's records with the definition that ran, to be replayed elsewhere or later.

A bundle is sealed to its environment unless plaintext was asked for; then it is JSON that anyone can read.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from ...storage import RunInfo, Value, Vault, export_bundle
from ..errors import SealflowError
from ..kernel import Plan, Record, from_stored, replay
from ..kernel.status import NAMES
from .library import plan_of
from .reading import read_records
from .start import run_name

FORMAT: Final = "sealflow-history"
VERSION: Final = 1


class UnreadableBundleError(SealflowError):
    """A file that is no bundle, of a later version, or sealed to an environment that is not here."""

    code = "UnreadableBundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One run's history: its records, and the deployed document they were made with."""

    run: str
    flow: str
    version: int
    environment: str
    document: dict[str, Any]
    records: list[Record]

    @property
    def plan(self) -> Plan:
        return plan_of(self.document)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What replaying one run found; `differences` is empty when history and kernel agree."""

    run: str
    actions: int
    differences: list[dict[str, Any]]


async def export(vault: Vault, info: RunInfo, flow: str, document: dict[str, Any], *, plaintext: bool) -> bytes:
    """The bundle of a stored run, verified on the way."""
    records = await read_records(vault, info.run_id)
    content: dict[str, Value] = {
        "format": FORMAT,
        "version": VERSION,
        "run": run_name(info.run_id),
        "flow": flow,
        "flowVersion": info.version,
        "environment": vault.environment.name,
        "status": NAMES[info.status],
        "document": document,
        "records": [list(record) for record in records],
    }
    if plaintext:
        return json.dumps(_readable(content), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    return await export_bundle(vault, content)


def is_plaintext(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{"


def read_plaintext(data: bytes) -> Bundle:
    """A plaintext bundle. Raises UnreadableBundleError."""
    try:
        content = json.loads(data.decode("utf-8", "surrogatepass"), object_hook=_binary)
    except (ValueError, RecursionError):
        raise UnreadableBundleError("The file is not a history bundle: it is no valid JSON.") from None
    return bundle_of(content)


def bundle_of(content: Any) -> Bundle:
    """The bundle in an opened value. Raises UnreadableBundleError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UnreadableBundleError(
            "The file is not a history bundle.", hint="`sealflow runs export RUN --out FILE` writes one."
        )
    if content.get("version") != VERSION:
        raise UnreadableBundleError(
            f"The bundle has version {content.get('version')}, which this release does not read."
        )
    try:
        return Bundle(
            run=content["run"],
            flow=content["flow"],
            version=content["flowVersion"],
            environment=content["environment"],
            document=content["document"],
            records=[from_stored(record) for record in content["records"]],
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnreadableBundleError(f"The bundle is damaged ({type(error).__name__}).") from None


def replay_bundle(bundle: Bundle, document: dict[str, Any] | None = None) -> ReplayReport:
    """Strict replay against the definition that ran, or against `document`."""
    recorded = bundle.plan
    found = replay(bundle.records, plan_of(document) if document is not None else recorded, recorded)
    difference = found.difference
    differences = []
    if difference is not None:
        differences.append(
            {
                "run": bundle.run,
                "path": difference.path,
                "kind": difference.kind,
                "expected": difference.expected,
                "actual": difference.actual,
            }
        )
    return ReplayReport(bundle.run, found.actions, differences)


def _readable(value: Any) -> Any:
    """Bytes as base64 objects, everything else as JSON has it."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {name: _readable(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(member) for member in value]
    return value


def _binary(value: dict[str, Any]) -> Any:
    if set(value) == {"$bytes"} and isinstance(value["$bytes"], str):
        return base64.b64decode(value["$bytes"])
    return value
