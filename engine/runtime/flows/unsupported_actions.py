"""What becomes of an action of a desktop flow that cannot run here, where the flow was deployed all the same: it fails
when it is reached, with the code and the reason by which it would have been refused before.
"""

from __future__ import annotations

from typing import Final

from ...errors import SealflowError

NOT_THERE: Final = frozenset({"ConnectorNotFound", "OperationNotFound"})
"""The codes of a call that nobody answers."""


def refusal(action: str) -> SealflowError | None:
    """Why an action, by its id, runs nowhere here; None where it is no action that is known. A program can register a
    connector for its module, which is then asked.
    """
    from ...desktop.catalog import is_windows_only, lookup, reason, withdrawn
    from .scripts import can_run

    if can_run(action):
        return None
    spec = lookup(action)
    shown = f"'{spec.name}' ({spec.id})" if spec is not None else f"'{action}'"
    if gone := withdrawn(spec.id if spec is not None else action):
        return SealflowError(f"{shown} runs nowhere any more: {gone}.", code="ServiceWithdrawn")
    if is_windows_only(action):
        return SealflowError(f"{shown} runs on Windows only: {reason(action)}.", code="WindowsOnlyAction")
    if spec is not None:
        return SealflowError(f"{shown} is not built yet.", code="NotYetSupported")
    return None
