"""The environment is the partition: a process that executes one environment opens no other one's store and never holds
its keys, nor anything that they seal. Looked for in the process's memory and in its open files.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
import sealflow
from makers import compose, flow
from processes import Place, until_line
from sealflow.storage import Keystore, Store
from sealflow.storage.keys.providers.file import create_key, uri_of

OURS, THEIRS = "contoso", "fabrikam"
CHUNK = 16 * 1024 * 1024


def canary(name: str) -> bytes:
    return f"canary-of-{name}-7c1f".encode()


async def made(place: Place) -> dict[str, list[bytes]]:
    """Two environments under policies of their own, each with a flow, and the keys of each."""
    keys = {}
    async with sealflow.open(place.home, keystore=place.keystore) as engine:
        admin = engine.administration("ada")
        for name in (OURS, THEIRS):
            file = place.folder / f"{name}.json"
            create_key(file, "main")
            await engine.create_environment(name)
            await admin.create_policy(name, uri_of(file, "main"))
            await admin.apply(name, name)
            env = await engine.environment(name)
            await env.deploy("f", flow(c=compose(canary(name).decode())))
            (run,) = await env.start("f")
            await run.result()
    store = await Store.open(place.home, Keystore(place.keystore))
    for name in (OURS, THEIRS):
        vault = await store.open_vault(name)
        keys[name] = [key._key for key in vault._keyring._keys.values() if key._key is not None]
        await vault.close()
    await store.close()
    return keys


def held(pid: int, wanted: list[bytes]) -> set[bytes]:
    """Which of these are in the memory of a process."""
    found: set[bytes] = set()
    longest = max(map(len, wanted))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()  # type: ignore[union-attr]
            if not rights.startswith("rw"):  # code and constants of programs
                continue
            at, last = int(begin, 16), int(end, 16)
            while at < last:
                try:
                    memory.seek(at)
                    data = memory.read(min(CHUNK, last - at))
                except (OSError, ValueError, OverflowError):  # not mapped any more
                    break
                found |= {each for each in wanted if each in data}
                at += max(CHUNK - longest, 1)
    return found


def files(pid: int) -> set[str]:
    """The files that a process has open."""
    opened = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            opened.add(os.readlink(link))
        except FileNotFoundError:
            continue
    return opened


def test_a_worker_holds_nothing_of_another_environment(place: Place) -> None:
    if not Path("/proc/self/mem").exists():
        pytest.skip("there is no /proc here to look into another process's memory")
    keys = asyncio.run(made(place))
    ids = {info["environment"]: info["id"] for info in place("env", "list", "--json").expect(0).json}
    worker = place.begin("worker", "--environment", OURS)
    until_line(worker, "executing the environment")
    place("run", "f", "--environment", OURS, "--json").expect(0)  # carried out by the worker
    try:
        found = held(worker.pid, [*keys[OURS], *keys[THEIRS], canary(OURS), canary(THEIRS)])
    except PermissionError:
        pytest.skip("this system lets nobody look into another process's memory")
    assert found == {*keys[OURS], canary(OURS)}, "its own, which shows that it would be found"
    opened = files(worker.pid)
    assert any(ids[OURS] in path for path in opened)
    assert not any(ids[THEIRS] in path or THEIRS in path for path in opened)
