"""After the key is revoked, the objects that a program keeps return no data of the environment."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import sealflow
from process_memory import found_in_memory
from revocable import NAME, Revocable, revocable
from sealflow.engine.hosts.replaying import open_history
from sealflow.engine.revocable import Revocable as Emptied
from sealflow.storage import EnvironmentLocked
from sealflow.storage.format.envelope import expand
from sealflow.storage.format.purposes import Kind
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.port import KeyRow

READER: Final = Path(__file__).parents[1] / "support" / "memory_reader.py"
S = ["Succeeded"]
CANARY: Final = "canary-4711"
ITEMS: Final = 100

FLOW: Final = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "first": {"type": "Compose", "inputs": {"secret": CANARY}},
        "each": {
            "type": "Foreach",
            "foreach": f"@range(0, {ITEMS})",
            "actions": {"inner": {"type": "Compose", "inputs": f"{CANARY} @{{item()}}"}},
            "runAfter": {"first": S},
            "operationOptions": "Sequential",
        },
        "wait": {
            "type": "HttpWebhook",
            "inputs": {"subscribe": {"method": "POST", "uri": "https://example.org/", "body": "@{listCallbackUrl()}"}},
            "runAfter": {"each": S},
        },
    },
}
PROPERTIES: Final = {"properties": {"connectionParameters": {"key": {"type": "securestring"}}}}


async def _subscribed(call: sealflow.Call) -> sealflow.ConnectorResponse:
    return sealflow.ConnectorResponse(200, {}, {})


class _Kept:
    """Everything that a program can hold of an environment: handles, values, and readings that it has begun."""

    def __init__(self, world: Revocable) -> None:
        self.world = world
        self.entries: list[Any] = []
        self.streams: dict[str, AsyncIterator[Any]] = {}
        self.values: list[Any] = []
        self.handles: list[Any] = []

    async def collect(self) -> None:
        env = self.world.env
        self.flow = await env.deploy("flow", FLOW)
        (run,) = await env.start(self.flow, {"order": CANARY}, on_change=self.entries.append)
        self.run = run
        async with aclosing(run.follow()) as following:
            async for entry in following:
                if entry.path == "/wait" and entry.status != 0:
                    break
        other = await env.run(run.id)
        await env.connections.create("shared", PROPERTIES, {"key": CANARY}, connector="desk")
        await env.queues.create("orders")
        item = await env.queues.add("orders", "one", CANARY)
        report, stored = await run.report(), await other.report()
        self.operation = await env.keys.begin_migration()
        await env.keys.follow(self.operation)
        self.bundle = await run.export()
        self.handles = [env, run, other, env.connections, env.queues, env.retention, env.machines, env.keys]
        self.values = [
            self.flow, item, report, stored, await run.snapshot(), await run.trace("first"), await env.flow("flow"),
            *await env.flows(), *await env.runs(), await env.trigger("flow"), await env.connections.one("shared"),
            *await env.connections.all(), *await env.queues.items("orders"), await env.queues.find("orders"),
            *self.entries,
        ]  # fmt: skip
        self.streams = {
            "follow": run.follow(), "follow another": other.follow(), "output": run.output("first"),
            "actions": report.actions(), "stored actions": stored.actions(), "json": report.actions_json(repr),
            "stored json": stored.actions_json(repr),
        }  # fmt: skip
        for name in ("follow", "follow another"):
            self.values.append(await anext(self.streams[name]))
        for name in ("actions", "stored actions", "json", "stored json"):
            await anext(self.streams[name])
            await anext(self.streams[name])

    def methods(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Each public method of each handle, with arguments that it takes."""
        flow, run = "flow", self.run.id
        given: dict[str, tuple[Any, ...]] = {
            "Environment.deploy": ("other", FLOW), "Environment.flow": (flow,), "Environment.trigger": (flow,),
            "Environment.enable": (flow,), "Environment.disable": (flow,), "Environment.start": (flow,),
            "Environment.run": (run,), "Environment.open_bundle": (self.bundle,), "Run.action": ("first",),
            "Run.output": ("first",), "Run.trace": ("first",), "Connections.one": ("shared",),
            "Connections.create": ("new", PROPERTIES, {"key": "k"}), "Connections.values": ("shared",),
            "Connections.delete": ("shared",), "WorkQueues.create": ("new",), "WorkQueues.find": ("orders",),
            "WorkQueues.add": ("orders", "two", 2), "WorkQueues.items": ("orders",), "RunRetention.delete_runs": (run,),
            "RunRetention.delete_flow": (flow,), "RunRetention.limits": (flow,),
            "RunRetention.set_limits": (flow, None),
            "Keys.follow": (self.operation,),
        }  # fmt: skip
        for handle in self.handles:
            kind = type(handle)
            for name, member in inspect.getmembers(kind):
                place = f"{kind.__name__}.{name}"
                if name.startswith("_") or not callable(member) or place in NEEDS_NO_KEY:
                    continue
                more = {"connector": "desk"} if place == "Connections.create" else {}
                yield place, partial(getattr(handle, name), *given.get(place, ()), **more)


NEEDS_NO_KEY: Final = {
    "Environment.callback": "keeps a callback unread",
    "Environment.trigger_callback": "keeps a call unread",
    "Environment.close": "closes",
    "Run.let_go": "drops what the run holds",
    "MachineQueues.names": "gives the names of machine groups, which are settings under the service's key",
}
"""Public methods that answer while the environment is locked, and why they may."""


async def _answer(work: Callable[[], Any]) -> Any:
    found = work()
    return await (anext(found) if hasattr(found, "__anext__") else found)


async def test_every_kept_object_and_method_is_refused(tmp_path: Path, database: str | None) -> None:
    """A program keeps every handle, value and iterator of the API during a lock. Each method, each further element and
    each field then raises EnvironmentLocked. The test lists methods that need no key.
    """
    async with revocable(tmp_path, {"http": _subscribed}, database=database) as world:
        kept = _Kept(world)
        await kept.collect()
        await world.lock()
        for place, method in kept.methods():
            with pytest.raises(EnvironmentLocked) as caught:
                pytest.fail(f"{place} gave {await _answer(method)!r}")
            assert (place, caught.value.code, NAME in caught.value.message) == (place, "EnvironmentLocked", True)
        for name, stream in kept.streams.items():
            with pytest.raises(EnvironmentLocked):
                pytest.fail(f"{name} gave {await anext(stream)!r}")
        for value in kept.values:
            assert isinstance(value, Emptied)
            assert is_dataclass(value)
            assert CANARY not in repr(value)
            for field in fields(value):
                if field.name not in value.kept_fields:
                    with pytest.raises(EnvironmentLocked):
                        getattr(value, field.name)
        with pytest.raises(EnvironmentLocked):
            await open_history(kept.bundle, world.engine)


async def test_handles_work_again_after_the_unlock_and_values_have_to_be_read_again(
    tmp_path: Path, database: str | None
) -> None:
    """A program continues to use its handles when the key is granted again. Values that it read before stay empty, and
    a started iterator does not continue.
    """
    async with revocable(tmp_path, {"http": _subscribed}, database=database) as world:
        kept = _Kept(world)
        await kept.collect()
        await world.lock()
        await world.unlock()
        for value in kept.values:
            name = next(each.name for each in fields(value) if each.name not in value.kept_fields)
            with pytest.raises(EnvironmentLocked, match="was locked after this had been read"):
                getattr(value, name)
        for stream in kept.streams.values():
            with pytest.raises(EnvironmentLocked):
                await anext(stream)
        assert (await kept.run.snapshot()).actions[0]["outputs"] == {"secret": CANARY}
        assert [name async for name in _names(kept.run)][:1] == ["/first"]
        (again,) = await world.env.start(kept.flow, {"order": 2})
        assert await again.flow() == "flow"
        assert await world.env.queues.names() == ["orders"]


async def test_iterators_stop_when_another_thread_has_dropped_the_keys(tmp_path: Path) -> None:
    """A program reads without yielding to the event loop, and the guard in another thread drops the keys. The next
    element of each iterator raises EnvironmentLocked, although it was already loaded.
    """
    async with revocable(tmp_path, {"http": _subscribed}) as world:
        kept = _Kept(world)
        await kept.collect()
        world.env._vault.forget_keys()
        for name, stream in kept.streams.items():
            with pytest.raises(EnvironmentLocked):
                pytest.fail(f"{name} gave {await anext(stream)!r}")


async def _names(run: sealflow.Run) -> AsyncIterator[str]:
    async with aclosing(run.follow()) as following:
        async for entry in following:
            yield entry.path
            return


def _needles(keyring: Keyring, row: KeyRow) -> dict[str, bytes]:
    """The keys that open a run: its environment's key, what is derived of that, and its own."""
    key = keyring._keys[row.domain, row.key_version]
    assert key._key is not None
    own = key._unwrap(row.kind, row.scope, row.generation, row.kid, row.wrapped)
    return {
        "environment key": key._key, "wrapping key": expand(key._key, b"wrap"), "index key": key._index,
        "MAC key": key._mac, "key of the run": own,
    }  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_search_through_the_memory_of_a_locked_process(tmp_path: Path, database: str | None) -> None:
    """The reader keeps all data of a run during a lock and searches the memory of the process from another process. It
    finds no key of the customer's domain, and at most a few copies of plain values in freed memory.
    """
    plain = {name: f"{name}-{os.urandom(12).hex()}" for name in ("definition", "input")}
    definition = json.loads(json.dumps(FLOW).replace(CANARY, plain["definition"]))
    async with revocable(tmp_path, {"http": _subscribed}, database=database) as world:
        env, home = world.env, world.engine.home
        await env.connections.create("shared", PROPERTIES, {"key": "k"}, connector="desk")
        (run,) = await env.start(await env.deploy("flow", definition), plain["input"])
        async with aclosing(run.follow()) as following:
            async for entry in following:
                if entry.code == "Subscribed":
                    break
        row = (await env._vault._backend.keys.generations(Kind.RUN, run._id))[-1]
        keys = _needles(env._vault._keyring, row)
    needles = {**keys, **{name: text.encode() for name, text in plain.items()}}
    options = {**os.environ, "SEALFLOW_KEYSTORE": str(tmp_path / "keys" / "k.json")}
    command = [sys.executable, str(READER), str(home), NAME, run.id]
    reader = await asyncio.create_subprocess_exec(*command, env=options, stdin=PIPE, stdout=PIPE)
    assert reader.stdout is not None
    try:
        assert await reader.stdout.readline() == b"read\n"
        before = found_in_memory(reader.pid, needles)
        assert all(before[name] for name in ("environment key", "index key", *plain)), before
        async with sealflow.open(home, keystore=tmp_path / "keys" / "k.json", resume=False) as engine:
            await engine.administration("maria").lock(NAME)
        assert await reader.stdout.readline() == b"refused EnvironmentLocked\n"
        after = found_in_memory(reader.pid, needles)
    finally:
        reader.kill()
        await reader.communicate()
    assert {name: after[name] for name in keys} == dict.fromkeys(keys, 0)
    assert sum(after[name] for name in plain) <= sum(before[name] for name in plain) / 20, (before, after)
