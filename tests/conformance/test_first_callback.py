"""The first callback that any process accepts for an action counts, and every other one is answered 410: on SQLite and
on PostgreSQL, whichever process executes the run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import sealflow
from postgres_server import shared_server
from sealflow.connectors import ConnectorResponse
from sealflow.engine.runtime.calls.callback_deliveries import Deliveries
from sealflow.engine.runtime.environment import executor as executor_module
from sealflow.engine.runtime.environment.environment import Environment
from sealflow.storage import StoreFull
from sealflow.storage.stores.inbox.callbacks import CallbackInbox
from thorough import LONG

START = 17_000_000_000_000_000
DAY = 864_000_000_000
RUNS = 200 if LONG else 6


def hook(**more: Any) -> dict[str, Any]:
    request = {"method": "POST", "uri": "https://example.org/hooks", "body": "@listCallbackUrl()"}
    actions = {
        "w": {"type": "HttpWebhook", "inputs": {"subscribe": request}, **more},
        "told": {"type": "Compose", "inputs": "@body('w')", "runAfter": {"w": ["Succeeded"]}},
    }
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


async def _subscribed(call: sealflow.Call) -> ConnectorResponse:
    return ConnectorResponse(202, {}, None)


class Processes:
    """Engines on one store, each of which stands for a process; the first one executes what it starts."""

    def __init__(self, folder: Path, url: str | None, open_engines: AsyncExitStack) -> None:
        self._folder = folder
        self._url = url
        self._open = open_engines
        self.clock = sealflow.VirtualClock(START)

    async def open(self, **options: Any) -> Environment:
        engine = sealflow.open(
            self._folder / "home", keystore=self._folder / "keys" / "k.json", clock=self.clock, **options
        )
        await self._open.enter_async_context(engine)
        engine.connectors.register("http", _subscribed)
        if self._url is not None and not [each for each in await engine.environments() if each.name == "env"]:
            await engine.create_environment("env", database=self._url)
        return await engine.environment("env")


@pytest.fixture(params=["sqlite", "postgres"])
async def processes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Processes]:
    url = None if request.param == "sqlite" else shared_server().url
    async with AsyncExitStack() as stack:
        yield Processes(tmp_path, url, stack)


@pytest.fixture
def inbox_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process looks into its inbox by itself."""

    async def nothing(executor: object) -> int:
        return 0

    monkeypatch.setattr(executor_module, "take_inbox", nothing)


async def waiting(env: Environment, definition: dict[str, Any] | None = None) -> tuple[Any, str]:
    """A run that stays in this process while it waits, and its callback URL."""
    executor = await env._execute()
    if executor is not None:
        executor.claims.staying = 1
    (run,) = await env.start(await env.deploy("f", definition if definition is not None else hook()))
    async for entry in run.follow():
        if entry.code == "Subscribed":
            break
    (url,) = (await run.callbacks()).values()
    return run, url


async def outcome(run: Any) -> object:
    return (await run.result(60)).actions[-1]["outputs"]


async def test_one_that_waits_in_the_inbox_counts_before_the_executors_own(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, inbox_unread: None
) -> None:
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here)
    assert (await there.callback(url, body="first")).status == 202
    second = await here.callback(url, body="second")
    assert (second.status, second.accepted) == (410, False)
    assert (await there.callback(url, body="third")).status == 410
    monkeypatch.undo()
    await here._executor.take_inbox()  # type: ignore[union-attr]
    assert await outcome(run) == "first"


async def test_of_many_at_the_same_moment_exactly_one_is_accepted(processes: Processes) -> None:
    envs = [await processes.open() for _ in range(3)]
    for number in range(RUNS):
        run, url = await waiting(envs[number % 3])
        given = [(env, f"{body} of {place}") for body in range(2) for place, env in enumerate(envs)]
        answers = await asyncio.gather(*(env.callback(url, body=body) for env, body in given))
        assert Counter(answer.accepted for answer in answers) == {True: 1, False: 5}
        assert {answer.status for answer in answers if not answer.accepted} == {410}
        ((_, accepted),) = [each for each, answer in zip(given, answers, strict=True) if answer.accepted]
        assert await outcome(run) == accepted


async def test_one_that_is_accepted_while_another_process_records_its_own_is_refused(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the executor's look at the run and its commit, another process tries."""
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here)
    before = CallbackInbox.requests_for
    between: list[int] = []

    async def meanwhile(inbox: CallbackInbox, run_id: bytes) -> Any:
        if not between:
            between.append(0)
            between[0] = (await there.callback(url, body="between")).status
        return await before(inbox, run_id)

    monkeypatch.setattr(CallbackInbox, "requests_for", meanwhile)
    assert (await here.callback(url, body="own")).status == 200
    assert between == [410]
    assert await outcome(run) == "own"


async def test_one_that_was_acknowledged_survives_what_happens_before_its_record(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, inbox_unread: None
) -> None:
    """The executor stores the callback, and then its store is full: it was accepted, and is given to the run later."""
    here = await processes.open()
    run, url = await waiting(here)

    async def full(*_: object) -> None:
        raise StoreFull("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Deliveries, "_give", full)
        assert (await here.callback(url, body="kept")).status == 202
    assert (await here.callback(url, body="later")).status == 410
    monkeypatch.undo()
    await here._executor.take_inbox()  # type: ignore[union-attr]
    assert await outcome(run) == "kept"


async def test_one_that_was_accepted_before_its_limit_lapsed_counts(processes: Processes, inbox_unread: None) -> None:
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here, hook(limit={"timeout": "P1D"}))
    assert (await there.callback(url, body="in time")).status == 202
    processes.clock.advance(DAY)
    assert await outcome(run) == "in time"


async def test_none_is_accepted_once_the_limit_has_lapsed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit lapses in the executor; another process that still sees the action open is refused."""
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here, hook(limit={"timeout": "P1D"}))
    close = CallbackInbox.close
    late: list[int] = []

    async def closed(inbox: CallbackInbox, run_id: bytes, token: bytes) -> bool:
        found = await close(inbox, run_id, token)
        if not late:
            late.append((await there.callback(url, body="too late")).status)
        return found

    monkeypatch.setattr(CallbackInbox, "close", closed)
    processes.clock.advance(DAY)
    result = await run.result(60)
    assert (late, result.actions[0]["status"]) == ([410], "TimedOut")


async def test_a_cancel_that_was_accepted_first_counts(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, inbox_unread: None
) -> None:
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here)
    other = await there.run(run.id)
    if there._executor is None:  # otherwise it would be asked for at once
        assert await other.cancel("first")
        assert not await other.cancel("second")
    else:
        await there._vault.inbox_add(2, "first", run_id=run._id)
    assert [(await env.callback(url, body=1)).status for env in (there, here)] == [410, 410]
    monkeypatch.undo()
    assert not await run.cancel("third")
    result = await run.result(60)
    assert (result.status, result.error["message"]) == ("Cancelled", "first")


async def test_a_callback_that_was_accepted_first_counts_before_a_cancel(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, inbox_unread: None
) -> None:
    here, there = await processes.open(), await processes.open()
    run, url = await waiting(here)
    assert (await there.callback(url, body="said")).status == 202
    monkeypatch.undo()
    await run.cancel("afterwards")
    result = await run.result(60)
    assert result.actions[0]["outputs"]["body"] == "said"
