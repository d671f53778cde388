"""The flows of an environment: deployed through the checker, kept in the vault, made into plans once for each version.

A run in flight keeps the version it started with; a plan is therefore found by flow and version, never by name alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final

from ...storage import RecordNotFound, Vault
from ..cloud import Source, check, parse
from ..errors import DefinitionError, NotFound
from ..kernel import Plan, build

CACHED_PLANS: Final = 64


@dataclass(frozen=True, slots=True)
class Flow:
    """One version of a deployed flow. `created` says whether deploying made it, or its content was there already."""

    id: bytes
    name: str
    version: int
    created: bool
    dialect: str
    kind: str


class Library:
    """Deploys flows into one vault and gives their plans."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._plans: OrderedDict[tuple[bytes, int], Plan] = OrderedDict()
        self._documents: OrderedDict[tuple[bytes, int], dict[str, Any]] = OrderedDict()

    async def deploy(self, name: str, source: Source, *, dialect: str = "auto") -> Flow:
        """Check a definition and keep it; the same content again is the same version.

        Raises DefinitionError with the first problem that the checker calls an error.
        """
        if dialect != "auto":
            source = replace(source, dialect=dialect)  # type: ignore[arg-type]
        faults = [problem for problem in check(source) if problem.severity == "error"]
        if faults:
            first = faults[0]
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise DefinitionError(first.message + more, at=first.at, code=first.code, hint=first.hint)
        definition = parse(source.definition, dialect=source.dialect, pointer=source.pointer)
        document = {
            "definition": source.definition,
            "dialect": definition.dialect,
            "kind": source.kind,
            "pointer": source.pointer,
            "parameters": dict(source.parameters),
        }
        kept = await self._vault.put_flow(name, document)
        return Flow(kept.flow_id, kept.name, kept.version, kept.created, definition.dialect, source.kind)

    async def find(self, name_or_id: str, version: int | None = None) -> Flow:
        """A deployed flow by name or id. Raises NotFound."""
        try:
            info = await self._vault.flow(name_or_id)
            number = version if version is not None else info.version
            document = await self._document(info.flow_id, number)
        except RecordNotFound:
            raise NotFound(
                f"There is no flow '{name_or_id}'" + (f" with a version {version}." if version is not None else "."),
                hint="`sealflow flow list` shows the flows of an environment.",
            ) from None
        return Flow(info.flow_id, info.name, number, False, document["dialect"], document["kind"])

    async def document(self, flow_id: bytes, version: int) -> dict[str, Any]:
        """What was deployed: `definition`, `dialect`, `kind`, `pointer` and `parameters`."""
        return await self._document(flow_id, version)

    async def plan(self, flow_id: bytes, version: int) -> Plan:
        """The plan of one version; made once and shared by its runs."""
        key = (flow_id, version)
        plan = self._plans.get(key)
        if plan is None:
            plan = plan_of(await self._document(flow_id, version))
            self._plans[key] = plan
            if len(self._plans) > CACHED_PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan

    async def _document(self, flow_id: bytes, version: int) -> dict[str, Any]:
        key = (flow_id, version)
        document = self._documents.get(key)
        if document is None:
            stored: dict[str, Any] = (await self._vault.version(flow_id, version)).document
            document = self._documents[key] = stored
            if len(self._documents) > CACHED_PLANS:
                self._documents.popitem(last=False)
        return document


def plan_of(document: dict[str, Any]) -> Plan:
    """The plan of a deployed document."""
    return build(parse(document["definition"], dialect=document["dialect"], pointer=document["pointer"]))
