"""The end of a program that was started: to know that it is over, whatever has become of its pipes."""

from __future__ import annotations

import asyncio


async def ended(process: asyncio.subprocess.Process) -> None:
    """Returns once a program that was killed, or has ended, is over, also if this is cancelled meanwhile, and then
    raises that. Nothing more is read of the program.

    `Process.wait` by itself waits for the ends of its pipes as well, and those may never come: reading stands still as
    long as more is there than was asked for, and what the program has started may keep a pipe open.
    """
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]
    for number in range(3):
        pipe = transport.get_pipe_transport(number)
        if isinstance(pipe, asyncio.WriteTransport):
            if not pipe.is_closing() or pipe.get_write_buffer_size():  # closed, it still waits for a reader
                pipe.abort()
        elif pipe is not None:
            pipe.close()
    over = asyncio.ensure_future(_over(process, transport))
    cancelled: asyncio.CancelledError | None = None
    while not over.done():  # what is cancelled twice would leave the program to a loop that is closed by then
        try:
            await asyncio.shield(over)
        except asyncio.CancelledError as error:
            cancelled = error
    over.result()
    if cancelled is not None:
        raise cancelled


async def _over(process: asyncio.subprocess.Process, transport: asyncio.SubprocessTransport) -> None:
    await process.wait()
    transport.close()  # by itself it would a turn later, when the loop may be over
    await asyncio.sleep(0)  # the turn of its pipes
