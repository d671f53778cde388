"""The triggers of a worker's flows: registered, enabled and disabled, and fired when they are due.

What a trigger decided, and the runs that came of it, are one commit; so whatever happens in between, an occurrence is
neither lost nor does it count twice. What is due is looked at one by one for each flow. When to look is the
scheduler's business.

Source: Logic Apps, "Schedules for recurring triggers" (missed recurrences), Sliding Window trigger, "Schema reference
for trigger and action types" (HTTP trigger, SingleInstance, waiting runs: the trigger is skipped with the code
WorkflowRunInProgress).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ....storage import StorageError, ensure_storable
from ...errors import Denied, SealflowError
from ...kernel import Plan
from ...kernel.cloud.triggers.batch import BATCH, batches_of, next_occurrence
from ...kernel.cloud.triggers.polling import (
    CALLED,
    POLL,
    RECURRENCE,
    WEBHOOK,
    WINDOW,
    delay_of,
    kind_of,
    polled,
    recurrence_of,
    request_of,
)
from ...kernel.cloud.triggers.trigger import Firing, concurrency_of, is_single, trigger_of
from ...kernel.contract.timing import SECOND, duration, iso, later
from ...revocable import Revocable
from ...values import to_json
from ..flows.library import Flow
from ..flows.start import UNSET, Start, declared, plan_starts, run_name, trigger_pins
from ..workers.coalesced_reads import SharedLooks
from .registration import Registration
from .subscriptions import belongs, is_stray, subscribe, unsubscribe

if TYPE_CHECKING:
    from .protocols import TriggerRuns

GRACE: Final = 60 * SECOND
"""How late an occurrence of a Recurrence may be noticed and still fires; the documents speak of up to a minute.

It covers a restart: every occurrence within it fires, once. What is later was missed.
"""

_TICKS_PER_MS: Final = 10_000

IN_PROGRESS: Final = "WorkflowRunInProgress"


@dataclass(frozen=True, slots=True, repr=False)
class TriggerFiring(Revocable):
    """One firing, or an attempt at one.

    `told` is what the trigger remembers of it: `{time, scheduledTime, status, code, runs, message?}`. The status is
    Succeeded, Skipped or Failed.
    """

    flow: str
    version: int
    told: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Deployed:
    """A flow's newest version, ready to start runs."""

    flow: Flow
    plan: Plan
    document: dict[str, Any]
    digest: bytes
    since: int
    """When the newest version was deployed, in ticks."""


class Triggers:
    """`changed` is called with every registration that is durable, `fired` with every firing."""

    def __init__(self, runs: TriggerRuns) -> None:
        self._runs = runs
        self._locks: dict[bytes, asyncio.Lock] = {}
        self._enabled: dict[bytes, bool] = {}
        self._stored = SharedLooks(self._is_enabled)
        self.changed: Callable[[Registration], None] | None = None
        self.fired: Callable[[TriggerFiring], None] | None = None

    # ---- enabled or not

    async def refuse(self, flow: Flow, plan: Plan) -> None:
        """Raises Denied `FlowDisabled`, and `TooManyWaitingRuns` where the trigger's concurrency leaves no room."""
        leads = self._runs.vault.workers.leads
        enabled = self._enabled.get(flow.id) if leads else None  # another worker may have switched it meanwhile
        if enabled is None:
            enabled = await self._stored.at(flow.id)
            if leads:  # where it was switched meanwhile, that counts
                enabled = self._enabled.setdefault(flow.id, enabled)
        if not enabled:
            raise disabled(flow.name)
        await self._runs.recovery.gather(flow.id, plan)
        if self._runs.admission.full(flow.id, concurrency_of(plan)):
            raise SealflowError(
                f"As many runs of the flow '{flow.name}' wait for others to end as its trigger allows.",
                code="TooManyWaitingRuns",
                hint="Start it again later, or raise 'maximumWaitingRuns' of the trigger's concurrency.",
            )

    async def _is_enabled(self, flow_id: bytes) -> bool:
        return Registration.of(flow_id, await self._runs.vault.trigger(flow_id)).enabled

    async def switch(self, flow_id: bytes, enabled: bool) -> None:
        """Enable or disable a flow; durable on return.

        A disabled Recurrence goes on with the next occurrence, a sliding window makes up for what it has missed.
        """
        async with self._registration(flow_id) as registration:
            if registration.enabled == enabled:
                return
            registration.enabled = enabled
            now = self._runs.clock.now()
            rule = registration.rule if registration.problem is None else None
            if enabled and rule is not None and registration.kind != WINDOW:
                registration.scheduled = rule.after(now)
            _settle(registration, now)
            await self._write(registration)
        if registration.kind == BATCH:
            self._runs.batches.tell(flow_id)

    async def called(
        self, flow_id: bytes, token: bytes, body: Any, headers: dict[str, Any] | None, run_id: bytes
    ) -> None:
        """Start what a webhook trigger was called back for: queued when this returns, unless the address is an earlier
        one. Raises as `refuse` and `plan_starts`.
        """
        if not belongs(Registration.of(flow_id, await self._runs.vault.trigger(flow_id)), token):
            return
        await self.started(flow_id, {"body": body, "headers": headers}, run_id)

    async def started(self, flow_id: bytes, given: Mapping[str, Any], run_id: bytes) -> None:
        """Start what a flow was started with while the environment was locked: queued when this returns.

        `given` are arguments of `plan_starts`. A run that exists is not started again: `run_id` follows from the
        request, which may be put back after it was carried out. Raises as `refuse` and `plan_starts`.
        """
        deployed = await self._deployed(flow_id)
        await self.refuse(deployed.flow, deployed.plan)
        for start in self._starts(deployed, self._runs.clock.now(), **given, run_id=run_id):
            if not await self._runs.vault.run_exists(start.run_id):
                self._runs.starter.begin(start, deployed.plan, deployed.digest)

    # ---- registered

    async def register(self, flow_id: bytes) -> None:
        """Look at a flow's newest version; what has not changed of its trigger stays where it stands."""
        deployed = await self._deployed(flow_id)
        async with self._registration(flow_id) as registration:
            if registration.version == deployed.flow.version:
                self._tell(registration)
                return
            now = self._runs.clock.now()
            registration.version = deployed.flow.version
            registration.problem = None
            registration.with_token()
            try:
                self._read(registration, deployed, now)
            except StorageError:
                raise  # it waits for the store: no outcome of an action
            except SealflowError as error:
                registration.kind, registration.recurrence, registration.scheduled = CALLED, None, None
                registration.problem = {"code": error.code, "message": error.message}
            _settle(registration, now)
            await self._write(registration)
        if registration.kind == BATCH:
            self._runs.batches.tell(flow_id)

    def _read(self, registration: Registration, deployed: _Deployed, now: int) -> None:
        plan = deployed.plan
        pins = self._pins(deployed, now)
        before = (registration.kind, registration.recurrence, registration.delay)
        trigger, fingerprint = trigger_of(plan), registration.fingerprint
        given = {} if trigger is None else {name: each for name, each in trigger.raw.items() if name != "metadata"}
        registration.fingerprint = hashlib.sha256(to_json(given).encode("utf-8", "surrogatepass")).hexdigest()
        registration.kind = kind_of(plan)
        if registration.kind == BATCH:
            batches = batches_of(plan, pins, now).values()
            if registration.fingerprint != fingerprint:
                registration.registered, registration.last, registration.recurrence = now, None, None
                registration.scheduled = next_occurrence(batches, now, now)
            return
        registration.recurrence = recurrence_of(plan, pins, now) if registration.kind not in (CALLED, WEBHOOK) else None
        delay = delay_of(plan, pins, now) if registration.kind == WINDOW else None
        registration.delay = 0 if delay is None else duration(delay)
        if (registration.kind, registration.recurrence, registration.delay) == before:
            return
        # A worker may come a little later than the deployment: the trigger counts from the deployment then.
        since = min(deployed.since, now)
        registration.registered, registration.last, registration.location = (
            now if since < now - GRACE else since,
            None,
            None,
        )
        registration.scheduled = _first(registration, max(since, now - GRACE))

    # ---- due

    async def fire(self, flow_id: bytes, *, owed: bool = False) -> bool:
        """Do what is due. With `owed` an occurrence fires however late it is.

        False: as many runs wait as may, so a sliding window stays due until one has ended. Raises the error of a commit
        that fails; nothing happened then, and it is still due.
        """
        async with self._registration(flow_id) as registration:
            now = self._runs.clock.now()
            collects = registration.kind == BATCH and registration.enabled
            if not collects and (registration.due is None or registration.due > now):
                self._tell(registration)
                return True
            if is_stray(registration):
                await unsubscribe(registration, self._runs.performer, now)
                _settle(registration, now)
                await self._write(registration)
                return True
            deployed = await self._deployed(flow_id, registration.version)
            await self._runs.recovery.gather(flow_id, deployed.plan)
            if registration.kind == BATCH:
                return await self._collect(registration, deployed, now)
            if registration.kind == WINDOW:
                return await self._window(registration, deployed, now)
            if registration.kind == RECURRENCE:
                await self._recur(registration, deployed, now, owed)
            elif registration.kind == POLL:
                await self._poll(registration, deployed, now)
            elif registration.kind == WEBHOOK:
                pins = self._pins(deployed, now)
                told = await subscribe(registration, deployed.plan, pins, self._runs.performer, now)
                await self._write(registration)
                self._report(deployed, told)
            return True

    async def _recur(self, registration: Registration, deployed: _Deployed, now: int, owed: bool) -> None:
        scheduled, rule = registration.scheduled, registration.rule
        assert scheduled is not None and rule is not None  # noqa: S101, PT018
        # Of those that were missed, the ones within the grace are next; what is earlier is not made up for.
        following = rule.after(max(scheduled, now - GRACE - 1))
        if now - scheduled > GRACE and not owed:
            registration.scheduled = following
            _settle(registration, now)
            await self._write(registration)
            return
        if self._skips(deployed):
            await self._nothing(registration, deployed, now, following, "Skipped", IN_PROGRESS)
            return
        registration.last = scheduled
        await self._start(registration, deployed, now, following, Firing(scheduled, now))

    async def _window(self, registration: Registration, deployed: _Deployed, now: int) -> bool:
        """The window that ends with the occurrence; windows follow each other without a gap."""
        scheduled, rule = registration.scheduled, registration.rule
        assert scheduled is not None and rule is not None  # noqa: S101, PT018
        if self._skips(deployed):
            return False
        begins = registration.last
        if begins is None:
            begins = later(scheduled, -rule.rules.interval, rule.rules.frequency)
        outputs = {"windowStartTime": iso(begins), "windowEndTime": iso(scheduled)}
        registration.last = scheduled
        await self._start(registration, deployed, now, rule.after(scheduled), Firing(scheduled, now, outputs=outputs))
        return True

    async def _collect(self, registration: Registration, deployed: _Deployed, now: int) -> bool:
        """Release what was sent: a run for each batch. False: it waits until other runs have ended."""
        batches = batches_of(deployed.plan, self._pins(deployed, now), now)
        registered, last, sent = registration.registered, registration.last, self._runs.batches
        found = sent.ready(deployed.flow.id, batches, lambda batch: batch.is_due(registered, last, now))
        async with aclosing(found):
            async for ready in found:
                if self._skips(deployed):
                    self._tell(registration)
                    return False
                body = ready.body
                firing = Firing(now, now, outputs={"body": body})
                consume = partial(sent.consume, deployed.flow.id, ready)
                if not await self._start(
                    registration, deployed, now, registration.scheduled, firing, body, with_it=consume
                ):
                    break
        if registration.due is None or registration.due > now:
            self._tell(registration)
            return True
        registration.last = now
        registration.scheduled = next_occurrence(batches.values(), registered, now)
        _settle(registration, now)
        await self._write(registration)
        return True

    async def _poll(self, registration: Registration, deployed: _Deployed, now: int) -> None:
        rule, plan = registration.rule, deployed.plan
        scheduled = registration.scheduled if registration.scheduled is not None else now
        assert rule is not None  # noqa: S101
        if self._skips(deployed):
            await self._nothing(registration, deployed, now, rule.after(now), "Skipped", IN_PROGRESS)
            return
        try:
            request = request_of(plan, self._pins(deployed, now), now, location=registration.location)
        except StorageError:
            raise  # it waits for the store: no outcome of an action
        except SealflowError as error:
            await self._nothing(registration, deployed, now, rule.after(now), "Failed", error.code, error.message)
            return
        trigger = trigger_of(plan)
        answer = await self._runs.performer.ask(
            request, key=registration.key("poll"), trigger=trigger.name if trigger is not None else ""
        )
        at = max(self._runs.clock.now(), now)
        found = polled(plan, answer.outputs, at)
        following = rule.after(max(at, scheduled))
        if found.wait and found.prompt:
            following = at + found.wait
        elif found.wait and following is not None:
            following = max(following, at + found.wait)
        if answer.error is None:
            registration.location = found.location
        if not found.fires:
            failed = answer.error is not None
            message = answer.error["message"] if answer.error is not None else None
            await self._nothing(
                registration, deployed, at, following, "Failed" if failed else "Skipped", answer.code, message
            )
            return
        registration.last = scheduled
        outputs = answer.outputs if isinstance(answer.outputs, dict) else {}
        firing = Firing(scheduled, now, request.inputs, outputs, answer.code)
        body = outputs.get("body", UNSET)
        await self._start(registration, deployed, at, following, firing, body)

    def _skips(self, deployed: _Deployed) -> bool:
        """Whether runs that go on keep the trigger from firing."""
        admission, flow_id = self._runs.admission, deployed.flow.id
        if is_single(deployed.plan) and not admission.idle(flow_id):
            return True
        return admission.full(flow_id, concurrency_of(deployed.plan))

    # ---- what comes of it

    async def _start(
        self,
        registration: Registration,
        deployed: _Deployed,
        now: int,
        following: int | None,
        firing: Firing,
        body: Any = UNSET,
        *,
        with_it: Callable[[], None] = lambda: None,
    ) -> bool:
        """Start the runs of a firing, and go on to the following occurrence, in one commit; `with_it` queues what else
        belongs to it. False: the trigger could not be evaluated, which is remembered.
        """
        try:
            starts = self._starts(deployed, now, firing=firing, body=body)
        except StorageError:
            raise  # it waits for the store: no outcome of an action
        except SealflowError as error:
            await self._nothing(registration, deployed, now, following, "Failed", error.code, error.message)
            return False
        with_it()
        if not starts:
            await self._nothing(registration, deployed, now, following, "Skipped", "TriggerConditionNotMet")
            return True
        told = registration.note(now, "Succeeded", firing.code, runs=[run_name(start.run_id) for start in starts])
        registration.scheduled = following
        _settle(registration, now)
        registration.write(self._runs.vault)
        for start in starts:
            self._runs.starter.begin(start, deployed.plan, deployed.digest)
        await self._runs.vault.flush()
        self._tell(registration)
        self._report(deployed, told)
        return True

    def _starts(
        self,
        deployed: _Deployed,
        now: int,
        *,
        parameters: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> list[Start]:
        starts = plan_starts(
            deployed.plan,
            deployed.flow,
            environment=self._runs.vault.environment.name,
            at=now,
            parameters={**declared(deployed.document, deployed.plan), **(parameters or {})},
            **given,
        )
        for start in starts:
            ensure_storable(start.to_json())
        return starts

    async def _nothing(
        self,
        registration: Registration,
        deployed: _Deployed,
        now: int,
        following: int | None,
        status: str,
        code: str,
        message: str | None = None,
    ) -> None:
        """No run starts: remember why, and go on to the following occurrence."""
        told = registration.note(now, status, code, error=message)
        registration.scheduled = following
        _settle(registration, now)
        await self._write(registration)
        self._report(deployed, told)

    # ---- what is stored

    @asynccontextmanager
    async def _registration(self, flow_id: bytes) -> AsyncIterator[Registration]:
        """What is stored of a flow's trigger, for one at a time."""
        async with self._locks.setdefault(flow_id, asyncio.Lock()):
            yield Registration.of(flow_id, await self._runs.vault.trigger(flow_id))

    async def _write(self, registration: Registration) -> None:
        registration.write(self._runs.vault)
        await self._runs.vault.flush()
        self._tell(registration)

    def _tell(self, registration: Registration) -> None:
        self._enabled[registration.flow_id] = registration.enabled
        if self.changed is not None:
            self.changed(registration)

    def _report(self, deployed: _Deployed, told: dict[str, Any]) -> None:
        if self.fired is not None:
            self.fired(TriggerFiring(deployed.flow.name, deployed.flow.version, told))

    async def _deployed(self, flow_id: bytes, version: int | None = None) -> _Deployed:
        library = self._runs.library
        info = await self._runs.vault.flow(flow_id)
        number = version or info.version
        document = await library.document(flow_id, number)
        flow = Flow(flow_id, info.name, number, False, document["dialect"], document["kind"])
        plan = await library.plan(flow_id, number)
        return _Deployed(flow, plan, document, await library.digest(flow_id, number), info.updated_ms * _TICKS_PER_MS)

    def _pins(self, deployed: _Deployed, now: int) -> dict[str, Any]:
        environment = self._runs.vault.environment.name
        return trigger_pins(deployed.plan, deployed.flow, environment, now, declared(deployed.document, deployed.plan))


def disabled(flow: str) -> Denied:
    """The refusal to start a run of a flow that is disabled."""
    return Denied(
        f"The flow '{flow}' is disabled.", code="FlowDisabled", hint="`sealflow flow enable` enables it again."
    )


def _first(registration: Registration, since: int) -> int | None:
    """The first occurrence that a new trigger fires for; `since` is the earliest that still counts, in ticks."""
    rule = registration.rule
    if rule is None:
        return None
    if registration.kind == WINDOW:  # it begins with its start time, also where that has passed long ago
        return rule.after(rule.anchor - 1)
    return rule.first() if rule.rules.start is None else rule.after(since - 1)


def _settle(registration: Registration, now: int) -> None:
    """When there is something to do next."""
    if is_stray(registration):
        registration.due = now
    elif not registration.enabled:
        registration.due = None
    elif registration.kind == WEBHOOK:
        registration.due = now if registration.subscription is None else None
    else:
        scheduled = registration.scheduled
        registration.due = None if scheduled is None else scheduled + registration.delay
