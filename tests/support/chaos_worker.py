"""The processes of the chaos harness that die: one that executes an environment, and clients that ask it for something.

    python chaos_worker.py

A process that has imported everything and forks itself for each life. Lines of JSON on stdin, one answer each on
stdout: a `Life` starts one and answers with its process id; {"reap": PID} answers with its exit code, with minus the
number of the signal that ended it, or with null while it lives.

What a life did that the outside knows of stands in one file, a line of JSON each, written in one go before anything
else happens: `effect` is a call that arrived, `ack` what the engine acknowledged, `ready` when a life is at work.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import sealflow
from chaos_flows import body_of
from chaos_keys import do_work
from sealflow.connectors import ConnectorResponse, Subscribed
from sealflow.engine.errors import Denied
from sealflow.storage import EnvironmentLocked, ExecutorLost, StoreBusy, StoreClosed, StoreGone, StoreUnreachable

ENVIRONMENT = "chaos"
_PR_SET_PDEATHSIG = 1
RETRY_AFTER = 0.05
"""Seconds after which a life that is not the executor asks for the role again."""


@dataclass(frozen=True)
class Life:
    """What one process does. `death`: [what, "before" or "after", number], at which commit or call of its own it dies.

    `starts` are flows and numbers, `callbacks` addresses with bodies, `cancels` run ids, `disables` flows. `executes`:
    it takes the executor's role and stays; else it ends when it has done what it was asked for. `base` and `rate` make
    its clock.
    `lease`: seconds of an executor's lease in PostgreSQL. `works`: what is done to keys and place, see `chaos_keys`.
    """

    number: int
    home: str
    keystore: str
    log: str
    errors: str
    base: int
    rate: int
    seed: int
    executes: bool
    starts: list[tuple[str, int]] = field(default_factory=list)
    callbacks: list[tuple[str, Any]] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    disables: list[str] = field(default_factory=list)
    death: tuple[str, str, int] | None = None
    lease: float = 0.0
    works: list[str] = field(default_factory=list)
    places: list[str | None] = field(default_factory=list)


class Fast:
    """The machine's clock, `rate` times as fast since `base` (ticks), the same in all processes."""

    def __init__(self, base: int, rate: int) -> None:
        self._base = base
        self._rate = rate

    def now(self) -> int:
        return self._base + (time.time_ns() // 100 - self._base) * self._rate

    async def sleep_until(self, due: int) -> None:
        while (left := due - self.now()) > 0:
            await asyncio.sleep(min(left / 1e7 / self._rate, 1.0))


class Teller(Protocol):
    """Takes what happened, before anything else does."""

    def tell(self, what: str, **more: Any) -> None: ...


class Told:
    """The file that outlives its writers. A line is there whole or not at all."""

    def __init__(self, life: Life) -> None:
        self._life = life.number
        self._file = os.open(life.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(self, what: str, **more: Any) -> None:
        at = round(time.time(), 3)
        line = json.dumps({"what": what, "life": self._life, "at": at, **more}, sort_keys=True) + "\n"
        os.write(self._file, line.encode())


class Countdown:
    """Dies right before or after the number of times that it was told."""

    def __init__(self, life: Life, what: str) -> None:
        named = life.death is not None and life.death[0] == what
        self._moment, self._left = (life.death[1], life.death[2]) if named and life.death is not None else ("", 0)

    def before(self) -> None:
        self._left -= 1
        self._die("before")

    def after(self) -> None:
        self._die("after")

    def _die(self, moment: str) -> None:
        if self._left == 0 and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


class Losses(logging.Handler):
    """Tells when this process was taken for dead: what it had was taken over, and may be done twice then; and when it
    has the environment open again, after a move: what it does from then on, it has claimed anew.
    """

    def __init__(self, told: Teller) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "taken over" in message or "ExecutorLost" in message:
            self._told.tell("lost")
        elif "is open again" in message:
            self._told.tell("reopened")


class Outside:
    """The services that the flows call. What they answer depends on the call alone: who asks twice learns no more."""

    def __init__(self, life: Life, told: Teller) -> None:
        self._told = told
        self._chance = random.Random(life.seed)
        self._death = Countdown(life, "call")

    async def __call__(self, call: sealflow.Call) -> Any:
        inputs: Any = call.inputs
        self._death.before()
        self._told.tell(
            "effect",
            key=call.key,
            path=call.path,
            attempt=call.attempt,
            inputs=inputs["parameters"],
            **({"url": call.callback_url} if call.operation == "subscribe" else {}),
        )
        self._death.after()
        await asyncio.sleep(self._chance.random() / 100)  # for a death while the answer is on its way
        match call.operation:
            case "third" if call.attempt < 3:
                return ConnectorResponse(503)
            case "refused":
                return ConnectorResponse(400)
            case "subscribe":
                return Subscribed({"ticket": 1})
        return inputs["parameters"]


def count_commits(life: Life) -> None:
    """Die at a commit, if this life does."""
    countdown = Countdown(life, "commit")
    from sealflow.storage.backends.sqlite import SQLiteBackend

    real = SQLiteBackend._commit

    def commit(self: SQLiteBackend, connection: sqlite3.Connection, batch: Any) -> list[int]:
        countdown.before()
        numbers = real(self, connection, batch)
        countdown.after()
        return numbers

    SQLiteBackend._commit = commit  # type: ignore[method-assign]
    with suppress(ImportError):
        from sealflow.storage.backends.postgres import PostgresBackend

        real_postgres = PostgresBackend.commit

        async def commit_postgres(self: PostgresBackend, batch: Any) -> list[int]:
            countdown.before()
            numbers = await real_postgres(self, batch)
            countdown.after()
            return numbers

        PostgresBackend.commit = commit_postgres  # type: ignore[method-assign]


def shorten_lease(seconds: float) -> None:
    """A dead executor in PostgreSQL is missed after so many seconds."""
    from sealflow.storage.backends.postgres import PostgresBackend

    defaults = PostgresBackend.open.__func__.__kwdefaults__  # type: ignore[attr-defined]
    if "lease_seconds" not in defaults:
        raise AssertionError("the length of a lease cannot be set any more")
    defaults["lease_seconds"] = seconds


def lengthen_grace(rate: int) -> None:
    """A recurrence is missed after a minute of the machine: no outage of the harness lasts so long."""
    from sealflow.engine.runtime.triggers import triggers

    triggers.GRACE *= rate  # type: ignore[misc]


async def live(life: Life) -> None:
    """One life, to its end if nobody kills it."""
    told = Told(life)
    lengthen_grace(life.rate)
    logging.getLogger("sealflow").addHandler(Losses(told))
    count_commits(life)
    if life.lease:
        shorten_lease(life.lease)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clock = Fast(life.base, life.rate)
    async with sealflow.open(life.home, keystore=life.keystore, clock=clock, create=False) as engine:
        outside = Outside(life, told)
        engine.connectors.register("outside", outside)
        engine.connectors.register("once", outside, recovery="never")
        if life.works:
            await do_work(engine, ENVIRONMENT, life.works, life.places, told)
            return
        env = await opened(engine)
        if life.executes:
            while not stop.is_set():
                try:
                    await env.watch_triggers()
                    break
                except Denied:  # a client is the executor just now, or the one before is not missed yet
                    pass
                except ExecutorLost:  # taken for dead before it had begun
                    told.tell("lost")
                except (EnvironmentLocked, StoreClosed, StoreGone):  # it is being moved
                    pass
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_AFTER)
        told.tell("ready")
        for act in asked(env, life, told):
            try:
                await act
            except ExecutorLost:  # nothing is acknowledged; who asks again is heard again
                told.tell("lost")
            except (EnvironmentLocked, StoreBusy, StoreClosed, StoreGone):  # the same, while the environment is moved
                pass
        if life.executes:
            await stop.wait()


def asked(env: sealflow.Environment, life: Life, told: Teller) -> Iterator[Coroutine[Any, Any, None]]:
    """What this life was asked to do, one after the other; each tells what was acknowledged."""

    async def start(flow: str, number: int) -> None:
        (run,) = await env.start(flow, body_of(number))
        told.tell("ack", act="start", flow=flow, number=number, run=run.id)

    async def call_back(url: str, body: Any) -> None:
        delivery = await env.callback(url, body=body)
        told.tell("ack", act="callback", url=url, status=delivery.status)

    async def cancel(run_id: str) -> None:
        done = await (await env.run(run_id)).cancel("enough")
        told.tell("ack", act="cancel", run=run_id, done=done)

    async def disable(flow: str) -> None:
        await env.disable(flow)
        told.tell("ack", act="disable", flow=flow)

    for flow, number in life.starts:
        yield start(flow, number)
    for url, body in life.callbacks:
        yield call_back(url, body)
    for run_id in life.cancels:
        yield cancel(run_id)
    for flow in life.disables:
        yield disable(flow)


async def opened(engine: sealflow.Engine) -> sealflow.Environment:
    """The environment. A process that starts while the database server is down ends, and is started again."""
    while True:
        try:
            return await engine.environment(ENVIRONMENT, create=False)
        except (StoreUnreachable, EnvironmentLocked):
            await asyncio.sleep(RETRY_AFTER)


def die_with(parent: int) -> None:
    """Have this process killed when the one that forked it is gone, however that came (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def child(life: Life, parent: int) -> NoReturn:
    die_with(parent)
    code = 70
    logging.basicConfig(filename=life.errors, level=logging.WARNING, format=f"life {life.number}: %(message)s")
    try:
        asyncio.run(live(life))
        code = 0
    except BaseException:
        with open(life.errors, "a", encoding="utf-8") as file:
            file.write(f"life {life.number}:\n{traceback.format_exc()}\n")
    finally:
        os._exit(code)


def serve() -> None:
    """Fork lives until stdin ends; then nobody lives any longer."""
    alive: set[int] = set()
    parent = os.getpid()
    for line in sys.stdin:
        request = json.loads(line)
        answer: int | None
        if "reap" in request:
            pid, status = os.waitpid(request["reap"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
            if pid:
                alive.discard(pid)
        else:
            answer = os.fork()
            if not answer:
                child(Life(**request), parent)
            alive.add(answer)
        print(json.dumps(answer), flush=True)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def load() -> None:
    """Import what lives import late."""
    import encodings.idna  # noqa: F401
    from importlib import import_module

    for name in ("hosts.embedded", "runtime.environment.environment", "runtime.triggers.scheduler"):
        import_module(f"sealflow.engine.{name}")
    import_module("sealflow.storage.backends.sqlite")
    with suppress(ImportError):
        import_module("sealflow.storage.backends.postgres")


if __name__ == "__main__":
    load()
    print("null", flush=True)
    serve()
