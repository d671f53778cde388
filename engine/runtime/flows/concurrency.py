"""Whether the runs of a flow limit each other, so that one worker has to have all of them."""

from __future__ import annotations

from ...kernel import Plan
from ...kernel.cloud.triggers.trigger import concurrency_of, is_single


def is_led(plan: Plan) -> bool:
    """Return whether the runs of this flow limit each other: all of them run on the worker that leads."""
    return concurrency_of(plan) is not None or is_single(plan)
