"""From errors to exit codes and to what people and programs read: the only place that knows either.

Exit codes: 0 done, 1 the flow failed (or an internal error), 2 invalid, 3 not found, 4 locked or denied, 124 the
command's own `--timeout`, 130 interrupted. Errors of the store are told by their `code`, so that no command imports
storage for the sake of an error.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ...errors import Denied, ExpressionError, NotFound, SealflowError
from .output.writing import note, one_line, paint, printable, say_json

OK: Final = 0
FAILED: Final = 1
INVALID: Final = 2
NOT_FOUND: Final = 3
DENIED: Final = 4
TIMED_OUT: Final = 124
INTERRUPTED: Final = 130

_BY_CODE: Final = {
    "NotFound": NOT_FOUND,
    "RecordNotFound": NOT_FOUND,
    "AlreadyExists": INVALID,
    "AlreadyThere": INVALID,
    "InvalidDatabaseUrl": INVALID,
    "InvalidKeyUri": INVALID,
    "InvalidName": INVALID,
    "InvalidPolicy": INVALID,
    "LocationMismatch": INVALID,
    "InvalidBackup": INVALID,
    "InvalidAnchor": INVALID,
    "Conflict": INVALID,
    "UnsuitableKey": INVALID,
    "NotStorable": INVALID,
    "ValueTooLarge": INVALID,
    "WaitTimedOut": TIMED_OUT,
    "Interrupted": INTERRUPTED,
    "InternalError": FAILED,
    "OperationFailed": FAILED,
}


class UsageError(SealflowError):
    """A command line that cannot be carried out as it stands."""

    code = "InvalidUsage"


class WaitTimeoutError(SealflowError):
    """The command's own `--timeout` is over; the run is not."""

    code = "WaitTimedOut"


class InterruptedRunError(SealflowError):
    """Ctrl-C."""

    code = "Interrupted"


@contextmanager
def about(file: str) -> Iterator[None]:
    """Name the file in errors about its content that come out of this block."""
    try:
        yield
    except (NotFound, Denied, WaitTimeoutError, InterruptedRunError):
        raise
    except SealflowError as error:
        if not _is_of_storage(error):
            error.add_note(file)
        raise


def report(error: BaseException, *, as_json: bool, home: str | None = None) -> int:
    """Tell of an error on stderr, and with `as_json` as the last line of stdout too; the exit code. `home` is what the
    command line said: the commands of the hint say it too.
    """
    told = _known(error)
    if home is not None and told.hint:
        from .hints import for_home

        told.hint = for_home(told.hint, home)
    for line in _lines(told):
        note(line)
    if told.code == "InternalError" and os.environ.get("SEALFLOW_DEBUG"):
        note("".join(traceback.format_exception(error)))
    if as_json:
        try:
            say_json({"error": error_json(told)})
            sys.stdout.flush()
        except OSError:
            pass  # stdout is what failed; stderr has told of it
    return exit_code(told)


def _is_of_storage(error: SealflowError) -> bool:
    """Whether it is a StorageError. A command that opens no store has not loaded that class."""
    module = sys.modules.get("sealflow.storage.errors")
    return module is not None and isinstance(error, module.StorageError)


def exit_code(error: BaseException) -> int:
    """The exit code of an error that `report` can tell."""
    code = str(getattr(error, "code", ""))
    if code in _BY_CODE:
        return _BY_CODE[code]
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Denied):
        return DENIED
    if isinstance(error, SealflowError) and not _is_of_storage(error):
        return INVALID
    return DENIED  # the store's: a wrong or missing key, a folder or file that may not or cannot be used


def error_json(error: BaseException) -> dict[str, Any]:
    """`code`, `message`, `hint`, and `at`, `file`, `position` where known."""
    told = _known(error)
    data: dict[str, Any] = {"code": told.code, "message": told.message, "hint": told.hint}
    if getattr(told, "at", ""):
        data["at"] = told.at
    if files := getattr(told, "__notes__", None):
        data["file"] = files[0]
    if isinstance(told, ExpressionError) and told.position is not None:
        data["position"] = told.position
    return data


def _known(error: BaseException) -> Any:
    """The error itself where it is one of ours, else one that says the same to its reader."""
    if hasattr(error, "code") and hasattr(error, "message") and hasattr(error, "hint"):
        return error
    if isinstance(error, OSError):
        return of_os_error(error, "")
    told = SealflowError(
        f"internal error: {type(error).__name__}", code="InternalError",
        hint="This is a fault of Sealflow. SEALFLOW_DEBUG=1 shows where it arose (and may show values of the flow).",
    )  # fmt: skip
    if isinstance(error, MemoryError):
        told = SealflowError("There is not enough memory for this.", code="InternalError")
    return told


def of_os_error(error: OSError, what: str) -> SealflowError:
    """An error of the operating system about `what`, a file's name."""
    name = what or str(error.filename or "the output")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"'{name}' is not there.", hint="Check the spelling, and the folder you are in.")
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Denied(
            f"'{name}' may not be used: {error.strerror}.", hint="Check its permissions and those of its folder."
        )
    if error.errno == errno.ENOSPC:
        return Denied(
            f"'{name}' cannot be written: the disk is full.", code="DiskFull", hint="Free some space, then again."
        )
    return SealflowError(f"'{name}' cannot be used: {error.strerror or error}.", code="FileError")


def _lines(error: Any) -> list[str]:
    lines = [f"{paint('error:', 'red', sys.stderr)} {printable(error.message)} ({error.code})"]
    place = ":".join([*getattr(error, "__notes__", [])[:1], *([error.at] if getattr(error, "at", "") else [])])
    if place:
        lines.append(f"  at:   {one_line(place)}")
    if isinstance(error, ExpressionError) and error.expression:
        lines.extend(_pointed(error.expression, error.position))
    if error.hint:
        lines.append(f"  next: {printable(error.hint)}")
    return lines


def _pointed(expression: str, position: int | None) -> list[str]:
    """The expression with a mark below the place, around it where it is long."""
    if position is None or not 0 <= position <= len(expression):
        return [f"  in:   {one_line(expression, 120)}"]
    begin = max(0, position - 60)
    before = one_line(expression[begin:position])
    after = one_line(expression[position : begin + 120])
    lead = "…" if begin else ""
    return [f"  in:   {lead}{before}{after}", f"        {' ' * (len(lead) + len(before))}^"]
