"""The File and Folder modules, and the sandbox they work in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from desktop_world import World
from sealflow.engine.datatypes import DataRow, DataTable, Datum, Item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def names(items: Datum) -> list[str]:
    assert isinstance(items, list)
    return [item.properties["Name"] for item in items]


def only(items: Datum) -> Item:
    assert isinstance(items, list)
    (item,) = items
    assert isinstance(item, Item)
    return item


# --- the sandbox


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside/a", "C:\\..\\outside\\a", "D:\\a", "\\\\server\\share\\a"])
async def test_nothing_outside_the_allowed_folders_is_seen(world: World, path: str) -> None:
    await world.fails("AccessDeniedError", "File.ReadTextFromFile.ReadText", File=path)
    await world.fails("AccessDeniedError", "File.WriteText", File=path, TextToWrite="x")
    await world.fails("AccessDeniedError", "File.IfFile.Exists", File=path)


async def test_a_link_that_leaves_the_allowed_folder_is_not_followed(world: World) -> None:
    (world.outside / "secret.txt").write_text("s")
    (world.folder / "link.txt").symlink_to(world.outside / "secret.txt")
    (world.folder / "way").symlink_to(world.outside)
    await world.fails("AccessDeniedError", "File.ReadTextFromFile.ReadText", File="C:\\link.txt")
    await world.fails("AccessDeniedError", "File.Copy", Files="C:\\way\\secret.txt", Destination="C:\\")
    await world.fails("AccessDeniedError", "File.WriteText", File="C:\\way\\new.txt", TextToWrite="x")
    assert (await world.do("Folder.GetFiles", Folder="C:\\", IncludeSubfolders=True))["Files"] == []
    assert list(world.outside.iterdir()) == [world.outside / "secret.txt"]


async def test_a_folder_to_read_is_not_written_to(tmp_path: Path) -> None:
    from sealflow.connectors.desktop.folders import Allowed

    world = World(tmp_path, folders=(Allowed(tmp_path / "allowed", write=False),))
    world.file("a.txt", "hello")
    assert (await world.do("File.ReadTextFromFile.ReadText", File="C:\\a.txt"))["Content"] == "hello"
    for action, more in (("File.Delete", {"Files": "C:\\a.txt"}), ("File.WriteText", {"File": "C:\\a.txt"})):
        await world.fails("AccessDeniedError", action, **more)
    await world.fails("AccessDeniedError", "File.Move", Files="C:\\a.txt", Destination="C:\\")
    assert (world.folder / "a.txt").read_text() == "hello"


async def test_paths_are_shown_as_the_script_writes_them(world: World) -> None:
    world.file("data/a.txt", "x")
    file = only((await world.do("Folder.GetFiles", Folder="C:\\data"))["Files"])
    assert file.text == "C:\\data\\a.txt"
    assert file.properties["RootPath"] == "C:\\"
    assert file.properties["Directory"].text == "C:\\data"  # type: ignore[union-attr]
    assert (await world.do("File.ReadTextFromFile.ReadText", File=file))["Content"] == "x"


async def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    world = World(tmp_path, file_bytes=3)
    world.file("a.txt", "four")
    await world.fails("FileTooLargeError", "File.ReadTextFromFile.ReadText", File="C:\\a.txt")


# --- files


async def test_text_is_written_and_read_in_its_encoding(world: World) -> None:
    await world.do("File.WriteText", File="C:\\a.txt", TextToWrite="größe", Encoding="File.FileEncoding.Unicode")
    assert (world.folder / "a.txt").read_bytes() == b"\xff\xfe" + "größe\r\n".encode("utf-16-le")
    await world.do(
        "File.WriteText", File="C:\\a.txt", TextToWrite=2, IfFileExists="File.IfFileExists.Append", AppendNewLine=False
    )
    read = await world.do("File.ReadTextFromFile.ReadText", File="C:\\a.txt", Encoding="File.TextFileEncoding.UTF8")
    assert read["Content"] == "größe\r\n2"
    read = await world.do("File.ReadTextFromFile.ReadTextAsList", File="C:\\a.txt")
    assert read["Contents"] == ["größe", "2"]


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("UTF8", b"\xef\xbb\xbf\xc3\xa9"),
        ("UTF8NoBOM", b"\xc3\xa9"),
        ("Unicode", b"\xff\xfe\xe9\x00"),
        ("BigEndianUnicode", b"\xfe\xff\x00\xe9"),
        ("ASCII", b"?"),
    ],
)
async def test_each_encoding(world: World, encoding: str, data: bytes) -> None:
    await world.do("File.WriteText", File="C:\\a", TextToWrite="é", Encoding=encoding, AppendNewLine=False)
    assert (world.folder / "a").read_bytes() == data


async def test_reading_what_is_not_there(world: World) -> None:
    await world.fails("FileNotFoundError", "File.ReadTextFromFile.ReadText", File="C:\\none.txt")
    await world.fails("DirectoryNotFoundError", "File.ReadTextFromFile.ReadText", File="C:\\none\\none.txt")
    await world.fails("InvalidDirectoryForFileError", "File.WriteText", File="C:\\none\\a.txt", TextToWrite="x")


async def test_copying_moving_and_deleting(world: World) -> None:
    for name in ("a.txt", "b.txt", "c.csv"):
        world.file(name, name)
    (world.folder / "to").mkdir()
    copied = await world.do("File.Copy", Files="C:\\*.txt", Destination="C:\\to")
    assert names(copied["CopiedFiles"]) == ["a.txt", "b.txt"]
    world.file("a.txt", "new")
    again = await world.do("File.Copy", Files=["C:\\a.txt"], Destination="C:\\to", IfFileExists="DoNothing")
    assert again["CopiedFiles"] == []
    assert (world.folder / "to/a.txt").read_text() == "a.txt"
    await world.do("File.Copy", Files=["C:\\a.txt"], Destination="C:\\to", IfFileExists="File.IfExists.Overwrite")
    assert (world.folder / "to/a.txt").read_text() == "new"
    moved = await world.do("File.Move", Files="C:\\c.csv", Destination="C:\\to")
    assert names(moved["MovedFiles"]) == ["c.csv"]
    assert not (world.folder / "c.csv").exists()
    await world.do("File.Delete", Files=["C:\\a.txt", "C:\\b.txt"])
    assert sorted(os.listdir(world.folder)) == ["to"]
    await world.fails("FileNotFoundError", "File.Delete", Files="C:\\a.txt")
    await world.fails("FileNotFoundError", "File.Copy", Files="C:\\a.txt", Destination="C:\\to")
    for code, action, more in (
        ("SourceFolderDoesntExistError", "File.Copy", {"Destination": "C:\\to"}),
        ("SourceFolderDoesntExistError", "File.Move", {"Destination": "C:\\to"}),
        ("FilePathDoesntExistError", "File.Delete", {}),
        ("DirectoryNotFoundError", "File.RenameFiles.Rename", {"NewName": "b"}),
    ):
        await world.fails(code, action, Files="C:\\no folder\\a.txt", **more)
    world.file("a.txt")
    await world.fails("DestinationFolderDoesntExistError", "File.Copy", Files="C:\\a.txt", Destination="C:\\none")


@pytest.mark.parametrize(
    ("scheme", "arguments", "expected"),
    [
        ("Rename", {"NewName": "n"}, "n.txt"),
        ("Rename", {"NewName": "n.md", "KeepExtension": False}, "n.md"),
        ("RenameAddText", {"TextToAdd": "x-", "TextPosition": "File.AddTextPosition.BeforeName"}, "x-ab.txt"),
        ("RenameRemoveText", {"TextToRemove": "a"}, "b.txt"),
        ("RenameReplaceText", {"TextToReplace": "a", "ReplacementText": "o"}, "ob.txt"),
        ("RenameChangeExtension", {"NewExtension": "md"}, "ab.md"),
        (
            "RenameAddDateOrTime",
            {
                "DateTimeToAdd": "File.DateTimeToAdd.Current",
                "DateTimeFormat": "yyyy-MM-dd HHmm",
                "DateTimeSeparator": "File.Separator.Underscore",
            },
            "ab_2026-03-01 1020.txt",
        ),
        ("RenameAddSequentialSuffix", {"StartNumber": 7, "UsePadding": True, "PaddingLength": 3}, "ab007.txt"),
    ],
)
async def test_renaming(world: World, scheme: str, arguments: dict[str, Datum], expected: str) -> None:
    world.file("ab.txt")
    renamed = await world.do(f"File.RenameFiles.{scheme}", Files="C:\\ab.txt", **arguments)
    assert names(renamed["RenamedFiles"]) == [expected]
    assert os.listdir(world.folder) == [expected]


async def test_renaming_never_leaves_the_folder(world: World) -> None:
    world.file("a.txt")
    for name in ("..\\outside\\a", "/tmp/a", ".."):
        new = {"NewName": name, "KeepExtension": False}
        await world.fails("CantRenameFileError", "File.RenameFiles.Rename", Files="C:\\a.txt", **new)


async def test_looking_at_files(world: World) -> None:
    world.file("a.b.txt", "12345")
    assert (await world.do("File.IfFile.Exists", File="C:\\a.b.txt"))["Condition"] is True
    assert (await world.do("File.IfFile.DoesNotExist", File="C:\\a.b.txt"))["Condition"] is False
    assert (await world.do("File.WaitForFile.Created", File="C:\\none"))["Condition"] is False
    assert (await world.do("File.WaitForFile.Deleted", File="C:\\none"))["Condition"] is True
    parts = await world.do("File.GetPathPart", File="C:\\x\\a.b.txt")
    assert [parts[name] for name in ("RootPath", "Directory", "FileName", "FileNameWithoutExtension", "Extension")] == [
        "C:\\",
        "C:\\x",
        "a.b.txt",
        "a.b",
        ".txt",
    ]
    made = (await world.do("File.GetTempPath"))["TempFile"]
    assert isinstance(made, Item)
    assert made.properties["Exists"] is True
    assert (await world.do("File.ConvertToBase64", File="C:\\a.b.txt"))["Base64Text"] == "MTIzNDU="
    await world.do("File.ConvertFromBase64", File="C:\\b", Base64Text="MTIzNDU=")
    assert (world.folder / "b").read_text() == "12345"


async def test_the_properties_of_a_file(world: World) -> None:
    path = world.file("a.txt", "12345")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    file = only((await world.do("Folder.GetFiles", Folder="C:\\"))["Files"])
    wanted = {
        "FullName": "C:\\a.txt",
        "Name": "a.txt",
        "NameWithoutExtension": "a",
        "Extension": ".txt",
        "Size": 5,
        "Exists": True,
        "isEmpty": False,
        "IsHidden": False,
    }
    assert {name: file.properties[name] for name in wanted} == wanted
    assert str(file.get("lastmodified")) == "2023-11-14 22:13:20"


# --- CSV


async def test_csv_is_read_and_written(world: World) -> None:
    world.file("a.csv", 'Name, Amount\r\n"Contoso, Ltd", 12\r\nFabrikam\r\n')
    read = await world.do("File.ReadFromCSVFile.ReadCSV", CSVFile="C:\\a.csv", FirstLineContainsColumnNames=True)
    table = read["CSVTable"]
    assert table == DataTable(("Name", "Amount"), (("Contoso, Ltd", "12"), ("Fabrikam", "")))
    await world.do(
        "File.WriteToCSVFile.WriteCSV",
        VariableToWrite=table,
        CSVFile="C:\\b.csv",
        IncludeColumnNames=True,
        ColumnsSeparator="File.CSVColumnsSeparator.Semicolon",
        CsvFileEncoding="File.CSVEncoding.UTF8NoBOM",
    )
    assert (world.folder / "b.csv").read_bytes() == b"Name;Amount\r\nContoso, Ltd;12\r\nFabrikam;\r\n"
    row = DataRow(("Name",), ("x",))
    await world.do(
        "File.WriteToCSVFile.WriteCSV", VariableToWrite=[row, 2], CSVFile="C:\\c.csv", CsvFileEncoding="ASCII"
    )
    assert (world.folder / "c.csv").read_bytes() == b"x\r\n2\r\n"


async def test_csv_of_other_shapes(world: World) -> None:
    world.file("w.csv", "abcde\nfgh\n")
    read = await world.do(
        "File.ReadFromCSVFile.ReadCSVWithFixedColumnWidths", CSVFile="C:\\w.csv", FixedColumnWidths="2,3"
    )
    assert read["CSVTable"] == DataTable(("Column1", "Column2"), (("ab", "cde"), ("fg", "h")))
    world.file("s.csv", "a||b\n")
    read = await world.do(
        "File.ReadFromCSVFile.ReadCSVWithCustomSeparator", CSVFile="C:\\s.csv", CustomColumnsSeparator="||"
    )
    assert read["CSVTable"] == DataTable(("Column1", "Column2"), (("a", "b"),))
    await world.fails("ReadFromCSVFailedError", "File.ReadFromCSVFile.ReadCSV", CSVFile="C:\\none.csv")
    world.file("d.csv", "a,A,\n1,2,3\n")
    read = await world.do("File.ReadFromCSVFile.ReadCSV", CSVFile="C:\\d.csv", FirstLineContainsColumnNames=True)
    assert read["CSVTable"].columns == ("a", "A2", "Column3")  # type: ignore[union-attr]


# --- folders


async def test_making_and_taking_away_folders(world: World) -> None:
    made = (await world.do("Folder.Create", FolderPath="C:\\", FolderName="a\\b"))["Folder"]
    assert isinstance(made, Item)
    assert made.text == "C:\\a\\b"
    world.file("a/b/x.txt", "x")
    await world.do("Folder.Copy", Folder="C:\\a\\b", Destination="C:\\")
    assert (world.folder / "b/x.txt").read_text() == "x"
    await world.do("Folder.Rename", Folder="C:\\b", NewName="c")
    moved = (await world.do("Folder.Move", Folder="C:\\c", Destination="C:\\a"))["MovedFolder"]
    assert isinstance(moved, Item)
    assert moved.text == "C:\\a\\c"
    await world.do("Folder.Empty", Folder="C:\\a\\c")
    assert list((world.folder / "a/c").iterdir()) == []
    await world.do("Folder.Delete", Folder="C:\\a")
    assert list(world.folder.iterdir()) == []
    await world.fails("FolderDoesntExistError", "Folder.Delete", Folder="C:\\a")
    await world.fails("CantDeleteFolderError", "Folder.Delete", Folder="C:\\")
    await world.fails("AccessDeniedError", "Folder.Create", FolderPath="C:\\", FolderName="..\\..\\x")


async def test_listing(world: World) -> None:
    world.file("b.txt", "12")
    world.file("a.TXT", "1")
    world.file("sub/c.txt", "123")
    world.file("d.csv", "")
    found = await world.do("Folder.GetFiles", Folder="C:\\", FileFilter="*.txt;*.csv", IncludeSubfolders=True)
    assert names(found["Files"]) == ["a.TXT", "b.txt", "d.csv", "c.txt"]
    found = await world.do(
        "Folder.GetFiles",
        Folder="C:\\",
        FileFilter="*.txt",
        IncludeSubfolders=True,
        SortBy1="Folder.SortBy.Size",
        SortDescending1=True,
    )
    assert names(found["Files"]) == ["c.txt", "b.txt", "a.TXT"]
    found = await world.do("Folder.GetSubfolders", Folder="C:\\")
    assert names(found["Subfolders"]) == ["sub"]
    assert found["Subfolders"][0].properties["FilesCount"] == 1  # type: ignore[index, union-attr]
    assert (await world.do("Folder.IfFolderExists.Exists", Path="C:\\sub"))["Condition"] is True
    await world.fails("FolderDoesntExistError", "Folder.GetFiles", Folder="C:\\none")
    special = await world.do("Folder.GetSpecialFolder", SpecialFolder="Folder.SpecialFolder.Personal")
    assert special["SpecialFolderPath"].text == "C:\\Documents"  # type: ignore[union-attr]


async def test_a_folder_in_the_place_of_the_copy_is_an_error(world: World) -> None:
    world.file("a.txt", "a")
    (world.folder / "target" / "a.txt").mkdir(parents=True)
    given: dict[str, Datum] = {"Files": "C:\\a.txt", "Destination": "C:\\target", "IfFileExists": "Overwrite"}
    await world.fails("CantMoveFileError", "File.Move", **given)
    await world.fails("CantCopyFileError", "File.Copy", **given)
    assert list((world.folder / "target" / "a.txt").iterdir()) == []
