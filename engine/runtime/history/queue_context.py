"""What the start record of a desktop flow's run says of the machines that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

GROUP: Final = "machineGroup"
"""The pin of a run that is for the machines of a group, and of what that run calls: {"id", "name"}, and of one that was
put into the queue "priority" and "until" (ticks) too.
"""


def queue_of(pins: Mapping[str, Any]) -> bytes | None:
    """The queue that a run is of, by its pins."""
    kept = pins.get(GROUP)
    return bytes.fromhex(kept["id"]) if isinstance(kept, dict) else None


def shown_pins(pins: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a desktop flow was called, as far as its start record says it: run mode, group of machines, priority."""
    kept = pins.get(GROUP)
    group = kept if isinstance(kept, dict) else {}
    said = {"runMode": pins.get("runMode"), "machineGroup": group.get("name"), "priority": group.get("priority")}
    return {name: value for name, value in said.items() if value} or None
