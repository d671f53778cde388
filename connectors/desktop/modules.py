"""Which modules there are: the connectors of desktop actions, by the first part of an action's id.

Modules whose libraries are extras are imported when they are first needed.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from .port import MODULES, ModuleConnector, Table

# The files that make up a module; each has a TABLE.
_FILES: Final[dict[str, tuple[str, ...]]] = {
    "file": ("file", "csv_file"),
    "folder": ("folder",),
}


def module_names() -> tuple[str, ...]:
    """The modules that are here, lower-case: `file`, `folder`..."""
    return tuple(_FILES)


@cache
def table_of(module: str) -> Table:
    """The operations of a module. Raises KeyError where there is none of that name."""
    table: dict[str, object] = {}
    for file in _FILES[module]:
        table.update(import_module(f".{file}", __package__).TABLE)
    return table  # type: ignore[return-value]


def connectors() -> dict[str, ModuleConnector]:
    """All of them, by the ids they are registered under."""
    return {MODULES + module: ModuleConnector(table_of(module)) for module in _FILES}
