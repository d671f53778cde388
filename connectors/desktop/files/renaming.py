"""The new names of File.RenameFiles, one scheme each.

Source: the actions reference of File, "Rename file(s)": set a new name, add, remove or replace text, change the
extension, add a datetime, make sequential. Names of arguments that no script at hand shows follow the designer's
labels.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ....engine.values import decimal_text
from ..arguments import Arguments
from ..fault import Fault
from ..session import Session

_SECOND: Final = 10_000_000

_SEPARATORS: Final = {
    "nothing": "",
    "space": " ",
    "dash": "-",
    "hyphen": "-",
    "underscore": "_",
    "period": ".",
    "dot": ".",
}


def renamed(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    """The new name of the `number`th file, from 0."""
    return _SCHEMES[arguments.selector.casefold()](path, number, arguments, session)


def _set(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    name = arguments.text("NewName")
    return name + path.suffix if arguments.boolean("KeepExtension", True) else name


def _add(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    return _placed(path, arguments.text("TextToAdd"), arguments, "TextPosition", separator="")


def _remove(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    return path.stem.replace(arguments.text("TextToRemove"), "") + path.suffix


def _replace(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    return path.stem.replace(arguments.text("TextToReplace"), arguments.text("ReplacementText", "")) + path.suffix


def _extension(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    extension = arguments.text("NewExtension")
    return path.stem + ("" if extension.startswith(".") or not extension else ".") + extension


def _date(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    zone = ZoneInfo(session.settings.time_zone)
    which = arguments.text("DateTimeToAdd", "Current").rsplit(".", 1)[-1].casefold()
    if which in ("current", "currentdatetime"):
        at = datetime.fromtimestamp(session.clock.now() / _SECOND, zone)
    else:
        known = path.stat()
        times = {"creation": known.st_ctime, "lastaccessed": known.st_atime, "lastmodified": known.st_mtime}
        seconds = next((each for name, each in times.items() if which.startswith(name[:12])), known.st_mtime)
        at = datetime.fromtimestamp(seconds, zone)
    text = _formatted(at, arguments.text("DateTimeFormat", "yyyyMMdd"))
    return _placed(path, text, arguments, "DateTimePosition", separator=_separator(arguments, "DateTimeSeparator"))


def _custom_date(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    name = next(each for each in ("CustomDateTime", "DateTime", "DateTimeToAdd") if each in arguments)
    text = _formatted(arguments.datetime(name), arguments.text("DateTimeFormat", "yyyyMMdd"))
    return _placed(path, text, arguments, "DateTimePosition", separator=_separator(arguments, "DateTimeSeparator"))


def _sequence(path: Path, number: int, arguments: Arguments, session: Session) -> str:
    start = arguments.number("StartNumber", 1)
    step = arguments.number("Increment", 1)
    text = decimal_text(start + step * number)
    if arguments.boolean("UsePadding", False):
        text = text.zfill(arguments.integer("PaddingLength", 1))
    separator = _separator(arguments, "Separator")
    if arguments.selector.casefold() == "overwritewithsequentialsuffix":
        return arguments.text("NewName", path.stem) + separator + text + path.suffix
    return path.stem + separator + text + path.suffix


_SCHEMES: Final[dict[str, Callable[[Path, int, Arguments, Session], str]]] = {
    "rename": _set,
    "renameaddtext": _add,
    "renameremovetext": _remove,
    "renamereplacetext": _replace,
    "renamechangeextension": _extension,
    "renameadddateortime": _date,
    "renameaddcustomdatetime": _custom_date,
    "renameaddsequentialsuffix": _sequence,
    "overwritewithsequentialsuffix": _sequence,
}


def _placed(path: Path, text: str, arguments: Arguments, name: str, *, separator: str) -> str:
    before = arguments.choice(name, ("BeforeName", "AfterName"), "AfterName") == "beforename"
    return (text + separator + path.stem if before else path.stem + separator + text) + path.suffix


def _separator(arguments: Arguments, name: str) -> str:
    return _SEPARATORS.get(arguments.text(name, "Nothing").rsplit(".", 1)[-1].casefold(), "")


_DATE_PARTS: Final = (
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("tt", "%p"),
)


def _formatted(at: datetime, pattern: str) -> str:
    """A datetime in a format of a file's name: the parts that such names use, the rest as it stands."""
    text, at_sign = "", 0
    while at_sign < len(pattern):
        for sign, code in _DATE_PARTS:
            if pattern.startswith(sign, at_sign):
                text += at.strftime(code)
                at_sign += len(sign)
                break
        else:
            if pattern[at_sign] in "/:":
                raise Fault("CantRenameFileError", f"'{pattern[at_sign]}' cannot stand in the name of a file.")
            text += pattern[at_sign]
            at_sign += 1
    return text
