"""Options that several commands share, and their help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError


def environment_name(name: str) -> str:
    """The name, if it is one. Raises UsageError."""
    if not name.strip():
        raise UsageError("An environment needs a name.")
    return name


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="SEALFLOW_HOME",
        metavar="DIR",
        help="Folder of the store. Default: .sealflow/ in the current folder.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs; errors too.")]
Environment = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        metavar="NAME",
        callback=environment_name,
        help="Name of the environment.",
    ),
]
Full = Annotated[bool, typer.Option("--full", help="Show full values.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        help="Stop waiting after this time, with exit code 124. You can resume the run.",
        show_default=False,
    ),
]
AllowUnsupported = Annotated[
    bool,
    typer.Option(
        "--allow-unsupported", help="Accept desktop actions that cannot run here. They fail when the run reaches them."
    ),
]

Artifacts = Annotated[
    Path | None,
    typer.Option(
        "--artifacts",
        metavar="DIR",
        help="Folder of the flow's artifacts, with the folders Maps and Schemas.",
        show_default=False,
    ),
]
OfPackage = Annotated[
    str | None,
    typer.Option("--flow", metavar="NAME", help="The flow to use if a package contains several.", show_default=False),
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="NAME=VALUE", help="Header of the request. Repeatable.", show_default=False),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the unique beginning of one, or 'latest'.")]


class DialectChoice(StrEnum):
    """For which product a definition was written; `auto` tells it from its shape."""

    auto = "auto"
    power_automate = "power-automate"
    logic_apps = "logic-apps"


Dialect = Annotated[DialectChoice, typer.Option("--dialect", help="Product that the definition is for.")]
