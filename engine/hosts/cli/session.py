"""Opening the engine for one command, and running the command's coroutine."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import Denied
from .output.writing import note

if TYPE_CHECKING:
    from ..embedded import Engine, Environment

T = TypeVar("T")

DEFAULT_ENVIRONMENT = "default"


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    import asyncio

    from .output.log_lines import safe_logging

    safe_logging()
    return asyncio.run(work)


@asynccontextmanager
async def opened(
    home: Path | None,
    *,
    create: bool = False,
    resume: bool = False,
    concurrency: int | None = None,
    machine: Sequence[str] | None = None,
    egress_default: str = "local",
) -> AsyncIterator[Engine]:
    """The engine on the store of this command.

    Unfinished runs stay as they are: only `runs resume` moves them on, and a worker, which opens it with `resume`; one
    that is a `machine` of these groups executes `concurrency` desktop flows at once. `egress_default` is what flows
    reach in an environment that has set no default.
    """
    from ..embedded import open as open_engine

    async with open_engine(
        home,
        resume=resume,
        create=create,
        passphrase=_ask_passphrase,
        concurrency=concurrency if machine is None else None,
        machine_groups=machine,
        sessions=concurrency if machine is not None else None,
        egress_default=egress_default,
    ) as engine:
        yield engine


@asynccontextmanager
async def environment(home: Path | None, name: str, *, create: bool = False) -> AsyncIterator[Environment]:
    """One environment of the store; with `create` both are made on first use, and a notice says where the key is."""
    async with opened(home, create=create) as engine:
        found = await engine.environment(name, create=create)
        tell_first_run(engine)
        yield found


def tell_first_run(engine: Engine) -> None:
    """On stderr: where a keystore that was just made is, and how to back it up."""
    if engine.notice:
        note(engine.notice + "\n")


def again(command: str, *, home: Path | None, environment: str = DEFAULT_ENVIRONMENT) -> str:
    """The command to type next, for the same store and environment."""
    import shlex

    parts = [f"sealflow {command}"]
    if environment != DEFAULT_ENVIRONMENT:
        parts.append(f"--environment {shlex.quote(environment)}")
    if (other := other_home(home)) is not None:
        parts.append(f"--home {shlex.quote(other)}")
    return " ".join(parts)


def other_home(home: Path | None) -> str | None:
    """The store that the next command has to be told of; None where it finds it by itself."""
    return None if home is None or str(home) == os.environ.get("SEALFLOW_HOME") else str(home)


def _ask_passphrase() -> str:
    if not sys.stdin.isatty():
        raise Denied(
            "The keystore is protected by a passphrase, and there is no terminal to ask for it.",
            code="PassphraseNeeded",
            hint="Set SEALFLOW_PASSPHRASE.",
        )
    import getpass

    return getpass.getpass("Passphrase of the keystore: ")
