"""The one exception of a job that is told to the flow: a code and a sentence."""

from __future__ import annotations


class Fault(Exception):
    """What the job was given is at fault. `code` becomes the action's code, `message` and `hint` its error."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
