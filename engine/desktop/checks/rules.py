"""What whoever checks a script knows beside it: which actions are built, what policy allows, what callers give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Built: TypeAlias = Callable[[str], bool]
"""Whether an action can be run here, by its id in the catalogue's spelling."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`built` None: nobody says which are built, and only the class windows-only is refused.

    `scripts_allowed` None: the policy about scripts is not known. `allow_unsupported`: an action that cannot run is a
    warning here, and fails when a run reaches it. `given`: variables that callers set without a declaration.
    """

    built: Built | None = None
    scripts_allowed: bool | None = None
    allow_unsupported: bool = False
    given: frozenset[str] = frozenset()
