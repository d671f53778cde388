"""A run as a host holds it, whoever executes it: wait for it, follow it, cancel, resume, export.

What a run did is always read from the store, so it does not matter which process drives it. Only how a run of this
process has ended, `wait` knows without looking: it ends when that is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from ....storage import EnvironmentInfo, Page, RunInfo, RunReader
from ...kernel import Entry, History, State, from_stored
from ...kernel.cloud.history.history import KEPT
from ...kernel.cloud.reply import FlowResponse, answer_due, reply_of
from ...kernel.contract.status import NAMES
from ...kernel.machines import machine_of
from ...revocable import Revocable
from ..calls.callbacks import addresses
from ..flows.start import Start, run_name
from ..history.external_payloads import whole_of
from ..history.reading import RunResult, read_state, result_of, run_info
from ..keys.access import Holding, Opened
from ..keys.opening import Opening
from ..keys.scopes import keyed
from ..runs.claims import Claims, Pins, RunElsewhereError
from ..runs.live_run import LiveRun
from ..workers.requests import CANCEL, RESUME
from .report import RESIDENT, RunReport, find_action, read_report, report_of
from .streams import Stream

if TYPE_CHECKING:
    from ....storage import Administration
    from .streaming import Part
    from .tracing import Trace

R = TypeVar("R", bound=Revocable)

POLL: Final = 0.05
"""Seconds between two looks at a run that another process executes."""

TAKE_OVER: Final = 10
"""After so many looks without news, whether that process is still there."""


class RunDriver(Protocol):
    """A worker of this process that drives runs. `live` are the runs in its memory."""

    claims: Claims

    @property
    def live(self) -> Mapping[bytes, LiveRun]:
        """The runs in memory, by id."""
        ...

    async def take_inbox(self) -> int:
        """Carry out the requests of other processes. Returns how many there were."""
        ...

    async def cancel(self, run_id: bytes, reason: str) -> bool:
        """Cancel a run. Returns False when it had ended."""
        ...

    async def resume(self, run_id: bytes, *, history: History | None = None) -> LiveRun | None:
        """Bring an unfinished run into memory. Returns None when it had ended."""
        ...


class RunAccess(Opened, Holding, Protocol):
    """An open environment, and the worker of this process."""

    info: EnvironmentInfo
    resume: bool
    pins: Pins

    def telling(self, on_change: Callable[[R], None] | None) -> Callable[[R], None] | None:
        """Wrap a callback of a host, so that its arguments are emptied when the key is revoked."""
        ...

    async def execute(self) -> RunDriver | None:
        """Return the worker of this process, which becomes one if no other process excludes it."""
        ...


class Run:
    """A run of an environment, whoever executes it."""

    def __init__(
        self,
        access: RunAccess,
        opening: Opening,
        of: Start | RunInfo,
        live: LiveRun | None,
        history: History | None,
    ) -> None:
        self._access = access
        self._opening = opening
        self._id = of.run_id
        self._flow = of.flow if isinstance(of, Start) else None
        self._version = of.version
        self._flow_id = of.flow_id
        self._asked = isinstance(of, Start)
        self._live = live
        self._history = history
        self._followed: tuple[State, History] | None = None
        self._access.holds(self)

    def let_go(self) -> None:
        """Hold nothing of the run any more: its environment's key is not given."""
        self._live = self._history = self._followed = self._flow = None

    @property
    def id(self) -> str:
        return run_name(self._id)

    @property
    def here(self) -> bool:
        """Whether this process executes the run."""
        return self._live is not None

    @property
    def told(self) -> bool:
        """Whether `on_change` is called with what happens: the run goes on here, and was brought back for it."""
        return self._live is not None and self._history is not None

    @property
    def version(self) -> int:
        return self._version

    @keyed
    async def flow(self) -> str:
        """The flow's name."""
        if self._flow is None:
            self._flow = (await self._access.vault.flow(self._flow_id)).name
        return self._flow

    @keyed
    async def wait(self, timeout: float | None = None) -> str:
        """Wait for the run's end and give its status only: of a long run, `result()` is everything it ever did.

        Raises TimeoutError after `timeout` seconds; the run goes on.
        """
        if timeout is None:
            live = await self._ended()
        else:
            async with asyncio.timeout(timeout):
                live = await self._ended()
        if live is not None:
            return live.outcome  # `ended` says that it is durable: no need to look at the store
        return NAMES[(await run_info(self._access.vault, self._id)).status]

    @keyed
    async def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the run's end and give everything about it.

        Raises TimeoutError after `timeout` seconds; the run goes on.
        """
        async with asyncio.timeout(timeout):
            await self._ended()
        return await self.snapshot()

    @keyed
    async def response(self, timeout: float | None = None, *, polled: bool = False) -> FlowResponse:
        """What the caller of the flow gets: {"statusCode", "headers", "body"?}. Waits for it as long as a caller does.

        202 at once for a flow without Response action or with an Asynchronous one, 504 where no Response came within
        two minutes, 502 where the run ended without one. `polled` asks for the answer behind such a 202. Raises
        TimeoutError after `timeout` seconds; the run goes on.
        """
        async with asyncio.timeout(timeout):
            with self._access.pins.held(self._id):
                await self._adopt()
                if self._live is not None:
                    reply = await self._live_response(self._live, polled)
                    if reply is not None:
                        return reply
            seen = 0
            async for state, _ in self._states():
                # Halfway through the pages that are there, what is asked for may stand on the next one.
                newest = state.seq == seen or state.response is not None or state.end is not None
                seen = state.seq
                if seen and newest and (reply := reply_of(state, self._access.clock.now(), polled=polled)):
                    return reply
        raise AssertionError("a run that has ended has a reply")

    async def _live_response(self, live: LiveRun, polled: bool) -> FlowResponse | None:
        """None where the run goes on elsewhere."""
        reply = reply_of(live.state, live.now(), polled=polled)
        if reply is not None and reply["statusCode"] == 202:
            return reply
        clock = self._access.clock
        due = answer_due(live.state) if live.simulation is None else None
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(live.responded.wait())]
        if due is not None:
            waits.append(asyncio.ensure_future(clock.sleep_until(due)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if live.state.response is not None:
                await waits[0]  # decided in time, and durable soon
        finally:
            for each in waits:
                each.cancel()
        _raise_failure(live)
        reply = reply_of(live.state, live.now(), polled=polled)
        assert reply is not None or live.aside  # noqa: S101
        return reply

    @keyed
    async def snapshot(self) -> RunResult:
        """The run as it stands now, without waiting."""
        told = self._told_to_end()
        if told is None or not told[1].complete or told[0].apart:
            told = await read_state(self._access.vault, self._access.library, self._id)
        result = result_of(
            *told, run_id=self._id, flow=await self.flow(), environment=self._access.info.name, version=self._version
        )
        return self._access.given(result)

    @keyed
    async def status(self) -> str:
        """How the run stands now: the name of its status."""
        return (await self.report()).status

    @keyed
    async def action(self, wanted: str) -> dict[str, Any]:
        """One action of the run, as `RunResult.actions` has it: by its path, or its name where only one has it.

        Raises NotFound, AmbiguousActionError.
        """
        _, entry = await find_action(self._access.vault, self._access.library, self._id, wanted)
        return await whole_of(self._access.vault, self._id, entry.to_json(entry.secured))

    def output(self, action: str, *, part: Part = "outputs", at: str | None = None) -> Stream[bytes]:
        """What an action gave, as bytes, piece by piece where it is large: its `body` where it has one, or what stands
        at the JSON pointer `at`; with `part` its inputs. A text comes in UTF-8, a content object as the bytes that it
        holds, anything else as JSON.

        `action` is a path, or a name where only one has it. Raises NotFound, AmbiguousActionError, and SealflowError,
        code `ValueSecured`.
        """
        return Stream(self._access, self._output(action, part, at))

    async def _output(self, action: str, part: Part, at: str | None) -> AsyncGenerator[bytes, None]:
        from .streaming import as_bytes, part_of

        _, entry = await find_action(self._access.vault, self._access.library, self._id, action)
        async for piece in as_bytes(self._access.vault, self._id, part_of(entry, part, at)):
            yield piece

    @keyed
    async def report(self) -> RunReport:
        """The run as it stands now, without waiting; its actions are counted, and given one after the other.

        For runs of any length: `snapshot` holds everything that a run ever did.
        """
        flow = await self.flow()
        told = self._told_to_end()
        stream = partial(Stream, self._access)
        if told is None:
            report = await read_report(
                self._access.vault,
                self._access.library,
                self._id,
                flow=flow,
                environment=self._access.info.name,
                stream=stream,
            )
        else:
            info = await run_info(self._access.vault, self._id)
            report = report_of(
                *told, info, vault=self._access.vault, flow=flow, environment=self._access.info.name, stream=stream
            )
        return self._access.given(report)

    def _told_to_end(self) -> tuple[State, History] | None:
        """State and history of a run that has ended, where this object was told of all of it."""
        live = self._live
        if live is not None and self._history is not None and live.state.watch is self._history and live.ended.is_set():
            _raise_failure(live)
            return live.state, self._history
        return self._followed

    def follow(self) -> Stream[Entry]:
        """Each action whenever something about it is durable: started, to be tried again, ended. Ends with the run."""
        return Stream(self._access, self._follow())

    async def _follow(self) -> AsyncGenerator[Entry, None]:
        async for _, changed in self._states():
            for entry in changed:
                yield self._access.given(entry)

    async def _states(self) -> AsyncIterator[tuple[State, list[Entry]]]:
        """The run's state as far as it is durable, with what has changed in its history, again and again to its end."""
        plan = await self._access.library.plan(self._flow_id, self._version)
        changed: list[Entry] = []
        machine = machine_of(plan)
        history = machine.history(plan, changed.append, keep=0)
        state = machine.state(plan, history)
        reader: RunReader | None = None
        idle = 0
        while state.end is None:
            if reader is None and await self._access.vault.run_exists(self._id):
                reader = await self._access.vault.reader(self._id)
            before = state.seq
            async for page in reader.pages() if reader is not None else _no_pages():
                for stored in page.records:
                    machine.apply(plan, state, from_stored(stored))
                    if state.resident > RESIDENT:
                        machine.relieve(state, RESIDENT // 2)
                if state.end is not None:
                    self._followed = state, history
                yield state, list(changed)
                changed.clear()
            if self._live is not None:
                _raise_failure(self._live)
            if state.seq == before and state.end is None:
                yield state, []
                idle += 1
                if idle % TAKE_OVER == 0:
                    await self._adopt()
                await asyncio.sleep(POLL)

    @keyed
    async def callbacks(self) -> dict[str, str]:
        """The callback URLs of the actions that wait for one, by path.

        Whoever knows one can answer in its service's place.
        """
        return addresses((await read_state(self._access.vault, self._access.library, self._id, keep=0))[0])

    @keyed
    async def trace(self, action: str) -> Trace:
        """What the expressions of an action evaluated: its path (`/Loop[3]/Action`), or its name where only one has it.

        Evaluated again from the stored history, whoever executes the run. Raises NotFound, AmbiguousActionError.
        """
        from .tracing import trace

        return self._access.given(await trace(self._access.vault, self._access.library, self._id, action))

    @keyed
    async def screenshot(self) -> bytes | None:
        """Of a desktop flow's run that failed with a browser open: the page as PNG. None where there is none."""
        from ..calls.screenshots import screenshot

        return await screenshot(self._access.vault, self._id)

    @keyed
    async def cancel(self, reason: str = "The run was cancelled.") -> bool:
        """End the run as Cancelled; False when it had ended, or another process is cancelling it."""
        executor = await self._access.execute()
        asked = await self._access.vault.callbacks.requests_for(self._id)
        if executor is not None:
            with suppress(RunElsewhereError):
                if asked:
                    await executor.take_inbox()  # what was accepted before this counts before this
                cancelled = await executor.cancel(self._id, reason)
                await self._access.vault.flush()
                return cancelled
        if (await run_info(self._access.vault, self._id)).ended_ms is not None:
            return False
        if any(item.kind == CANCEL for item in asked):
            return False
        await self._access.vault.inbox_add(CANCEL, reason, run_id=self._id, dedupe=b"cancel" + self._id)
        return True

    @keyed
    async def resume(self, on_change: Callable[[Entry], None] | None = None) -> bool:
        """Go on with an unfinished run, e.g. after a crash; False when it had ended."""
        if (await run_info(self._access.vault, self._id)).ended_ms is not None:
            return False
        plan = await self._access.library.plan(self._flow_id, self._version)
        on_change = self._access.telling(on_change)
        history = machine_of(plan).history(plan, on_change, keep=KEPT) if on_change is not None else None
        executor = await self._access.execute()
        if executor is None:
            await self._access.vault.inbox_add(RESUME, None, run_id=self._id)
            return True
        # At once: a request in the inbox, such as a callback, would bring the run back too, and tell nobody.
        try:
            self._live = await executor.resume(self._id, history=history)
        except RunElsewhereError:  # it goes on there
            return True
        same = self._live is not None and self._live.state.watch is history
        self._history = cast("History | None", history) if same else None
        return True

    @keyed
    async def export(self, *, plaintext: bool = False, acts: Administration | None = None) -> bytes:
        """The run's history as a bundle for replay, sealed to the environment unless `plaintext` is asked for.

        Under a policy that is an act of a key administrator, and on record: of `acts` (see `Engine.administration`),
        otherwise of who is named by $SEALFLOW_ACTOR, or the user of the system. Raises NotPermitted, ApprovalNeeded.
        """
        if plaintext:
            async with self._opening.exporting(self.id, acts):
                return await self._exported(plaintext=True)
        return await self._exported()

    async def _exported(self, *, plaintext: bool = False) -> bytes:
        info = await run_info(self._access.vault, self._id)
        document = await self._access.library.document(info.flow_id, info.version, info.definition_digest)
        from .bundles import export

        return await export(self._access.vault, info, await self.flow(), document, plaintext=plaintext)

    async def _adopt(self) -> None:
        """A run that nobody executes is taken up: by whoever asked for it, and where the engine resumes runs anyway.

        The process that executed it, or was asked to, may have ended in the meantime.
        """
        if self._live is not None and self._live.aside:
            self._live = None
        if self._live is not None or not (self._asked or self._access.resume):
            return
        executor = await self._access.execute()
        if executor is None:
            return
        await executor.take_inbox()
        self._live = executor.live.get(self._id)
        if self._live is None and executor.claims.drives(self._id) and await self._access.vault.run_exists(self._id):
            with suppress(RunElsewhereError):
                self._live = await executor.resume(self._id)

    async def _ended(self) -> LiveRun | None:
        """Return when the run has ended, with the run itself where this process drove it to its end."""
        with self._access.pins.held(self._id):
            while self._live is not None or not await self._is_over():
                await self._adopt()
                live = self._live
                if live is None:
                    async for _ in self._states():
                        pass
                    return None
                await live.ended.wait()
                _raise_failure(live)
                if not live.aside:
                    return live
        return None

    async def _is_over(self) -> bool:
        """Whether the run has ended, as its row says; False as long as it has none."""
        return (
            await self._access.vault.run_exists(self._id)
            and (await self._access.vault.run(self._id)).ended_ms is not None
        )


async def _no_pages() -> AsyncIterator[Page]:
    return
    yield


def _raise_failure(live: LiveRun) -> None:
    if live.failure is not None:
        raise live.failure


class Started(list[Run]):
    """The runs that a start created. `queued`: none yet, because the environment is locked. The start waits until the
    environment is unlocked; an HTTP host returns 202.
    """

    def __init__(self, *, queued: bool = False) -> None:
        super().__init__()
        self.queued = queued
