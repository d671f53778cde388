"""The Excel module: opening, saving and closing workbooks, sheets, reading and writing cells.

What needs Excel itself - macros, attaching to a program that runs - is refused when it is deployed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any, Final

from ....engine.datatypes import DataTable, Datum
from ..arguments import Arguments
from ..fault import fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .documents import asked, destination, saves, saves_as
from .workbook import KIND, MOST_ROWS, Book, cells_of, column_number


def book_of(arguments: Arguments, session: Session) -> Book:
    """The open workbook of the argument Instance."""
    return session.use(arguments.item("Instance", KIND), Book)


# --- opening, saving, closing


def launch(arguments: Arguments, session: Session) -> Outputs:
    """Excel.LaunchExcel.*: a new workbook, or the one at Path."""
    path = asked(arguments, session)
    if path is None:
        return {"Instance": session.keep(KIND, Book.new())}
    book = Book.open(path, session.folders, read_only=arguments.boolean("ReadOnly", False))
    return {"Instance": session.keep(KIND, book)}


def save(arguments: Arguments, session: Session) -> Outputs:
    """Excel.SaveExcel.Save, .SaveAs and the older Excel.SaveAs."""
    _save(book_of(arguments, session), arguments, session)
    return None


def close(arguments: Arguments, session: Session) -> Outputs:
    """Excel.CloseExcel.Close, .CloseAndSave, .CloseAndSaveAs."""
    book = book_of(arguments, session)
    if saves(arguments):
        _save(book, arguments, session)
    session.drop(arguments.item("Instance", KIND))
    book.close()
    return None


def _save(book: Book, arguments: Arguments, session: Session) -> None:
    path = destination(arguments, session, book.path, ".xlsx", "Failed to save Excel document")
    book.save(path, session.folders, other=saves_as(arguments))


# --- sheets


def add_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.AddWorksheet: first, or last."""
    book = book_of(arguments, session)
    first = arguments.choice("WorksheetPosition", ("First", "Last"), "First") == "first"
    _add_sheet(book, arguments.text("Name"), first=first)
    return None


def _add_sheet(book: Book, name: str, *, first: bool) -> None:
    if any(sheet.title.casefold() == name.casefold() for sheet in book.book.worksheets):
        raise fault("A worksheet with the same name already exists", f"There is a worksheet '{name}' already.")
    try:
        book.book.create_sheet(name, 0 if first else None)
    except ValueError as error:
        raise fault("Failed to add worksheet", f"'{name}' is no name of a worksheet.") from error
    if first and book.book.active is not None:
        # The active sheet stays the active one, though it moved.
        book.book.active = book.book._active_sheet_index + 1  # type: ignore[attr-defined]


def activate_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.SetActiveWorksheet.*"""
    book = book_of(arguments, session)
    by_name = arguments.selector.casefold().endswith("byname")
    book.book.active = book.named(arguments.text("Name")) if by_name else book.numbered(arguments.integer("Index"))
    return None


def active_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetActiveWorksheet."""
    book = book_of(arguments, session)
    return {"Name": book.sheet.title, "Index": book.book.index(book.sheet) + 1}


def all_worksheets(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetAllWorksheets."""
    return {"Worksheets": [sheet.title for sheet in book_of(arguments, session).book.worksheets]}


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


def copy_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.CopyExcelWorksheet.*: within a workbook, or into another one: what is in the cells and how it looks."""
    source = session.use(arguments.item("SourceInstance", KIND), Book)
    target = session.use(arguments.item("TargetInstance", KIND), Book)
    by_name = arguments.selector.casefold().endswith("withname")
    sheet = (
        source.named(arguments.text("SourceWorksheetName"))
        if by_name
        else source.numbered(arguments.integer("SourceWorksheetIndex"))
    )
    name = arguments.text("TargetWorksheetName", "") or sheet.title
    first = arguments.choice("PasteWorksheetPosition", ("First", "Last"), "First") == "first"
    back = target.book.active
    _add_sheet(target, name, first=first)
    made = target.named(name)
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value is not None or cell.has_style:
                _copy_cell(cell, made[cell.coordinate])
    for letters, column in sheet.column_dimensions.items():
        made.column_dimensions[letters].width = column.width
    for number, dimension in sheet.row_dimensions.items():
        made.row_dimensions[number].height = dimension.height
    for area in sheet.merged_cells.ranges:
        made.merge_cells(area.coord)
    target.book.active = back  # type: ignore[assignment]
    return None


def _copy_cell(cell: Any, other: Any) -> None:
    other.value = cell.value
    if cell.has_style:
        for part in ("font", "fill", "border", "alignment"):
            setattr(other, part, copy(getattr(cell, part)))
        other.number_format = cell.number_format


# --- cells


def read(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ReadFromExcel.*: one cell, an area, the selection, or all that is used."""
    book = book_of(arguments, session)
    how = arguments.selector.casefold()
    mode = arguments.text("GetCellContentsMode", "TypedValues").rsplit(".", 1)[-1].casefold()
    as_text = arguments.boolean("ReadAsText", False) or mode in ("plaintext", "formattedtextvalues")
    if how == "readcell":
        row, column = arguments.integer("StartRow"), column_number(arguments.text("StartColumn"))
        _there(row)
        return {"CellValue": book.read(row, column, as_text=as_text)}
    header = arguments.boolean("FirstLineIsHeader", False)
    table = book.table(area_of(how, book, arguments), header=header, as_text=as_text)
    return {"RangeValue": _trimmed(table) if arguments.boolean("TrimEmptyCells", False) else table}


def _trimmed(table: DataTable) -> DataTable:
    """Without the blank rows and columns at its end."""
    rows = [tuple(row) for row in table.rows]
    while rows and not any(value not in ("", None) for value in rows[-1]):
        rows.pop()
    width = max((at + 1 for row in rows for at, value in enumerate(row) if value not in ("", None)), default=0)
    return DataTable(table.columns[:width], tuple(row[:width] for row in rows))


def read_formula(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ReadCellFormula.*: as it stands in the cell; what is no formula, as its text."""
    book = book_of(arguments, session)
    if "CellName" in arguments:
        column, row, _, _ = area_of("", book, arguments)
    else:
        row, column = arguments.integer("Row"), column_number(arguments.text("Column"))
    _there(row)
    found = book.sheet.cell(row, column)
    return {"CellFormula": str(found.value) if found.data_type == "f" else book.read(row, column, as_text=True)}


def on_its_sheet(work: Callable[[Arguments, Session], Outputs]) -> Callable[[Arguments, Session], Outputs]:
    """The action, after which the sheet is active that was: a name may stand for cells of another one."""

    @wraps(work)
    def carried_out(arguments: Arguments, session: Session) -> Outputs:
        book = book_of(arguments, session)
        back = book.book.active
        try:
            return work(arguments, session)
        finally:
            book.book.active = back  # type: ignore[assignment]

    return carried_out


def area_of(how: str, book: Book, arguments: Arguments) -> tuple[int, int, int, int]:
    """First column, first row, last column, last row of what the selector and the arguments name."""
    if how.endswith("allcells"):
        rows, columns = book.used()
        return 1, 1, columns, rows
    for name in ("CellName", "NamedCell"):
        if name in arguments:
            return book.area_named(arguments.text(name))
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
        if arguments.boolean("WriteToAllCells", False) and "CellName" in arguments:
            first_column, first_row, last_column, last_row = book.area_named(arguments.text("CellName"))
            columns = last_column - first_column + 1
            _fill(book, row, column, [(value,) * columns] * (last_row - first_row + 1))
        elif isinstance(value, DataTable) and arguments.boolean("FirstLineIsHeader", False):
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
    selected = area_of("", book, arguments)
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

_READS: Final = ("Read", "ReadAllCells", "ReadCell", "ReadCells", "ReadNamedCell")
_WRITES: Final = ("Write", "WriteCell", "WriteCells", "WriteTable", "WriteNamedCell")

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
    **{f"Excel.ReadFromExcel.{name}": reads(on_its_sheet(read)) for name in _READS},
    "Excel.ReadCellFormula.ReadFormulaFromCellCoordinates": reads(read_formula),
    "Excel.ReadCellFormula.ReadFormulaFromNamedCell": reads(on_its_sheet(read_formula)),
    **{f"Excel.WriteToExcel.{name}": Operation(write) for name in _WRITES},
    "Excel.CopyExcelWorksheet.CopyWorksheetWithName": Operation(copy_worksheet),
    "Excel.CopyExcelWorksheet.CopyWorksheetWithIndex": Operation(copy_worksheet),
    "Excel.WriteCell": Operation(write),
}
