"""UI elements and images: whether those that a script names came with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..syntax.problem import Problems
from ..syntax.tree import Element, Script
from .walk import Visit, expressions_of, nodes

_HOLDERS: Final = ("Screens", "Controls", "Folders", "Images")
"""The properties of a repository's objects that hold others with names."""
_DEEPEST: Final = 20


def check_elements(script: Script, active: Sequence[Visit], problems: Problems) -> None:
    """Only where repositories came with the script: without them nothing is known."""
    known = {name: _paths(script.repositories[name]) for name in ("appmask", "imgrepo") if name in script.repositories}
    if not any(known.values()):
        return
    for visit in active:
        for expression in expressions_of(visit.statement):
            for node in nodes(expression):
                if not isinstance(node, Element) or not known.get(node.repository):
                    continue
                if tuple(step.lower() for step in node.path) not in known[node.repository]:
                    problems.error(
                        "UnknownElement",
                        node.place,
                        f"There is no UI element or image {' / '.join(repr(step) for step in node.path)}.",
                        "Copy or export the flow again, with its UI elements.",
                    )


def _paths(repository: Any) -> set[tuple[str, ...]]:
    """The names of elements by way of their screens and folders, in lower case.

    An element in another one is also named by its screen and its own name alone.
    """
    found: set[tuple[str, ...]] = set()
    waiting: list[tuple[Any, tuple[str, ...]]] = [(repository, ())]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, list):
            waiting += [(each, path) for each in value]
        elif isinstance(value, dict) and len(path) < _DEEPEST:
            for key in _HOLDERS:
                held = value.get(key)
                for each in held if isinstance(held, list) else ():
                    name = each.get("Name") if isinstance(each, dict) else None
                    if isinstance(name, str):
                        own = (*path, name.lower())
                        found |= {own, (own[0], own[-1])}
                        waiting.append((each, own))
    return found
