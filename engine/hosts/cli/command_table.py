"""Which commands there are, and the file of each. A command line is read with the files of its own family only: those
of all the others would take longer to load than most commands take to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import typer

from ... import lazy

# A module of `commands`, and the function in it.
_COMMANDS: Final[dict[str, str]] = {
    "run": "flows.run:run",
    "check": "flows.check:check",
    "eval": "flows.eval:evaluate",
    "replay": "flows.replay:replay",
    "worker": "environments.worker:worker",
    "verify": "environments.verify:verify",
}

_FAMILIES: Final[dict[str, dict[str, str]]] = {
    "runs": {
        "callback": "runs.callback:callback",
        "screenshot": "runs.screenshot:screenshot",
        "output": "runs.output:output",
        "delete": "runs.deleting:delete_runs",
    },
    "flow": {
        "enable": "flows.switch:enable",
        "disable": "flows.switch:disable",
        "callback": "flows.callback:callback",
        "delete": "runs.deleting:delete_flow",
        "retention": "runs.deleting:retention",
        "import": "flows.import_export:import_",
        "export": "flows.import_export:export",
    },
    "env": {
        "permissions": "environments.permissions:app",
        "status": "environments.status:status",
        "lock": "environments.status:lock",
        "unlock": "environments.status:unlock",
        "delete": "runs.deleting:delete_environment",
        "move": "environments.move:move",
        "reset": "environments.reset:reset",
        "purge": "environments.reset:purge",
    },
    "connection": {},
    "policy": {
        "requests": "keys.approvals:requests",
        "approve": "keys.approvals:approve",
        "reject": "keys.approvals:reject",
    },
    "key": {"export": "keys.export:export"},
    "queue": {},
    "machine-group": {},
    "audit": {},
    "backup": {},
}
"""The file of a family has its name, and the family's `app`; here is what other files add to it."""


_APPS: Final[dict[str, str]] = {
    "runs": "runs.runs",
    "flow": "flows.flow",
    "env": "environments.env",
    "connection": "environments.connection",
    "policy": "keys.policy",
    "key": "keys.key",
    "queue": "runs.queue",
    "machine-group": "environments.machine_group",
    "audit": "keys.audit",
    "backup": "environments.backup",
}
"""The module of a family, which has the family's `app`."""


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
    app: typer.Typer = _found(f"{_APPS[name]}:app")
    for command, place in _FAMILIES[name].items():
        found = _found(place)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command)
        else:
            app.command(command)(found)
    return app


def _found(place: str) -> Any:
    """A command's function, or the app of a family."""
    return lazy.load(f".commands.{place}", __package__)
