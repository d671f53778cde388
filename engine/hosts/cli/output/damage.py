"""What lists say of rows that do not open: they are shown, with what is wrong, beside the rest; the exit code is 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FAILED, OK
from ..session import again
from .writing import note, one_line, paint, say

if TYPE_CHECKING:
    from .....storage import CorruptRecord

_HINT = "`sealflow verify` says everything that is wrong."


def damaged_id(each: CorruptRecord) -> str:
    """The id as the list shows others'."""
    from ....runtime.flows.start import run_name

    return run_name(each.id) if each.kind == "run" else each.id.hex()


def damaged_error(each: CorruptRecord) -> dict[str, Any]:
    """The member "error" of a damaged row in JSON, which no other row of a list has."""
    return {"code": each.error.code, "message": each.error.message, "hint": _HINT}


def say_damaged(found: Sequence[CorruptRecord], *, home: Path | None, environment: str) -> None:
    """A line for each behind the list, and where to go from there."""
    for each in found:
        what = {"trigger": "trigger of flow"}.get(each.kind, each.kind)
        problem = f"{one_line(each.error.message)} ({each.error.code})"
        say(f"{paint('damaged', 'red')}  {what} {damaged_id(each)}: {problem}")
    if found:
        note(f"next: {again('verify', home=home, environment=environment)}")


def exit_code(found: Sequence[CorruptRecord]) -> int:
    """What a list exits with, as `sealflow verify` does."""
    return FAILED if found else OK
