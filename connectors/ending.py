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
    cancelled: asyncio.CancelledError | None = None
    while process.returncode is None:  # awaited here, not in a task, which the end of a loop would cancel by itself
        try:
            await process.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    transport.close()  # by itself it would a turn later, when the loop may be over
    try:
        await asyncio.sleep(0)  # the turn of its pipes
    except asyncio.CancelledError as error:
        cancelled = error
    if cancelled is not None:
        raise cancelled
