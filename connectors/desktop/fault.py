"""The errors of desktop actions, by the names that scripts catch them with."""

from __future__ import annotations

from ...engine.errors import SealflowError, error_name


class Fault(SealflowError):
    """An action's error. `name` is what `ON ERROR name` matches: FileNotFoundError."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, code=name, hint=hint)
        self.name = name


def fault(display: str, message: str, *, hint: str | None = None) -> Fault:
    """The documented error of this display name, with a message of what happened here."""
    return Fault(error_name(display), message, hint=hint)
