"""What goes wrong while a script runs: errors of actions, which handlers catch, and of logic, which end the flow.

Source: desktop flows, "Flow control actions", On block error: division by zero, an index out of range and the like end
the flow unless a block handles flow terminating errors. Nothing here decides what happens then.
"""

from __future__ import annotations

from typing import Final

from ...errors import SealflowError

DIVISION: Final = "DivisionByZeroError"
RANGE: Final = "IndexOutOfRangeError"
MISSING: Final = "PropertyNotFoundError"
TYPE: Final = "TypeMismatchError"
LARGE: Final = "ValueTooLargeError"
OVERFLOW: Final = "NumberOverflowError"
DURATION: Final = "InvalidDurationError"
UNREADABLE: Final = "ProtectedTextError"
ARGUMENT: Final = "InvalidArgumentError"
TIMEOUT: Final = "TimeoutError"
INTERRUPTED: Final = "ActionInterrupted"
LOST: Final = "InstanceLost"
RECURSION: Final = "CallDepthError"
BROKEN: Final = "ActionFailedError"
"""An action that broke in a way nobody foresaw: its action fails, never the engine."""


class ScriptError(SealflowError):
    """An error in a running script. `code` is the id that sections of handlers name."""

    code = BROKEN
    logic = False

    def __init__(self, code: str, message: str, *, details: str = "") -> None:
        super().__init__(message, code=code)
        self.details = details


class ActionError(ScriptError):
    """An action could not do what it was asked to: handlers of the action and of the blocks around it catch it."""


class LogicError(ScriptError):
    """An expression has no value: it ends the flow, unless a block around it takes errors of logic too."""

    logic = True


def mismatch(wanted: str, found: str) -> LogicError:
    """A value of the wrong type, e.g. `mismatch("a number", "a list")`."""
    return LogicError(TYPE, f"The value should be {wanted}, but it is {found}.")
