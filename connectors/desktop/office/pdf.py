"""The Pdf module: text, tables and images out of PDF files, pages into new ones, files into one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, cast

import pdfplumber
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.errors import PyPdfError

from ....engine.datatypes import DataTable, Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.csv_file import unique_columns
from ..files.file import resolved
from ..files.held import opened, written
from ..files.items import file_item
from ..port import Operation, Outputs, Table, reads
from ..session import Session

_PARTS: Final = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?")


def _existing(arguments: Arguments, session: Session, value: Datum = None) -> Path:
    path = resolved(value if value is not None else arguments.get("PDFFile"), session)
    if not path.is_file():
        raise fault("PDF file doesn't exist", f"There is no file '{session.folders.shown(path)}'.")
    if path.stat().st_size > session.settings.file_bytes:
        raise Fault("FileTooLargeError", f"'{path.name}' has more than {session.settings.file_bytes:,} bytes.")
    return path


@contextmanager
def _opened(path: Path, password: str, failed: str, session: Session) -> Iterator[PdfReader]:
    """Raises Fault InvalidPasswordError, and `failed` for what is no PDF file."""
    try:
        with opened(session.folders, path) as file:
            reader = PdfReader(file)
            if reader.is_encrypted and not reader.decrypt(password):
                raise fault("Invalid password", "The file has a password, and this is not it.")
            yield reader
    except Fault:
        raise
    except (PyPdfError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        # A damaged file breaks a reader in any of these ways.
        raise fault(failed, f"'{path.name}' is no PDF file that can be read.") from error


def _chosen(arguments: Arguments, count: int) -> list[int]:
    """The pages that the selector and the arguments name, from 0."""
    how = arguments.selector.casefold()
    if how.endswith("frompage"):
        first = last = arguments.integer("PageNumber")
    elif how.endswith("frompagerange"):
        first, last = arguments.integer("FromPageNumber"), arguments.integer("ToPageNumber")
    else:
        return list(range(count))
    if not 1 <= first <= last <= count:
        raise fault("Page out of bounds", f"The file has {count} pages; {first} to {last} are not among them.")
    return list(range(first - 1, last))


# --- out of a file


def extract_text(arguments: Arguments, session: Session) -> Outputs:
    """Pdf.ExtractTextFromPDF.*: page by page, with a line between."""
    path = _existing(arguments, session)
    layout = arguments.boolean("DetectLayout", False)
    with _opened(path, arguments.text("Password", ""), "Failed to extract text", session) as reader:
        pages = _chosen(arguments, len(reader.pages))
        texts = [_text(reader.pages[number], layout) for number in pages]
        return {"ExtractedText": "\r\n".join(texts)}


def _text(page: PageObject, layout: bool) -> str:
    return page.extract_text(extraction_mode="layout") if layout else page.extract_text()


def extract_tables(arguments: Arguments, session: Session) -> Outputs:
    """Pdf.ExtractTablesFromPDF.*: a list of PdfTableInfo."""
    path = _existing(arguments, session)
    password, failed = arguments.text("Password", ""), "Failed to extract tables"
    with _opened(path, password, failed, session) as reader:
        pages = _chosen(arguments, len(reader.pages))
    merges = arguments.boolean("MultiPageTables", True)
    header = arguments.boolean("SetFirstRowAsHeader", True)
    found: list[_Found] = []
    try:
        with (
            opened(session.folders, path) as read,
            pdfplumber.open(cast(BufferedReader, read), password=password or None) as file,
        ):
            for number in pages:
                page = file.pages[number]
                for order, table in enumerate(page.find_tables(), 1):
                    rows = [["" if cell is None else cell for cell in row] for row in table.extract()]
                    box = (table.bbox[1] / float(page.height), table.bbox[3] / float(page.height))
                    found.append(_Found(rows, number + 1, number + 1, order, box))
    except Exception as error:
        raise fault(failed, f"'{path.name}' could not be read.") from error
    if merges:
        found = _merged(found)
    return {"ExtractedPDFTables": [each.item(header) for each in found]}


class _Found:
    """A table where it was found. `box`: where it begins and ends on its page, as parts of the page's height."""

    def __init__(self, rows: list[list[str]], first: int, last: int, order: int, box: tuple[float, float]) -> None:
        self.rows = rows
        self.first = first
        self.last = last
        self.order = order
        self.box = box

    def item(self, header: bool) -> Item:
        rows = list(self.rows)
        names = rows.pop(0) if header and rows else []
        width = max([len(names), *map(len, rows)], default=0)
        cells = tuple(tuple(row + [""] * (width - len(row))) for row in rows)
        table = DataTable(unique_columns([name.replace("\n", " ") for name in names], width), cells)
        text = f"Table {self.order} of page {self.first}"
        return Item(
            "PdfTableInfo",
            text,
            {
                "DataTable": table,
                "TableStartingPage": self.first,
                "TableEndingPage": self.last,
                "TableOrderInPage": self.order,
            },
        )


def _merged(found: list[_Found]) -> list[_Found]:
    """A table that ends low on a page and one of as many columns that begins high on the next are one."""
    merged: list[_Found] = []
    for each in found:
        last = merged[-1] if merged else None
        joins = (
            last is not None
            and each.first == last.last + 1
            and each.order == 1
            and last.box[1] > 0.8
            and each.box[0] < 0.2
            and last.rows
            and each.rows
            and len(last.rows[0]) == len(each.rows[0])
        )
        if joins and last is not None:
            rows = each.rows[1:] if each.rows[0] == last.rows[0] else each.rows
            merged[-1] = _Found(last.rows + rows, last.first, each.last, last.order, (last.box[0], each.box[1]))
        else:
            merged.append(each)
    return merged


def extract_images(arguments: Arguments, session: Session) -> Outputs:
    """Pdf.ExtractImagesFromPDF.*: files with the name, a number, and the ending of the image's kind."""
    path = _existing(arguments, session)
    folder = resolved(arguments.get("ImagesFolder"), session, write=True)
    if not folder.is_dir():
        raise fault("Folder doesn't exist", f"There is no folder '{session.folders.shown(folder)}'.")
    name = arguments.text("ImagesName")
    if "/" in name or "\\" in name:
        raise fault("Failed to extract images", f"'{name}' is no name of a file.")
    made: list[Datum] = []
    with _opened(path, arguments.text("Password", ""), "Failed to extract images", session) as reader:
        for number in _chosen(arguments, len(reader.pages)):
            for image in reader.pages[number].images:
                suffix = Path(image.name).suffix or ".png"
                place = session.folders.checked(folder / f"{name}_{len(made) + 1}{suffix}", write=True)
                written(session.folders, place, image.data)
                made.append(file_item(place, session))
    return {"ImageFiles": made}


# --- into a file


def extract_pages(arguments: Arguments, session: Session) -> Outputs:
    """Pdf.ExtractPages: `1,3-5` into a new file."""
    path = _existing(arguments, session)
    failed = "Failed to extract new PDF"
    with _opened(path, arguments.text("Password", ""), failed, session) as reader:
        writer = PdfWriter()
        for number in _selection(arguments.text("PageSelection"), len(reader.pages)):
            writer.add_page(reader.pages[number])
        return {"ExtractedPDFFile": _written(writer, "ExtractedPDFPath", arguments, session, failed)}


def _selection(text: str, count: int) -> list[int]:
    pages: list[int] = []
    for part in text.split(","):
        match = _PARTS.fullmatch(part)
        if match is None:
            raise fault("Invalid page selection", f"'{text}' is no selection such as 1,3-5.")
        first = int(match.group(1))
        last = int(match.group(2) or first)
        if not 1 <= first <= last <= count:
            raise fault("Page out of bounds", f"The file has {count} pages; {part.strip()} is not among them.")
        pages += range(first - 1, last)
    return pages


def merge(arguments: Arguments, session: Session) -> Outputs:
    """Pdf.MergeFiles: in the order of the list."""
    failed = "Failed to merge PDF files"
    delimiter = arguments.text("PasswordDelimiter", ",") or ","
    passwords = arguments.text("Passwords", "").split(delimiter) if arguments.text("Passwords", "") else []
    writer = PdfWriter()
    for number, value in enumerate(arguments.list("PDFFiles")):
        path = _existing(arguments, session, value)
        with _opened(path, passwords[number] if number < len(passwords) else "", failed, session) as reader:
            for page in reader.pages:
                writer.add_page(page)
    return {"MergedPDF": _written(writer, "MergedPDFPath", arguments, session, failed)}


def _written(writer: PdfWriter, name: str, arguments: Arguments, session: Session, failed: str) -> Item:
    path = resolved(arguments.get(name), session, write=True)
    options = ("Overwrite", "DontOverwrite", "AddSequentialSuffix")
    how = arguments.choice("IfFileExists", options, "AddSequentialSuffix")
    if path.exists() and how == "dontoverwrite":
        raise fault(failed, f"'{session.folders.shown(path)}' is there already.")
    number = 1
    place = path
    while how == "addsequentialsuffix" and place.exists():
        number += 1
        place = session.folders.checked(path.with_name(f"{path.stem}_{number}{path.suffix}"), write=True)
    try:
        with opened(session.folders, place, "wb") as out:
            writer.write(out)
    except OSError as error:
        raise fault(failed, f"'{session.folders.shown(place)}': {error.strerror}.") from error
    return file_item(place, session)


def _each(name: str, handler: Any) -> dict[str, Operation]:
    """The three selectors of an extraction."""
    module, action = name.split("/")
    return {f"Pdf.{module}.{action}{which}": handler for which in ("", "FromPage", "FromPageRange")}


TABLE: Table = {
    **_each("ExtractTextFromPDF/ExtractText", reads(extract_text)),
    **_each("ExtractTablesFromPDF/ExtractTables", reads(extract_tables)),
    **_each("ExtractImagesFromPDF/ExtractImages", Operation(extract_images)),
    "Pdf.ExtractPages": Operation(extract_pages),
    "Pdf.MergeFiles": Operation(merge),
}
