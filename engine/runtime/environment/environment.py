"""An environment as a host uses it: deploy, start, look, cancel, resume, export.

Whether this process executes the runs or asks another one to does not show: results and progress are read from the
store either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .... import storage
from ....storage import CorruptRecord, EnvironmentLocked, Vault, ensure_storable
from ...cloud import Source, read_object
from ...cloud.artifacts import Artifacts, read_artifacts
from ...kernel import Entry, Plan
from ...kernel.cloud.history.history import KEPT
from ...kernel.cloud.triggers.polling import kind_of
from ...kernel.machines import machine_of
from ..calls.callbacks import UNKNOWN, Address, Delivery, accept, answer_to
from ..calls.dispatch import Answer
from ..calls.simulation import Simulation
from ..flows.flow_file import read_flow_file
from ..flows.library import Flow, Library
from ..flows.script_files import FlowSource, ScriptSource
from ..flows.start import UNSET, declared, is_led, plan_starts, run_name, start_arguments
from ..history.reading import run_info
from ..keys.opening import Opening
from ..keys.operations import Keys
from ..keys.scopes import keyed
from ..keys.watch import KeyWatch
from ..observe.lists import find_run, list_flows, list_runs
from ..observe.run import Run, Started
from ..observe.summaries import FlowDetail, FlowSummary, RunSummary
from ..observe.trigger_info import TriggerInfo, called_back, info_of, switch_elsewhere
from ..runs.claims import CONCURRENCY, RunElsewhereError
from ..runs.expiry import in_ticks
from ..triggers.registration import Registration
from ..triggers.triggers import TriggerFiring, disabled
from ..workers.clock import Clock, SystemClock
from ..workers.requests import DEPLOYED, RESUME, START
from .connections import Connections
from .egress_settings import LOCAL_DEFAULT
from .executor import Executor
from .inbox_drain import keep_call, keep_callback, keep_start
from .retention import RunRetention
from .session import Access

if TYPE_CHECKING:
    from ....connectors import Egress, Registry
    from ....connectors.desktop import Settings
    from ..desktop.machine_groups import Serving
    from ..desktop.machine_queues import MachineQueues
    from ..desktop.work_queues import WorkQueues

MOST_PENDING: Final = 8 << 20  # bytes that may wait for their commit while many runs are started at once


class Environment:
    """One environment: its flows and runs.

    While its key is not given nothing of it is in memory, and everything raises EnvironmentLocked, or
    EnvironmentSuspended in an outage. It goes on where it stood, as the same object, when the key is given again.
    """

    def __init__(
        self,
        opening: Opening,
        vault: Vault,
        connectors: Registry,
        *,
        clock: Clock | None = None,
        resume: bool = True,
        run_duration: timedelta | None = None,
        concurrency: int | None = None,
        desktop: Settings | None = None,
        egress: Egress | None = None,
        egress_default: str = LOCAL_DEFAULT,
        serving: Serving | None = None,
    ) -> None:
        self._connectors = connectors
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._resume = resume
        self._opening = opening
        self._access = Access(
            vault,
            connectors,
            self._clock,
            opening.sealed_inbox,
            resume=resume,
            run_duration=in_ticks(run_duration),
            concurrency=concurrency if concurrency is not None else CONCURRENCY,
            desktop=desktop,
            egress=egress,
            egress_default=egress_default,
            serving=serving,
        )
        self._watch = KeyWatch(self._access, opening)
        self._watch.start()

    @property
    def name(self) -> str:
        return self._access.info.name

    @property
    def id(self) -> str:
        return self._access.info.id.hex()

    @property
    def _vault(self) -> Vault:
        return self._access.vault

    @property
    def _library(self) -> Library:
        return self._access.library

    @property
    def _executor(self) -> Executor | None:
        return self._access.executor

    # ---- flows

    @keyed
    async def deploy(
        self,
        name: str,
        source: FlowSource | Mapping[str, Any] | Path | str,
        *,
        dialect: str = "auto",
        artifacts: Artifacts | Path | str | None = None,
        flow: str | None = None,
        enabled: bool = True,
        simulated: bool = False,
        allow_unsupported: bool = False,
    ) -> Flow:
        """Check and keep a flow under `name`.

        `source`: a definition as a dict (any form of file is accepted), or the path of a file or of a package: a
        solution, a flow package, a project's folder, a template; or a desktop flow's script. `flow` says which one
        where it holds several.
        `artifacts`: its maps and schemas, as `{"maps": {name: text}, "schemas": {name: text}}` or a folder of the
        layout of a Standard project's `Artifacts`. The same content again is the same version. A new flow may start
        runs unless `enabled` is False; one that is there stays as it is.
        `simulated`: only simulated runs are meant, which need no maps and schemas (`Flow.missing`).
        `allow_unsupported`: accept desktop actions that cannot run here; they fail when a run reaches them.
        Raises DefinitionError with the first fault or `SeveralFlows`, NotFound for a missing file, PackageError for an
        archive that is not read.
        """
        found = await _source(source, name, flow)
        if artifacts is not None and isinstance(found, Source):
            found = replace(found, artifacts=await _artifacts(artifacts))
        if allow_unsupported and not isinstance(found, Source):
            found = replace(found, allow_unsupported=True)
        deployed = await self._library.deploy(name, found, dialect=dialect, simulated=simulated)
        if deployed.created:
            if deployed.version == 1 and not enabled:
                await self._switch(name, False)  # before anybody looks at its trigger
            await self._deployed(deployed.id)
        return self._access.given(deployed)

    @keyed
    async def flows(self, *, damaged: list[CorruptRecord] | None = None) -> list[FlowSummary]:
        """The deployed flows. What does not open is added to `damaged`, and raises IntegrityError without that."""
        return [*map(self._access.given, await list_flows(self._vault, damaged))]

    @keyed
    async def flow(self, name: str, version: int | None = None) -> FlowDetail:
        """A flow with its definition, the newest version unless another is named. Raises NotFound."""
        found = await self._library.find(name, version)
        info = await self._vault.flow(found.id)
        document = await self._library.document(found.id, found.version)
        detail = FlowDetail(
            found.name,
            found.id.hex(),
            found.version,
            info.version,
            document["definition"],
            found.dialect,
            found.kind,
            info.created_ms,
            document.get("artifacts", {}),
            tuple(document.get("aliases", ())),
            document.get("connections", {}),
        )
        return self._access.given(detail)

    # ---- triggers

    @keyed
    async def trigger(self, flow: str) -> TriggerInfo:
        """How a flow's trigger stands: enabled or not, when it fires next, how it fired lately. Raises NotFound."""
        found = await self._library.find(flow)
        plan = await self._library.plan(found.id, found.version)
        info = info_of(Registration.of(found.id, await self._vault.trigger(found.id)), kind_of(plan))
        return self._access.given(info)

    @keyed
    async def enable(self, flow: str) -> None:
        """Let a flow start runs again; deploying a new flow enables it. Durable on return. Raises NotFound."""
        await self._switch(flow, True)

    @keyed
    async def disable(self, flow: str) -> None:
        """Keep a flow from starting runs: by its trigger, by hand, or for another flow. Runs under way go on.

        Durable on return. Raises NotFound.
        """
        await self._switch(flow, False)

    @keyed
    async def watch_triggers(
        self,
        *,
        fired: Callable[[TriggerFiring], None] | None = None,
        ended: Callable[[str, str, str], None] | None = None,
    ) -> None:
        """Fire the triggers of all enabled flows by themselves, from now on until the engine closes.

        `fired` is called with every firing, `ended` with the id, flow and status of every run that ends here. Raises
        Denied `ExecutedElsewhere` where another process executes this environment.
        """
        await (await self._access.executing(fired, ended)).watching.begin()
        self._access.watching = True

    @keyed
    async def fire_due(
        self,
        *,
        fired: Callable[[TriggerFiring], None] | None = None,
        ended: Callable[[str, str, str], None] | None = None,
    ) -> None:
        """Fire what is due now once, however late it is, and return when all runs have ended: for cron and for tests.

        Arguments and errors as for `watch_triggers`.
        """
        executor = await self._access.executing(fired, ended)
        if not await executor.lead():
            raise self._access.elsewhere()
        await executor.fire_due()
        await self.idle()

    @keyed
    async def idle(self, *, sleeping: bool = True) -> None:
        """Return when no run goes on in this process: with `sleeping`, none either that waits for a time or an event
        from now on.
        """
        while (executor := self._executor) is not None and executor.live:
            executor.claims.staying += sleeping
            try:
                await asyncio.gather(*(run.ended.wait() for run in executor.live.values()))
            finally:
                executor.claims.staying -= sleeping

    @keyed
    async def stop_triggers(self) -> None:
        """Fire nothing more, and take no more runs that are ready; what is being fired is finished first."""
        self._access.watching = False
        if self._executor is not None:
            await self._executor.watching.stop()

    async def trigger_callback(
        self, address: str, *, body: Any = UNSET, headers: Mapping[str, Any] | None = None
    ) -> Started:
        """Fire a webhook trigger: `address` is the URL that its `listCallbackUrl()` gave when it subscribed.

        Gives what `start` gives, and raises the same; NotFound for an address that no trigger has. While the
        environment is locked the call is kept unread until that is over, and no run is given; InboxFull where no more
        is taken in.
        """
        try:
            return await self.start(await self._called_back(address), body, headers=headers)
        except EnvironmentLocked:
            await keep_call(await self._opening.sealed_inbox(), address, body, headers)
            return Started(queued=True)

    @keyed
    async def _called_back(self, address: str) -> str:
        return await called_back(self._vault, address)

    # ---- runs

    @keyed
    async def start(
        self,
        flow: Flow | str,
        body: Any = UNSET,
        *,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        queries: Mapping[str, Any] | None = None,
        path: Mapping[str, Any] | None = None,
        simulate: Simulation | Mapping[str, Any] | bool | None = None,
        on_change: Callable[[Entry], None] | None = None,
    ) -> Started:
        """Fire a flow's trigger with `body`.

        One run starts; with splitOn one for each element, and none when a trigger condition is false. When this
        returns, the start of every run is durable. `queries` and `path` are parameters of a request's address.
        `simulate` answers every call without network: True, or mocks by action name. `on_change` is called with each
        action as it starts, is tried again or ends; only in the process that executes the run.

        While the environment is locked a `Flow` that has no Response to wait for is kept unread, to be started once
        after that: no run is given then, and `kept` is True. InboxFull where no more is taken in; every other start
        raises EnvironmentLocked. Raises NotFound, DefinitionError, ExpressionError.
        """
        if self._access.locked and isinstance(flow, Flow) and not simulate and on_change is None:
            given = start_arguments(body, parameters, headers, queries, path)
            if await keep_start(await self._opening.sealed_inbox(), flow.id, given):
                return Started(queued=True)
        found = await (self._library.same(flow) if isinstance(flow, Flow) else self._library.find(flow))
        on_change = self._access.telling(on_change)
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
            queries=dict(queries) if queries is not None else None,
            path=dict(path) if path is not None else None,
            parameters={**declared(document, plan), **(parameters or {})},
            simulate=simulation.to_json() if simulation is not None else None,
        )
        executor = await self._execute()
        elsewhere = executor is not None and is_led(plan) and not await executor.lead()
        await self._refuse(executor, found, plan)
        if len(starts) > 1:
            for start in starts:
                ensure_storable(start.to_json())  # all of them, or none is started
        runs = Started()
        for start in starts:
            if executor is None or elsewhere:
                await self._vault.inbox_add(START, start.to_json(), run_id=start.run_id, dedupe=start.run_id)
                runs.append(Run(self._access, self._opening, start, None, None))
                continue
            history = machine_of(plan).history(plan, on_change, keep=KEPT) if on_change is not None else None
            live = await executor.starter.start(start, history=history)
            runs.append(Run(self._access, self._opening, start, live, history))
            if self._vault.pending_bytes > MOST_PENDING:
                await self._vault.flush()  # a large splitOn must not fill the memory
            elif not len(runs) % 100:
                await asyncio.sleep(0)  # nor keep everybody else waiting
        if executor is not None:
            await self._vault.flush()  # whoever is told of a run can count on it
        return runs

    @keyed
    async def run(self, run_id: str) -> Run:
        """A run by its id, by an unambiguous beginning of it, or `latest`. Raises NotFound."""
        info = await find_run(self._vault, run_id)
        live = self._executor.live.get(info.run_id) if self._executor is not None else None
        return Run(self._access, self._opening, info, live, None)

    @keyed
    async def runs(
        self,
        *,
        status: str | None = None,
        flow: str | None = None,
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = 30,
        damaged: list[CorruptRecord] | None = None,
    ) -> list[RunSummary]:
        """Runs, the newest first. `status` is a name such as `Failed`, in any case.

        A run that does not open is added to `damaged`, and raises IntegrityError without that. Raises NotFound for an
        unknown flow.
        """
        flow_id = (await self._library.find(flow)).id if flow is not None else None
        found = await list_runs(self._vault, flow_id, status, since_ms, until_ms, limit, damaged)
        return [*map(self._access.given, found)]

    @keyed
    async def resume_unfinished(self) -> list[Run]:
        """Bring back every unfinished run. Raises StoreBusy where another process executes this environment."""
        executor = await self._execute()
        if executor is None:
            for run_id in await self._vault.unfinished():
                await self._vault.inbox_add(RESUME, None, run_id=run_id)
            return [await self.run(run_name(run_id)) for run_id in await self._vault.unfinished()]
        return [
            Run(self._access, self._opening, await run_info(self._vault, live.log.run_id), live, None)
            for live in await executor.resume_unfinished()
        ]

    async def callback(
        self, address: str, *, body: Any = UNSET, headers: Mapping[str, Any] | None = None, status: int = 200
    ) -> Delivery:
        """Answer a webhook action: `address` is the URL that its `listCallbackUrl()` gave, or the last two parts of it.

        `body` becomes the body of its outputs; with a `status` of 400 or more the action fails. A run that waits in no
        process is brought back for it, unless the engine was opened with `resume=False`. While the environment is
        locked it is kept unread until that is over. What became of it says `Delivery.status`, which an HTTP host
        answers as it is; what counts is durable when this returns. Raises InvalidCallback for a status, headers or body
        that are none, NotStorable for a body that cannot be kept.
        """
        answer = answer_to(body, headers, status)
        known = Address.read(address)
        if known is None:
            return Delivery(UNKNOWN)
        try:
            return await self._deliver(known, answer)
        except EnvironmentLocked:
            return await keep_callback(await self._opening.sealed_inbox(), known, answer)

    @keyed
    async def _deliver(self, known: Address, answer: Answer) -> Delivery:
        executor = await self._execute() if self._resume else self._executor
        if executor is not None:
            with suppress(RunElsewhereError):
                return await executor.callbacks.deliver(known, answer)
        return await accept(self._vault, self._library, known, answer)

    @keyed
    async def open_bundle(self, data: bytes) -> Any:
        """The content of a bundle that was sealed to this environment. Raises WrongKey for another one's."""
        return await storage.open_bundle(self._vault, data)

    async def close(self) -> None:
        """Stop driving runs and close the store. Whoever waits for a run here gets an EngineClosed error."""
        await self._watch.close()
        await self._access.close()

    # ---- connections and keys

    @property
    def connections(self) -> Connections:
        """The connections of this environment."""
        return Connections(self._access)

    @property
    def retention(self) -> RunRetention:
        """What is deleted here, and how long runs are kept."""
        return RunRetention(self._access, self._switch)

    @property
    def keys(self) -> Keys:
        """The work on the keys of this environment."""
        return Keys(self._access)

    @property
    def machines(self) -> MachineQueues:
        """The machine groups of this environment, and the runs of desktop flows that are for them."""
        from ..desktop.machine_queues import MachineQueues

        return MachineQueues(self._access, self._access.groups)

    @property
    def queues(self) -> WorkQueues:
        """The work queues of desktop flows."""
        from ..desktop.work_queues import WorkQueues

        return WorkQueues(self._access)

    # ---- for triggers

    async def _switch(self, name: str, enabled: bool) -> None:
        flow = await self._library.find(name)
        executor = await self._execute()
        if executor is None or not await executor.lead():
            await switch_elsewhere(self._vault, flow.id, enabled, self._execute)
        else:
            await executor.triggers.switch(flow.id, enabled)

    async def _refuse(self, executor: Executor | None, flow: Flow, plan: Plan) -> None:
        if executor is not None:
            await executor.triggers.refuse(flow, plan)
        elif not Registration.of(flow.id, await self._vault.trigger(flow.id)).enabled:
            raise disabled(flow.name)

    async def _deployed(self, flow_id: bytes) -> None:
        if self._executor is not None and self._executor.leads:
            await self._executor.watching.deployed(flow_id)
        elif await self._vault.executor_pid() is not None:
            await self._vault.inbox_add(DEPLOYED, flow_id)

    # ---- for Run

    async def _execute(self) -> Executor | None:
        return await self._access.execute()


async def _source(source: FlowSource | Mapping[str, Any] | Path | str, name: str, of: str | None) -> FlowSource:
    if isinstance(source, (Source, ScriptSource)):
        return source
    if isinstance(source, Mapping):
        return read_object(dict(source), name=name)
    return await asyncio.to_thread(read_flow_file, Path(source), of)


async def _artifacts(given: Artifacts | Path | str) -> Artifacts:
    if isinstance(given, Mapping):
        return given
    from ..flows.packages import read_package

    return read_artifacts(await asyncio.to_thread(read_package, Path(given)))


def _simulation(given: Simulation | Mapping[str, Any] | bool | None) -> Simulation | None:
    if given is None or given is False:
        return None
    if isinstance(given, Simulation):
        return given
    return Simulation(None if given is True else dict(given))
