"""The OCR module: text out of image files, by the program Tesseract where it is installed.

What looks at a screen, and Windows' own engine, need Windows. The names of most arguments are not published: those used
here are the designer's labels as the language writes such names.
"""

from __future__ import annotations

import io
import re
import shutil
import warnings
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import read_whole, resolved
from ..port import Operation, Outputs, Table, reads
from ..programs.process import run
from ..session import Session

KIND: Final = "OCREngineObject"

_FAILED: Final = "Failed to extract text with OCR"
_SECONDS: Final = 120
"""How long Tesseract may look at one image."""

_MOST_PIXELS: Final = 100_000_000

_LANGUAGES: Final = {"english": "eng", "german": "deu", "spanish": "spa", "french": "fra", "italian": "ita"}
_ABBREVIATION: Final = re.compile(r"[A-Za-z0-9_]{2,20}(?:\+[A-Za-z0-9_]{2,20}){0,5}")


def create_engine(arguments: Arguments, session: Session) -> Outputs:
    """OCR.CreateTesseractEngine.*: what to read with. It names nothing that is open, so it outlives a crash."""
    failed = "Can't create the OCR engine"
    custom = arguments.selector.casefold() == "createcustomtesseractengine"
    return {"OCREngine": Item(KIND, "Tesseract", _engine(arguments, session, custom, failed))}


def _engine(arguments: Arguments, session: Session, custom: bool, failed: str) -> dict[str, Datum]:
    properties: dict[str, Datum] = {"DataPath": ""}
    if custom:
        language = arguments.text(arguments.named("LanguageAbbreviation", "Language"))
        if _ABBREVIATION.fullmatch(language) is None:
            raise fault(failed, f"'{language}' is no abbreviation of a language such as eng or deu+fra.")
        name = arguments.named("LanguageDataPath", "DataPath")
        if arguments.text(name, ""):
            folder = resolved(arguments.get(name), session)
            if not folder.is_dir():
                gone = "data path folder doesn't exist"
                gone = f"The {gone}" if failed.startswith("Can't") else gone
                raise fault(gone, f"There is no folder '{session.folders.shown(folder)}'.")
            properties["DataPath"] = str(folder)
    else:
        named = arguments.text(arguments.named("TesseractLanguage", "Language"), "English")
        word = named.rsplit(".", 1)[-1].casefold()
        if word not in _LANGUAGES:
            raise fault(failed, f"'{named}' is none of the languages English, German, Spanish, French, Italian.")
        language = _LANGUAGES[word]
    properties["Language"] = language
    for name in ("ImageWidthMultiplier", "ImageHeightMultiplier"):
        value = arguments.number(name, 1)
        if not 0 < value <= 10:
            raise fault(failed, f"The argument '{name}' is more than 0 and at most 10.")
        properties[name] = value
    return properties


async def extract(arguments: Arguments, session: Session) -> Outputs:
    """OCR.ExtractTextWithOCR.ExtractTextFrom[RegionOf]File[WithTesseract|WithCustomTesseract]."""
    how = arguments.selector.casefold()
    if how.endswith("tesseract"):
        custom = how.endswith("customtesseract")
        engine = _engine(arguments, session, custom, "Failed to create the OCR engine")
    else:
        item = arguments.item(arguments.named("OCREngine", "OcrEngine", "Engine"), KIND)
        engine = dict(item.properties)
    path = resolved(arguments.get(arguments.named("ImagePath", "ImageFile", "Image", "ImageFilePath")), session)
    if not path.is_file():
        raise fault("Image file not found", f"There is no file '{session.folders.shown(path)}'.")
    box = _box(arguments) if "regionof" in how else None
    data = read_whole(path, session, "Failed to extract text with OCR")
    return {"OcrText": await _recognized(_prepared(data, path, engine, box), engine, session)}


def _box(arguments: Arguments) -> tuple[int, int, int, int]:
    """The region: from X1 and Y1 to X2 and Y2, in pixels from the top left."""
    left, top, right, bottom = (arguments.integer(name) for name in ("X1", "Y1", "X2", "Y2"))
    if not (0 <= left < right and 0 <= top < bottom):
        raise fault(_FAILED, "The region has no size: X2 and Y2 are greater than X1 and Y1.")
    return left, top, right, bottom


def _prepared(data: bytes, path: Path, engine: dict[str, Datum], box: tuple[int, int, int, int] | None) -> bytes:
    """The image as PNG, cut and sized."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is judged below
            image: Image.Image = Image.open(io.BytesIO(data))
        wide, high = (float(str(engine[f"Image{side}Multiplier"])) for side in ("Width", "Height"))
        if image.width * image.height * max(wide, 1) * max(high, 1) > _MOST_PIXELS:
            raise fault(_FAILED, f"'{path.name}' has more than {_MOST_PIXELS:,} pixels.")
        if box is not None:
            if box[2] > image.width or box[3] > image.height:
                raise fault(_FAILED, f"The region is not in the image of {image.width} by {image.height} pixels.")
            image = image.crop(box)
        if (wide, high) != (1, 1):
            image = image.resize((max(1, round(image.width * wide)), max(1, round(image.height * high))))
        out = io.BytesIO()
        image.convert("RGB").save(out, "PNG")
        return out.getvalue()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise fault(_FAILED, f"'{path.name}' is no image that can be read.") from error


async def _recognized(image: bytes, engine: dict[str, Datum], session: Session) -> str:
    program = shutil.which("tesseract")
    if program is None:
        what = "There is no Tesseract on this machine."
        raise Fault("LibraryMissing", what, hint="Install it (apt install tesseract-ocr); its command is tesseract.")
    command = [program, "stdin", "stdout", "-l", str(engine["Language"])]
    if engine["DataPath"]:
        command += ["--tessdata-dir", str(engine["DataPath"])]
    # Latin-1 carries bytes as they are, in both directions; what comes back is UTF-8.
    try:
        done = await run(command, session, stdin=image.decode("latin-1"), seconds=_SECONDS, encoding="latin-1")
    except TimeoutError:
        raise fault(_FAILED, f"Tesseract took longer than {_SECONDS} seconds.") from None
    except OSError as error:
        raise fault(_FAILED, f"Tesseract could not be started: {error.strerror}.") from error
    if done.status:
        said = done.error.encode("latin-1").decode("utf-8", "replace").strip().splitlines()
        raise fault(_FAILED, f"Tesseract said: {said[0] if said else done.status}")
    return done.output.encode("latin-1").decode("utf-8", "replace").strip("\f\r\n ")


TABLE: Table = {
    "OCR.CreateTesseractEngine.CreateTesseractEngine": Operation(create_engine),
    "OCR.CreateTesseractEngine.CreateCustomTesseractEngine": Operation(create_engine),
    **{
        f"OCR.ExtractTextWithOCR.ExtractTextFrom{region}File{engine}": reads(extract)
        for region in ("", "RegionOf")
        for engine in ("", "WithTesseract", "WithCustomTesseract")
    },
}
