"""Archives and folders from anywhere: limits, names that lead elsewhere, and entries that are not what they declare."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import as_bytes, project, solution, zipped
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.engine.importers.packages import open_package
from sealflow.engine.runtime.flows import packages
from sealflow.engine.runtime.flows.packages import (
    Archive,
    Folder,
    PackageError,
    package_of,
    read_package,
    write_archive,
)


def archive_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def refused(data: bytes) -> PackageError:
    with pytest.raises(PackageError) as caught:
        Archive(data)
    return caught.value


def test_an_archive_is_its_files() -> None:
    """No attack: an archive is read as a mapping of its files."""
    archive = Archive(zipped({"a/b.json": "{}", "c.txt": "x"}))
    assert sorted(archive) == ["a/b.json", "c.txt"]
    assert archive["a/b.json"] == b"{}"
    assert "c.txt" in archive
    assert "a" not in archive
    assert len(archive) == 2


def test_what_is_written_is_read_and_always_the_same() -> None:
    """No attack: a written archive can be read, and the same files give the same bytes."""
    files = {"a.json": b"1", "b/c.json": b"2"}
    assert dict(Archive(write_archive(files))) == files
    assert write_archive(files) == write_archive(dict(files))


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../b", "/etc/passwd", "a//b", "./a", "a\\b", "C:/a", "a\nb", "x" * 1100, "/".join("a" * 40), "a/\x7f"],
)
def test_names_that_mean_another_place(name: str) -> None:
    """The name of an entry is absolute, leaves the folder, names a drive, or is not a plain path. It is refused."""
    error = refused(archive_of((name, b"x")))
    assert error.code == "UnsafePath"
    assert error.at == name[:200]


def test_a_name_behind_a_nul() -> None:
    """The name of an entry continues after a NUL character. It is refused."""
    data = archive_of(("safe.jsonX../x", b"1")).replace(b"safe.jsonX", b"safe.json\0")
    assert refused(data).code == "UnsafePath"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("d/", "d")])
def test_names_that_stand_twice(names: tuple[str, str]) -> None:
    """Two entries have the same name, apart from case. They are refused."""
    assert refused(archive_of(*((name, b"") for name in names))).code == "DuplicateEntry"


@pytest.mark.parametrize(("mode", "code"), [(stat.S_IFLNK, "SymbolicLink"), (stat.S_IFIFO, "UnsafePath")])
def test_entries_that_are_no_files(mode: int, code: str) -> None:
    """An entry is a link or a pipe. It is refused."""
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (mode | 0o777) << 16
    error = refused(archive_of((entry, b"/etc/passwd")))
    assert (error.code, error.at) == (code, "link")


def _patched(data: bytes, offset: int, value: int) -> bytes:
    """The field of the central directory's first entry (offset from its signature) set to a value of 16 bits."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + struct.pack("<H", value) + data[at + 2 :]


def test_encrypted_entries() -> None:
    """An entry is encrypted. It is refused."""
    assert refused(_patched(archive_of(("a", b"x")), 8, 1)).code == "EncryptedEntry"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(method: int) -> None:
    """An entry uses an unusual compression method. It is refused."""
    entry = zipfile.ZipInfo("a")
    entry.compress_type = method
    assert refused(archive_of((entry, b"x" * 100))).code == "UnsupportedCompression"


def test_a_bomb_by_ratio() -> None:
    """An entry unpacks to many times its size. It is refused."""
    error = refused(zipped({"small.json": "{}", "bomb.json": b"\0" * 3_000_000}))
    assert (error.code, error.at) == ("ArchiveBomb", "bomb.json")
    assert Archive(zipped({"fine.json": b"\0" * 900_000}))["fine.json"] == b"\0" * 900_000


def test_a_bomb_by_entries_that_share_their_bytes() -> None:
    """Entries of an archive overlap, so that it unpacks to a huge size. It is refused."""
    data = archive_of(("a", os.urandom(10_000)))
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory = data[start:end]
    many = b"".join(directory[:46] + bytes([97 + index]) + directory[47:] for index in range(20))
    record = bytearray(data[end:])
    struct.pack_into("<HHI", record, 8, 20, 20, len(many))
    assert refused(data[:start] + many + bytes(record)).code == "ArchiveBomb"


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive has too many entries, or is too large in total. It is refused."""
    data = archive_of(*((f"f{index}", b"x" * 1000) for index in range(20)))
    monkeypatch.setattr(packages, "MAXIMUM_ENTRIES", 19)
    assert refused(data).code == "TooManyEntries"
    monkeypatch.setattr(packages, "MAXIMUM_ENTRIES", 20)
    monkeypatch.setattr(packages, "MAXIMUM_TOTAL", 19_999)
    assert refused(data).code == "ArchiveTooLarge"
    monkeypatch.setattr(packages, "MAXIMUM_TOTAL", 20_000)
    monkeypatch.setattr(packages, "MAXIMUM_READ", 3_000)
    archive = Archive(data)
    assert [archive[f"f{index}"] for index in (0, 1, 2, 0)] == [b"x" * 1000] * 4  # what was read once is not read again
    with pytest.raises(PackageError) as caught:
        archive["f3"]
    assert (caught.value.code, caught.value.at) == ("ArchiveTooLarge", "f3")
    monkeypatch.setattr(packages, "MAXIMUM_ENTRY", 999)
    with pytest.raises(PackageError):
        Archive(data)["f0"]
    monkeypatch.setattr(packages, "MAXIMUM_ARCHIVE", len(data) - 1)
    assert refused(data).code == "ArchiveTooLarge"


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:40], lambda data: b"PK\x03\x04"])
def test_broken_archives(change: Callable[[bytes], bytes]) -> None:
    """An archive is broken. It is refused."""
    assert refused(change(archive_of(("a", b"x")))).code == "InvalidArchive"


def test_a_damaged_entry() -> None:
    """An entry is damaged. It is refused."""
    data = zipped({"a.json": os.urandom(500)})
    at = data.index(b"a.json") + 60
    archive = Archive(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
    with pytest.raises(PackageError) as caught:
        archive["a.json"]
    assert (caught.value.code, caught.value.at) == ("InvalidArchive", "a.json")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    """An archive is damaged at random. It is refused, or the damage has no effect."""
    content = bytearray(zipped(solution()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(SealflowError):
        open_package(package_of(bytes(content), "x.zip"))


# ---- folders


def written(folder: Path, files: dict[str, str]) -> Path:
    for path, content in as_bytes(files).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    """No attack: a folder is read as a mapping of its files."""
    root = written(tmp_path, {**project(), ".git/config": "x", "node_modules/a/b.json": "{}"})
    folder = read_package(root)
    assert sorted(folder) == sorted(project())
    assert folder["host.json"] == project()["host.json"].encode()
    assert len(folder) == len(project())
    assert [flow.name for flow in open_package(folder).flows] == ["gross", "tax"]
    with pytest.raises(KeyError, match=r"\.\./x"):
        folder["../x"]


def test_links_in_a_folder(tmp_path: Path) -> None:
    """A folder contains links. They are refused."""
    root = written(tmp_path, {"a/workflow.json": "{}"})
    (root / "secret.json").symlink_to("/etc/passwd")
    with pytest.raises(PackageError) as caught:
        Folder(root)
    assert (caught.value.code, caught.value.at) == ("SymbolicLink", "secret.json")


def test_a_link_that_comes_later_is_not_followed(tmp_path: Path) -> None:
    """A file of a folder is replaced by a link after the folder was read. The link is not followed."""
    root = written(tmp_path, {"a.json": "{}"})
    folder = Folder(root)
    (root / "a.json").unlink()
    (root / "a.json").symlink_to("/etc/passwd")
    with pytest.raises(PackageError) as caught:
        folder["a.json"]
    assert caught.value.code == "UnreadableFile"


def test_a_folder_of_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder has too many entries. It is refused."""
    monkeypatch.setattr(packages, "MAXIMUM_ENTRIES", 2)
    with pytest.raises(PackageError) as caught:
        Folder(written(tmp_path, {"a": "", "b": "", "c": ""}))
    assert caught.value.code == "TooManyEntries"


def test_one_file_and_none(tmp_path: Path) -> None:
    """No attack: a single file is a package, and a missing file is an error."""
    (tmp_path / "f.json").write_text("{}")
    (tmp_path / "f.bin").write_bytes(zipped({"x.json": "[]"}))
    assert dict(read_package(tmp_path / "f.json")) == {"f.json": b"{}"}
    assert dict(read_package(tmp_path / "f.bin")) == {"x.json": b"[]"}
    with pytest.raises(NotFound):
        read_package(tmp_path / "none.zip")
