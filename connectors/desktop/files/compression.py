"""The Compression module: ZIP archives, with AES passwords. What an archive says of paths and sizes is not believed."""

from __future__ import annotations

import fnmatch
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyzipper  # type: ignore[import-untyped]

from ..arguments import Arguments
from ..fault import fault
from ..port import Operation, Outputs, Table
from ..session import Session
from .file import resolved
from .held import Mode, made, opened
from .items import file_item, folder_item

MOST_FILES: Final = 100_000
MOST_BYTES: Final = 10 * 1024**3
"""What one archive may unfold to."""

_STEPWISE: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PART: Final = 4096
"""Bytes that are read at once of an entry that another method compressed: such a method unfolds all of them, to up to
20,000 times as much, before it gives any.
"""

_BROKEN: Final = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
"""How a damaged archive breaks its reader."""

_LEVELS: Final = {"none": 0, "bestspeed": 1, "fastest": 1, "bestcompression": 9, "best": 9}
_USUAL: Final = 6


def zip_files(arguments: Arguments, session: Session) -> Outputs:
    """Compression.ZipFiles: into a new archive, or added to the one that is there."""
    path = resolved(arguments.get("ArchivePath"), session, write=True)
    named = "FilesOrFoldersToZip" if "FilesOrFoldersToZip" in arguments else "FilesToZip"
    sources = [resolved(value, session) for value in arguments.list(named)]
    for source in sources:
        if not source.exists():
            raise fault("File or folder doesn't exist", f"There is no '{session.folders.shown(source)}'.")
    if path.exists() and not zipfile.is_zipfile(path):
        what = f"'{session.folders.shown(path)}' is no archive."
        raise fault("Archive already exists but isn't a valid ZIP archive", what)
    level = arguments.text("CompressionLevel", "Default").rsplit(".", 1)[-1].casefold()
    password = arguments.text("Password", "")
    options: dict[str, Any] = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": _LEVELS.get(level, _USUAL)}
    if password:
        options["encryption"] = pyzipper.WZ_AES
    try:
        mode: Mode = "r+b" if path.exists() else "w+b"
        with (
            opened(session.folders, path, mode) as file_of_archive,
            pyzipper.AESZipFile(file_of_archive, "a", **options) as archive,
        ):
            if password:
                archive.setpassword(password.encode())
            for source in sources:
                for file, name in _files(source):
                    if file != path:  # an archive that is added to itself never ends
                        _add(archive, session.folders.checked(file), name, session)
            if comment := arguments.text("ArchiveComment", ""):
                archive.comment = comment.encode()
    except (OSError, ValueError, RuntimeError, *_BROKEN) as error:
        raise fault("Failed to compress files", "The archive could not be written.") from error
    return {"ZipFile": file_item(path, session)}


def _add(archive: Any, path: Path, name: str, session: Session) -> None:
    member = archive.zipinfo_cls.from_file(path, name, strict_timestamps=False)
    member.compress_type = archive.compression
    member._compresslevel = archive.compresslevel  # as `write` does
    with opened(session.folders, path) as read, archive.open(member, "w") as out:
        shutil.copyfileobj(read, out, 1 << 20)


def _files(source: Path) -> Iterator[tuple[Path, str]]:
    if source.is_file():
        yield source, source.name
        return
    for file in sorted(source.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file, str(file.relative_to(source.parent))


def unzip_files(arguments: Arguments, session: Session) -> Outputs:
    """Compression.UnzipFiles: nothing leaves the destination, whatever the archive's names say."""
    path = resolved(arguments.get("ArchivePath"), session)
    target = resolved(arguments.get("DestinationFolder"), session, write=True)
    if not path.is_file():
        raise fault("Archive not found", f"There is no archive '{session.folders.shown(path)}'.")
    try:
        made(session.folders, target)
    except OSError as error:
        raise fault("Can't create destination folder", f"{error.strerror}.") from error
    if not zipfile.is_zipfile(path):
        raise fault("Archive isn't a valid ZIP file", f"'{session.folders.shown(path)}' is no archive.")
    include, exclude = arguments.text("IncludeMask", ""), arguments.text("ExcludeMask", "")
    try:
        with opened(session.folders, path) as file, pyzipper.AESZipFile(file) as archive:
            if password := arguments.text("Password", ""):
                archive.setpassword(password.encode())
            _unfold(archive, target, session, include, exclude)
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, *_BROKEN) as error:
        raise fault("Failed to unzip files", "It is damaged, or its password is another one.") from error
    return {"DestinationFolder": folder_item(target, session)}


def _unfold(archive: Any, target: Path, session: Session, include: str, exclude: str) -> None:
    members = [member for member in archive.infolist() if _wanted(member.filename, include, exclude)]
    if len(members) > MOST_FILES:
        raise fault("Failed to unzip files", f"The archive has more than {MOST_FILES:,} files.")
    left = MOST_BYTES
    root = target.resolve()
    for member in members:
        if not member.filename:
            raise fault("Failed to unzip files", "An entry of the archive has no name.")
        place = (root / member.filename.replace("\\", "/")).resolve()
        if place != root and root not in place.parents:
            raise fault("Failed to unzip files", "The archive names a file outside of the destination.")
        session.folders.checked(place, write=True)
        if member.is_dir():
            made(session.folders, place)
            continue
        made(session.folders, place.parent)
        with archive.open(member) as source, opened(session.folders, place, "wb") as out:
            left -= _copied(source, out, left, 1 << 20 if member.compress_type in _STEPWISE else _PART)


def _copied(source: Any, out: Any, most: int, size: int) -> int:
    count = 0
    while part := source.read(size):
        count += len(part)
        if count > most:
            raise fault("Failed to unzip files", f"The archive unfolds to more than {MOST_BYTES:,} bytes.")
        out.write(part)
    return count


def _wanted(name: str, include: str, exclude: str) -> bool:
    plain = name.rstrip("/").rsplit("/", 1)[-1].casefold()

    def fits(masks: str) -> bool:
        return any(fnmatch.fnmatchcase(plain, mask.strip().casefold()) for mask in masks.split(";") if mask.strip())

    return (not include.strip() or fits(include)) and not fits(exclude)


TABLE: Table = {
    "Compression.ZipFiles": Operation(zip_files),
    "Compression.UnzipFiles": Operation(unzip_files),
}
