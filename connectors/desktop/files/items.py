"""Files and folders as values: what is known of them at the moment they are named.

Source: data type properties of desktop flows (File, Folder). Times are of the session's time zone.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ....engine.datatypes import Datum, Item
from ..session import Session


def file_item(path: Path, session: Session) -> Item:
    """The File of a real path."""
    folder = path.parent
    properties = {
        **_shared(path, session),
        "Directory": _named("Folder", folder, session),
        "NameWithoutExtension": path.stem,
        "Extension": path.suffix,
    }
    known = _status(path)
    properties["Size"] = known.st_size if known is not None else 0
    properties["IsSystem"] = False
    properties["IsReadOnly"] = known is not None and not known.st_mode & stat.S_IWUSR
    properties["IsArchive"] = False
    properties["isEmpty"] = known is None or known.st_size == 0
    properties["LastAccessed"] = _moment(known.st_atime if known is not None else 0.0, session)
    return Item("File", session.folders.shown(path), properties)


def folder_item(path: Path, session: Session) -> Item:
    """The Folder of a real path."""
    files = folders = 0
    try:
        with os.scandir(path) as found:
            for entry in found:
                if entry.is_dir():
                    folders += 1
                else:
                    files += 1
    except OSError:
        pass  # there is none, or it may not be read: it looks empty
    properties = {
        **_shared(path, session),
        "Parent": _named("Folder", path.parent, session),
        "isEmpty": not files and not folders,
        "FilesCount": files,
        "FoldersCount": folders,
    }
    return Item("Folder", session.folders.shown(path), properties)


def _shared(path: Path, session: Session) -> dict[str, Datum]:
    known = _status(path)
    shown = session.folders.shown(path)
    return {
        "FullName": shown,
        "RootPath": _root(shown),
        "Name": path.name,
        "CreationTime": _moment(known.st_ctime if known is not None else 0.0, session),
        "LastModified": _moment(known.st_mtime if known is not None else 0.0, session),
        "IsHidden": path.name.startswith("."),
        "Exists": known is not None,
    }


def _named(kind: str, path: Path, session: Session) -> Item:
    """One that stands inside another: only its names."""
    shown = session.folders.shown(path)
    return Item(kind, shown, {"FullName": shown, "RootPath": _root(shown), "Name": path.name})


def _root(shown: str) -> str:
    if shown.startswith("\\\\"):
        return "\\".join(shown.split("\\")[:4])
    return shown[:3] if shown[1:2] == ":" else "/"


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _moment(seconds: float, session: Session) -> datetime:
    return datetime.fromtimestamp(int(seconds), ZoneInfo(session.settings.time_zone)).replace(tzinfo=None)
