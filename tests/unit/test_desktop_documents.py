"""The Pdf, Word and Compression modules."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from desktop_world import World
from docx import Document
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from sealflow.engine.datatypes import DataTable, Datum, Item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pdf(*pages: str, table: list[list[str]] | None = None, password: str = "") -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for text in pages:
        canvas.drawString(72, 800, text)
        for down, row in enumerate(table or []):
            for right, cell in enumerate(row):
                canvas.rect(72 + right * 100, 700 - down * 20, 100, 20)
                canvas.drawString(76 + right * 100, 706 - down * 20, cell)
        canvas.showPage()
    canvas.save()
    if not password:
        return out.getvalue()
    writer = PdfWriter(clone_from=io.BytesIO(out.getvalue()))
    writer.encrypt(password, algorithm="AES-256")
    sealed = io.BytesIO()
    writer.write(sealed)
    return sealed.getvalue()


def texts(path: Path) -> list[str]:
    return [page.extract_text().strip() for page in PdfReader(path).pages]


# --- PDF


async def test_text_of_a_pdf(world: World) -> None:
    world.file("a.pdf", pdf("one", "two", "three"))
    done = await world.do("Pdf.ExtractTextFromPDF.ExtractText", PDFFile="C:\\a.pdf")
    assert str(done["ExtractedText"]).split() == ["one", "two", "three"]
    done = await world.do(
        "Pdf.ExtractTextFromPDF.ExtractTextFromPageRange", PDFFile="C:\\a.pdf", FromPageNumber=2, ToPageNumber=3
    )
    assert str(done["ExtractedText"]).split() == ["two", "three"]
    done = await world.do("Pdf.ExtractTextFromPDF.ExtractTextFromPage", PDFFile="C:\\a.pdf", PageNumber=1)
    assert str(done["ExtractedText"]).split() == ["one"]
    bad: dict[str, Datum] = {"PDFFile": "C:\\a.pdf", "PageNumber": 4}
    await world.fails("PageOutOfBoundsError", "Pdf.ExtractTextFromPDF.ExtractTextFromPage", **bad)
    await world.fails("PDFFileDoesntExistError", "Pdf.ExtractTextFromPDF.ExtractText", PDFFile="C:\\none.pdf")
    world.file("b.pdf", "no pdf")
    await world.fails("FailedToExtractTextError", "Pdf.ExtractTextFromPDF.ExtractText", PDFFile="C:\\b.pdf")


async def test_tables_of_a_pdf(world: World) -> None:
    world.file("a.pdf", pdf("x", table=[["Name", "Amount"], ["Contoso", "12"], ["Fabrikam", "7"]]))
    done = await world.do("Pdf.ExtractTablesFromPDF.ExtractTables", PDFFile="C:\\a.pdf")
    assert isinstance(done["ExtractedPDFTables"], list)
    (table,) = done["ExtractedPDFTables"]
    assert isinstance(table, Item)
    assert table.kind == "PdfTableInfo"
    assert table.get("DataTable") == DataTable(("Name", "Amount"), (("Contoso", "12"), ("Fabrikam", "7")))
    assert [table.get(f"Table{name}") for name in ("StartingPage", "EndingPage", "OrderInPage")] == [1, 1, 1]


async def test_pages_are_taken_out_and_put_together(world: World) -> None:
    world.file("a.pdf", pdf("one", "two", "three", "four"))
    pages: dict[str, Datum] = {"PDFFile": "C:\\a.pdf", "ExtractedPDFPath": "C:\\b.pdf"}
    first = await world.do("Pdf.ExtractPages", PageSelection="3-4, 1", **pages)
    again = await world.do("Pdf.ExtractPages", PageSelection="2", **pages)
    made = [getattr(done["ExtractedPDFFile"], "text", "") for done in (first, again)]
    assert made == ["C:\\b.pdf", "C:\\b_2.pdf"]
    assert texts(world.folder / "b.pdf") == ["three", "four", "one"]
    await world.do("Pdf.MergeFiles", PDFFiles=["C:\\b_2.pdf", "C:\\b.pdf"], MergedPDFPath="C:\\m.pdf")
    assert texts(world.folder / "m.pdf") == ["two", "three", "four", "one"]
    for wrong, error in (("5", "PageOutOfBoundsError"), ("one", "InvalidPageSelectionError")):
        await world.fails(error, "Pdf.ExtractPages", PageSelection=wrong, **pages)
    kept = {"MergedPDFPath": "C:\\m.pdf", "IfFileExists": "Pdf.IfFileExists.DontOverwrite"}
    await world.fails("FailedToMergePDFFilesError", "Pdf.MergeFiles", PDFFiles=["C:\\a.pdf"], **kept)


async def test_a_pdf_with_a_password(world: World) -> None:
    world.file("a.pdf", pdf("secret", password="open"))
    done = await world.do("Pdf.ExtractTextFromPDF.ExtractText", PDFFile="C:\\a.pdf", Password="open")
    assert str(done["ExtractedText"]).strip() == "secret"
    wrong = {"PDFFile": "C:\\a.pdf", "Password": "wrong"}
    failure = await world.fails("InvalidPasswordError", "Pdf.ExtractTextFromPDF.ExtractText", **wrong)
    assert "wrong" not in str(failure)


async def test_images_of_a_pdf(world: World) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4), "red").save(world.folder / "red.png")
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.drawImage(str(world.folder / "red.png"), 10, 10)
    canvas.save()
    world.file("a.pdf", out.getvalue())
    (world.folder / "to").mkdir()
    done = await world.do(
        "Pdf.ExtractImagesFromPDF.ExtractImages", PDFFile="C:\\a.pdf", ImagesName="i", ImagesFolder="C:\\to"
    )
    assert [item.properties["NameWithoutExtension"] for item in done["ImageFiles"]] == ["i_1"]  # type: ignore[union-attr]


# --- Word


async def test_a_document_is_written_and_read(world: World) -> None:
    word = (await world.do("Word.LaunchWord.Launch", Visible=False))["Instance"]
    await world.do("Word.WriteToWord.WriteEndOfDocument", Instance=word, Text="second")
    await world.do("Word.WriteToWord.WriteStartOfDocument", Instance=word, Text="first", AppendNewLine=True)
    await world.do("Word.WriteToWord.WriteStartOfDocument", Instance=word, Text="the ", AppendNewLine=False)
    await world.do("Word.WriteToWord.WriteEndOfDocument", Instance=word, Text=" half", AppendNewLine=False)
    assert (await world.do("Word.ReadFromWord.Read", Instance=word))["WordData"] == "the first\r\nsecond half"
    await world.fails("FailedToSaveWordDocumentError", "Word.CloseWord.CloseAndSave", Instance=word)
    await world.do("Word.CloseWord.CloseAndSaveAs", Instance=word, DocumentPath="C:\\a.docx")
    assert [paragraph.text for paragraph in Document(str(world.folder / "a.docx")).paragraphs] == [
        "the first",
        "second half",
    ]
    await world.fails("InstanceLost", "Word.ReadFromWord.Read", Instance=word)
    again = (await world.do("Word.LaunchWord.LaunchAndOpen", Path="C:\\a.docx"))["Instance"]
    assert str((await world.do("Word.ReadFromWord.Read", Instance=again))["WordData"]).startswith("the first")
    world.file("b.docx", "no document")
    await world.fails("FailedToOpenWordDocumentError", "Word.LaunchWord.LaunchAndOpen", Path="C:\\b.docx")


# --- archives


async def test_an_archive_with_a_password(world: World) -> None:
    world.file("a.txt", "alpha")
    world.file("in/b.csv", "beta")
    files: dict[str, Datum] = {"ArchivePath": "C:\\z.zip", "FilesOrFoldersToZip": ["C:\\a.txt", "C:\\in"]}
    await world.do("Compression.ZipFiles", Password="open", **files)
    with zipfile.ZipFile(world.folder / "z.zip") as archive:
        assert sorted(archive.namelist()) == ["a.txt", "in/b.csv"]
    assert b"alpha" not in (world.folder / "z.zip").read_bytes()
    unzip: dict[str, Datum] = {"ArchivePath": "C:\\z.zip", "DestinationFolder": "C:\\out"}
    await world.fails("FailedToUnzipFilesError", "Compression.UnzipFiles", Password="wrong", **unzip)
    await world.do("Compression.UnzipFiles", Password="open", IncludeMask="*.csv", **unzip)
    assert (world.folder / "out/in/b.csv").read_text() == "beta"
    assert not (world.folder / "out/a.txt").exists()


async def test_an_archive_does_not_leave_its_destination(world: World) -> None:
    with zipfile.ZipFile(world.folder / "evil.zip", "w") as archive:
        archive.writestr("../../outside/x.txt", "x")
    unzip: dict[str, Datum] = {"ArchivePath": "C:\\evil.zip", "DestinationFolder": "C:\\out"}
    await world.fails("FailedToUnzipFilesError", "Compression.UnzipFiles", **unzip)
    assert list(world.outside.iterdir()) == []


async def test_an_archive_that_unfolds_to_too_much(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealflow.connectors.desktop.files.compression.MOST_BYTES", 1000)
    with zipfile.ZipFile(world.folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100_000))
    unzip: dict[str, Datum] = {"ArchivePath": "C:\\bomb.zip", "DestinationFolder": "C:\\out"}
    await world.fails("FailedToUnzipFilesError", "Compression.UnzipFiles", **unzip)


async def test_what_is_no_archive(world: World) -> None:
    world.file("a.zip", "no archive")
    world.file("a.txt", "a")
    await world.fails(
        "ArchiveNotFoundError", "Compression.UnzipFiles", ArchivePath="C:\\n.zip", DestinationFolder="C:\\"
    )
    await world.fails(
        "ArchiveIsntAValidZIPFileError", "Compression.UnzipFiles", ArchivePath="C:\\a.zip", DestinationFolder="C:\\"
    )
    await world.fails(
        "ArchiveAlreadyExistsButIsntAValidZIPArchiveError",
        "Compression.ZipFiles",
        ArchivePath="C:\\a.zip",
        FilesOrFoldersToZip="C:\\a.txt",
    )
