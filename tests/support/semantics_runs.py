"""Runs a case of the semantics three ways.

Through the runtime: a real store, a clock that moves on only when nothing else is left to do, services that answer
as the case says. Killed after a record: what is stored by then is folded, and the run goes on with what still came
from outside. Replayed: the recorded events are decided again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import sealflow
from sealflow.connectors import Subscribed
from sealflow.engine import kernel
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.history.reading import read_records, result_of
from sealflow.storage.port import Batch
from semantics_case import Case
from semantics_compare import START, Outcome

CONNECTORS: Final = ("http", "test", "function", "apimanagement")
MANY: Final = 80
"""A run of more records is not killed after every one of them, but after some, evenly spread."""

_TURNS: Final = 25
"""Turns of the event loop in which everything has happened that needs neither time nor the disk."""


@dataclass
class Recorded:
    """A run that the runtime executed."""

    outcome: Outcome
    plan: Any
    records: list[Any]
    bundle: bytes


class CaseClock:
    """The engine's clock for many cases: each one has a virtual clock of its own, from the same moment."""

    def __init__(self) -> None:
        self.turn_back()

    def turn_back(self) -> None:
        self.current = sealflow.VirtualClock(START)

    def now(self) -> int:
        return self.current.now()

    async def sleep_until(self, due: int) -> None:
        await self.current.sleep_until(due)


class Stage:
    """An environment on which one case after the other is performed."""

    def __init__(self, environment: Any, connectors: Any, clock: CaseClock) -> None:
        self._env = environment
        self._clock = clock
        self._answers: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()
        self._callbacks: list[tuple[int, str, dict[str, Any]]] = []
        for each in CONNECTORS:
            connectors.register(each, self._answer)

    async def _answer(self, call: sealflow.Call) -> Any:
        name = call.path.rsplit("/", 1)[-1]
        given = self._answers.get(name, {})
        if isinstance(given, list):
            given = given[min(self._calls[name], len(given) - 1)]
        self._calls[name] += 1
        if given.get("never"):
            await asyncio.get_running_loop().create_future()
        if "callback" in given and call.webhook:
            due = self._clock.now() + round(given["callback"].pop("after") * SECOND)
            self._callbacks.append((due, call.callback_url, given["callback"]))
            return Subscribed()
        await self._clock.sleep_until(self._clock.now() + round(given.get("after", 0) * SECOND))
        if "failure" in given:
            raise sealflow.ConnectorError(given["failure"], "There was no answer.")
        return sealflow.ConnectorResponse(given.get("statusCode", 200), given.get("headers", {}), given.get("body"))

    async def perform(self, case: Case) -> list[Recorded]:
        """Deploy and run a case. Raises SealflowError where it is refused."""
        env, given = self._env, case.given
        self._clock.turn_back()
        self._answers, self._calls, self._callbacks = deepcopy(given.get("answers", {})), Counter(), []
        for name, definition in case.flows.items():
            await env.deploy(name, definition, dialect=case.dialect)
        await env.deploy(case.name, case.definition, dialect=case.dialect)
        more: dict[str, Any] = {name: given[name] for name in ("headers", "parameters") if name in given}
        if "input" in given:
            more["body"] = given["input"]
        runs = await env.start(case.name, **more)
        if case.redeployed is not None:
            await env.deploy(case.name, case.redeployed, dialect=case.dialect)
            runs += await env.start(case.name, **more)
        await self._drive(case, runs)
        return [await self._recorded(run) for run in runs]

    async def _drive(self, case: Case, runs: list[Any]) -> None:
        clock = self._clock.current
        cancel_at = START + round(case.cancel * SECOND) if case.cancel is not None else None
        while not all(run._live.ended.is_set() for run in runs):
            await self._settle()
            due = min(filter(None, (clock.next_due, cancel_at, *(each[0] for each in self._callbacks))), default=None)
            if due is None:
                continue
            clock.advance_to(due)
            if due == cancel_at:
                cancel_at = None
                for run in runs:
                    await run.cancel("Enough.")
            for callback in [each for each in self._callbacks if each[0] == due]:
                self._callbacks.remove(callback)
                await self._env.callback(callback[1], **callback[2])

    async def _settle(self) -> None:
        """Until everything that needs no time is done and durable."""
        quiet = 0
        while quiet < 2:
            commits = self._env._vault.commits
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            await self._env._vault.flush()
            await self._env._vault._backend.commit(Batch())  # commits take turns: those beside the journal are there
            await self._env._vault.run_exists(bytes(16))  # reads take turns: whatever was asked for before is there
            quiet = quiet + 1 if self._env._vault.commits == commits else 0

    async def _recorded(self, run: Any) -> Recorded:
        result = await run.result()
        records = await read_records(self._env._vault, run._id)
        plan = await self._env._library.plan(run._flow_id, run._version)
        ends: list[str] = []
        state = kernel.State(plan, _watch(plan, ends))
        for record in records:
            kernel.apply(plan, state, record)
        return Recorded(Outcome(result, ends), plan, records, await run.export(plaintext=True))


def killed_after(run: Recorded, count: int) -> Outcome:
    """The run as it comes out when the process dies once `count` records are stored, and another one goes on.

    Asserts that the events still to come are of actions that the other process finds under way.
    """
    ends: list[str] = []
    history = _watch(run.plan, ends)
    state = kernel.State(run.plan, history)
    for record in run.records[:count]:
        kernel.apply(run.plan, state, record)
    rest = [record for record in run.records[count:] if record[1] in event.EVENTS and record[1] != event.TICK]
    _tick(run.plan, state)
    for record in rest:
        decided, _ = kernel.decide(run.plan, state, event.event_of(record))
        assert decided[:1] == [record]
        _tick(run.plan, state)
    return Outcome(_shown(state, history), ends)


def folds_as_decided(run: Recorded) -> bool:
    """Whether folding the records gives at every step what deciding gave: the same state, the same things to do."""
    decided, folded = kernel.State(run.plan), kernel.State(run.plan)
    place = 0
    thorough = len(run.records) <= MANY
    while place < len(run.records):
        new, _ = kernel.decide(run.plan, decided, event.event_of(run.records[place]))
        for record in run.records[place : place + len(new)]:
            kernel.apply(run.plan, folded, record)
        place += len(new)
        if thorough or place == len(run.records):
            under_way = {repr(command) for command in kernel.pending(decided)}
            if under_way != {repr(command) for command in kernel.pending(folded)}:
                return False
            if kernel.dump(decided) != kernel.dump(folded):
                return False
    return True


def cuts(run: Recorded) -> list[int]:
    """After how many records a run is killed."""
    count = len(run.records)
    return list(range(1, count + 1)) if count <= MANY else sorted({1 + n * (count - 1) // 20 for n in range(21)})


def _tick(plan: Any, state: Any) -> None:
    if kernel.unfinished(state):
        kernel.decide(plan, state, event.resume())
    while kernel.needs_tick(state):
        kernel.decide(plan, state, event.tick(state.now))


def _watch(plan: Any, ends: list[str]) -> Any:
    known: set[str] = set()

    def changed(entry: Any) -> None:
        if entry.end is not None and entry.path not in known:
            known.add(entry.path)
            ends.append(entry.path)

    return kernel.History(plan, changed)


def _shown(state: Any, history: Any) -> Any:
    return result_of(state, history, run_id=bytes(16), flow="", environment="", version=1)
