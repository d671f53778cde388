"""Packages on the disk: an archive, a folder or one file, as the mapping that `cloud.package` reads.

Nothing is unpacked to the disk, and only what is asked for is decompressed. Archives come from anywhere: number, size
and ratio of entries are bounded, and names that could mean another place than they say are refused, all before the
first entry is opened.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from ...errors import Denied, NotFound, SealflowError

MAXIMUM_ARCHIVE: Final = 256 * 1024 * 1024
"""Bytes of an archive."""

MAXIMUM_ENTRIES: Final = 20_000
MAXIMUM_TOTAL: Final = 1024 * 1024 * 1024
"""Bytes of all entries, unpacked; of those that are read, MAXIMUM_READ."""

MAXIMUM_ENTRY: Final = 64 * 1024 * 1024
"""Bytes of one entry that is read."""

MAXIMUM_READ: Final = 256 * 1024 * 1024
MAXIMUM_RATIO: Final = 200
"""Unpacked to packed. JSON of flows packs to a tenth, at best to a fiftieth."""

SMALL: Final = 1024 * 1024
"""Bytes up to which the ratio does not matter."""

MAXIMUM_PATH: Final = 1024
MAXIMUM_DEPTH: Final = 32

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SKIPPED: Final = frozenset({"node_modules", "bin", "obj", "__pycache__"})
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


class PackageError(SealflowError):
    """A package that is not read. `at` is the path in it, where one is to blame."""

    code = "InvalidArchive"

    def __init__(self, message: str, *, code: str, at: str = "", hint: str | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.at = at


def read_package(path: Path) -> Mapping[str, bytes]:
    """The files of a package on the disk, by relative path; of a template, with its parameter file.

    Raises NotFound, Denied, and PackageError as `Archive` and `Folder` do.
    """
    try:
        if path.is_dir():
            return Folder(path)
        files = package_of(_bounded(path), path.name)
        return files if isinstance(files, Archive) else {**files, **_parameters_beside(path)}
    except FileNotFoundError:
        raise NotFound(f"There is no package '{path}'.", hint="Check the path.") from None
    except PermissionError:
        raise Denied(f"'{path}' may not be read.", hint="Check its permissions.") from None
    except OSError as error:
        raise PackageError(f"'{path}' cannot be read: {error.strerror}.", code="UnreadableFile") from None


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > MAXIMUM_ARCHIVE:
        raise _too_large(f"'{path}' is larger than {MAXIMUM_ARCHIVE:,} bytes.")
    return path.read_bytes()


def _parameters_beside(path: Path) -> dict[str, bytes]:
    """The file `NAME.parameters.json` beside a template `NAME.json`: none where there is none."""
    beside = path.with_suffix(".parameters.json")
    if path.suffix.lower() != ".json" or not beside.is_file():
        return {}
    return {beside.name: _bounded(beside)}


def package_of(data: bytes, name: str) -> Mapping[str, bytes]:
    """The files of an archive's bytes; anything else is one file of this name."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08") or zipfile.is_zipfile(BytesIO(data)):
        return Archive(data)
    return {name: data}


class Archive(Mapping[str, bytes]):
    """A zip archive, checked as a whole when it is opened.

    Raises PackageError: InvalidArchive, TooManyEntries, ArchiveTooLarge, ArchiveBomb, UnsafePath, DuplicateEntry,
    SymbolicLink, EncryptedEntry, UnsupportedCompression.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) > MAXIMUM_ARCHIVE:
            raise _too_large(f"The archive is larger than {MAXIMUM_ARCHIVE:,} bytes.")
        _check_directory(data)
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError) as error:
            raise PackageError(f"This is no zip archive, or a broken one: {error}.", code="InvalidArchive") from None
        entries = self._zip.infolist()
        for entry in entries:
            _check_entry(entry)
        if sum(entry.file_size for entry in entries) > MAXIMUM_TOTAL:
            raise _too_large(f"The archive unpacks to more than {MAXIMUM_TOTAL:,} bytes.")
        if sum(entry.compress_size for entry in entries) > len(data):
            # Entries that share their bytes: how a small archive unpacks to a huge one at an ordinary ratio.
            raise PackageError("The archive's entries overlap.", code="ArchiveBomb")
        _check_doubles(entry.filename.rstrip("/") for entry in entries)
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self._cache: dict[str, bytes] = {}
        self._read = 0

    def __getitem__(self, path: str) -> bytes:
        if path in self._cache:
            return self._cache[path]
        entry = self._entries[path]
        if entry.file_size > MAXIMUM_ENTRY:
            raise _too_large(f"The entry unpacks to more than {MAXIMUM_ENTRY:,} bytes.", path)
        self._read += entry.file_size
        if self._read > MAXIMUM_READ:
            raise _too_large(f"The entries that are needed unpack to more than {MAXIMUM_READ:,} bytes.", path)
        try:
            with self._zip.open(entry) as stream:
                data = stream.read(entry.file_size + 1)  # whatever it holds, no more than it says
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
            raise PackageError(f"The entry is damaged: {error}.", code="InvalidArchive", at=path) from None
        if len(data) != entry.file_size:
            raise PackageError("The entry is not as long as it says.", code="InvalidArchive", at=path)
        self._cache[path] = data
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: object) -> bool:  # Mapping's own would read the entry
        return path in self._entries


class Folder(Mapping[str, bytes]):
    """A folder's files, without hidden folders and those that builds make.

    Raises PackageError: TooManyEntries, DuplicateEntry, SymbolicLink, UnsafePath, and ArchiveTooLarge on reading.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths = dict.fromkeys(sorted(self._walk()))
        _check_doubles(self._paths)
        self._cache: dict[str, bytes] = {}
        self._read = 0

    def _walk(self) -> Iterator[str]:
        count = 0
        waiting = [(str(self._root), "")]
        while waiting:
            folder, prefix = waiting.pop()
            with os.scandir(folder) as entries:
                for entry in entries:
                    path = prefix + entry.name
                    if entry.is_symlink():
                        raise _link(path)
                    count += 1
                    if count > MAXIMUM_ENTRIES:
                        raise PackageError(
                            f"The folder has more than {MAXIMUM_ENTRIES:,} entries.", code="TooManyEntries"
                        )
                    if entry.is_dir():
                        if not entry.name.startswith(".") and entry.name.lower() not in _SKIPPED:
                            _check_path(path)
                            waiting.append((entry.path, path + "/"))
                    elif entry.is_file():
                        _check_path(path)
                        yield path

    def __getitem__(self, path: str) -> bytes:
        if path in self._cache:
            return self._cache[path]
        if path not in self._paths:
            raise KeyError(path)
        try:  # a link is looked for again: the folder may have changed since
            handle = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                data = stream.read(MAXIMUM_ENTRY + 1)
        except OSError as error:
            raise PackageError(f"The file cannot be read: {error.strerror}.", code="UnreadableFile", at=path) from None
        self._read += len(data)
        if len(data) > MAXIMUM_ENTRY or self._read > MAXIMUM_READ:
            raise _too_large(f"The files that are needed have more than {MAXIMUM_ENTRY:,} bytes.", path)
        self._cache[path] = data
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: object) -> bool:
        return path in self._paths


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files; the same files are the same bytes."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            _check_path(path)
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[path])
    return target.getvalue()


# ---- what is refused


def _check_directory(data: bytes) -> None:
    """The number of entries is looked at before there is a record of each.

    Source: PKWARE, .ZIP file format, end of central directory record; no flow needs the large form (Zip64).
    """
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))
    if end < 0 or len(data) < end + 22:
        raise PackageError("This is no zip archive, or a broken one.", code="InvalidArchive")
    if data[max(0, end - 20) : end - 16] == b"PK\x06\x07":
        raise PackageError("The archive has the form of very large ones (Zip64).", code="ArchiveTooLarge")
    count, size = struct.unpack_from("<HI", data, end + 10)
    if size > end:
        raise PackageError("The archive is broken: its directory is not where it says.", code="InvalidArchive")
    if count > MAXIMUM_ENTRIES or data.count(b"PK\x01\x02", end - size, end) > MAXIMUM_ENTRIES:
        raise PackageError(f"The archive has more than {MAXIMUM_ENTRIES:,} entries.", code="TooManyEntries")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    # `filename` ends at a NUL, the name in the archive does not. `is_dir` fails on an empty name.
    folder = entry.filename.endswith("/")
    _check_path(entry.orig_filename.removesuffix("/") if folder else entry.orig_filename)
    mode = entry.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if kind == stat.S_IFLNK:
        raise _link(entry.filename)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise PackageError("The entry is neither a file nor a folder.", code="UnsafePath", at=entry.filename)
    if entry.flag_bits & 0x41:  # encrypted, strongly encrypted
        raise PackageError(
            "The entry is encrypted.", code="EncryptedEntry", at=entry.filename, hint="Export without a password."
        )
    if entry.compress_type not in _METHODS:
        raise PackageError(
            "The entry is compressed by a method that packages do not use.",
            code="UnsupportedCompression",
            at=entry.filename,
            hint="Pack it again as an ordinary zip.",
        )
    if entry.file_size > SMALL and entry.file_size > MAXIMUM_RATIO * max(entry.compress_size, 1):
        raise PackageError(
            f"The entry unpacks to more than {MAXIMUM_RATIO} times its size.", code="ArchiveBomb", at=entry.filename
        )


def _check_path(path: str) -> None:
    parts = path.split("/")
    if (
        not path
        or len(path) > MAXIMUM_PATH
        or len(parts) > MAXIMUM_DEPTH
        or any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or (len(path) > 1 and path[1] == ":")
        or any(ord(character) < 32 or ord(character) == 127 for character in path)
    ):
        raise PackageError(
            "The name of the entry is no plain relative path.",
            code="UnsafePath",
            at=path[:200],
            hint="Pack it again with an ordinary zip program.",
        )


def _check_doubles(paths: Iterable[str]) -> None:
    seen: set[str] = set()
    for path in paths:
        if path.lower() in seen:
            raise PackageError("Two entries have this name, apart from case.", code="DuplicateEntry", at=path)
        seen.add(path.lower())


def _link(path: str) -> PackageError:
    return PackageError(
        "The entry is a symbolic link.", code="SymbolicLink", at=path, hint="Put the file itself there."
    )


def _too_large(message: str, at: str = "") -> PackageError:
    return PackageError(message, code="ArchiveTooLarge", at=at)
