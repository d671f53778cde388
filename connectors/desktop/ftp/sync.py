"""FTP.SynchronizeDirectory: a folder here and one on the server made the same, in one direction.

A file is transferred where it is missing, has another size, or is newer at its source. A filter is a list of patterns
such as `*.txt;*.csv`, by which files are chosen or left out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from ....engine.datatypes import Datum
from ..arguments import Arguments
from ..fault import fault
from ..files.file import resolved
from ..files.held import made, removed
from ..files.held import opened as opened_file
from ..files.items import file_item
from ..port import Operation, Outputs, Table
from ..session import Session
from .actions import fetch, file_of, opened, path_on, trouble
from .remote import Entry, Refused, Remote

_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class _Sides:
    """What both sides have, by path inside of the folder: `a/b.txt`. `behind`: what the server's clock lacks."""

    here: dict[str, Path]
    there: dict[str, Entry]
    behind: timedelta

    def newer_here(self, name: str) -> bool:
        known, entry = self.here[name].stat(), self.there[name]
        if known.st_size != entry.size:
            return True
        return entry.modified is not None and _whole(known.st_mtime) > entry.modified + self.behind

    def newer_there(self, name: str) -> bool:
        known, entry = self.here[name].stat(), self.there[name]
        if known.st_size != entry.size:
            return True
        return entry.modified is not None and entry.modified + self.behind > _whole(known.st_mtime)


def _whole(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def synchronize(arguments: Arguments, session: Session) -> Outputs:
    """FTP.SynchronizeDirectory.Synchronize{Download,Upload}{All,IncludeFilter,ExcludeFilter}."""
    remote, how = opened(arguments, session), arguments.selector.casefold()
    upload = how.startswith("synchronizeupload")
    folder = resolved(arguments.get("LocalFolder"), session, write=not upload)
    if not folder.is_dir():
        raise fault("Synchronization failure error", f"There is no folder '{session.folders.shown(folder)}'.")
    deep = arguments.boolean("IncludeSubdirectories", True)
    chosen = _Filter(arguments, how)
    with trouble("Listing error"):
        root = path_on(remote, arguments.text(arguments.named("FtpDirectory", "RemoteFolder"), "/"))
        there = {name: entry for name, entry in _there(remote, root, root, deep).items() if chosen(name)}
    here = {name: path for name, path in _here(folder, folder, session, deep).items() if chosen(name)}
    sides = _Sides(here, there, _behind(arguments))
    delete = arguments.boolean(arguments.named("DeleteIfSourceAbsent", "DeleteIfSourceDoesntExist"), False)
    if upload:
        return _up(remote, root, sides, session, delete)
    return _down(remote, folder, sides, session, delete)


class _Filter:
    """Whether a file takes part."""

    def __init__(self, arguments: Arguments, how: str) -> None:
        text = arguments.text(arguments.named("FileFilter", "Filter"), "*")
        self._patterns = [pattern for pattern in re.split(r"[;,]\s*", text.casefold()) if pattern]
        self._all = how.endswith("all")
        self._excludes = how.endswith("excludefilter")

    def __call__(self, name: str) -> bool:
        base = posixpath.basename(name).casefold()
        return self._all or any(fnmatchcase(base, pattern) for pattern in self._patterns) is not self._excludes


def _behind(arguments: Arguments) -> timedelta:
    """What is to be added to the server's times; "ahead" says that its clock shows more than ours."""
    hours, minutes = arguments.integer("TimeDifferenceHours", 0), arguments.integer("TimeDifferenceMinutes", 0)
    difference = timedelta(hours=hours, minutes=minutes)
    return -difference if arguments.boolean("TimeDifferenceAhead", True) else difference


def _there(remote: Remote, root: str, path: str, deep: bool, depth: int = 0) -> dict[str, Entry]:
    if depth > _DEEPEST:
        raise Refused("The folders go too deep.")
    found: dict[str, Entry] = {}
    for entry in remote.entries(path):
        if entry.folder:
            if deep:
                found |= _there(remote, root, entry.path, deep, depth + 1)
        else:
            found[posixpath.relpath(entry.path, root)] = entry
    return found


def _here(root: Path, path: Path, session: Session, deep: bool) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for each in sorted(path.iterdir()):
        if session.folders.resolve(str(each)) != each:
            continue  # a link: what it leads to is not part of the folder
        if each.is_dir():
            if deep:
                found |= _here(root, each, session, deep)
        elif each.is_file():
            found[each.relative_to(root).as_posix()] = each
    return found


def _up(remote: Remote, root: str, sides: _Sides, session: Session, delete: bool) -> Outputs:
    added = sorted(name for name in sides.here if name not in sides.there)
    modified = sorted(name for name in sides.here if name in sides.there and sides.newer_here(name))
    gone = sorted(name for name in sides.there if name not in sides.here) if delete else []
    known: set[str] = set()
    for name in added + modified:
        target = posixpath.join(root, name)
        with trouble("File upload error", broken="FTP connection abort error"):
            _folders(remote, root, posixpath.dirname(name), known)
            with opened_file(session.folders, sides.here[name]) as source:
                remote.upload(target, source, ascii=False)
    for name in gone:
        with trouble("Synchronization failure error", broken="FTP connection abort error"):
            remote.remove_file(sides.there[name].path)

    def entries(names: list[str]) -> list[Datum]:
        return [
            file_of(Entry(posixpath.join(root, name), False, sides.here[name].stat().st_size), session)
            for name in names
        ]

    return {
        "FtpFilesAdded": entries(added),
        "FtpFilesModified": entries(modified),
        "FtpFilesDeleted": [file_of(sides.there[name], session) for name in gone],
    }


def _folders(remote: Remote, root: str, path: str, made: set[str]) -> None:
    """Makes the folders on the way to a file that are not there."""
    if not path or path in made:
        return
    parent = posixpath.dirname(path)
    _folders(remote, root, parent, made)
    full = posixpath.join(root, path)
    if not any(entry.path == full for entry in remote.entries(posixpath.join(root, parent) if parent else root)):
        remote.make(full)
    made.add(path)


def _down(remote: Remote, folder: Path, sides: _Sides, session: Session, delete: bool) -> Outputs:
    added = sorted(name for name in sides.there if name not in sides.here)
    modified = sorted(name for name in sides.there if name in sides.here and sides.newer_there(name))
    gone = sorted(name for name in sides.here if name not in sides.there) if delete else []
    for name in added + modified:
        with trouble("Can't download file error", "Remote file doesn't exist error", "FTP connection abort error"):
            target = folder / name
            made(session.folders, session.folders.resolve(str(target.parent), write=True))
            fetch(remote, sides.there[name].path, target, session)
    deleted: list[Datum] = [file_item(sides.here[name], session) for name in gone]
    for name in gone:
        removed(session.folders, sides.here[name])
    return {
        "FilesAdded": [file_item(folder / name, session) for name in added],
        "FilesModified": [file_item(folder / name, session) for name in modified],
        "FilesDeleted": deleted,
    }


TABLE: Table = {
    f"FTP.SynchronizeDirectory.Synchronize{direction}{which}": Operation(synchronize)
    for direction in ("Download", "Upload")
    for which in ("All", "IncludeFilter", "ExcludeFilter")
}
