"""Chaos: a mixed load on one environment whose processes are killed at random moments, again and again.

Each round is a life: a process takes the executor's role, brings back what was under way, starts runs, and dies by
kill -9 at a moment that the seed chose - at any time, right before or after one of its commits, or when one of its
calls arrives at the outside. Some are asked to end instead, and hand over; where there are several workers, some are
stopped for longer than their lease and wake up when others have taken over. Beside it clients start runs, call back and
cancel through the store; some of them die too. In the end somebody lives long enough for every run to end, and the
oracle says what does not hold.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import sealflow
from chaos_flows import KINDS, STARTED, decision_of
from chaos_keys import MOVE
from chaos_observer import Observer, another_database
from chaos_oracle import FINAL, GRACE, Memory, Seen, late_calls, missed_occurrences, problems
from chaos_reading import everything, unfinished
from chaos_worker import ENVIRONMENT, Fast, Life

WORKER: Final = Path(__file__).with_name("chaos_worker.py")
RATE: Final = 80
"""How much faster the time of the flows passes than that of the machine."""
LONGEST_LIFE: Final = 1.5
"""Seconds after which a life that has not met its moment is killed."""
LEASE: Final = 1.0
"""Seconds of an executor's lease in PostgreSQL: so long it takes until a dead one is missed."""
STALL: Final = 2.0
"""For so many leases a worker is stopped that is to be taken for dead."""
POLL: Final = 0.004


class Server(Protocol):
    """The database server, where there is one."""

    @property
    def url(self) -> str: ...
    def halt(self, how: str = "immediate") -> None: ...
    def start(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """`runs`: nothing is started while so many are unfinished. `patience`: seconds that the end may take.

    `restarts`: after so many lives the database server is killed, where there is one; 0 is never. `stops`: how many
    workers are at least stopped for longer than their lease. `works`: what is done to keys and place meanwhile, again
    and again, see `chaos_keys`.
    """

    kills: int
    seed: int = 1
    runs: int = 60
    workers: int = 1
    restarts: int = 0
    patience: float = 120.0
    stops: int = 0
    works: tuple[str, ...] = ()


@dataclass
class Report:
    """What came of it. `problems` is empty where everything holds. `missed` counts occurrences of the recurrence that
    nobody executed for, until they were later than the grace.
    """

    kills: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    stalls: int = 0
    restarts: int = 0
    runs: int = 0
    effects: int = 0
    repeated: int = 0
    lost: int = 0
    actions: int = 0
    callbacks: int = 0
    occurrences: int = 0
    missed: int = 0
    late: int = 0
    works: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        counted = {"works": dict(sorted(self.works.items())), "refused": dict(sorted(self.refused.items()))}
        return asdict(self) | counted | {"kills": sum(self.kills.values()), "by": dict(sorted(self.kills.items()))}


class Nursery:
    """The process that forks lives."""

    def __init__(self, output: Path) -> None:
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
            )
        self._answer()

    def begin(self, life: Life) -> int:
        return int(self._ask(asdict(life)))

    def reap(self, pid: int) -> int | None:
        """How it ended, None while it lives."""
        code = self._ask({"reap": pid})
        return None if code is None else int(code)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks lives has ended")
        return json.loads(line)


@dataclass
class Alive:
    """A process of this moment. `due`: when it is killed at the latest; `gentle`: when it is asked to end.

    `stalls`: when it is due, it is stopped first, and killed some time after it has gone on. `asleep` while it is.
    """

    pid: int
    life: Life
    due: float
    gentle: bool
    stalls: bool = False
    asleep: bool = False

    @property
    def moment(self) -> str:
        return f"{self.life.death[1]} a {self.life.death[0]}" if self.life.death is not None else "at any time"


class Chaos:
    """One environment and everything that happens to it. `progress` is told how many have died and what is left."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        *,
        server: Server | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.plan = plan
        self.report = Report()
        self.memory = Memory()
        self._server = server
        self._progress = progress if progress is not None else lambda died, left: None
        self._home, self._keystore = folder / "home", folder / "keys" / "keystore.json"
        self._log, self._errors, self._memory = folder / "told", folder / "errors", folder / "memory"
        self._log.touch()
        self._errors.touch()
        self._read = 0
        self._base = time.time_ns() // 100
        self._chance = random.Random(plan.seed)
        self._lives = 0
        self._numbers = 0
        self._left = 0
        self._last: list[Alive] = []
        self._callbacks: dict[str, int] = {}
        self._cancels: set[str] = set()
        self._nursery = Nursery(self._errors)
        self._keeper: Alive | None = None
        self._works = -1
        self._places: list[str | None] = []

    def run(self) -> Report:
        """All of it: the load, the deaths, the end, the judgement."""
        began = time.monotonic()
        with asyncio.Runner() as runner:
            try:
                runner.run(self._prepare())
                observer = Observer(self._open)
                try:
                    self._kill_again_and_again(lambda: runner.run(observer.does(self._look)))
                    self._let_everything_end(lambda: runner.run(observer.does(self._look)))
                    self._settle(lambda: runner.run(observer.does(self._settled)))
                    self._judge(runner.run(observer.does(everything)), runner.run(observer.verified()))
                finally:
                    runner.run(observer.close())
            finally:
                self._nursery.close()
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    # ---- the store, as a process sees it that executes nothing

    async def _prepare(self) -> None:
        database = self._server.url if self._server is not None else None
        async with sealflow.open(self._home, keystore=self._keystore, clock=Fast(self._base, RATE)) as engine:
            await engine.create_environment(ENVIRONMENT, database=database)
            env = await engine.environment(ENVIRONMENT)
            for name, kind in KINDS.items():
                await env.deploy(name, kind.definition)
        self._places = [database]
        if MOVE in self.plan.works and self._server is not None:
            self._places.append(await another_database(self._server.url))

    async def _open(self) -> tuple[sealflow.Engine, sealflow.Environment]:
        clock = Fast(self._base, RATE)
        engine = sealflow.open(self._home, keystore=self._keystore, clock=clock, create=False, resume=False)
        await engine.__aenter__()
        try:
            return engine, await engine.environment(ENVIRONMENT, create=False)
        except BaseException:
            await engine.close()
            raise

    async def _look(self, env: sealflow.Environment) -> None:
        """What is durable now, of all that has not ended."""
        self._take_in()
        stand = await unfinished(env)
        self._take_in()  # what had reached the outside before it was durable
        self.memory.look(stand)
        self._left = len(stand)
        for run in stand:
            if run.flow == "cancelled" and any(action["path"] == "/forever" for action in run.actions):
                self._cancels.add(run.run)

    def _take_in(self) -> None:
        """Read what was told since."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        for line in map(json.loads, lines):
            self.memory.told.append(line)
            if "url" in line and line["what"] == "effect":
                self._callbacks[line["url"]] = line["inputs"]["n"]
            elif line["what"] == "ack" and line["act"] == "callback":
                self._callbacks.pop(line["url"], None)
            elif line["what"] == "ack" and line["act"] == "cancel":
                self._cancels.discard(line["run"])

    # ---- lives

    def _begin(self, *, executes: bool, mortal: bool = True, disables: tuple[str, ...] = ()) -> Alive:
        chance = self._chance
        self._lives += 1
        room = mortal and self._left < self.plan.runs
        starts = [(chance.choice(STARTED), self._next()) for _ in range(chance.randint(1, 5))] if room else []
        lease = LEASE if self._server is not None else 0.0
        due = chance.uniform(0.0, 0.6 + 1.5 * lease)
        death: tuple[str, str, int] | None = None
        if executes and mortal and chance.random() < 0.6:
            what = chance.choice(("commit", "call"))
            death = (what, chance.choice(("before", "after")), chance.randint(1, 15))
            due = LONGEST_LIFE + lease
        life = Life(
            number=self._lives,
            home=str(self._home),
            keystore=str(self._keystore),
            log=str(self._log),
            errors=str(self._errors),
            base=self._base,
            rate=RATE,
            seed=chance.getrandbits(32),
            executes=executes,
            starts=starts,
            callbacks=[] if executes else [(url, decision_of(number)) for url, number in self._callbacks.items()],
            cancels=[] if executes else sorted(self._cancels),
            disables=list(disables),
            death=death,
            lease=lease,
        )
        gentle = executes and death is None and chance.random() < 0.2
        unbound = executes and mortal and death is None and not gentle
        wanted = 0.8 if self.report.stalls < self.plan.stops else 0.3
        stalls = unbound and self.plan.workers > 1 and chance.random() < wanted
        return Alive(self._nursery.begin(life), life, time.monotonic() + due, gentle, stalls)

    def _keep(self) -> None:
        """Have one process at work on keys or place, as long as it lives; some are killed in the middle."""
        unmoved = False
        if self._keeper is not None:
            code = self._nursery.reap(self._keeper.pid)
            if code is None and time.monotonic() < self._keeper.due:
                return
            if code is None:
                unmoved = self._keeper.life.works == [MOVE]
                self._kill(self._keeper, 0)
            else:
                self._check(self._keeper, code, 0)
            self._keeper = None
        works = [work for work in self.plan.works if work != MOVE or len(self._places) > 1]
        if works:
            if not unmoved:  # until a move that was killed is continued, the environment is locked
                self._works += 1
            work = works[self._works % len(works)]
            due = self._chance.uniform(0.2, 2.0) if self._chance.random() < 0.3 else self.plan.patience
            self._keeper = self._begin_work(work, due)

    def _begin_work(self, work: str, due: float) -> Alive:
        self._lives += 1
        life = Life(
            number=self._lives, home=str(self._home), keystore=str(self._keystore), log=str(self._log),
            errors=str(self._errors), base=self._base, rate=RATE, seed=1, executes=False,
            lease=LEASE if self._server is not None else 0.0, works=[work], places=self._places,
        )  # fmt: skip
        return Alive(self._nursery.begin(life), life, time.monotonic() + due, gentle=False)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _kill_again_and_again(self, look: Callable[[], None]) -> None:
        alive = [self._begin(executes=True) for _ in range(self.plan.workers)]
        died = 0
        while died < self.plan.kills or self.report.stalls < self.plan.stops:
            self._keep()
            client = self._begin(executes=False) if self._chance.random() < 0.5 else None
            mortal = client is not None and self._chance.random() < 0.3
            if self.plan.restarts and died % self.plan.restarts == self.plan.restarts - 1 and self._server is not None:
                self._server.halt("immediate")
                self._server.start()
                self.report.restarts += 1
            dead = self._first_dead(alive)
            if dead.gentle:
                self.report.stops += 1
            else:
                self.report.kills[dead.moment] += 1
                died += 1
            if client is not None and mortal:
                self._kill(client, 0)
            elif client is not None:
                self._await(client, 0)
            look()
            if not dead.gentle:
                self._progress(died, self._left)
            alive[alive.index(dead)] = self._begin(executes=True)
        for each in alive:
            self._kill(each)
        if self._keeper is not None:
            self._kill(self._keeper, 0)
            self._keeper = None

    def _first_dead(self, alive: list[Alive]) -> Alive:
        """Wait until one of them has died, by itself or because its time is over."""
        while True:
            for each in alive:
                code = self._nursery.reap(each.pid)
                if code is None and time.monotonic() >= each.due:
                    if self._stalls(each):
                        continue
                    if each.gentle:
                        self._stop(each)
                    else:
                        self._kill(each)
                    return each
                if code is not None:
                    self._check(each, code, -signal.SIGKILL)
                    return each
            time.sleep(POLL)

    def _stalls(self, process: Alive) -> bool:
        """Stop a process for longer than its lease, or let it go on; False where neither is to be done."""
        if process.stalls:
            self.report.stalls += 1
            os.kill(process.pid, signal.SIGSTOP)
            self._take_in()  # what was told before comes before
            # It may die before it learns of it.
            told = {"what": "lost", "life": process.life.number, "at": round(time.time(), 3), "stopped": True}
            self.memory.told.append(told)
            process.stalls, process.asleep = False, True
            process.due = time.monotonic() + STALL * process.life.lease
        elif process.asleep:
            os.kill(process.pid, signal.SIGCONT)
            process.asleep = False
            process.due = time.monotonic() + process.life.lease
        else:
            return False
        return True

    def _kill(self, process: Alive, *others: int) -> None:
        """Kill it. It may have ended before with one of the `others`."""
        os.kill(process.pid, signal.SIGKILL)
        self._await(process, -signal.SIGKILL, *others)

    def _stop(self, process: Alive) -> None:
        """Ask it to end: it hands over what it has."""
        os.kill(process.pid, signal.SIGTERM)
        self._await(process, 0, -signal.SIGTERM)  # it may not have got as far as to listen

    def _await(self, process: Alive, *codes: int) -> None:
        """Wait for its end, which is to be one of these."""
        end = time.monotonic() + self.plan.patience
        while (code := self._nursery.reap(process.pid)) is None:
            if time.monotonic() > end:
                os.kill(process.pid, signal.SIGKILL)
                end += self.plan.patience
            time.sleep(POLL)
        self._check(process, code, *codes)

    def _check(self, process: Alive, code: int, *codes: int) -> None:
        self.memory.told.append({"what": "ended", "life": process.life.number, "at": round(time.time(), 3)})
        if code not in codes:
            self.report.problems.append(f"the life {process.life.number} ended with {code}: {self._said()}")

    def _said(self) -> str:
        return self._errors.read_text("utf-8", "replace")[-400:]

    def _given_up(self, lost: set[int]) -> list[str]:
        """Runs that a life could not bring back, one apart that was taken for dead."""
        found = []
        for line in self._errors.read_text("utf-8", "replace").splitlines():
            life, _, said = line.removeprefix("life ").partition(":")
            if said.endswith((": EnvironmentLocked", ": StoreClosed", ": StoreGone")):
                continue  # the environment was being moved
            if "cannot be resumed" in said and not (life.isdigit() and int(life) in lost):
                found.append(line)
        return found

    # ---- the end

    def _let_everything_end(self, look: Callable[[], None]) -> None:
        """The last life is not killed. Nothing more fires, and whoever waits to be asked is asked."""
        if len(self._places) > 1:  # a move that was killed is continued, or given up
            self._await(self._begin_work(MOVE, self.plan.patience), 0)
        last = [self._begin(executes=True, mortal=False) for _ in range(self.plan.workers)]
        end = time.monotonic() + self.plan.patience
        while not self.memory.acks("disable") and time.monotonic() < end:
            self._await(self._begin(executes=False, mortal=False, disables=("tick",)), 0)
            self._take_in()
        quiet = 0
        while quiet < 2:  # a request of a client may still lie in the inbox
            if time.monotonic() > end:
                self.report.problems.append(f"{self._left} runs have not ended after {self.plan.patience:.0f} s")
                break
            look()
            self._progress(self.plan.kills, self._left)
            if self._callbacks or self._cancels:
                self._await(self._begin(executes=False, mortal=False), 0)
            quiet = quiet + 1 if not (self._left or self._callbacks or self._cancels) else 0
            time.sleep(0.3)
        self._last = last

    def _settle(self, settled: Callable[[], bool]) -> None:
        """Let the work on keys end that is on record, and then those who do it."""
        end = time.monotonic() + self.plan.patience
        while not settled():
            if time.monotonic() > end:
                self.report.problems.append("work on keys has not ended")
                break
            time.sleep(0.3)
        for each in self._last:
            self._stop(each)

    async def _settled(self, env: sealflow.Environment) -> bool:
        return all(each.status != "Running" for each in await env.keys.operations())

    def _judge(self, runs: list[Seen], findings: list[str]) -> None:
        self._take_in()
        self._memory.write_text("".join(json.dumps(line) + "\n" for line in self.memory.told), "utf-8")
        self.report.problems += findings
        for line in self.memory.told:
            if line["what"] == "ack" and line["act"] in self.plan.works:
                self.report.works[line["act"]] += 1
            elif line["what"] == "refused":
                self.report.refused[f"{line['act']}: {line['code']}"] += 1
        self.report.late = len(late_calls(self.memory))
        report, effects = self.report, self.memory.effects
        report.problems += problems(self.memory, runs, grace=GRACE * RATE)
        report.callbacks = len(self.memory.acks("callback"))
        report.occurrences, report.missed = sum(run.flow == "tick" for run in runs), missed_occurrences(runs)
        lost = {line["life"] for line in self.memory.told if line["what"] == "lost"}
        report.problems += self._given_up(lost)
        report.runs, report.effects = len(runs), len(effects)
        report.lost = len(lost)
        report.repeated = len(effects) - len({(effect["key"], effect["attempt"]) for effect in effects})
        report.actions = sum(action["status"] in FINAL for run in runs for action in run.actions)
