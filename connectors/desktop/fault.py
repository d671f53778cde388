"""The errors of desktop actions, by the names that scripts catch them with."""

from __future__ import annotations

import re

from ...engine.errors import SealflowError

_WORDS = re.compile(r"[^\W_]+")
_DROPPED = re.compile(r"['’]|\((?=e?s\))|(?<=s)\)")


class Fault(SealflowError):
    """An action's error. `name` is what `ON ERROR name` matches: FileNotFoundError."""

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, code=name, hint=hint)
        self.name = name


def error_name(display: str) -> str:
    """The name of an error that is documented by its display name: "File not found" is FileNotFoundError.

    Apostrophes and the brackets of a plural ("value(s)") vanish, words are joined with capitals, and `Error` stands at
    the end. Of the names that are proven, FileNotFoundError and TimeoutError are formed this way; the others are by
    analogy.
    """
    words = _WORDS.findall(_DROPPED.sub("", display))
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined.endswith("Error") else joined + "Error"


def fault(display: str, message: str, *, hint: str | None = None) -> Fault:
    """The documented error of this display name, with a message of what happened here."""
    return Fault(error_name(display), message, hint=hint)
