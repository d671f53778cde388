"""How long a run of a desktop flow may last: what the flow says itself, and what its call says.

Both count from the moment when the run begins; what it has waited for a machine before does not. Then it ends as
TimedOut, whatever is under way in it.

Sources: Dataverse, "RunDesktopFlow" (`timeout` in seconds, 24 hours at most; session status TimedOut); exported
solutions (`flowTimeout` in the metadata of a desktop flow). The unit of the latter, the code of the error, and that the
shorter of the two counts, were decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ...errors import DefinitionError
from ...kernel.contract.timing import SECOND

if TYPE_CHECKING:
    from ..flows.start import Start
    from .live_run import LiveRun

TIMEOUT: Final = "timeout"
"""The pin of a run that may not last for as long as any: seconds."""

MOST: Final = 86_400
"""Seconds that a call may ask for."""

CODE: Final = "DesktopFlowTimedOut"


def seconds(given: object) -> int | None:
    """A limit in seconds, None where none is given. Raises DefinitionError, code InvalidTimeout."""
    if given is None or given == "":
        return None
    try:
        found = int(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else 0
    except ValueError:
        found = 0
    if not 0 < found <= MOST:
        raise DefinitionError(
            f"The timeout of a desktop flow is a number of seconds from 1 to {MOST}.", code="InvalidTimeout"
        )
    return found


def limit(start: Start, given: object) -> None:
    """Let a run last no longer than its call says. Raises DefinitionError, code InvalidTimeout."""
    asked, own = seconds(given), start.pins.get(TIMEOUT)
    both = [each for each in (asked, own) if each is not None]
    if both:
        start.pins[TIMEOUT] = min(both)


def apply(run: LiveRun, pins: Mapping[str, Any]) -> None:
    """Set when a run that begins, or goes on here, has lasted too long."""
    given = pins.get(TIMEOUT)
    if not isinstance(given, int) or run.simulation is not None:
        return
    state: Any = run.state
    waits = bool(pins.get("held")) and state.seq <= 1
    began = run.now() if waits else state.began or run.started
    due = began + given * SECOND
    if due < run.expires:
        run.expires = due
        run.limit = CODE, f"The desktop flow had not ended after {given:,} seconds, the longest that it may last."
