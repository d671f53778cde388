"""The PowerPoint module: presentations opened, read, written to and saved, without PowerPoint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

from pptx import Presentation
from pptx.exc import PythonPptxError
from pptx.util import Inches

from ..arguments import Arguments
from ..fault import fault
from ..files.file import resolved
from ..files.held import opened, written
from ..files.items import file_item
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .documents import asked

KIND: Final = "PowerPointInstance"

_OPEN: Final = "Failed to open PowerPoint presentation"
_WRITE: Final = "Failed to write to PowerPoint presentation"
_SAVE: Final = "Failed to save PowerPoint presentation"
_SLIDE: Final = "Slide not found"
_PARTS: Final = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


class Opened:
    """An open presentation; `path` None of a new one."""

    def __init__(self, presentation: Any, path: Path | None, read_only: bool) -> None:
        self.presentation = presentation
        self.path = path
        self.read_only = read_only

    def close(self) -> None:
        """Forgets the presentation; nothing is saved."""
        self.presentation = None


def launch(arguments: Arguments, session: Session) -> Outputs:
    """PowerPoint.LaunchPowerPoint.*: a new presentation without slides, or the one at Path."""
    path = asked(arguments, session)
    if path is None:
        return {"Instance": session.keep(KIND, Opened(Presentation(), None, False))}
    if not path.is_file():
        raise fault(_OPEN, f"There is no file '{session.folders.shown(path)}'.")
    try:
        with opened(session.folders, path) as file:
            presentation = Presentation(file)
    except (PythonPptxError, BadZipFile, KeyError, ValueError, OSError) as error:
        raise fault(_OPEN, f"'{path.name}' is no presentation that can be read.") from error
    return {"Instance": session.keep(KIND, Opened(presentation, path, arguments.boolean("ReadOnly", False)))}


def _opened(arguments: Arguments, session: Session) -> Opened:
    return session.use(arguments.item("Instance", KIND), Opened)


def read(arguments: Arguments, session: Session) -> Outputs:
    """PowerPoint.ReadFromPowerPoint.*: the texts of all slides, or of `1,3-5`, a line for each paragraph."""
    slides = list(_opened(arguments, session).presentation.slides)
    chosen = slides
    if arguments.selector.casefold() == "readslides":
        chosen = [slides[number] for number in _selection(arguments.text("Slides", "1"), len(slides))]
    return {"PowerPointData": "\r\n".join(line for slide in chosen for line in _lines(slide.shapes))}


def _selection(text: str, count: int) -> list[int]:
    """The slides from 0. Raises Fault SlideNotFoundError."""
    numbers: list[int] = []
    for part in text.split(","):
        match = _PARTS.fullmatch(part)
        if match is None:
            raise fault(_SLIDE, f"'{text}' is no selection of slides such as 1,3-5.")
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= count:
            raise fault(_SLIDE, f"The presentation has {count} slides; {part.strip()} is not among them.")
        numbers += range(first - 1, last)
    return numbers


def _lines(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame:
            yield from (text for paragraph in shape.text_frame.paragraphs if (text := _text(paragraph)))
        elif getattr(shape, "has_table", False) and shape.has_table:
            for row in shape.table.rows:
                yield "\t".join(cell.text for cell in row.cells)
        elif hasattr(shape, "shapes"):  # a group
            yield from _lines(shape.shapes)


def _text(paragraph: Any) -> str:
    return str(paragraph.text).replace("\v", "\n")


def write(arguments: Arguments, session: Session) -> Outputs:
    """PowerPoint.WriteToPowerPoint.WriteToSlideAtPosition: at the end of the slide's text.

    That is its first text but the title, or a text box that is made. The slide behind the last one is made, too.
    AppendNewLine begins a new paragraph.
    """
    presentation = _opened(arguments, session).presentation
    position, count = arguments.integer("SlidePosition", 1), len(presentation.slides)
    if not 1 <= position <= count + 1:
        raise fault(_SLIDE, f"The presentation has {count} slides; there is no place {position}.")
    if position > count:
        layouts = presentation.slide_layouts
        if not len(layouts):
            raise fault(_WRITE, "The presentation has no layout that a new slide could have.")
        presentation.slides.add_slide(layouts[1] if len(layouts) > 1 else layouts[0])
    frame = _frame(presentation, presentation.slides[position - 1])
    lines = arguments.text("Text", "").replace("\r\n", "\n").split("\n")
    last = frame.paragraphs[-1]
    if arguments.boolean("AppendNewLine", False) and last.text:
        last = frame.add_paragraph()
    for number, line in enumerate(lines):
        paragraph = last if number == 0 else frame.add_paragraph()
        paragraph.add_run().text = "".join(sign for sign in line if sign >= " " or sign == "\t")
    return None


def _frame(presentation: Any, slide: Any) -> Any:
    """Where a slide's text goes."""
    for shape in slide.placeholders:
        if shape.has_text_frame and shape != slide.shapes.title and shape.placeholder_format.idx != 0:
            return shape.text_frame
    for shape in slide.shapes:
        if shape.has_text_frame and not shape.is_placeholder:
            return shape.text_frame
    margin = Inches(1)
    width, height = presentation.slide_width - 2 * margin, presentation.slide_height - 2 * margin
    frame = slide.shapes.add_textbox(margin, margin, width, height).text_frame
    frame.word_wrap = True
    return frame


def save(arguments: Arguments, session: Session) -> Outputs:
    """PowerPoint.SavePowerPoint.SaveAs. Only .pptx: the other formats need PowerPoint itself."""
    shown = _opened(arguments, session)
    path = resolved(arguments.get("DocumentPath"), session, write=True)
    named = arguments.text("DocumentFormat", "FromExtension").rsplit(".", 1)[-1].casefold()
    kind = path.suffix.lstrip(".").casefold() if named == "fromextension" else named
    if kind != "pptx":
        what = f"A presentation is saved as .pptx here, not as '{kind}'."
        raise fault(_SAVE, what, hint="Save it as .pptx and convert it with another program.")
    if shown.read_only and shown.path == path:
        raise fault(_SAVE, f"'{path.name}' was opened read-only.")
    try:
        data = BytesIO()
        shown.presentation.save(data)
        written(session.folders, path, data.getvalue())
    except OSError as error:
        raise fault(_SAVE, f"'{session.folders.shown(path)}': {error.strerror}.") from error
    shown.path, shown.read_only = path, False
    return {"SavedFile": file_item(path, session)}


TABLE: Table = {
    "PowerPoint.LaunchPowerPoint.Launch": Operation(launch),
    "PowerPoint.LaunchPowerPoint.LaunchAndOpen": Operation(launch),
    "PowerPoint.ReadFromPowerPoint.Read": reads(read),
    "PowerPoint.ReadFromPowerPoint.ReadSlides": reads(read),
    "PowerPoint.WriteToPowerPoint.WriteToSlideAtPosition": Operation(write),
    "PowerPoint.SavePowerPoint.SaveAs": Operation(save),
}
