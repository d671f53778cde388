"""History bundles: a run's records with the definition that ran, to be replayed elsewhere or later.

A bundle is sealed to its environment unless plaintext was asked for; then it is JSON that anyone can read.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ....storage import RunInfo, Value, Vault, export_bundle
from ...errors import SealflowError
from ...kernel import MismatchError, Plan, Record, from_stored
from ...kernel.contract.records import START
from ...kernel.contract.status import NAMES
from ...kernel.machines import machine_of
from ..flows.library import plan_of
from ..flows.start import run_name
from ..history.reading import read_records

FORMAT: Final = "sealflow-history"
VERSION: Final = 1

_BYTES: Final = "$bytes"
_DECIMAL: Final = "$decimal"
_ESCAPED: Final = "$object"
_MARKS: Final = (_BYTES, _DECIMAL, _ESCAPED)
_DAMAGES: Final = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MismatchError,
)
"""What reading and replaying a bundle that somebody changed may end in."""
_EXPORT_AGAIN: Final = "Export the run again, if its store is still there."


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
    plan: Plan
    document: dict[str, Any]
    records: list[Record]


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
        content = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise UnreadableBundleError(
            "The file is no history bundle, or a damaged one: it is no valid JSON.",
            hint=_EXPORT_AGAIN,
        ) from None
    try:
        content = _value(content)
    except _DAMAGES as error:
        raise _damaged(error) from None
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
        records = [from_stored(record) for record in content["records"]]
        if not records or records[0][1] != START:
            raise ValueError("it does not begin with a start record")
        revision = records[0][4].get("revision", 1)
        plan = plan_of(content["document"])
        if revision not in machine_of(plan).revisions:
            raise UnreadableBundleError(
                f"The run was started under revision {revision} of the semantics, which this release does not know.",
                hint="Replay it with the release that ran it.",
            )
        return Bundle(
            run=str(content["run"]),
            flow=str(content["flow"]),
            version=int(content["flowVersion"]),
            environment=str(content["environment"]),
            plan=plan,
            document=content["document"],
            records=records,
        )
    except UnreadableBundleError:
        raise
    except (*_DAMAGES, SealflowError) as error:
        raise _damaged(error) from None


def replay_bundle(bundle: Bundle, document: dict[str, Any] | None = None) -> ReplayReport:
    """Strict replay against the definition that ran, or against `document`. Raises UnreadableBundleError."""
    plan = plan_of(document) if document is not None else bundle.plan
    try:
        found = machine_of(plan).replay(bundle.records, plan, bundle.plan)
    except _DAMAGES as error:
        raise _damaged(error) from None
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


def _damaged(error: Exception) -> UnreadableBundleError:
    return UnreadableBundleError(f"The bundle is damaged ({type(error).__name__}).", hint=_EXPORT_AGAIN)


def _readable(value: Any) -> Any:
    """A value as JSON has it: bytes and decimals become objects with one marked name, and such objects are escaped."""
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, dict):
        members = {name: _readable(member) for name, member in value.items()}
        return {_ESCAPED: members} if len(members) == 1 and next(iter(members)) in _MARKS else members
    if isinstance(value, list | tuple):
        return [_readable(member) for member in value]
    return value


def _value(value: Any) -> Any:
    """The inverse of `_readable`. Raises ValueError for a mark that marks nothing."""
    if isinstance(value, list):
        return [_value(member) for member in value]
    if not isinstance(value, dict):
        return value
    mark = next(iter(value), "") if len(value) == 1 else ""
    if mark == _BYTES:
        return base64.b64decode(value[mark], validate=True)
    if mark == _DECIMAL:
        return Decimal(value[mark])
    inner = value[mark] if mark == _ESCAPED else value
    return {name: _value(member) for name, member in inner.items()}
