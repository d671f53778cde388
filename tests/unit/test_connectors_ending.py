"""A program that was killed is over, whatever has become of its pipes."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE

from sealflow.connectors.ending import ended


async def test_a_program_of_which_not_everything_was_read() -> None:
    process = await asyncio.create_subprocess_exec("yes", stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    while not process.stdout._paused:  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)
    process.kill()
    async with asyncio.timeout(60):
        await ended(process)
    assert process.returncode == -signal.SIGKILL


async def test_a_program_whose_pipes_are_kept_open_by_another() -> None:
    """What it has started has taken leave of it, so it is not killed with it."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", "setsid sleep 600 & echo $!; exec sleep 600", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    other = int(await process.stdout.readline())
    process.stdin.write(b"x" * 1_000_000)  # nobody reads it
    try:
        process.kill()
        async with asyncio.timeout(60):
            await ended(process)
        assert process.returncode == -signal.SIGKILL
    finally:
        await _killed(other)


async def test_who_waits_for_the_end_and_is_cancelled_goes_when_it_has_come() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "600", stdin=PIPE, stdout=PIPE)
    waiting = asyncio.ensure_future(ended(process))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    process.kill()
    await asyncio.wait({waiting}, timeout=60)
    assert waiting.cancelled()
    assert process.returncode == -signal.SIGKILL


async def test_the_end_of_a_loop_that_cancels_every_task_closes_the_transport() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "600", stdin=PIPE, stdout=PIPE)
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]
    waiting = asyncio.ensure_future(ended(process))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    process.kill()
    await asyncio.wait({waiting}, timeout=60)
    assert waiting.cancelled()
    assert process.returncode == -signal.SIGKILL
    assert transport.is_closing()


async def _killed(number: int) -> None:
    killing = await asyncio.create_subprocess_exec("/bin/kill", "-9", str(number))
    await killing.wait()
