"""Which commands there are, and the file of each. A command line is read with the files of its own family only: those
of all the others would take longer to load than most commands take to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

import typer

_Place = tuple[str, str]
"""A file of this folder, and the function in it."""

_COMMANDS: Final[dict[str, _Place]] = {
    "run": ("run", "run"),
    "check": ("check", "check"),
    "eval": ("eval", "evaluate"),
    "replay": ("replay", "replay"),
    "worker": ("worker", "worker"),
    "verify": ("verify", "verify"),
}

_FAMILIES: Final[dict[str, dict[str, _Place]]] = {
    "runs": {
        "callback": ("runs_callback", "callback"),
        "screenshot": ("runs_screenshot", "screenshot"),
        "output": ("runs_output", "output"),
        "delete": ("deleting", "delete_runs"),
    },
    "flow": {
        "enable": ("flow_switch", "enable"),
        "disable": ("flow_switch", "disable"),
        "callback": ("flow_callback", "callback"),
        "delete": ("deleting", "delete_flow"),
        "retention": ("deleting", "retention"),
        "import": ("flow_import", "import_"),
        "export": ("flow_import", "export"),
    },
    "env": {
        "allow": ("env_allow", "allow"),
        "group": ("env_group", "group"),
        "permissions": ("env_permissions", "app"),
        "status": ("env_status", "status"),
        "lock": ("env_status", "lock"),
        "unlock": ("env_status", "unlock"),
        "delete": ("deleting", "delete_environment"),
        "move": ("env_move", "move"),
        "reset": ("resetting", "reset"),
        "sweep": ("resetting", "sweep"),
    },
    "connection": {},
    "policy": {
        "requests": ("approving", "requests"),
        "approve": ("approving", "approve"),
        "refuse": ("approving", "refuse"),
    },
    "key": {"export": ("key_export", "export")},
    "queue": {},
    "audit": {},
    "backup": {},
}
"""The file of a family has its name, and the family's `app`; here is what other files add to it."""


def wanted(arguments: Sequence[str]) -> str:
    """The command or family that a command line begins with; "" where it begins with none."""
    first = arguments[0] if arguments else ""
    return first if first in _COMMANDS or first in _FAMILIES else ""


def add_commands(app: typer.Typer, only: str) -> None:
    """Add one command or family; with "" all of them, so that help and errors name them all."""
    for name in (only,) if only else (*_COMMANDS, *_FAMILIES):
        if name in _COMMANDS:
            app.command(name)(_found(_COMMANDS[name]))
        else:
            app.add_typer(_family(name), name=name)


@cache
def _family(name: str) -> typer.Typer:
    app: typer.Typer = _found((name, "app"))
    for command, place in _FAMILIES[name].items():
        found = _found(place)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command)
        else:
            app.command(command)(found)
    return app


def _found(place: _Place) -> Any:
    """A command's function, or the app of a family."""
    file, name = place
    return getattr(import_module(f".{file}", __package__), name)
