"""The File module: copying, moving, deleting, renaming, reading and writing files of the allowed folders."""

from __future__ import annotations

import base64
import binascii
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..folders import Folders
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .encodings import decoded, encoded
from .held import copied, moved, opened, removed, written
from .items import file_item
from .renaming import renamed


def resolved(value: Datum, session: Session, *, write: bool = False) -> Path:
    """The real path of a File, a Folder or a text."""
    text = value.text if isinstance(value, Item) else value
    if not isinstance(text, str):
        raise Fault("InvalidPathError", "A path must be a text, a file or a folder.")
    return session.folders.resolve(text, write=write)


def paths_of(arguments: Arguments, name: str, session: Session, *, write: bool = False) -> list[Path]:
    """The files that an argument names: one, a list, or a pattern such as `C:\\Data\\*.txt`."""
    found: list[Path] = []
    for value in arguments.list(name):
        text = value.text if isinstance(value, Item) else value
        if isinstance(text, str) and any(sign in text.replace("/", "\\").rsplit("\\", 1)[-1] for sign in "*?"):
            folder, _, pattern = text.replace("/", "\\").rpartition("\\")
            base = session.folders.resolve(folder or ".", write=write)
            # What a link among them leads to is judged like any other path.
            files = sorted(path for path in base.glob(_glob(pattern)) if path.is_file())
            found += [session.folders.checked(path, write=write) for path in files]
        else:
            found.append(resolved(value, session, write=write))
    return found


def _glob(pattern: str) -> str:
    return pattern.replace("[", "[[]")


def _existing(paths: list[Path], session: Session, no_folder: str) -> list[Path]:
    """The files. Raises Fault FileNotFoundError, and `no_folder` (a display name) where their folder is not there."""
    for path in paths:
        if not path.is_file():
            if not path.parent.is_dir():
                raise fault(no_folder, f"There is no folder '{session.folders.shown(path.parent)}'.")
            raise fault("File not found", f"There is no file '{session.folders.shown(path)}'.")
    return paths


def read_whole(path: Path, session: Session, failed: str = "Failed to read from file") -> bytes:
    """A file's bytes. Raises Fault FileNotFoundError, FileTooLargeError, and `failed` (a display name)."""
    most = session.settings.file_bytes
    try:
        with opened(session.folders, path) as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise fault("File not found", f"There is no file '{session.folders.shown(path)}'.") from None
    except OSError as error:
        raise fault(failed, f"'{session.folders.shown(path)}': {error.strerror}.") from error
    if len(data) > most:
        raise Fault("FileTooLargeError", f"'{session.folders.shown(path)}' has more than {most:,} bytes.")
    return data


# --- copying, moving, deleting


def _transfer(
    how: Callable[[Folders, Path, Path], object], word: str, arguments: Arguments, session: Session
) -> list[Datum]:
    moves = word == "move"
    files = _existing(paths_of(arguments, "Files", session, write=moves), session, "Source folder doesn't exist")
    target = resolved(arguments.get("Destination"), session, write=True)
    if not target.is_dir():
        raise fault("Destination folder doesn't exist", f"There is no folder '{session.folders.shown(target)}'.")
    overwrite = arguments.choice("IfFileExists", ("DoNothing", "Overwrite"), "DoNothing") == "overwrite"
    done: list[Datum] = []
    for path in files:
        place = session.folders.checked(target / path.name, write=True)
        if place.exists() and not overwrite:
            continue
        if place.is_dir():  # both functions would put the file into it
            raise fault(f"Can't {word} file", f"'{session.folders.shown(place)}' is a folder.")
        try:
            if place != path:
                how(session.folders, path, place)
        except OSError as error:
            raise fault(f"Can't {word} file", f"'{path.name}': {error.strerror}.") from error
        done.append(file_item(place, session))
    return done


def copy(arguments: Arguments, session: Session) -> Outputs:
    """File.Copy."""
    return {"CopiedFiles": _transfer(copied, "copy", arguments, session)}


def move(arguments: Arguments, session: Session) -> Outputs:
    """File.Move."""
    return {"MovedFiles": _transfer(_move, "move", arguments, session)}


def _move(folders: Folders, source: Path, target: Path) -> None:
    try:
        moved(folders, source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copied(folders, source, target)  # to another file system
        removed(folders, source)


def delete(arguments: Arguments, session: Session) -> Outputs:
    """File.Delete."""
    for path in _existing(paths_of(arguments, "Files", session, write=True), session, "File path doesn't exist"):
        try:
            removed(session.folders, path)
        except OSError as error:
            raise fault("Can't delete file", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return None


def rename(arguments: Arguments, session: Session) -> Outputs:
    """File.RenameFiles.*"""
    files = _existing(paths_of(arguments, "Files", session, write=True), session, "Directory not found")
    overwrite = arguments.choice("IfFileExists", ("DoNothing", "Overwrite"), "DoNothing") == "overwrite"
    done: list[Datum] = []
    for number, path in enumerate(files):
        name = renamed(path, number, arguments, session)
        if not name or "/" in name or "\\" in name or name in (".", ".."):
            raise fault("Can't rename file", f"'{name}' is no name of a file.")
        target = session.folders.checked(path.parent / name, write=True)
        if target.exists() and target != path and not overwrite:
            continue
        try:
            moved(session.folders, path, target)
        except OSError as error:
            raise fault("Can't rename file", f"'{path.name}': {error.strerror}.") from error
        done.append(file_item(target, session))
    return {"RenamedFiles": done}


# --- reading and writing


def read_text(arguments: Arguments, session: Session) -> Outputs:
    """File.ReadTextFromFile.ReadText, .ReadTextAsList."""
    path = resolved(arguments.get("File"), session)
    if not path.parent.is_dir():
        raise fault("Directory not found", f"There is no folder '{session.folders.shown(path.parent)}'.")
    text = decoded(read_whole(path, session), arguments.text("Encoding", "UTF8"))
    if arguments.selector.casefold() == "readtextaslist":
        return {"Contents": list(lines_of(text))}
    return {"Content": text}


def lines_of(text: str) -> list[str]:
    """The lines of a text, ended by CRLF, LF or CR; a last end makes no further line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def write_text(arguments: Arguments, session: Session) -> Outputs:
    """File.WriteText. A list is written a line for each of its items."""
    path = resolved(arguments.get("File"), session, write=True)
    value = arguments.get("TextToWrite", "")
    if isinstance(value, list):
        text = "\r\n".join(Arguments({"item": item}, arguments.action).text("item", "") for item in value)
    else:
        text = arguments.text("TextToWrite", "")
    if arguments.boolean("AppendNewLine", True):
        text += "\r\n"
    append = arguments.choice("IfFileExists", ("Overwrite", "Append"), "Overwrite") == "append"
    write(path, text, arguments.text("Encoding", "Unicode"), session, append=append)
    return None


def write(path: Path, text: str, encoding: str, session: Session, *, append: bool) -> None:
    """Writes a text, or adds it to what is there. Raises the faults of File.WriteText."""
    if not path.parent.is_dir():
        raise fault("Invalid directory for file", f"There is no folder '{session.folders.shown(path.parent)}'.")
    try:
        first = not append or not path.exists() or path.stat().st_size == 0
        with opened(session.folders, path, "ab" if append else "wb") as file:
            file.write(encoded(text, encoding, first=first))
    except OSError as error:
        message = f"'{session.folders.shown(path)}': {error.strerror}."
        raise fault("Failed to write text to file", message) from error


def to_base64(arguments: Arguments, session: Session) -> Outputs:
    """File.ConvertToBase64."""
    return {"Base64Text": base64.b64encode(read_whole(resolved(arguments.get("File"), session), session)).decode()}


def to_binary(arguments: Arguments, session: Session) -> Outputs:
    """File.ConvertToBinary: the bytes as base64 text."""
    return {"BinaryData": base64.b64encode(read_whole(resolved(arguments.get("File"), session), session)).decode()}


def from_base64(arguments: Arguments, session: Session) -> Outputs:
    """File.ConvertFromBase64 and ConvertFromBinary."""
    name = "Base64Text" if "Base64Text" in arguments else "BinaryData"
    try:
        data = base64.b64decode(arguments.text(name), validate=True)
    except (binascii.Error, ValueError):
        raise Fault("ArgumentTypeError", f"{arguments.action}: '{name}' is no base64 text.") from None
    path = resolved(arguments.get("File"), session, write=True)
    if arguments.choice("IfFileExists", ("DoNothing", "Overwrite"), "DoNothing") == "overwrite" or not path.exists():
        try:
            written(session.folders, path, data)
        except OSError as error:
            message = f"'{session.folders.shown(path)}': {error.strerror}."
            raise fault("Failed to write text to file", message) from error
    return None


# --- looking


def path_part(arguments: Arguments, session: Session) -> Outputs:
    """File.GetPathPart: of a path as it is written; the file need not exist."""
    value = arguments.get("File")
    written = value.text if isinstance(value, Item) else arguments.text("File")
    slashes = "\\" if "\\" in written else "/"
    text = written.replace("/", "\\")
    folder, _, name = text.rpartition("\\")
    stem, dot, extension = name.rpartition(".")
    share = "\\".join(text.split("\\")[:4]) if text.startswith("\\\\") else "\\"
    root = text[:3] if text[1:2] == ":" else share
    return {
        "RootPath": root.replace("\\", slashes),
        "Directory": folder.replace("\\", slashes),
        "FileName": name,
        "FileNameWithoutExtension": stem if dot else name,
        # Older texts have these two.
        "Name": name,
        "NameWithoutExtension": stem if dot else name,
        "Extension": f".{extension}" if dot else "",
    }


def exists(arguments: Arguments, session: Session) -> Outputs:
    """File.IfFile.Exists, .DoesNotExist."""
    there = resolved(arguments.get("File"), session).is_file()
    return {"Condition": there == (arguments.selector.casefold() == "exists")}


def waited(arguments: Arguments, session: Session) -> Outputs:
    """File.WaitForFile.Created, .Deleted: whether what is waited for has come."""
    there = resolved(arguments.get("File"), session).is_file()
    return {"Condition": there == (arguments.selector.casefold() == "created")}


def temporary(arguments: Arguments, session: Session) -> Outputs:
    """File.GetTempPath: a new, empty file in the system's folder for such files where that is allowed, else in ours."""
    try:
        folder = resolved(tempfile.gettempdir(), session, write=True)
    except Fault:
        if session.folders.working is None:
            raise
        folder = resolved(str(session.folders.working), session, write=True)
    try:
        number, name = tempfile.mkstemp(suffix=".tmp", dir=folder)
        os.close(number)
    except OSError as error:
        raise fault("Failed to create temporary file", f"{error.strerror}.") from error
    return {"TempFile": file_item(Path(name), session)}


_SCHEMES: Final = (
    "Rename",
    "RenameAddText",
    "RenameRemoveText",
    "RenameReplaceText",
    "RenameChangeExtension",
    "RenameAddDateOrTime",
    "RenameAddCustomDateTime",
    "RenameAddSequentialSuffix",
    "OverwriteWithSequentialSuffix",
)

TABLE: Table = {
    "File.Copy": Operation(copy),
    "File.Move": Operation(move),
    "File.Delete": Operation(delete),
    **{f"File.RenameFiles.{scheme}": Operation(rename) for scheme in _SCHEMES},
    "File.ReadTextFromFile.ReadText": reads(read_text),
    "File.ReadTextFromFile.ReadTextAsList": reads(read_text),
    "File.WriteText": Operation(write_text),
    "File.ConvertToBase64": reads(to_base64),
    "File.ConvertFromBase64": Operation(from_base64),
    "File.ConvertToBinary": reads(to_binary),
    "File.ConvertFromBinary": Operation(from_base64),
    "File.GetPathPart": reads(path_part),
    "File.GetTempPath": Operation(temporary),
    "File.IfFile.Exists": reads(exists),
    "File.IfFile.DoesNotExist": reads(exists),
    "File.WaitForFile.Created": reads(waited),
    "File.WaitForFile.Deleted": reads(waited),
}
