"""Documents that actions open at a path, and save where they came from or under another one. Nothing is read here."""

from __future__ import annotations

from pathlib import Path

from ..arguments import Arguments
from ..fault import fault
from ..files.file import resolved
from ..session import Session
from .packaged import judge_size


def asked(arguments: Arguments, session: Session) -> Path | None:
    """The file at Path, None where a new document is wanted. Raises Fault FileTooLargeError, AccessDeniedError."""
    if "Path" not in arguments:
        return None
    path = resolved(arguments.get("Path"), session)
    judge_size(path, session)
    return path


def saves_as(arguments: Arguments) -> bool:
    """Whether the action saves under a path of its own, by the end of its name: SaveAs, CloseAndSaveAs."""
    return arguments.action.casefold().endswith("saveas")


def saves(arguments: Arguments) -> bool:
    """Whether an action that closes saves before: all but Close do."""
    return arguments.action.rsplit(".", 1)[-1].casefold() != "close"


def destination(arguments: Arguments, session: Session, came_from: Path | None, suffix: str, failed: str) -> Path:
    """Where a document is saved: under DocumentPath, with `suffix` if it has none, or where it came from.

    Raises Fault `failed` (a display name) for a new one without a path, AccessDeniedError.
    """
    path = resolved(arguments.get("DocumentPath"), session, write=True) if saves_as(arguments) else came_from
    if path is None:
        raise fault(failed, "It is new: it has no path to be saved to.")
    return session.folders.checked(path if path.suffix else path.with_name(path.name + suffix), write=True)
