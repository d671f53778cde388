"""Several processes on one store, and a process that is killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sealflow.storage import Keystore, Store, Vault

FLOW = b"F" * 16

PRELUDE = """
import asyncio, os, sys
from pathlib import Path
from sealflow.storage import Keystore, Store

async def open_vault():
    folder = Path(sys.argv[1])
    store = await Store.open(folder / "home", Keystore(folder / "k.json"))
    return store, await store.open_vault("a")
"""


def start(folder: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PRELUDE + program, str(folder), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def make(folder: Path) -> tuple[Store, Vault]:
    store = await Store.open(folder / "home", Keystore(folder / "k.json"))
    await store.create_environment("a")
    return store, await store.open_vault("a")


SECOND = """
async def main():
    store, vault = await open_vault()
    print(await vault.try_become_executor(), await vault.executor_pid())
    run_id = bytes.fromhex(sys.argv[2])
    print([record async for page in vault.read_run(run_id) for record in page.records])
    await vault.put_flow("second", {"from": "outside"})
    print(await vault.inbox_add(1, {"start": "it"}, dedupe=b"x"))
    await vault.close()
    await store.close()
asyncio.run(main())
"""


async def test_a_second_process_reads_and_writes_but_does_not_execute(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    assert await vault.try_become_executor()
    log = vault.create_run(os.urandom(16), FLOW, 1, 5, None)
    log.append([["one"]])
    await vault.flush()
    process = start(tmp_path, SECOND, log.run_id.hex())
    output, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    assert output.splitlines() == [f"False {os.getpid()}", "[['one']]", "1"]
    log.append([["two"]])
    await vault.flush()
    assert (await vault.flow("second")).version == 1
    assert [item.value for item in await vault.inbox()] == [{"start": "it"}]
    await vault.close()
    await store.close()


EXECUTOR = """
async def main():
    store, vault = await open_vault()
    print(await vault.try_become_executor(), flush=True)
    sys.stdin.read()
asyncio.run(main())
"""


async def test_the_executors_role_ends_with_its_process(tmp_path: Path) -> None:
    store, vault = await make(tmp_path)
    process = start(tmp_path, EXECUTOR)
    assert process.stdout is not None
    assert process.stdin is not None
    assert await asyncio.to_thread(process.stdout.readline) == "True\n"
    assert not await vault.try_become_executor()
    assert await vault.executor_pid() == process.pid
    process.kill()
    await asyncio.to_thread(process.wait)
    assert await vault.executor_pid() is None
    assert await vault.try_become_executor()
    process.stdin.close()
    process.stdout.close()
    await vault.close()
    await store.close()


STREAM = """
async def main():
    store, vault = await open_vault()
    logs = [vault.create_run(bytes([n]) * 16, b"F" * 16, 1, 5, {"n": n}) for n in range(8)]
    def acknowledge(log):
        print(log.run_id[0], log.durable_seq - 1, flush=True)
        step(log)
    def step(log):
        log.append([["x" * 500, log.seq]], on_durable=lambda: acknowledge(log))
        if log.seq % 50 == 0:
            log.snapshot({"at": log.seq})
    for log in logs:
        step(log)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("kill_after", [1, 100, 3000])
async def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path: Path, kill_after: int) -> None:
    store, vault = await make(tmp_path)
    await vault.close()
    process = start(tmp_path, STREAM)
    assert process.stdout is not None
    assert process.stdin is not None
    acknowledged = [0] * 8
    with process:
        for count, line in enumerate(process.stdout, 1):
            if not line.endswith("\n") or len(parts := line.split()) != 2:
                break  # the last line may have been cut by the kill
            acknowledged[int(parts[0])] = int(parts[1])
            if count == kill_after:
                process.kill()
    assert sum(acknowledged) >= kill_after

    vault = await store.open_vault("a")
    assert await vault.try_become_executor()
    assert len(await vault.unfinished()) == 8
    for n in range(8):
        log = await vault.open_run(bytes([n]) * 16)
        stored = [record[1] async for page in vault.read_run(log.run_id) for record in page.records]
        assert stored == list(range(1, log.seq))
        assert log.seq - 1 >= acknowledged[n]
        log.append([["after", log.seq]], status=2, ended_ms=9)
    await vault.flush()
    assert await vault.unfinished() == []
    for n in range(8):
        pages = [page async for page in vault.read_run(bytes([n]) * 16)]
        assert pages[-1].records[-1] == ["after", pages[-1].seq]
    await vault.close()
    await store.close()
