"""`sealflow worker`: the process that executes an environment - its unfinished runs, its inbox, its triggers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import options
from ...errors import OK, UsageError
from ...output.writing import note, one_line, paint, printable, say, say_json
from ...session import opened, tell_first_run, wait_for

if TYPE_CHECKING:
    import asyncio

    from ......storage import EnvironmentLocked
    from .....runtime.environment.environment import Environment
    from .....runtime.triggers.triggers import TriggerFiring
    from ....embedded import Engine

_COLOURS = {"Succeeded": "green", "Skipped": "dim"}


def worker(
    environment: options.Environment = "default",
    once: Annotated[
        bool, typer.Option("--once", help="Fire what is due, wait for runs and for work on keys, then exit.")
    ] = False,
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", min=0, help="Time that runs get to finish after a signal.")
    ] = 10.0,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            help="With how many runs in memory to take no more of those that are ready. Default: 1000; with --desktop"
            " how many desktop flows at once, by default as many as the machine group says: 1.",
        ),
    ] = None,
    dedicated: Annotated[
        bool, typer.Option("--dedicated", help="Refuse a keystore with keys of other environments.")
    ] = False,
    desktop: Annotated[
        bool, typer.Option("--desktop", help="Be a machine: execute only desktop flows that wait for one.")
    ] = False,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="NAME", help="With --desktop: only for this machine group. Repeatable."),
    ] = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Execute an environment: fire triggers, resume unfinished runs, and process requests of other commands.

    It works until SIGINT or SIGTERM. Then nothing fires any more, and runs get --grace seconds to end; what is left
    goes on with another worker, or when one starts again. A second signal ends it at once.

    While the environment is locked or suspended it waits: it begins when the key is given and an administrator has
    unlocked the environment, and does not have to be started again. With --once it is refused then.

    Flows reach public addresses only, unless the environment's permissions say otherwise (`sealflow env permissions`).

    An environment in PostgreSQL can have any number of workers, on any number of machines. With --dedicated this
    process can open no other environment: the keystore has to be one that `sealflow key export` has made.

    With --desktop it is a machine of the environment's machine groups (`sealflow machine-group`): it takes the desktop
    flows that wait for one, by priority and then in their order. That needs a store in PostgreSQL; the one worker of a
    store in a file executes desktop flows as well.

    One line for each trigger that fired and each run that ended. With --json these are
    {"event":"fired","flow","version","time","scheduledTime","status","code","runs","message"?} and
    {"event":"ended","run","flow","status"}.

    Exit codes: 0 done, 2 cannot be a machine here, 3 not found, 4 locked or denied (another process executes the
    environment).
    """
    if group and not desktop:
        raise UsageError("--group goes with --desktop.")
    if once and desktop:
        raise UsageError("--once fires triggers, which a machine does not.", hint="Leave out --once, or --desktop.")
    machine = tuple(group or ()) if desktop else None
    return wait_for(_work(home, environment, _Log(json), grace, once, concurrency, dedicated, machine))


class _Log:
    """What the worker tells, as it happens."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def begin(self, environment: str) -> None:
        text = f"executing the environment {one_line(environment)}; Ctrl-C ends it"
        (note if self._as_json else say)(text)

    def begin_as_machine(self, environment: str, groups: Sequence[str]) -> None:
        what = ", ".join(map(one_line, groups))
        text = f"executing desktop flows of {what} in the environment {one_line(environment)}; Ctrl-C ends it"
        (note if self._as_json else say)(text)

    def waiting(self, error: EnvironmentLocked) -> None:
        note(f"{printable(error.message)} The worker waits.")
        if error.hint:
            note(f"  next: {printable(error.hint)}")

    def fired(self, fired: TriggerFiring) -> None:
        told = fired.told
        if self._as_json:
            say_json({"event": "fired", "flow": fired.flow, "version": fired.version, **told})
        elif told["status"] != "Skipped" or told["code"] not in ("Accepted", "TriggerConditionNotMet"):
            # A poll without news is told to programs only.
            status = paint(told["status"], _COLOURS.get(told["status"], "red"))
            runs = f", {_count(len(told['runs']))}" if told["runs"] else ""
            more = f": {one_line(told['message'])}" if "message" in told else ""
            say(f"{told['time'][11:19]} {one_line(fired.flow)} fired: {status} {one_line(told['code'])}{runs}{more}")

    def ended(self, run: str, flow: str, status: str) -> None:
        if self._as_json:
            say_json({"event": "ended", "run": run, "flow": flow, "status": status})
        else:
            say(f"run {run} of {one_line(flow)} ended: {paint(status, _COLOURS.get(status, 'red'))}")


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


async def _work(
    home: Path | None,
    where: str,
    log: _Log,
    grace: float,
    once: bool,
    concurrency: int | None,
    dedicated: bool,
    machine: tuple[str, ...] | None,
) -> int:
    async with opened(home, resume=True, concurrency=concurrency, machine=machine, egress_default="public") as engine:
        if dedicated:
            await engine.dedicate(where)
        if once:
            env = await engine.environment(where, create=False)
            tell_first_run(engine)
            await env.fire_due(fired=log.fired, ended=log.ended)
            await env.keys.finish()
            return OK
        with _signals() as told:
            given = await _given(engine, where, log, told)
            if given is None:
                return OK
            tell_first_run(engine)
            await given.watch_triggers(fired=log.fired, ended=log.ended)
            if machine is None:
                log.begin(given.name)
            else:
                log.begin_as_machine(given.name, given.machines.names(machine))
            await told.get()
            await _drain(given, grace, told)
    return OK


async def _given(engine: Engine, where: str, log: _Log, told: asyncio.Queue[None]) -> Environment | None:
    """The environment as soon as its key is given; None where a signal comes first."""
    import asyncio

    opening = asyncio.ensure_future(engine.wait_until_unlocked(where, told=log.waiting))
    signal = asyncio.ensure_future(told.get())
    try:
        await asyncio.wait((opening, signal), return_when=asyncio.FIRST_COMPLETED)
        return None if signal.done() else opening.result()
    finally:
        for each in (opening, signal):
            each.cancel()
        await asyncio.gather(opening, signal, return_exceptions=True)


async def _drain(env: Environment, grace: float, told: asyncio.Queue[None]) -> None:
    """Let what goes on come to its end: for `grace` seconds, or until a second signal."""
    import asyncio

    await env.stop_triggers()
    note("ending; a second signal ends it at once")
    work = [asyncio.ensure_future(env.idle(sleeping=False)), asyncio.ensure_future(told.get())]
    await asyncio.wait(work, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    for each in work:
        each.cancel()
    await asyncio.gather(*work, return_exceptions=True)


@contextmanager
def _signals() -> Iterator[asyncio.Queue[None]]:
    """A queue that gets an item with each SIGINT and SIGTERM."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    told: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.put_nowait, None)
    try:
        yield told
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
