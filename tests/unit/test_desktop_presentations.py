"""The PowerPoint module, and the OCR module with a stand-in for Tesseract and, where it is installed, with itself."""

from __future__ import annotations

import io
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from desktop_world import World
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pptx.util import Inches
from sealflow.connectors.desktop.modules import is_built
from sealflow.engine.datatypes import Datum, Item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def data(world: World, instance: Datum, slides: str | None = None) -> Datum:
    action = "PowerPoint.ReadFromPowerPoint." + ("Read" if slides is None else "ReadSlides")
    more: dict[str, Datum] = {} if slides is None else {"Slides": slides}
    return (await world.do(action, Instance=instance, **more))["PowerPointData"]


async def test_a_presentation_written_saved_and_read_again(world: World) -> None:
    made = (await world.do("PowerPoint.LaunchPowerPoint.Launch"))["Instance"]
    write = "PowerPoint.WriteToPowerPoint.WriteToSlideAtPosition"
    await world.do(write, Instance=made, SlidePosition=1, Text="one\r\ntwo")
    await world.do(write, Instance=made, SlidePosition=1, Text=" half")
    await world.do(write, Instance=made, SlidePosition=1, Text="three\a", AppendNewLine=True)
    await world.do(write, Instance=made, SlidePosition=2, Text="second slide")
    await world.fails("SlideNotFoundError", write, Instance=made, SlidePosition=4, Text="x")
    assert await data(world, made) == "one\r\ntwo half\r\nthree\r\nsecond slide"
    save = "PowerPoint.SavePowerPoint.SaveAs"
    failed = "FailedToSavePowerPointPresentationError"
    await world.fails(failed, save, Instance=made, DocumentPath="C:\\a.pdf")
    await world.fails(failed, save, Instance=made, DocumentPath="C:\\a.pptx", DocumentFormat="ODP")
    await world.fails("AccessDeniedError", save, Instance=made, DocumentPath=str(world.outside / "a.pptx"))
    await world.do(save, Instance=made, DocumentPath="C:\\a.pptx", DocumentFormat="PowerPoint.PowerPointFormat.PPTX")
    again = (await world.do("PowerPoint.LaunchPowerPoint.LaunchAndOpen", Path="C:\\a.pptx", ReadOnly=True))["Instance"]
    assert await data(world, again, "2") == "second slide"
    assert await data(world, again, "2, 1-2") == "second slide\r\none\r\ntwo half\r\nthree\r\nsecond slide"
    await world.fails(failed, save, Instance=again, DocumentPath="C:\\a.pptx")
    for wrong in ("3", "0", "2-1", "x"):
        await world.fails(
            "SlideNotFoundError", "PowerPoint.ReadFromPowerPoint.ReadSlides", Instance=again, Slides=wrong
        )


async def test_tables_and_text_boxes_of_others(world: World) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    table = slide.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    deck.save(str(world.folder / "t.pptx"))
    opened = (await world.do("PowerPoint.LaunchPowerPoint.LaunchAndOpen", Path="C:\\t.pptx"))["Instance"]
    assert await data(world, opened) == "a\tb"
    await world.do("PowerPoint.WriteToPowerPoint.WriteToSlideAtPosition", Instance=opened, Text="box")
    assert await data(world, opened) == "a\tb\r\nbox"


async def test_presentations_that_are_none(world: World) -> None:
    world.file("a.pptx", "no zip")
    opening = "PowerPoint.LaunchPowerPoint.LaunchAndOpen"
    await world.fails("FailedToOpenPowerPointPresentationError", opening, Path="C:\\a.pptx")
    await world.fails("FailedToOpenPowerPointPresentationError", opening, Path="C:\\b.pptx")
    await world.fails("AccessDeniedError", opening, Path="/etc/a.pptx")


# --- OCR


def image(world: World, text: str = "") -> str:
    made = Image.new("RGB", (400, 100), "white")
    ImageDraw.Draw(made).text((20, 20), text, "black", ImageFont.load_default(48))
    out = io.BytesIO()
    made.save(out, "PNG")
    return str(world.file("image.png", out.getvalue()))


@pytest.fixture
def tesseract(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that keeps the image it is given, and says what it was asked."""
    kept = world.outside / "seen.png"
    program = world.outside / "tesseract"
    program.write_text(f'#!/bin/sh\n/bin/cat > {kept}\necho "é $*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(world.outside))
    return kept


async def test_what_tesseract_is_asked(world: World, tesseract: Path) -> None:
    path = image(world)
    extract = "OCR.ExtractTextWithOCR.ExtractTextFrom"
    engine = (await world.do("OCR.CreateTesseractEngine.CreateTesseractEngine", TesseractLanguage="German"))[
        "OCREngine"
    ]
    assert isinstance(engine, Item)
    assert engine.handle == ""
    done = await world.do(extract + "File", OCREngine=engine, ImagePath=path)
    assert done == {"OcrText": "é stdin stdout -l deu"}
    with Image.open(tesseract) as seen:
        assert seen.size == (400, 100)
    (world.folder / "data").mkdir()
    custom = {"LanguageAbbreviation": "eng+fra", "LanguageDataPath": "C:\\data"}
    more: dict[str, Datum] = {"ImageWidthMultiplier": 2, "ImageHeightMultiplier": Decimal("0.5"), **custom}
    region: dict[str, Datum] = {"X1": 10, "Y1": 20, "X2": 60, "Y2": 60}
    done = await world.do(extract + "RegionOfFileWithCustomTesseract", ImagePath=path, **more, **region)
    assert done["OcrText"] == f"é stdin stdout -l eng+fra --tessdata-dir {world.folder / 'data'}"
    with Image.open(tesseract) as seen:
        assert seen.size == (100, 20)


async def test_what_is_not_read(world: World, tesseract: Path) -> None:
    path, failed = image(world), "FailedToExtractTextWithOCRError"
    action = "OCR.ExtractTextWithOCR.ExtractTextFrom"
    await world.fails("ImageFileNotFoundError", action + "FileWithTesseract", ImagePath="C:\\no.png")
    await world.fails("AccessDeniedError", action + "FileWithTesseract", ImagePath="/etc/hosts")
    await world.fails(failed, action + "FileWithTesseract", ImagePath=str(world.file("a.png", "none")))
    for box in ((0, 0, 401, 50), (5, 5, 5, 9), (-1, 0, 5, 5)):
        corners = dict(zip(("X1", "Y1", "X2", "Y2"), box, strict=True))
        await world.fails(failed, action + "RegionOfFileWithTesseract", ImagePath=path, **corners)
    create = "OCR.CreateTesseractEngine.Create"
    await world.fails("CantCreateTheOCREngineError", create + "TesseractEngine", TesseractLanguage="Klingon")
    for wrong in ("--help", "eng;ls", "../x"):
        await world.fails("CantCreateTheOCREngineError", create + "CustomTesseractEngine", LanguageAbbreviation=wrong)
    custom: dict[str, Datum] = {"LanguageAbbreviation": "eng", "LanguageDataPath": "C:\\none"}
    await world.fails("TheDataPathFolderDoesntExistError", create + "CustomTesseractEngine", **custom)
    await world.fails("DataPathFolderDoesntExistError", action + "FileWithCustomTesseract", ImagePath=path, **custom)
    (world.outside / "tesseract").write_text("#!/bin/sh\necho 'no such language' >&2; exit 1\n")
    failure = await world.fails(failed, action + "FileWithTesseract", ImagePath=path)
    assert "no such language" in failure.message


async def test_without_tesseract(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.outside))
    failure = await world.fails(
        "LibraryMissing", "OCR.ExtractTextWithOCR.ExtractTextFromFileWithTesseract", ImagePath=image(world)
    )
    assert "tesseract-ocr" in str(failure.hint)


async def test_tesseract_itself(world: World) -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    path = image(world, "Hello 42")
    done = await world.do("OCR.ExtractTextWithOCR.ExtractTextFromFileWithTesseract", ImagePath=path)
    assert done["OcrText"] == "Hello 42"


def test_what_needs_a_screen_is_not_built() -> None:
    assert is_built("OCR.ExtractTextWithOCR.ExtractTextFromFileWithTesseract")
    assert not is_built("OCR.ExtractTextWithOCR.ExtractTextFromScreenWithWindowsOcr")
    assert not is_built("OCR.WaitForTextOnScreen.TextOnScreenToAppearWithWindowsOcr")
