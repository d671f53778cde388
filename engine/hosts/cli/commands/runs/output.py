"""`sealflow runs output`: what an action gave, written to a file as it is read, however large it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from ... import options
from ...errors import OK, UsageError, of_os_error
from ...output.writing import note, one_line, raw_stdout, say_json
from ...session import environment as opened
from ...session import wait_for


def output(
    run: options.RunId,
    action: Annotated[
        str, typer.Option("--action", metavar="PATH", help="The action: its path, or its name.", show_default=False)
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="Where to. '-' is stdout.", show_default=False)
    ],
    inputs: Annotated[bool, typer.Option("--inputs", help="What it got, in place of what it gave.")] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="POINTER", help="A JSON pointer; default: the body, else all of it.", show_default=False
        ),
    ] = None,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Write the output of an action to a file. The file is not encrypted.

    A text is written in UTF-8, content as the bytes that it holds, anything else as JSON.

    With --json: {"run","action","out","bytes"}.
    """
    if at is not None and at and not at.startswith("/"):
        raise UsageError("--at is a JSON pointer: it begins with '/'.", hint="For example: --at /headers/Content-Type")
    name, size = wait_for(_write(home, environment, run, action, inputs, at, out))
    if json and out != "-":
        say_json({"run": name, "action": action, "out": out, "bytes": size})
    elif not json:
        note(f"Wrote {size:,} bytes to {one_line(out)}, not encrypted")
    return OK


async def _write(
    home: Path | None, where: str, run_id: str, action: str, inputs: bool, at: str | None, out: str
) -> tuple[str, int]:
    async with opened(home, where) as env:
        run = await env.run(run_id)
        return run.id, await _written(run.output(action, part="inputs" if inputs else "outputs", at=at), out)


async def _written(pieces: AsyncIterator[bytes], name: str) -> int:
    """Writes a file whole or not at all, `-` being stdout, and gives its size."""
    size = 0
    if name == "-":
        stdout = raw_stdout()
        async for piece in pieces:
            stdout.write(piece)
            size += len(piece)
        stdout.flush()
        return size
    part = ""
    try:
        handle, part = _begun(name)
        with os.fdopen(handle, "wb") as stream:
            async for piece in pieces:
                stream.write(piece)
                size += len(piece)
            stream.flush()
            if part:
                os.fsync(stream.fileno())
        if part:
            os.replace(part, name)
            part = ""
    except OSError as error:
        raise of_os_error(error, name) from None
    finally:
        if part:
            os.unlink(part)
    return size


def _begun(name: str) -> tuple[int, str]:
    """An open file beside the one that it takes the place of, and its path; a device or a pipe itself, and ""."""
    target = Path(name)
    if target.exists() and not target.is_file():
        return os.open(target, os.O_WRONLY), ""
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(part, 0o666 & ~umask)
    return handle, part
