"""The flows of an environment: deployed through the checker, kept in the vault, made into plans once for each version.

A run in flight keeps the version it started with; a plan is therefore found by flow and version, never by name alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from ....storage import FlowDocument, RecordNotFound, Vault
from ...cloud import Definition, check, parse
from ...errors import DefinitionError, NotFound
from ...kernel import Plan, build, waits_for_response
from ...revocable import Revocable
from .aliases import Aliases
from .script_files import DESKTOP, ROBIN, FlowSource, ScriptSource, is_desktop

CACHED_PLANS: Final = 64


@dataclass(frozen=True, slots=True, repr=False)
class Flow(Revocable):
    """One version of a deployed flow. `created` says whether deploying made it, or its content was there already."""

    kept_fields = frozenset({"id", "version", "created"})

    id: bytes
    name: str
    version: int
    created: bool
    dialect: str
    kind: str
    missing: tuple[str, ...] = ()
    """Of a flow that was deployed to be simulated: what is said of each map and schema that is not there."""


class Library:
    """Deploys flows into one vault and gives their plans."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._aliases = Aliases(vault)
        self._plans: OrderedDict[tuple[bytes, int], Plan] = OrderedDict()
        self._documents: OrderedDict[tuple[bytes, int], FlowDocument] = OrderedDict()

    async def deploy(self, name: str, source: FlowSource, *, dialect: str = "auto", simulated: bool = False) -> Flow:
        """Check a definition and keep it with its artifacts; the same content again is the same version.

        Raises DefinitionError with the first problem that the checker calls an error; where runs are only `simulated`,
        a map or schema that is not there is none.
        """
        if isinstance(source, ScriptSource):
            from .scripts import prepared

            script, _ = prepared(source, allow_unsupported=simulated)
            kept = await self._vault.put_flow(name, script, unheard=True)
            return Flow(kept.flow_id, kept.name, kept.version, kept.created, ROBIN, DESKTOP)
        if dialect != "auto":
            source = replace(source, dialect=dialect)  # type: ignore[arg-type]
        if source.artifacts is None:
            source = replace(source, artifacts={})  # what is not given now will not be there
        faults = [problem for problem in check(source) if problem.severity == "error"]
        missing = tuple(problem.message for problem in faults if simulated and problem.code == "ArtifactNotFound")
        if missing:
            faults = [problem for problem in faults if problem.code != "ArtifactNotFound"]
        if faults:
            first = faults[0]
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise DefinitionError(first.message + more, at=first.at, code=first.code, hint=first.hint)
        definition = parse(source.definition, dialect=source.dialect, pointer=source.pointer)
        document: dict[str, Any] = {
            "definition": source.definition,
            "dialect": definition.dialect,
            "kind": source.kind,
            "pointer": source.pointer,
            "parameters": dict(source.parameters),
        }
        if source.artifacts is not None and any(source.artifacts.values()):
            document["artifacts"] = {kind: dict(texts) for kind, texts in source.artifacts.items()}
        if source.kind == "power-automate" and source.connections:
            document["connections"] = dict(source.connections)  # those of others are a parameter
        if source.aliases:
            document["aliases"] = [alias.lower() for alias in source.aliases]
        plan = build(definition)  # what the checker lets through must be possible to run
        kept = await self._vault.put_flow(name, document, unheard=not waits_for_response(plan))
        return Flow(kept.flow_id, kept.name, kept.version, kept.created, definition.dialect, source.kind, missing)

    async def find(self, name_or_id: str, version: int | None = None) -> Flow:
        """A deployed flow by name or id, or by an id it had in the package it came in. Raises NotFound."""
        try:
            info = await self._aliases.find(name_or_id, self.document)
            number = version if version is not None else info.version
            document = await self.document(info.flow_id, number)
        except RecordNotFound:
            raise NotFound(
                f"There is no flow '{name_or_id}'" + (f" with a version {version}." if version is not None else "."),
                hint="`sealflow flow list` shows the flows of an environment.",
            ) from None
        return Flow(info.flow_id, info.name, number, False, document["dialect"], document["kind"])

    async def same(self, flow: Flow) -> Flow:
        """This version of a flow, whose plain values may have been revoked meanwhile. Raises RecordNotFound."""
        if not flow.revoked:
            return flow
        info, document = await self._vault.flow(flow.id), await self.document(flow.id, flow.version)
        return Flow(flow.id, info.name, flow.version, flow.created, document["dialect"], document["kind"])

    async def document(self, flow_id: bytes, version: int, digest: bytes | None = None) -> dict[str, Any]:
        """What was deployed: `definition`, `dialect`, `kind`, `pointer`, `parameters`; `artifacts`, `aliases` and
        `connections` if it has any.

        `digest` is that of a run (RunInfo.definition_digest): IntegrityError unless this is what the run was started
        with.
        """
        return (await self._document(flow_id, version, digest)).document  # type: ignore[no-any-return]

    async def digest(self, flow_id: bytes, version: int) -> bytes:
        """The digest of what was deployed, which a run's sealed head binds."""
        return (await self._document(flow_id, version)).digest

    async def plan(self, flow_id: bytes, version: int, digest: bytes | None = None) -> Plan:
        """The plan of one version; made once and shared by its runs. `digest` as for `document`."""
        key = (flow_id, version)
        plan = self._plans.get(key)
        if plan is None or digest:
            known = self._documents.get(key)
            document = await self._document(flow_id, version, digest)
            plan = self._plans.get(key) if document is known else None
        if plan is None:
            plan = plan_of(document.document)
            self._plans[key] = plan
            if len(self._plans) > CACHED_PLANS:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return plan

    async def family(self, plan: Plan) -> list[Definition]:
        """A flow's definition and those of the flows it calls, as far as they are deployed and named in it."""
        definitions = [plan.definition]
        names: dict[str, None] = dict.fromkeys(called_flows(plan.definition))
        todo = list(names)
        while todo:
            try:
                flow = await self.find(todo.pop())
            except NotFound:
                continue
            definition = (await self.plan(flow.id, flow.version)).definition
            definitions.append(definition)
            todo += [name for name in called_flows(definition) if name not in names]
            names.update(dict.fromkeys(called_flows(definition)))
        return definitions

    async def _document(self, flow_id: bytes, version: int, digest: bytes | None = None) -> FlowDocument:
        key = (flow_id, version)
        document = self._documents.get(key)
        if document is None or (digest and document.digest != digest):
            document = self._documents[key] = await self._vault.version(flow_id, version, digest=digest)
            if len(self._documents) > CACHED_PLANS:
                self._documents.popitem(last=False)
        return document


def called_flows(definition: Definition) -> list[str]:
    """The names of the child flows that a definition calls."""
    return [
        name
        for action in definition.all_actions()
        if action.type == "workflow" and isinstance(action.inputs, dict) and (name := flow_name(action.inputs))
    ]


def flow_name(inputs: dict[str, Any]) -> str:
    """A child's name: the last part of `host.workflow.id`, or of `host.workflowReferenceName`."""
    host = inputs.get("host")
    if not isinstance(host, dict):
        return ""
    workflow = host.get("workflow")
    reference = workflow.get("id") if isinstance(workflow, dict) else host.get("workflowReferenceName")
    return reference.rstrip("/").rsplit("/", 1)[-1] if isinstance(reference, str) else ""


def plan_of(document: dict[str, Any]) -> Plan:
    """The plan of a deployed document; that of a script has what the runtime asks of either."""
    if is_desktop(document):
        from .scripts import script_plan

        return cast(Plan, script_plan(document))
    plan = build(parse(document["definition"], dialect=document["dialect"], pointer=document["pointer"]))
    plan.artifacts = document.get("artifacts", {})
    plan.document = document["definition"], document["dialect"], document["pointer"]
    return plan
