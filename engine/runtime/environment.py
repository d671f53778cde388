"""An environment as a host uses it: deploy, start, look, cancel, resume, export.

Whether this process executes the runs or asks another one to does not show: results and progress are read from the
store either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...connectors import Services
from ...storage import RunInfo, Vault, ensure_storable, open_bundle
from ..cloud import Source, read, read_object
from ..errors import DefinitionError, NotFound, SealflowError
from ..kernel import Entry, History
from ..kernel.status import NAMES, RUNNING, code_of
from .clock import Clock, SystemClock
from .executor import Executor
from .library import Flow, Library
from .perform import Performer
from .reading import run_info
from .requests import RESUME, START
from .run import Run
from .simulate import Simulation
from .start import UNSET, plan_starts, run_name

if TYPE_CHECKING:
    from ...connectors import Registry


MOST_PENDING: Final = 8 << 20
"""Bytes that may wait for their commit while many runs are started at once."""


@dataclass(frozen=True, slots=True)
class FlowDetail:
    """A flow with the definition of one of its versions. `versions` is the newest version's number."""

    name: str
    id: str
    version: int
    versions: int
    definition: dict[str, Any]
    dialect: str
    kind: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """A flow as lists show it."""

    name: str
    id: str
    version: int
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as lists show it."""

    id: str
    flow: str
    version: int
    status: str
    started_ms: int
    ended_ms: int | None
    parent: str | None


class Environment:
    """One environment: its flows and runs."""

    def __init__(self, vault: Vault, connectors: Registry, *, clock: Clock | None = None, resume: bool = True) -> None:
        self._vault = vault
        self._library = Library(vault)
        self._connectors = connectors
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._resume = resume
        self._executor: Executor | None = None
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._vault.environment.name

    @property
    def id(self) -> str:
        return self._vault.environment.id.hex()

    # ---- flows

    async def deploy(
        self, name: str, source: Source | Mapping[str, Any] | Path | str, *, dialect: str = "auto"
    ) -> Flow:
        """Check and keep a flow under `name`.

        `source`: a definition as a dict (any form of file is accepted), or a file's path.
        The same content again is the same version. Raises DefinitionError with the first fault, NotFound for a missing
        file.
        """
        return await self._library.deploy(name, await _source(source, name), dialect=dialect)

    async def flows(self) -> list[FlowSummary]:
        """The deployed flows."""
        return [
            FlowSummary(flow.name, flow.flow_id.hex(), flow.version, flow.created_ms, flow.updated_ms)
            for flow in await self._vault.flows()
        ]

    async def flow(self, name: str, version: int | None = None) -> FlowDetail:
        """A flow with its definition, the newest version unless another is named. Raises NotFound."""
        found = await self._library.find(name, version)
        info = await self._vault.flow(found.id)
        document = await self._library.document(found.id, found.version)
        return FlowDetail(
            found.name,
            found.id.hex(),
            found.version,
            info.version,
            document["definition"],
            found.dialect,
            found.kind,
            info.created_ms,
        )

    # ---- runs

    async def start(
        self,
        flow: Flow | str,
        body: Any = UNSET,
        *,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        simulate: Simulation | Mapping[str, Any] | bool | None = None,
        on_change: Callable[[Entry], None] | None = None,
    ) -> list[Run]:
        """Fire a flow's trigger with `body`.

        One run starts; with splitOn one for each element, and none when a trigger condition is false. When this
        returns, the start of every run is durable.
        `simulate` answers every call without network: True, or mocks by action name. `on_change` is called with each
        action as it starts, is tried again or ends; only in the process that executes the run. Raises NotFound,
        DefinitionError, ExpressionError.
        """
        found = flow if isinstance(flow, Flow) else await self._library.find(flow)
        plan = await self._library.plan(found.id, found.version)
        document = await self._library.document(found.id, found.version)
        simulation = _simulation(simulate)
        if simulation is not None:
            simulation.check(*await self._library.family(plan))
        starts = plan_starts(
            plan,
            found,
            environment=self.name,
            at=self._clock.now(),
            body=body,
            headers=dict(headers) if headers is not None else None,
            parameters={**_declared(document["parameters"], plan.definition.parameters), **(parameters or {})},
            simulate=simulation.to_json() if simulation is not None else None,
        )
        executor = await self._execute()
        if len(starts) > 1:
            for start in starts:
                ensure_storable(start.to_json())  # all of them, or none is started
        runs = []
        for start in starts:
            if executor is None:
                await self._vault.inbox_add(START, start.to_json(), run_id=start.run_id, dedupe=start.run_id)
                runs.append(Run(self, start, None, None))
                continue
            history = History(plan, on_change) if on_change is not None else None
            live = await executor.start(start, history=history)
            runs.append(Run(self, start, live, history))
            if self._vault.pending_bytes > MOST_PENDING:
                await self._vault.flush()  # a large splitOn must not fill the memory
            elif not len(runs) % 100:
                await asyncio.sleep(0)  # nor keep everybody else waiting
        if executor is not None:
            await self._vault.flush()  # whoever is told of a run can count on it
        return runs

    async def run(self, run_id: str) -> Run:
        """A run by its id, by an unambiguous beginning of it, or `latest`. Raises NotFound."""
        info = await self._find_run(run_id)
        live = self._executor.live.get(info.run_id) if self._executor is not None else None
        return Run(self, info, live, None)

    async def runs(
        self,
        *,
        status: str | None = None,
        flow: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = 30,
    ) -> list[RunSummary]:
        """Runs, the newest first. `status` is a name such as `Failed`, in any case.

        Raises NotFound for an unknown flow.
        """
        flow_id = (await self._library.find(flow)).id if flow is not None else None
        statuses = None
        if status is not None:
            code = code_of(status)
            if code < 0:
                raise SealflowError(
                    f"'{status}' is not a status of a run.", code="InvalidStatus", hint=", ".join(NAMES)
                )
            statuses = [code]
        names = {each.flow_id: each.name for each in await self._vault.flows()}
        found: list[RunSummary] = []
        before: bytes | None = None
        while len(found) < limit:
            page = await self._vault.runs(flow_id=flow_id, statuses=statuses, limit=max(limit, 30), before=before)
            for info in page:
                if since_ms is not None and info.started_ms < since_ms:
                    return found
                if (until_ms is None or info.started_ms <= until_ms) and len(found) < limit:
                    found.append(_summary(info, names))
            if len(page) < max(limit, 30):
                break
            before = page[-1].run_id
        return found

    async def resume_all(self) -> list[Run]:
        """Bring back every unfinished run. Raises StoreBusy where another process executes this environment."""
        executor = await self._execute()
        if executor is None:
            for run_id in await self._vault.unfinished():
                await self._vault.inbox_add(RESUME, None, run_id=run_id)
            return [await self.run(run_name(run_id)) for run_id in await self._vault.unfinished()]
        return [
            Run(self, await run_info(self._vault, live.log.run_id), live, None) for live in await executor.resume_all()
        ]

    async def open_bundle(self, data: bytes) -> Any:
        """The content of a bundle that was sealed to this environment. Raises WrongKey for another one's."""
        return await open_bundle(self._vault, data)

    async def close(self) -> None:
        """Stop driving runs and close the store. Whoever waits for a run here gets an EngineClosed error."""
        if self._executor is not None:
            await self._executor.close()
            self._executor = None
        await self._vault.close()

    # ---- for Run

    async def _execute(self) -> Executor | None:
        """The executor, if this process is or becomes it; None while another process is."""
        async with self._lock:
            if self._executor is None and self._vault.try_become_executor():
                performer = Performer(self._connectors, Services(clock=self._clock))
                self._executor = Executor(self._vault, self._library, self._clock, performer)
                self._executor.watch_inbox()
                if self._resume:
                    await self._executor.resume_all()
            return self._executor

    async def _latest(self) -> RunInfo:
        """The run that was started last, not counting those that flows start."""
        before: bytes | None = None
        while page := await self._vault.runs(limit=30, before=before):
            for info in page:
                if info.parent is None:
                    return info
            before = page[-1].run_id
        raise NotFound("There are no runs in this environment yet.")

    async def _find_run(self, run_id: str) -> RunInfo:
        if run_id == "latest":
            return await self._latest()
        text = run_id.replace("-", "").lower()
        if not text or any(digit not in "0123456789abcdef" for digit in text) or len(text) > 32:
            raise NotFound(f"'{run_id}' is not the id of a run.", hint="`sealflow runs list` shows the runs.")
        if len(text) == 32:
            return await run_info(self._vault, bytes.fromhex(text))
        before: bytes | None = None
        matches: list[RunInfo] = []
        while page := await self._vault.runs(limit=200, before=before):
            matches += [info for info in page if info.run_id.hex().startswith(text)]
            before = page[-1].run_id
        if len(matches) != 1:
            reason = f"{len(matches)} runs begin with" if matches else "There is no run that begins with"
            raise NotFound(f"{reason} '{run_id}'.", hint="`sealflow runs list` shows the runs.")
        return matches[0]


async def _source(source: Source | Mapping[str, Any] | Path | str, name: str) -> Source:
    if isinstance(source, Source):
        return source
    if isinstance(source, Mapping):
        return read_object(dict(source), name=name)
    return read(await asyncio.to_thread(read_file, Path(source)), name=name)


def read_file(path: Path) -> bytes:
    """A flow's file. Raises NotFound, and DefinitionError for what cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from None
    except OSError as error:
        raise DefinitionError(f"{path} cannot be read: {error.strerror}.", code="UnreadableFile") from None


def _simulation(given: Simulation | Mapping[str, Any] | bool | None) -> Simulation | None:
    if given is None or given is False:
        return None
    if isinstance(given, Simulation):
        return given
    return Simulation(None if given is True else dict(given))


def _declared(values: Mapping[str, Any], parameters: Any) -> dict[str, Any]:
    """Of the values that a file gives, those whose parameter the definition has."""
    known = {parameter.key for parameter in parameters}
    return {name: value for name, value in values.items() if name.lower() in known}


def _summary(info: RunInfo, names: Mapping[bytes, str]) -> RunSummary:
    return RunSummary(
        run_name(info.run_id),
        names.get(info.flow_id, ""),
        info.version,
        NAMES[info.status] if 0 <= info.status < len(NAMES) else NAMES[RUNNING],
        info.started_ms,
        info.ended_ms,
        run_name(info.parent) if info.parent is not None else None,
    )
