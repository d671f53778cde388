"""Who administers keys here, and within which limit: what `Engine.administration` gives, made ready.

The acts themselves are storage's. The name of an actor is advisory in an embedded engine: whoever may read the
keystore can act under any name.
"""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Final

from ...errors import SealflowError

if TYPE_CHECKING:
    from ....storage import Actor, Administration, Store

ACTOR_VARIABLE: Final = "SEALFLOW_ACTOR"
LIMIT_VARIABLE: Final = "SEALFLOW_POLICY_LIMIT"
APPROVALS_VARIABLE: Final = "SEALFLOW_APPROVALS"


def administration(store: Store, actor: Actor | str | None, limit: int | None) -> Administration:
    """The administrator's acts on a store, in the name of `actor`: both roles, unless an `Actor` has fewer.

    Raises SealflowError, code `InvalidActor` for a name that is empty, `InvalidPolicyLimit` and `InvalidApprovals`.
    """
    from ....storage import Actor, Administration

    if not isinstance(actor, Actor):
        actor = Actor(actor_name() if actor is None else actor)
    if not actor.name.strip():
        raise SealflowError("Whoever administers keys needs a name.", code="InvalidActor")
    return Administration(store, actor, limit=policy_limit() if limit is None else limit, approvals=approvals())


def actor_name() -> str:
    """Who acts where nobody is named: $SEALFLOW_ACTOR, else the user of the operating system."""
    named = os.environ.get(ACTOR_VARIABLE)
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without an entry, as in some containers
        return f"uid-{os.getuid()}"


def policy_limit() -> int:
    """$SEALFLOW_POLICY_LIMIT, else 25. Raises SealflowError, code `InvalidPolicyLimit`, for what is no count."""
    from ....storage.administration.administration import DEFAULT_LIMIT

    text = os.environ.get(LIMIT_VARIABLE)
    if not text:
        return DEFAULT_LIMIT
    if not text.strip().isdecimal():
        raise SealflowError(
            f"{LIMIT_VARIABLE} is a number of environments, not '{text}'.",
            code="InvalidPolicyLimit",
            hint=f"The default is {DEFAULT_LIMIT}.",
        )
    return int(text)


def approvals() -> int:
    """$SEALFLOW_APPROVALS, else 1: how many administrators an act on keys takes at least, whatever policies say. Raises
    SealflowError, code `InvalidApprovals`, for anything but 1 and 2.
    """
    text = os.environ.get(APPROVALS_VARIABLE) or "1"
    if text.strip() not in ("1", "2"):
        raise SealflowError(
            f"{APPROVALS_VARIABLE} is 1 or 2, not '{text}'.",
            code="InvalidApprovals",
            hint="2: whoever acts on keys needs a second administrator's approval.",
        )
    return int(text)
