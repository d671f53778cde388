"""Load a module when one of its names is first used: the one mechanism for tables of names.

A place is `module:name`, relative to a package, as entry points are written: `.vault.home:Store`. A function that needs
a module now and then imports it by itself, so that type checkers and import-linter see the import.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing would cost ten times as much as this module
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def load(place: str, package: str) -> Any:
    """Import the module of a place and return the name in it. Raises ImportError, AttributeError."""
    module, _, name = place.partition(":")
    return getattr(import_module(module, package), name)


def names(
    namespace: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package, whose `namespace` is `globals()`.

    `modules` maps each public name to its module. A name is loaded once and stays in the namespace.
    """
    package = namespace["__name__"]

    def get(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = namespace[name] = load(f"{module}:{name}", package)
        return value

    return get, lambda: sorted({*namespace, *modules})
