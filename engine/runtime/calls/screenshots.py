"""The picture of a browser's page that is kept of a desktop flow's run when one of its calls makes it fail.

It is in the record of that call's result, sealed as everything of the run, and goes with the run. No view of a run
shows it; whoever wants it asks for it. Sources: desktop flows, "Run details" (a screenshot of failed runs); exported
solutions (`disableScreenshotCaptureOnError`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ....storage import Vault
from ...kernel.contract.records import RESULT
from ..history.reading import stored_records

if TYPE_CHECKING:
    from ....connectors.desktop import Session
    from ...kernel.desktop.plan import Handler

_NAME: Final = "screenshot"
_LARGEST: Final = 4 << 20
"""Bytes of a picture that are kept."""


async def look(session: Session, code: str, handlers: tuple[Handler, ...]) -> dict[str, Any] | None:
    """What is kept of a call that has failed: with a browser open, and an error that nobody takes."""
    if "browser" not in session.kept or any(handler.section(code) >= 0 for handler in handlers):
        return None
    from ....connectors.desktop.web.automation import last_look

    picture = await last_look(session)
    return {_NAME: picture} if picture is not None and len(picture) <= _LARGEST else None


async def screenshot(vault: Vault, run_id: bytes) -> bytes | None:
    """The picture of a run as PNG, None where it has none. Raises NotFound, and storage errors."""
    found: bytes | None = None
    async for record in stored_records(vault, run_id):
        if record[1] == RESULT and isinstance(record[8], dict) and isinstance(record[8].get(_NAME), bytes):
            found = record[8][_NAME]
    return found
