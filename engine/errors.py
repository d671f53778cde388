"""The engine's errors: one tree, each with a stable code and what to do next.

The message says what happened, where and why; `hint` says the next step. Nothing here formats tracebacks or knows a
terminal.
"""

from __future__ import annotations

import re
from typing import Any, Final


class SealflowError(Exception):
    """Any failure that Sealflow reports to its user.

    `code` is stable and meant for programs; `hint` is the next step, for people.
    """

    code = "SealflowError"

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def to_json(self) -> dict[str, Any]:
        """The error as JSON: `code`, `message` and, where known, `hint`."""
        data: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            data["hint"] = self.hint
        return data


class ExpressionError(SealflowError):
    """An expression that cannot be read or evaluated.

    `position` is the 0-based offset in `expression`, where known.
    """

    code = "InvalidTemplate"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        expression: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.expression = expression
        self.position = position


class DefinitionError(SealflowError):
    """A definition that is not one. `at` is a JSON pointer, or `line:column` for text that is no JSON."""

    code = "InvalidDefinition"

    def __init__(self, message: str, *, at: str = "", code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.at = at

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "at": self.at}


class NotYetSupported(DefinitionError):
    """A part of the language that this version does not run. It is refused, never ignored."""

    code = "NotYetSupported"


class NotFound(SealflowError):
    """An environment, flow, run or file that is not there."""

    code = "NotFound"


class Denied(SealflowError):
    """Refused: a locked environment, a missing or wrong key, a folder that may not be written."""

    code = "Denied"


# --- names made of what the designer of desktop flows shows

_KNOWN: Final = {"environment variable doesn't exist": "EnvironmentVariableNotFoundError"}


def error_name(shown: str) -> str:
    """The name of an error of a desktop action by its display name: what a handler's section is headed with.

    Its words are joined, each with a capital, and `Error` stands at the end. Apostrophes are dropped ("Can't copy file"
    is CantCopyFileError), and so are the brackets of a plural ("value(s)" is Values); whatever else is no letter or
    digit parts words.

    Source: published scripts head sections with FileNotFoundError, EnvironmentVariableNotFoundError and TimeoutError,
    whose display names are "File not found", "Environment variable doesn't exist" and "Timeout error". The first and
    the third follow from their words; the second is an exception. All others are made by the same rule.
    """
    known = _KNOWN.get(shown.lower().replace("\u2019", "'"))
    if known is not None:
        return known
    words = re.findall(r"[^\W_]+", re.sub(r"['\u2019]|\((?=e?s\))|(?<=s)\)", "", shown))
    if not words or words[-1].lower() != "error":
        words.append("Error")
    return "".join(word[0].upper() + word[1:] for word in words)
