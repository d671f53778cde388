"""The way to a file is exchanged for a link out of the allowed folder, between its being judged and its being used."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from desktop_world import World
from openpyxl import Workbook
from sealflow.connectors import ConnectorError
from sealflow.connectors.desktop.files import held
from sealflow.connectors.desktop.folders import Folders
from sealflow.engine.datatypes import Datum

pytestmark = pytest.mark.skipif(not held._CAN, reason="this system opens nothing by the descriptor of a folder")

BASE64 = "bmV3"
FILE = "C:\\way\\f.txt"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """`way` holds what the outside holds too, under the same names."""
    made = World(tmp_path)
    for folder, text in ((made.folder / "way", "own"), (made.outside, "secret")):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "g.txt").write_text(text)
        (folder / "f.txt").write_text(text)
        Workbook().save(folder / "b.xlsx")
        with zipfile.ZipFile(folder / "z.zip", "w") as archive:
            archive.writestr("in.txt", text)
    (made.folder / "to").mkdir()
    return made


@pytest.fixture
def swapped(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on whoever has judged a path in `way` finds a link in its place."""
    judge = Folders.checked
    armed = False

    def checked(folders: Folders, path: Path, *, write: bool = False, named: str = "") -> Path:
        real = judge(folders, path, write=write, named=named)
        way = world.folder / "way"
        if armed and way in (real, *real.parents) and not way.is_symlink():
            way.rename(world.folder / "gone")
            way.symlink_to(world.outside)
        return real

    def arm() -> None:
        nonlocal armed
        armed = True

    monkeypatch.setattr(Folders, "checked", checked)
    return arm


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CASES: list[tuple[str, dict[str, Datum]]] = [
    ("File.ReadTextFromFile.ReadText", {"File": FILE}),
    ("File.ConvertToBase64", {"File": FILE}),
    ("Cryptography.HashFromFile", {"FileToHash": FILE}),
    ("File.WriteText", {"File": FILE, "TextToWrite": "new"}),
    ("File.WriteText", {"File": FILE, "TextToWrite": "new", "IfFileExists": "Append"}),
    ("File.ConvertFromBase64", {"File": FILE, "Base64Text": BASE64, "IfFileExists": "Overwrite"}),
    ("File.Copy", {"Files": FILE, "Destination": "C:\\to"}),
    ("File.Move", {"Files": FILE, "Destination": "C:\\to"}),
    ("File.Copy", {"Files": "C:\\own.txt", "Destination": "C:\\way", "IfFileExists": "Overwrite"}),
    ("File.Delete", {"Files": FILE}),
    ("File.RenameFiles.Rename", {"Files": FILE, "NewName": "h.txt"}),
    ("Folder.Create", {"FolderPath": "C:\\way", "FolderName": "new"}),
    ("Folder.Delete", {"Folder": "C:\\way\\sub"}),
    ("Folder.Empty", {"Folder": "C:\\way\\sub"}),
    ("Folder.Rename", {"Folder": "C:\\way\\sub", "NewName": "other"}),
    ("Folder.Move", {"Folder": "C:\\way\\sub", "Destination": "C:\\to"}),
    ("Folder.Copy", {"Folder": "C:\\way\\sub", "Destination": "C:\\to"}),
    ("Excel.LaunchExcel.LaunchAndOpen", {"Path": "C:\\way\\b.xlsx"}),
    ("Compression.UnzipFiles", {"ArchivePath": "C:\\way\\z.zip", "DestinationFolder": "C:\\to"}),
    ("Compression.ZipFiles", {"ArchivePath": "C:\\way\\z.zip", "FilesOrFoldersToZip": "C:\\own.txt"}),
    ("Compression.ZipFiles", {"ArchivePath": "C:\\new.zip", "FilesOrFoldersToZip": FILE}),
    ("XML.WriteXmlToFile.WriteToFile", {"File": FILE, "Xml": "<a/>"}),
]


REFUSALS = r"Not a directory|may not (see|write to)|copied whole|no workbook|is damaged|could not be written"


@pytest.mark.parametrize(("action", "given"), CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)])
async def test_what_was_judged_is_what_is_used(
    action: str, given: dict[str, Datum], world: World, swapped: Callable[[], None]
) -> None:
    world.file("own.txt", "own")
    before = contents(world.outside)
    swapped()
    with pytest.raises(ConnectorError, match=REFUSALS):
        await world.do(action, **given)
    assert (world.folder / "way").is_symlink()  # it did come between
    assert contents(world.outside) == before
    found = contents(world.folder)
    assert b"secret" not in b"".join(found[name] for name in found if name.startswith(("to", "own")))


async def test_a_workbook_is_saved_where_it_was_judged(world: World, swapped: Callable[[], None]) -> None:
    book = (await world.do("Excel.LaunchExcel.LaunchAndOpen", Path="C:\\way\\b.xlsx"))["Instance"]
    before = contents(world.outside)
    swapped()
    await world.fails("FailedToSaveExcelDocumentError", "Excel.SaveExcel.Save", Instance=book)
    assert contents(world.outside) == before


async def test_a_file_with_two_names_is_a_file_like_any(world: World) -> None:
    """Whoever could make the second name could write to the file before."""
    os.link(world.file("own.txt", "a"), world.folder / "other.txt")
    await world.do("File.WriteText", File="C:\\other.txt", TextToWrite="b", AppendNewLine=False, Encoding="ASCII")
    assert (world.folder / "own.txt").read_text() == "b"


async def test_times_and_permissions_are_copied_along(world: World) -> None:
    path = world.file("own.txt", "a")
    path.chmod(0o640)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    await world.do("File.Copy", Files="C:\\own.txt", Destination="C:\\to")
    known = (world.folder / "to" / "own.txt").stat()
    assert (known.st_mode & 0o777, known.st_mtime) == (0o640, 1_700_000_000)
