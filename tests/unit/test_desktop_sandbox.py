"""A flow, an archive or a document tries to leave the allowed folders."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from desktop_world import World
from openpyxl import Workbook
from sealflow.connectors import ConnectorError
from sealflow.connectors.desktop.folders import Allowed
from sealflow.connectors.desktop.office import packaged, workbook
from sealflow.connectors.desktop.programs.system import _handed_on
from sealflow.connectors.egress.policy import Egress
from sealflow.engine.datatypes import Item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def nested(tmp_path: Path) -> World:
    """A folder that may be written to, with one inside that may not."""
    inner = tmp_path / "allowed" / "inner"
    world = World(tmp_path, folders=(Allowed(tmp_path / "allowed"), Allowed(inner, write=False)))
    inner.mkdir()
    (inner / "kept.txt").write_text("kept")
    return world


def zipped(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), text)


# --- folders in one another


async def test_a_folder_to_read_inside_of_one_to_write_is_only_read(nested: World) -> None:
    """A read-only folder is inside a writable one. The flow cannot write to it."""
    assert (await nested.do("File.ReadTextFromFile.ReadText", File="C:\\inner\\kept.txt"))["Content"] == "kept"
    denied = "AccessDeniedError"
    await nested.fails(denied, "File.WriteText", File="C:\\inner\\kept.txt", TextToWrite="x")
    await nested.fails(denied, "File.Delete", Files="C:\\inner\\*")
    await nested.fails(denied, "Folder.Empty", Folder="C:\\inner")
    zipped(nested.folder / "a.zip", inner__kept_txt="other")
    await nested.fails(denied, "Compression.UnzipFiles", ArchivePath="C:\\a.zip", DestinationFolder="C:\\")
    for action in ("Folder.Empty", "Folder.Delete"):
        with pytest.raises(ConnectorError, match="stays"):
            await nested.do(action, Folder="C:\\")
    nested.file("new/inner/kept.txt", "other")
    shutil.move(nested.folder / "new", nested.outside / "allowed")
    await _copied_over(nested)
    assert (nested.folder / "inner" / "kept.txt").read_text() == "kept"


async def _copied_over(nested: World) -> None:
    """A folder of the same name is copied over the one that has the folder to read inside."""
    settings = replace(
        nested.session.settings,
        folders=(*nested.session.settings.folders, Allowed(nested.outside), Allowed(nested.folder.parent)),
    )
    nested.session.settings = settings
    nested.session.folders = type(nested.session.folders)(settings.folders, settings.mapping, nested.folder)
    await nested.fails(
        "AccessDeniedError",
        "Folder.Copy",
        Folder=str(nested.outside / "allowed"),
        Destination=str(nested.folder.parent),
        IfFolderExists="Overwrite",
    )


# --- links


async def test_a_pattern_does_not_pick_up_links_that_leave(world: World) -> None:
    """A file pattern matches links that lead out of the folder. The action is refused."""
    (world.outside / "secret.txt").write_text("s")
    (world.folder / "link.txt").symlink_to(world.outside / "secret.txt")
    (world.folder / "to").mkdir()
    await world.fails("AccessDeniedError", "File.Copy", Files="C:\\*.txt", Destination="C:\\to")
    await world.fails("AccessDeniedError", "File.Delete", Files="C:\\*.txt")
    assert list((world.folder / "to").iterdir()) == []


async def test_a_copied_folder_is_not_written_through_links(world: World) -> None:
    """The destination of a copied folder contains links that lead out. Nothing is written through them."""
    world.file("a/way/f.txt", "new")
    (world.folder / "b" / "a").mkdir(parents=True)
    (world.folder / "b" / "a" / "way").symlink_to(world.outside)
    copy = {"Folder": "C:\\a", "Destination": "C:\\b", "IfFolderExists": "Overwrite"}
    await world.fails("AccessDeniedError", "Folder.Copy", **copy)
    (world.folder / "b" / "a" / "way").unlink()
    (world.folder / "b" / "a" / "way").mkdir()
    (world.folder / "b" / "a" / "way" / "f.txt").symlink_to(world.outside / "f.txt")
    await world.fails("AccessDeniedError", "Folder.Copy", **copy)
    assert list(world.outside.iterdir()) == []


async def test_an_ending_that_is_added_is_judged_too(world: World) -> None:
    """An action adds a file extension, and that name is a link that leads out. It is refused."""
    for suffix in ("xlsx", "docx"):
        (world.folder / f"report.{suffix}").symlink_to(world.outside / f"new.{suffix}")
    book = (await world.do("Excel.LaunchExcel.Launch"))["Instance"]
    await world.fails("AccessDeniedError", "Excel.SaveExcel.SaveAs", Instance=book, DocumentPath="C:\\report")
    word = (await world.do("Word.LaunchWord.Launch"))["Instance"]
    await world.fails("AccessDeniedError", "Word.SaveWord.SaveAs", Instance=word, DocumentPath="C:\\report")
    assert list(world.outside.iterdir()) == []


# --- names and things that are no files


@pytest.mark.parametrize("name", ["x" * 300, "a\ud800", "a\0b"])
async def test_names_that_no_file_has(world: World, name: str) -> None:
    """A flow uses a name that no file can have. The action fails with its own error."""
    await world.fails("InvalidPathError", "File.IfFile.Exists", File=f"C:\\{name}")
    await world.fails("InvalidPathError", "File.WriteText", File=f"C:\\{name}", TextToWrite="x")


async def test_a_pipe_is_not_waited_for(world: World) -> None:
    """A flow reads a named pipe. The action fails and does not wait."""
    os.mkfifo(world.folder / "pipe")
    await world.fails("FileNotFoundError", "File.ReadTextFromFile.ReadText", File="C:\\pipe")
    await world.fails("FileNotFoundError", "Cryptography.HashFromFile", FileToHash="C:\\pipe")
    (world.folder / "d").mkdir()
    shutil.move(world.folder / "pipe", world.folder / "d" / "pipe")
    (world.folder / "to").mkdir()
    await world.do("Folder.Copy", Folder="C:\\d", Destination="C:\\to")
    assert list((world.folder / "to" / "d").iterdir()) == []


# --- archives and documents


async def test_an_archive_is_not_added_to_itself(world: World) -> None:
    """A flow packs a folder that contains the archive. The archive is left out."""
    world.file("d/a.txt", "a")
    await world.do("Compression.ZipFiles", ArchivePath="C:\\d\\all.zip", FilesOrFoldersToZip="C:\\d")
    with zipfile.ZipFile(world.folder / "d" / "all.zip") as archive:
        assert archive.namelist() == ["d/a.txt"]


async def test_a_damaged_archive_is_an_error_of_the_action(world: World) -> None:
    """A flow unpacks a damaged archive. The action fails with its own error."""
    with zipfile.ZipFile(world.folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "abc" * 1000)
    data = bytearray((world.folder / "a.zip").read_bytes())
    data[40:50] = b"\xff" * 10
    (world.folder / "a.zip").write_bytes(data)
    await world.fails(
        "FailedToUnzipFilesError", "Compression.UnzipFiles", ArchivePath="C:\\a.zip", DestinationFolder="C:\\to"
    )


async def test_a_document_that_unfolds_without_end_is_not_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow opens a document that unpacks to a huge size. It is refused."""
    monkeypatch.setattr(packaged, "MOST_UNFOLDED", 1000)
    for name, action in (("a.xlsx", "Excel.LaunchExcel.LaunchAndOpen"), ("a.docx", "Word.LaunchWord.Launch")):
        with zipfile.ZipFile(world.folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", "0" * 100_000)
        await world.fails("FileTooLargeError", action, Path=f"C:\\{name}")


async def test_what_is_no_document(world: World) -> None:
    """A flow opens a file that is not a document. The action fails with its own error."""
    zipped(world.folder / "a.docx", word__document_xml="<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;")
    world.file("b.docx", "text")
    for name in ("a.docx", "b.docx", "none.docx"):
        await world.fails("FailedToOpenWordDocumentError", "Word.LaunchWord.Launch", Path=f"C:\\{name}")


async def test_a_sheet_with_corners_far_apart_costs_what_it_holds(world: World) -> None:
    """A worksheet has two cells at opposite corners. It takes only the memory of its cells."""
    book = Workbook()
    book.active["A1"] = 1  # type: ignore[index]
    book.active["XFD1048576"] = 2  # type: ignore[index]
    book.save(world.folder / "a.xlsx")
    instance = (await world.do("Excel.LaunchExcel.LaunchAndOpen", Path="C:\\a.xlsx"))["Instance"]
    assert isinstance(instance, Item)
    opened = world.session.use(instance, workbook.Book)
    assert opened.used() == (1_048_576, 16_384)
    await world.fails("FailedToReadCellValuesError", "Excel.ReadFromExcel.ReadAllCells", Instance=instance)
    assert len(workbook._cells(opened.sheet)) < 10


async def test_texts_that_documents_cannot_hold(world: World) -> None:
    """A flow writes control characters to a document. The action fails with its own error."""
    book = (await world.do("Excel.LaunchExcel.Launch"))["Instance"]
    await world.fails(
        "FailedToWriteValueToExcelError", "Excel.WriteToExcel.WriteCell", Instance=book, Value="\x01", Column=1, Row=1
    )
    word = (await world.do("Word.LaunchWord.Launch"))["Instance"]
    await world.fails(
        "FailedToWriteToWordDocumentError", "Word.WriteToWord.WriteEndOfDocument", Instance=word, Text="\x01"
    )


# --- databases


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH 'x.db' AS other",
        "VACUUM INTO '/tmp/copy.db'",
        "PRAGMA temp_store_directory='/tmp'",
        "PRAGMA hard_heap_limit=1",
        "PRAGMA writable_schema=ON",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT zeroblob(100000000)",
    ],
)
async def test_a_statement_does_not_leave_its_database(world: World, statement: str) -> None:
    """A SQL statement attaches another file or loads an extension. It fails."""
    text = "Driver={SQLite3 ODBC Driver};Database=C:\\a.db"
    run = "Database.ExecuteSqlStatement.ConnectAndExecute"
    await world.fails("ErrorInSQLStatementError", run, ConnectionString=text, Statement=statement)


@pytest.mark.parametrize("database", ["../outside/a.db", "file:/etc/passwd?mode=ro", "/etc/passwd", "C:\\..\\a.db"])
async def test_a_database_is_in_an_allowed_folder(world: World, database: str) -> None:
    """A connection string names a database outside the allowed folders. It is refused."""
    text = f"Driver={{SQLite3 ODBC Driver}};Database={database}"
    with pytest.raises(ConnectorError, match=r"may not|could be opened"):
        await world.do("Database.Connect.Connect", ConnectionString=text)
    assert not list(world.outside.iterdir())


async def test_a_database_server_is_judged_like_any_address(world: World) -> None:
    """A connection string names a metadata service. The egress policy rejects it, and the error does not contain the
    password.
    """
    world.session.egress = Egress()
    text = "Driver={PostgreSQL Unicode};Server=169.254.169.254;Uid=u;Pwd=planted"
    failure = await world.fails("EgressRefused", "Database.Connect.Connect", ConnectionString=text)
    assert "planted" not in f"{failure} {failure!r}"


# --- programs


async def test_a_program_allowed_by_name_is_the_systems(tmp_path: Path) -> None:
    """A flow starts its own file with the name of an allowed program. The program of the system runs."""
    world = World(tmp_path, applications=frozenset({"true"}))
    marker = world.folder / "ran"
    own = world.file("true", f"#!/bin/sh\ntouch {marker}\n")
    own.chmod(0o755)
    run = "System.RunApplication.RunApplicationAndWaitToComplete"
    assert (await world.do(run, ApplicationPath=str(own)))["ExitCode"] == 0
    assert not marker.exists()


async def test_a_flow_does_not_say_what_a_program_loads(world: World) -> None:
    """A flow sets environment variables such as `LD_PRELOAD` and `PATH`. Programs do not get them."""
    for name in ("LD_PRELOAD", "ld_library_path", "PATH", "PYTHONPATH", "BASH_ENV", "Mine"):
        await world.do("System.SetEnvironmentVariable", Name=name, Value="x")
    assert _handed_on(world.session) == {"Mine": "x"}
