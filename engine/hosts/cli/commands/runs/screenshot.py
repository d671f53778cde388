"""`sealflow runs screenshot`: the browser's page as it was when a desktop flow's run failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .....errors import NotFound
from ... import options
from ...arguments import write_file
from ...errors import OK
from ...output.writing import note, one_line, say_json
from ...session import environment, wait_for


def screenshot(
    run: options.RunId,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="PNG file to write. '-' is stdout.", show_default=False)
    ],
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Write the screenshot of a failed desktop flow to a file. The file is not encrypted.

    There is one where an action made the run fail while a browser was open.

    With --json: {"run","out","bytes"}.
    """
    name, picture = wait_for(_read(home, environment, run))
    write_file(out, picture)
    if json and out != "-":
        say_json({"run": name, "out": out, "bytes": len(picture)})
    elif not json:
        note(f"Wrote the picture of {name} to {one_line(out)} ({len(picture):,} bytes, not encrypted)")
    return OK


async def _read(home: Path | None, where: str, run: str) -> tuple[str, bytes]:
    async with environment(home, where) as env:
        found = await env.run(run)
        picture = await found.screenshot()
        if picture is None:
            raise NotFound(
                f"No picture was kept of the run {found.id}.",
                code="NoScreenshot",
                hint="One is kept where an action makes a run fail while a browser is open.",
            )
        return found.id, picture
