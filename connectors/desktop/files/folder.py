"""The Folder module: making, copying, moving, emptying and listing the allowed folders."""

from __future__ import annotations

import errno
import fnmatch
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .file import resolved
from .held import cleared, copied, held, made, moved, removed
from .items import file_item, folder_item

MOST_FOUND: Final = 1_000_000
"""Files that one listing may give."""


def _existing(arguments: Arguments, name: str, session: Session, *, write: bool = False) -> Path:
    path = resolved(arguments.get(name), session, write=write)
    if not path.is_dir():
        raise fault("Folder doesn't exist", f"There is no folder '{session.folders.shown(path)}'.")
    return path


def _own(path: Path, session: Session, what: str) -> Path:
    """A folder that may be taken away: not one of the allowed folders itself."""
    if any(path == each.path or path in each.path.parents for each in session.settings.folders):
        raise fault(what, f"'{session.folders.shown(path)}' is a folder that the environment allows, and stays.")
    return path


def create(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Create."""
    name = arguments.text("FolderName", "")
    if not name and "FolderPath" not in arguments:
        raise fault("New folder path and name are empty", "Neither a folder nor a name is given.")
    base = resolved(arguments.get("FolderPath"), session, write=True)
    path = session.folders.checked(base / name.replace("\\", "/").lstrip("/"), write=True)
    try:
        made(session.folders, path)
    except OSError as error:
        raise fault("Can't create folder", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return {"Folder": folder_item(path, session)}


def delete(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Delete."""
    path = _own(_existing(arguments, "Folder", session, write=True), session, "Can't delete folder")
    try:
        cleared(session.folders, path)
    except OSError as error:
        raise fault("Can't delete folder", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return None


def empty(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Empty."""
    path = _existing(arguments, "Folder", session, write=True)
    if session.folders.holds(path):
        what = f"A folder in '{session.folders.shown(path)}' is one that the environment allows, and stays."
        raise fault("Can't delete folder's contents", what)
    try:
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                cleared(session.folders, Path(entry.path))
            else:
                removed(session.folders, Path(entry.path))
    except OSError as error:
        raise fault("Can't delete folder's contents", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return None


def copy(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Copy: into the destination, under its own name."""
    source = _existing(arguments, "Folder", session)
    target = _into(arguments, session) / source.name
    overwrite = arguments.choice("IfFolderExists", ("DoNothing", "Overwrite"), "DoNothing") == "overwrite"
    if target.exists() and not overwrite:
        return {"CopiedFolder": folder_item(target, session)}
    if target == source or source in target.parents:
        raise fault("Can't copy folder", f"'{session.folders.shown(target)}' is inside the folder itself.")
    try:
        _copy_tree(source, target, session)
    except (OSError, shutil.Error) as error:
        raise fault("Can't copy folder", f"'{session.folders.shown(source)}' could not be copied whole.") from error
    return {"CopiedFolder": folder_item(target, session)}


def _copy_tree(source: Path, target: Path, session: Session) -> None:
    """Copies what a folder holds, into the folders that may be there already. Every place is judged as it is reached.

    Links are copied as links, and followed again only within what is allowed.
    """
    made(session.folders, session.folders.checked(target, write=True))
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        place = target / entry.name
        if entry.is_symlink():
            session.folders.checked(target, write=True)
            with suppress(FileNotFoundError):
                removed(session.folders, place)
            with held(session.folders, place.parent) as folder:
                os.symlink(os.readlink(entry.path), place if folder is None else place.name, dir_fd=folder)
        elif entry.is_dir():
            _copy_tree(session.folders.checked(Path(entry.path)), place, session)
        elif entry.is_file():  # a pipe would be waited for, for ever
            copied(session.folders, Path(entry.path), session.folders.checked(place, write=True))
    shutil.copystat(source, target)


def move(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Move."""
    source = _own(_existing(arguments, "Folder", session, write=True), session, "Can't move folder")
    target = _into(arguments, session) / source.name
    if target.exists() or source in target.parents:
        raise fault("Can't move folder", f"'{session.folders.shown(target)}' is there already, or inside the folder.")
    try:
        _move(source, target, session)
    except OSError as error:
        raise fault("Can't move folder", f"'{session.folders.shown(source)}': {error.strerror}.") from error
    return {"MovedFolder": folder_item(target, session)}


def _move(source: Path, target: Path, session: Session) -> None:
    try:
        moved(session.folders, source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_tree(source, target, session)  # to another file system
        cleared(session.folders, source)


def rename(arguments: Arguments, session: Session) -> Outputs:
    """Folder.Rename."""
    source = _own(_existing(arguments, "Folder", session, write=True), session, "Can't rename folder")
    name = arguments.text("NewName")
    if not name or "/" in name or "\\" in name or name in (".", ".."):
        raise fault("Can't rename folder", f"'{name}' is no name of a folder.")
    target = session.folders.checked(source.parent / name, write=True)
    try:
        if target.exists() and target != source:
            raise fault("Can't rename folder", f"'{session.folders.shown(target)}' is there already.")
        moved(session.folders, source, target)
    except OSError as error:
        raise fault("Can't rename folder", f"'{session.folders.shown(source)}': {error.strerror}.") from error
    return {"RenamedFolder": folder_item(target, session)}


def _into(arguments: Arguments, session: Session) -> Path:
    path = resolved(arguments.get("Destination"), session, write=True)
    if not path.is_dir():
        raise fault("Destination folder doesn't exist", f"There is no folder '{session.folders.shown(path)}'.")
    return path


# --- looking


def get_files(arguments: Arguments, session: Session) -> Outputs:
    """Folder.GetFiles."""
    found = _found(arguments, session, "FileFilter", files=True)
    return {"Files": _sorted([file_item(path, session) for path in found], arguments)}


def get_subfolders(arguments: Arguments, session: Session) -> Outputs:
    """Folder.GetSubfolders."""
    found = _found(arguments, session, "FolderFilter", files=False)
    return {"Subfolders": _sorted([folder_item(path, session) for path in found], arguments)}


def _found(arguments: Arguments, session: Session, name: str, *, files: bool) -> list[Path]:
    base = _existing(arguments, "Folder", session)
    # Several patterns are set apart by semicolons; `*.*` is everything, as it is on Windows.
    patterns = [each.strip() for each in arguments.text(name, "*").split(";") if each.strip()] or ["*"]
    patterns = ["*" if pattern == "*.*" else pattern for pattern in patterns]
    inside = arguments.boolean("IncludeSubfolders", False)
    strict = arguments.boolean("FailOnAccessDenied", True)
    found: list[Path] = []
    for path in _walk(base, inside, strict, files, session):
        if any(fnmatch.fnmatchcase(path.name.casefold(), pattern.casefold()) for pattern in patterns):
            found.append(path)
            if len(found) > MOST_FOUND:
                raise fault(_CANT[files], f"There are more than {MOST_FOUND:,} of them.")
    return found


_CANT: Final = {True: "Can't retrieve list of files", False: "Can't retrieve list of subfolders"}


def _walk(base: Path, inside: bool, strict: bool, files: bool, session: Session) -> Iterator[Path]:
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name.casefold())
        except OSError as error:
            if not strict:
                continue
            raise fault(_CANT[files], f"'{session.folders.shown(folder)}': {error.strerror}.") from error
        deeper: list[Path] = []
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink() and not _visible(path, session):
                continue
            if entry.is_dir():
                if not files:
                    yield path
                if inside and not entry.is_symlink():
                    deeper.append(path)
            elif files:
                yield path
        waiting += reversed(deeper)


def _visible(path: Path, session: Session) -> bool:
    """Whether a link ends in an allowed folder."""
    try:
        session.folders.checked(path)
    except Fault:
        return False
    return True


def _sorted(items: list[Item], arguments: Arguments) -> list[Datum]:
    """By up to three properties: the last criterion first, since sorting keeps the order of equals."""
    for number in (3, 2, 1):
        name = arguments.text(f"SortBy{number}", "NoSort").rsplit(".", 1)[-1]
        if name.casefold() == "nosort":
            continue
        known = items[0].properties if items else {}
        wanted = next((each for each in known if each.casefold() == name.casefold()), None)
        if wanted is not None:
            down = arguments.boolean(f"SortDescending{number}", False)
            items.sort(key=lambda item, wanted=wanted: _order(item.properties[wanted]), reverse=down)  # type: ignore[misc]
    return list(items)


def _order(value: Datum) -> tuple[int, object]:
    if isinstance(value, (bool, int, Decimal)):
        return 0, value
    if isinstance(value, datetime):
        return 1, value
    return 2, (value.text if isinstance(value, Item) else str(value)).casefold()


def exists(arguments: Arguments, session: Session) -> Outputs:
    """Folder.IfFolderExists.Exists, .DoesNotExist."""
    there = resolved(arguments.get("Path"), session).is_dir()
    return {"Condition": there == (arguments.selector.casefold() == "exists")}


_SPECIAL: Final = {
    "desktop": ("XDG_DESKTOP_DIR", "Desktop"),
    "desktopdirectory": ("XDG_DESKTOP_DIR", "Desktop"),
    "personal": ("XDG_DOCUMENTS_DIR", "Documents"),
    "mydocuments": ("XDG_DOCUMENTS_DIR", "Documents"),
    "music": ("XDG_MUSIC_DIR", "Music"),
    "mymusic": ("XDG_MUSIC_DIR", "Music"),
    "pictures": ("XDG_PICTURES_DIR", "Pictures"),
    "mypictures": ("XDG_PICTURES_DIR", "Pictures"),
    "templates": ("XDG_TEMPLATES_DIR", "Templates"),
    "applicationdata": ("XDG_CONFIG_HOME", ".config"),
    "localapplicationdata": ("XDG_DATA_HOME", ".local/share"),
    "internetcache": ("XDG_CACHE_HOME", ".cache"),
}


def special(arguments: Arguments, session: Session) -> Outputs:
    """Folder.GetSpecialFolder: the user's folders as this system names them.

    Where the environment works in a folder of its own, they are in it; naming one does not allow it.
    """
    name = arguments.text("SpecialFolder", "Desktop").rsplit(".", 1)[-1].casefold()
    known = _SPECIAL.get(name)
    if known is None:
        raise Fault("SpecialFolderNotFoundError", f"There is no folder '{name}' on this system.")
    variable, usual = known
    base = session.folders.working or Path.home()
    path = Path(os.environ.get(variable) or base / usual)
    if session.folders.working is not None:
        path = base / usual
    return {"SpecialFolderPath": folder_item(path, session)}


TABLE: Table = {
    "Folder.Create": Operation(create),
    "Folder.Delete": Operation(delete),
    "Folder.Empty": Operation(empty),
    "Folder.Copy": Operation(copy),
    "Folder.Move": Operation(move),
    "Folder.Rename": Operation(rename),
    "Folder.GetFiles": reads(get_files),
    "Folder.GetSubfolders": reads(get_subfolders),
    "Folder.IfFolderExists.Exists": reads(exists),
    "Folder.IfFolderExists.DoesNotExist": reads(exists),
    "Folder.GetSpecialFolder": reads(special),
}
