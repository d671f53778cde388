"""The Clipboard module: a clipboard of the run's own, since there is no desktop whose clipboard it could be."""

from __future__ import annotations

from typing import Final

from ..arguments import Arguments
from ..port import Operation, Outputs, Table, reads
from ..session import Session

_KEPT: Final = "clipboard"


def get_text(arguments: Arguments, session: Session) -> Outputs:
    """Clipboard.GetText: empty where nothing was put there."""
    return {"Text": session.kept.get(_KEPT, "")}


def set_text(arguments: Arguments, session: Session) -> Outputs:
    """Clipboard.SetText."""
    session.kept[_KEPT] = arguments.text("Text", "")
    return None


def clear(arguments: Arguments, session: Session) -> Outputs:
    """Clipboard.Clear."""
    session.kept.pop(_KEPT, None)
    return None


TABLE: Table = {
    "Clipboard.GetText": reads(get_text),
    "Clipboard.SetText": Operation(set_text, "rerun"),
    "Clipboard.Clear": Operation(clear, "rerun"),
}
