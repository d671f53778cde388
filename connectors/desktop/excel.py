"""The Excel module: opening, saving and closing workbooks, sheets, reading and writing cells.

What needs Excel itself - macros, attaching to a program that runs - is refused when it is deployed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...engine.datatypes import DataTable, Datum
from .arguments import Arguments
from .fault import fault
from .file import resolved
from .packaged import judge_size
from .port import Operation, Outputs, Table, reads
from .session import Session
from .workbook import MOST_ROWS, Book, cells_of, column_number

KIND: Final = "ExcelInstance"


def book_of(arguments: Arguments, session: Session) -> Book:
    """The open workbook of the argument Instance."""
    return session.use(arguments.item("Instance", KIND), Book)


# --- opening, saving, closing


def launch(arguments: Arguments, session: Session) -> Outputs:
    """Excel.LaunchExcel.*: a new workbook, or the one at Path."""
    if "Path" not in arguments:
        return {"Instance": session.keep(KIND, Book.new())}
    path = resolved(arguments.get("Path"), session)
    judge_size(path, session)
    book = Book.open(path, read_only=arguments.boolean("ReadOnly", False))
    return {"Instance": session.keep(KIND, book)}


def save(arguments: Arguments, session: Session) -> Outputs:
    """Excel.SaveExcel.Save, .SaveAs and the older Excel.SaveAs."""
    _save(book_of(arguments, session), arguments, session, under="as" in arguments.action.rsplit(".", 1)[-1].lower())
    return None


def close(arguments: Arguments, session: Session) -> Outputs:
    """Excel.CloseExcel.Close, .CloseAndSave, .CloseAndSaveAs."""
    book = book_of(arguments, session)
    how = arguments.action.rsplit(".", 1)[-1].casefold()
    if how != "close":
        _save(book, arguments, session, under=how == "closeandsaveas")
    session.drop(arguments.item("Instance", KIND))
    book.close()
    return None


def _save(book: Book, arguments: Arguments, session: Session, *, under: bool) -> None:
    if not under:
        if book.path is not None:
            session.folders.checked(book.path, write=True)
        book.save()
        return
    path = resolved(arguments.get("DocumentPath"), session, write=True)
    if not path.suffix:
        path = session.folders.checked(Path(str(path) + ".xlsx"), write=True)
    book.save(path)


# --- sheets


def add_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.AddWorksheet: first, or last."""
    book, name = book_of(arguments, session), arguments.text("Name")
    if any(sheet.title.casefold() == name.casefold() for sheet in book.book.worksheets):
        raise fault("A worksheet with the same name already exists", f"There is a worksheet '{name}' already.")
    first = arguments.choice("WorksheetPosition", ("First", "Last"), "First") == "first"
    try:
        book.book.create_sheet(name, 0 if first else None)
    except ValueError as error:
        raise fault("Failed to add worksheet", f"'{name}' is no name of a worksheet.") from error
    if first and book.book.active is not None:
        # The active sheet stays the active one, though it moved.
        book.book.active = book.book._active_sheet_index + 1  # type: ignore[attr-defined]
    return None


def activate_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.SetActiveWorksheet.*"""
    book = book_of(arguments, session)
    by_name = arguments.selector.casefold().endswith("byname")
    book.book.active = book.named(arguments.text("Name")) if by_name else book.numbered(arguments.integer("Index"))
    return None


def active_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetActiveWorksheet."""
    book = book_of(arguments, session)
    return {"SheetName": book.sheet.title, "SheetIndex": book.book.index(book.sheet) + 1}


def all_worksheets(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetAllWorksheets."""
    return {"SheetNames": [sheet.title for sheet in book_of(arguments, session).book.worksheets]}


def rename_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.RenameWorksheet.*"""
    book = book_of(arguments, session)
    by_name = arguments.selector.casefold().endswith("withname")
    sheet = book.named(arguments.text("Name")) if by_name else book.numbered(arguments.integer("Index"))
    name = arguments.text("NewName")
    if any(other.title.casefold() == name.casefold() for other in book.book.worksheets if other is not sheet):
        raise fault("Failed to rename worksheet", f"There is a worksheet '{name}' already.")
    try:
        sheet.title = name
    except ValueError as error:
        raise fault("Failed to rename worksheet", f"'{name}' is no name of a worksheet.") from error
    return None


def delete_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.DeleteWorksheet.*; the last one stays."""
    book = book_of(arguments, session)
    by_name = arguments.selector.casefold().endswith("byname")
    sheet = book.named(arguments.text("Name")) if by_name else book.numbered(arguments.integer("Index"))
    if len(book.book.worksheets) == 1:
        raise fault("Failed to delete worksheet", "It is the only one.")
    book.book.remove(sheet)
    return None


# --- cells


def read(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ReadFromExcel.*: one cell, an area, the selection, or all that is used."""
    book = book_of(arguments, session)
    how = arguments.selector.casefold()
    mode = arguments.text("GetCellContentsMode", "TypedValues").rsplit(".", 1)[-1].casefold()
    as_text = arguments.boolean("ReadAsText", False) or mode in ("plaintext", "formattedtext")
    if how == "readcell":
        row, column = arguments.integer("StartRow"), column_number(arguments.text("StartColumn"))
        _there(row)
        return {"CellValue": book.read(row, column, as_text=as_text)}
    header = arguments.boolean("FirstLineIsHeader", False)
    return {"RangeValue": book.table(area_of(how, book, arguments), header=header, as_text=as_text)}


def area_of(how: str, book: Book, arguments: Arguments) -> tuple[int, int, int, int]:
    """First column, first row, last column, last row of what the selector and the arguments name."""
    if how.endswith("allcells"):
        rows, columns = book.used()
        return 1, 1, columns, rows
    if "StartColumn" not in arguments:
        return book.selection()
    first, last = arguments.text("StartColumn"), arguments.text("EndColumn", arguments.text("StartColumn"))
    start = arguments.integer("StartRow")
    end = arguments.integer("EndRow", start)
    _there(start)
    _there(end)
    return column_number(first), start, column_number(last), end


def _there(row: int) -> None:
    if not 1 <= row <= MOST_ROWS:
        raise fault("Failed to read cell value(s)", f"There is no row {row}.")


def write(arguments: Arguments, session: Session) -> Outputs:
    """Excel.WriteToExcel.*: a value into a cell; a table, row or list into as many as it has."""
    book = book_of(arguments, session)
    value = arguments.get("Value", "")
    back = book.book.active
    if "WorksheetName" in arguments and arguments.text("WorksheetName"):
        book.book.active = book.named(arguments.text("WorksheetName"))
    try:
        row, column = _place(book, arguments)
        if isinstance(value, DataTable) and arguments.boolean("FirstLineIsHeader", False):
            _fill(book, row, column, [value.columns, *value.rows])
        else:
            _fill(book, row, column, list(cells_of(value)))
    finally:
        book.book.active = back  # type: ignore[assignment]
    return None


def _place(book: Book, arguments: Arguments) -> tuple[int, int]:
    for column, row in (("Column", "Row"), ("StartColumn", "StartRow")):
        if column in arguments:
            return arguments.integer(row), column_number(arguments.text(column))
    selected = book.selection()
    return selected[1], selected[0]


def _fill(book: Book, row: int, column: int, lines: list[tuple[Datum, ...]]) -> None:
    for down, line in enumerate(lines):
        for right, value in enumerate(line):
            book.write(row + down, column + right, value)


_LAUNCHES: Final = (
    "Launch",
    "LaunchAndOpen",
    "LaunchAndOpenUnderExistingProcess",
    "LaunchNewDocument",
    "LaunchUnderExistingProcess",
)

TABLE: Table = {
    **{f"Excel.LaunchExcel.{name}": Operation(launch) for name in _LAUNCHES},
    "Excel.Launch": Operation(launch),
    "Excel.SaveExcel.Save": Operation(save),
    "Excel.SaveExcel.SaveAs": Operation(save),
    "Excel.SaveAs": Operation(save),
    "Excel.SaveAs.SaveAs": Operation(save),
    "Excel.CloseExcel.Close": Operation(close),
    "Excel.CloseExcel.CloseAndSave": Operation(close),
    "Excel.CloseExcel.CloseAndSaveAs": Operation(close),
    "Excel.CloseAndSave": Operation(close),
    "Excel.AddWorksheet": Operation(add_worksheet),
    "Excel.SetActiveWorksheet.ActivateWorksheetByName": Operation(activate_worksheet),
    "Excel.SetActiveWorksheet.ActivateWorksheetByIndex": Operation(activate_worksheet),
    "Excel.GetActiveWorksheet": reads(active_worksheet),
    "Excel.GetAllWorksheets": reads(all_worksheets),
    "Excel.RenameWorksheet.RenameWorksheetWithName": Operation(rename_worksheet),
    "Excel.RenameWorksheet.RenameWorksheetWithIndex": Operation(rename_worksheet),
    "Excel.DeleteWorksheet.DeleteWorksheetByName": Operation(delete_worksheet),
    "Excel.DeleteWorksheet.DeleteWorksheetByIndex": Operation(delete_worksheet),
    **{f"Excel.ReadFromExcel.{name}": reads(read) for name in ("Read", "ReadAllCells", "ReadCell", "ReadCells")},
    **{f"Excel.WriteToExcel.{name}": Operation(write) for name in ("Write", "WriteCell", "WriteCells", "WriteTable")},
    "Excel.WriteCell": Operation(write),
}
