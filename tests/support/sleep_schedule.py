"""Flows that sleep, and an order of events drawn from a seed that comes between any two steps of falling asleep and
waking: waits, children, callbacks, cancels, watchers. What has to come of each run is known beforehand.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import sealflow
from cli_session import compose, wait
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.engine.runtime.observe.run import Run

START = 17_000_000_000_000_000
S = ["Succeeded"]
MOST_STEPS = 12
"""Of a minute each, in which all runs end."""
ANSWER = {"type": "Response", "inputs": {"statusCode": 200, "body": "answer"}, "runAfter": {"w": S}}
NESTED = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": "child"}}}}
HOOK = {"method": "POST", "uri": "https://example.org/hooks", "body": {"url": "@listCallbackUrl()"}}


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


FLOWS = {
    "child": flow(w=wait(60), r=ANSWER, w2=wait(60, "r")),
    "waits": flow(w=wait(60), v=wait(60, "w"), c=compose("@utcNow()", "v")),
    # Its own waits end when the children answer; two children, so that one is told while the other is being read.
    "parent": flow(w=wait(60), n=NESTED, m={**NESTED}, v=wait(60, "w"), c=compose("@body('n')", "n")),
    "hook": flow(h={"type": "HttpWebhook", "inputs": {"subscribe": HOOK}, "limit": {"timeout": "PT2M"}}, w=wait(60)),
}


async def _service(call: sealflow.Call) -> Any:
    return sealflow.ConnectorResponse(200, {}, None)


class Schedule:
    """One environment, its flows and an order of events, drawn from a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.clock = sealflow.VirtualClock(START)
        self.expected: dict[str, str] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Environment]:
        home, keys = self.folder / "home", self.folder / "k" / "k.json"
        async with sealflow.open(home, keystore=keys, clock=self.clock) as engine:
            engine.connectors.register("http", _service)
            env = await engine.environment("env")
            await env._execute()
            self._disturb(env)
            yield env

    def _disturb(self, env: Environment) -> None:
        """Let what is read of the store take as many turns of the loop as chance has it."""
        executor = env._executor
        assert executor is not None
        vault = executor.vault
        for holder, name in (
            (vault.workers, "claim"), (vault.workers, "next_wake"), (vault, "run_exists"), (vault, "open_run"),
        ):  # fmt: skip
            setattr(holder, name, self._slow(getattr(holder, name)))

    def _slow(self, work: Callable[..., Any]) -> Callable[..., Any]:
        async def slow(*arguments: Any, **named: Any) -> Any:
            await self.turns(self.chance.choice((0, 1, 8)))
            found = await work(*arguments, **named)
            await self.turns(self.chance.choice((0, 1, 8, 30)))
            return found

        return slow

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def play(self, env: Environment, runs: dict[str, Run]) -> None:
        """Some events, one upon the other."""
        chance, watchers = self.chance, []
        for _ in range(12):
            run_id = chance.choice(list(runs))
            act = chance.randrange(6)
            if act == 0:
                watchers.append(asyncio.ensure_future(runs[run_id].wait()))
            elif act == 1 and watchers:
                watchers.pop(chance.randrange(len(watchers))).cancel()
            elif act == 2 and self.expected[run_id] != "Cancelled" and await self._cancel(runs[run_id]):
                self.expected[run_id] = "Cancelled"
            elif act == 3 and (urls := await runs[run_id].callbacks()):
                url = chance.choice(list(urls.values()))
                answers = await asyncio.gather(env.callback(url), env.callback(url), env.callback(url[:-1] + "x"))
                assert sum(each.status == 200 for each in answers) <= 1
                if any(each.status == 200 for each in answers):
                    self.expected[run_id] = "Succeeded"
            elif act == 4:
                self.clock.advance(chance.choice((1, 29, 31)) * SECOND)
            await self.turns(chance.choice((0, 0, 1, 5, 40)))
        for each in watchers:
            each.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)

    async def _cancel(self, run: Run) -> bool:
        return self.chance.random() < 0.3 and await run.cancel()


async def statuses(env: Environment) -> dict[str, str]:
    return {run.id: run.status for run in await env.runs(limit=200)}


async def settled(env: Environment, clock: sealflow.VirtualClock) -> None:
    """Nothing happens any more as long as the clock stands still."""
    executor, quiet = env._executor, 0
    assert executor is not None
    while quiet < 4:
        commits = env._vault.commits
        for _ in range(60):
            await asyncio.sleep(0)
        await env._vault.flush()
        next_wake = await executor.vault.workers.next_wake()
        over = next_wake is None or next_wake > clock.now() // 10_000
        work = executor.key_work._task
        busy = (
            (work is not None and not work.done())
            or executor.background.busy
            or executor.claims._looks
            or executor.claims._turn.locked()
            or executor.recovery._resuming
        )
        still = over and not busy and env._vault.commits == commits
        quiet = quiet + 1 if still else 0


def lost(folder: Path, live: Collection[bytes]) -> list[str]:
    """Runs in no memory that were told something, or are ready, and that nobody looks at."""
    found = []
    for store in folder.rglob("store.db"):
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            query = "SELECT run_id FROM runs WHERE ended_ms IS NULL AND wake_ms <= 0"
            found += [run_id.hex() for (run_id,) in connection.execute(query) if run_id not in live]
    return found
