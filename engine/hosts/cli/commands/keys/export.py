"""`sealflow key export`: the keystore of a worker that can open one environment and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ... import options
from ...errors import OK
from ...output.writing import one_line, say, say_json
from ...session import opened, wait_for


def export(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The keystore to make; nothing may be there.")],
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create a keystore with the keys of one environment, for a worker that opens no other.

    It holds that environment's entry, and the one that opens the list of environments. Protect it as the keystore
    itself; a passphrase is the same. With --json: {"environment","keystore"}.

    Exit codes: 0 done, 3 no such environment, 4 the file is there, or cannot be written.
    """
    name = wait_for(_export(home, environment, path))
    if json:
        say_json({"environment": name, "keystore": str(path)})
    else:
        say(f"The keys of {one_line(name)} are in {path}")
        say(f"next: SEALFLOW_KEYSTORE={path} sealflow worker --environment {one_line(name)} --dedicated")
    return OK


async def _export(home: Path | None, where: str, path: Path) -> str:
    async with opened(home) as engine:
        return await engine.export_keys(where, path)
