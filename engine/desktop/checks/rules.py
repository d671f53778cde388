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

    `scripts_allowed` None: it is not known what the policy says about scripts. `when_reached`: an action that cannot
    run fails when it is reached, and is a warning here. `given`: variables that callers set without a declaration.
    """

    built: Built | None = None
    scripts_allowed: bool | None = None
    when_reached: bool = False
    given: frozenset[str] = frozenset()
