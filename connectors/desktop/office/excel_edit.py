"""The Excel module's other half: active cell and selections, copy and paste, rows and columns, finding, filtering."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

from ....engine.datatypes import DataTable, Datum
from ..arguments import Arguments
from ..fault import fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .excel import area_of, book_of, on_its_sheet
from .workbook import MOST_CELLS, Book, column_name, column_number, formatted

_CLIPBOARD: Final = "excel"

# --- the active cell and the selection


def activate_cell(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ActivateCellInExcel.*"""
    book = book_of(arguments, session)
    if "CellName" in arguments:
        column, row, _, _ = area_of("", book, arguments)
    elif arguments.selector.casefold().endswith("relativeto"):
        column, row, _, _ = book.selection()
        offset = arguments.integer("OffsetFromActiveCell", 0)
        way = arguments.choice("Direction", ("Above", "Below", "Left", "Right"), "Above")
        row += {"above": -offset, "below": offset}.get(way, 0)
        column += {"left": -offset, "right": offset}.get(way, 0)
    else:
        column, row = column_number(arguments.text("Column")), arguments.integer("Row")
    if row < 1 or column < 1:
        raise fault("Failed to activate cell", f"There is no cell at row {row}, column {column}.")
    book.select(column, row, column, row)
    return None


def active_cell(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetActiveCell."""
    column, row, _, _ = book_of(arguments, session).selection()
    return {"ActiveCellColumnIndex": column, "ActiveCellRowIndex": row}


def select(arguments: Arguments, session: Session) -> Outputs:
    """Excel.SelectCellsFromExcel.*"""
    book = book_of(arguments, session)
    area = _beside(book, arguments) if _relative(arguments) else area_of("selectcells", book, arguments)
    if min(area) < 1:
        raise fault("Failed to select cells", "The selection leaves the sheet.")
    book.select(*area)
    return None


def _relative(arguments: Arguments) -> bool:
    return arguments.selector.casefold().endswith("relativeto")


def _beside(book: Book, arguments: Arguments) -> tuple[int, int, int, int]:
    """From the active cell as far as the offsets say."""
    column, row, _, _ = book.selection()
    right, down = arguments.integer("OffsetX", 0), arguments.integer("OffsetY", 0)
    if arguments.choice("HorizontalDirection", ("Left", "Right"), "Left") == "left":
        right = -right
    if arguments.choice("VerticalDirection", ("Above", "Below"), "Above") == "above":
        down = -down
    return column, row, column + right, row + down


def selected(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetSelectedCellRange."""
    area = book_of(arguments, session).selection()
    names = ("FirstColumnIndex", "FirstRowIndex", "LastColumnIndex", "LastRowIndex")
    return dict(zip(names, area, strict=True))


# --- copying and pasting


def copy(arguments: Arguments, session: Session) -> Outputs:
    """Excel.CopyCellsFromExcel.*: what is copied stays with the run."""
    book = book_of(arguments, session)
    how = arguments.selector.casefold()
    area = area_of("copyallcells" if how == "copyallcells" else how, book, arguments)
    if how == "copycell":
        area = area[0], area[1], area[0], area[1]
    sheet = book.sheet
    session.kept[_CLIPBOARD] = [
        [sheet.cell(row, column).value for column in range(area[0], area[2] + 1)] for row in range(area[1], area[3] + 1)
    ]
    return None


def paste(arguments: Arguments, session: Session) -> Outputs:
    """Excel.PasteCellsToExcel.*"""
    book = book_of(arguments, session)
    rows = session.kept.get(_CLIPBOARD)
    if rows is None:
        raise fault("Failed to paste cells", "Nothing was copied.")
    if arguments.selector.casefold() == "pasteat":
        column, row = column_number(arguments.text("Column")), arguments.integer("Row")
    else:
        column, row, _, _ = area_of("", book, arguments)
    for down, line in enumerate(rows):
        for right, value in enumerate(line):
            book.write(row + down, column + right, value)
    return None


# --- rows, columns, cells


def delete_row(arguments: Arguments, session: Session) -> Outputs:
    """Excel.DeleteRow."""
    book_of(arguments, session).sheet.delete_rows(_row(arguments))
    return None


def insert_row(arguments: Arguments, session: Session) -> Outputs:
    """Excel.InsertRow: above the row."""
    book_of(arguments, session).sheet.insert_rows(_row(arguments))
    return None


def _row(arguments: Arguments) -> int:
    row = arguments.integer("Index" if "Index" in arguments else "Row")
    if row < 1:
        raise fault("Can't find row", f"There is no row {row}.")
    return row


def delete_column(arguments: Arguments, session: Session) -> Outputs:
    """Excel.DeleteColumn."""
    book_of(arguments, session).sheet.delete_cols(column_number(arguments.text("Column")))
    return None


def insert_column(arguments: Arguments, session: Session) -> Outputs:
    """Excel.InsertColumn: left of the column."""
    book_of(arguments, session).sheet.insert_cols(column_number(arguments.text("Column")))
    return None


def delete_cells(arguments: Arguments, session: Session) -> Outputs:
    """Excel.DeleteCells.*: the cells below move up, or those on the right move left."""
    book = book_of(arguments, session)
    first_column, first_row, last_column, last_row = area_of(arguments.selector.casefold(), book, arguments)
    up = arguments.choice("ShiftCellsDirection", ("Left", "Up"), "Left") == "up"
    rows, columns = book.used()
    sheet = book.sheet
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            sheet.cell(row, column).value = None
    if up and rows > last_row:
        area = f"{column_name(first_column)}{last_row + 1}:{column_name(last_column)}{rows}"
        sheet.move_range(area, rows=first_row - last_row - 1)
    elif not up and columns > last_column:
        area = f"{column_name(last_column + 1)}{first_row}:{column_name(columns)}{last_row}"
        sheet.move_range(area, cols=first_column - last_column - 1)
    return None


def first_free(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetFirstFreeColumnRow."""
    rows, columns = book_of(arguments, session).used()
    return {"FirstFreeColumn": columns + 1, "FirstFreeRow": rows + 1}


def first_free_row(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetFirstFreeRowOnColumn."""
    sheet = book_of(arguments, session).sheet
    column = column_number(arguments.text("Column"))
    filled = [cell.row for (cell,) in sheet.iter_rows(min_col=column, max_col=column) if cell.value is not None]
    return {"FirstFreeRowOnColumn": max(filled, default=0) + 1}


def column(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetColumnName: the letters of a column's number."""
    return {"ColumnName": column_name(arguments.integer("CellColumnIndex"))}


def resize(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ResizeColumnsOrRows.*: to a size, or as their contents need it; rows are then as high as their lines."""
    book = book_of(arguments, session)
    how = arguments.selector.casefold()
    of_columns = "column" in how
    rows, columns = book.used()
    one, start, end = ("Column", "StartColumn", "EndColumn") if of_columns else ("Row", "StartRow", "EndRow")

    def place(name: str) -> int:
        return column_number(arguments.text(name)) if of_columns else arguments.integer(name)

    if "range" in how:
        first, last = sorted((place(start), place(end)))
    elif "single" in how:
        first = last = place(one)
    else:
        first, last = 1, columns if of_columns else rows
    if first < 1:
        raise fault("Can't find row", f"There is no row {first}.")
    size = arguments.integer("Width" if of_columns else "Height") if how.startswith("resize") else None
    for number in range(first, last + 1):
        if of_columns:
            width = size if size is not None else _longest(book, number, rows)
            if width:
                book.sheet.column_dimensions[column_name(number)].width = width
        else:
            book.sheet.row_dimensions[number].height = size
    return None


def _longest(book: Book, column: int, rows: int) -> int:
    """The width that the longest text of a column needs; 0 of an empty one."""
    texts = [formatted(book.read(row, column, as_text=True)) for row in range(1, rows + 1)]
    longest = max(map(len, texts), default=0)
    return min(longest + 2, 255) if longest else 0


# --- emptying


def clear(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ClearCellsFromExcel.*: what is in the cells goes, how they look stays."""
    book = book_of(arguments, session)
    if "SingleCellColumn" in arguments:
        column, row = column_number(arguments.text("SingleCellColumn")), arguments.integer("SingleCellRow")
        area = column, row, column, row
    else:
        area = _beside(book, arguments) if _relative(arguments) else area_of("", book, arguments)
    columns, rows = sorted(area[::2]), sorted(area[1::2])
    if columns[0] < 1 or rows[0] < 1:
        raise fault("Failed to clear cells", "The cells leave the sheet.")
    most_rows, most_columns = book.used()
    for row in range(rows[0], min(rows[1], most_rows) + 1):
        for column in range(columns[0], min(columns[1], most_columns) + 1):
            book.sheet.cell(row, column).value = None
    return None


def clear_filter(arguments: Arguments, session: Session) -> Outputs:
    """Excel.ClearFilterFromExcel.ClearFilterWorksheet: all rows are seen again."""
    sheet = book_of(arguments, session).sheet
    for dimension in sheet.row_dimensions.values():
        dimension.hidden = False
    sheet.auto_filter.ref = None
    return None


def empty_cells(arguments: Arguments, session: Session) -> Outputs:
    """Excel.GetEmptyCellFromExcel.*: the first blank one of an area, 0 and 0 where there is none, or all."""
    book = book_of(arguments, session)
    how = arguments.selector.casefold()
    first_column, first_row, last_column, last_row = area_of("", book, arguments)
    if how.endswith("incolumn"):
        first_column = last_column = column_number(arguments.text("SearchColumn"))
    elif how.endswith("inrow"):
        first_row = last_row = arguments.integer("SearchRow")
    if (last_row - first_row + 1) * (last_column - first_column + 1) > MOST_CELLS:
        raise fault("Failed to read cell value(s)", f"The area has more than {MOST_CELLS:,} cells.")
    found = [
        (row, column)
        for row in range(first_row, last_row + 1)
        for column in range(first_column, last_column + 1)
        if book.read(row, column) == ""
    ]
    if how.endswith("allemptycells"):
        return {"EmptyCells": DataTable(("Column", "Row"), tuple((column, row) for row, column in found))}
    if arguments.choice("EmptyCellsSearchDirection", ("Rows", "Columns"), "Rows") == "columns":
        found.sort(key=lambda place: place[::-1])
    row, column = found[0] if found else (0, 0)
    return {"EmptyCellColumnIndex": column, "EmptyCellRowIndex": row}


# --- finding and filtering


def find(arguments: Arguments, session: Session) -> Outputs:
    """Excel.FindAndReplace.*: the cells whose text holds, or is, what is looked for."""
    book = book_of(arguments, session)
    wanted = arguments.text("TextToFind")
    case, whole = arguments.boolean("MatchCase", False), arguments.boolean("MatchEntireCellContents", False)
    how = arguments.selector.casefold()
    expression = re.compile(re.escape(wanted), 0 if case else re.IGNORECASE)
    test: Callable[[str], object] = expression.fullmatch if whole else expression.search
    found = [(row, number) for row, number, text in _texts(book, arguments) if test(text)]
    if how.endswith("single"):
        found = found[:1]
    if "replace" in how:
        new = arguments.text("TextToReplaceWith" if "TextToReplaceWith" in arguments else "ReplaceWith", "")
        for row, number in found:
            text = formatted(book.read(row, number, as_text=True))
            book.write(row, number, expression.sub(lambda _: new, text))
    if how.endswith("single"):
        row, number = found[0] if found else (0, 0)
        return {"FoundColumnIndex": number, "FoundRowIndex": row}
    return {"Cells": DataTable(("Column", "Row"), tuple((number, row) for row, number in found))}


def _texts(book: Book, arguments: Arguments) -> Iterator[tuple[int, int, str]]:
    by_columns = arguments.choice("SearchBy", ("Rows", "Columns"), "Rows") == "columns"
    rows, columns = book.used()
    places = [(row, number) for row in range(1, rows + 1) for number in range(1, columns + 1)]
    for row, number in sorted(places, key=lambda place: place[::-1]) if by_columns else places:
        yield row, number, formatted(book.read(row, number, as_text=True))


def filter_worksheet(arguments: Arguments, session: Session) -> Outputs:
    """Excel.FilterCellsFromExcel.FilterAdvancedWorksheet: rows that do not meet the conditions are hidden."""
    book = book_of(arguments, session)
    rows, columns = book.used()
    column_text = arguments.text("Column")
    headers = [formatted(book.read(1, number, as_text=True)).casefold() for number in range(1, columns + 1)]
    known = column_text.casefold() in headers
    number = headers.index(column_text.casefold()) + 1 if known else column_number(column_text)
    first = _condition(arguments, "First")
    second = _condition(arguments, "Second")
    both = arguments.choice("AdvancedFilterLogicalOperator", ("IsOr", "IsAnd"), "IsOr") == "isand"
    book.sheet.auto_filter.ref = f"A1:{column_name(max(columns, 1))}{max(rows, 1)}"
    for row in range(2, rows + 1):
        value = book.read(row, number)
        tests = [test(value) for test in (first, second) if test is not None]
        kept = (all(tests) if both else any(tests)) if tests else True
        book.sheet.row_dimensions[row].hidden = not kept
    return None


def _condition(arguments: Arguments, which: str) -> Callable[[Datum], bool] | None:
    operator = arguments.text(f"AdvancedFilter{which}ConditionOperator", "None").rsplit(".", 1)[-1].casefold()
    if operator == "none":
        return None
    value = arguments.text(f"AdvancedFilter{which}ConditionValue", "")
    return lambda cell: _TESTS[operator](cell, value)


def _same(cell: Datum, value: str) -> bool:
    return formatted(cell).casefold() == value.casefold()


def _order(cell: Datum, value: str) -> int:
    try:
        left: Decimal | str = Decimal(formatted(cell))
        right: Decimal | str = Decimal(value)
    except InvalidOperation:
        left, right = formatted(cell).casefold(), value.casefold()
    return (left > right) - (left < right)  # type: ignore[operator]


_TESTS: Final[dict[str, Callable[[Datum, str], bool]]] = {
    "equal": _same,
    "notequal": lambda cell, value: not _same(cell, value),
    "greaterthan": lambda cell, value: _order(cell, value) > 0,
    "greaterthanorequal": lambda cell, value: _order(cell, value) >= 0,
    "lessthan": lambda cell, value: _order(cell, value) < 0,
    "lessthanorequal": lambda cell, value: _order(cell, value) <= 0,
    "isempty": lambda cell, value: not formatted(cell),
    "isnotempty": lambda cell, value: bool(formatted(cell)),
    "startswith": lambda cell, value: formatted(cell).casefold().startswith(value.casefold()),
    "endswith": lambda cell, value: formatted(cell).casefold().endswith(value.casefold()),
    "contains": lambda cell, value: value.casefold() in formatted(cell).casefold(),
    "notstartswith": lambda cell, value: not formatted(cell).casefold().startswith(value.casefold()),
    "notendswith": lambda cell, value: not formatted(cell).casefold().endswith(value.casefold()),
    "notcontains": lambda cell, value: value.casefold() not in formatted(cell).casefold(),
}

_RESIZED: Final = tuple(
    f"{how}{what}"
    for how in ("Autofit", "Resize")
    for what in ("AllColumns", "RangeOfColumns", "SingleColumn", "AllRows", "RangeOfRows", "SingleRow")
)
_CLEARED: Final = ("ClearCells", "ClearSingleCell", "ClearNamedCell", "ClearCellsRelativeTo")
_EMPTY: Final = tuple(
    f"{where}{what}"
    for where in ("AbsoluteRange", "NamedCell")
    for what in ("AllEmptyCells", "FirstEmptyCell", "FirstEmptyCellInColumn", "FirstEmptyCellInRow")
)

TABLE: Table = {
    "Excel.ActivateCellInExcel.ActivateCell": Operation(activate_cell),
    "Excel.ActivateCellInExcel.ActivateCellRelativeTo": Operation(activate_cell),
    "Excel.ActivateCellInExcel.ActivateNamedCell": Operation(activate_cell),
    "Excel.GetActiveCell": reads(active_cell),
    "Excel.SelectCellsFromExcel.SelectCells": Operation(select),
    "Excel.SelectCellsFromExcel.SelectCellsRelativeTo": Operation(select),
    "Excel.SelectCellsFromExcel.SelectNamedCell": Operation(select),
    "Excel.GetSelectedCellRange": reads(selected),
    **{
        f"Excel.CopyCellsFromExcel.{name}": Operation(on_its_sheet(copy))
        for name in ("Copy", "CopyAllCells", "CopyCell", "CopyCells", "CopyNamedCell")
    },
    "Excel.PasteCellsToExcel.Paste": Operation(paste),
    "Excel.PasteCellsToExcel.PasteAt": Operation(paste),
    "Excel.PasteCellsToExcel.PasteAtNamedCell": Operation(on_its_sheet(paste)),
    "Excel.DeleteRow": Operation(delete_row),
    "Excel.InsertRow": Operation(insert_row),
    "Excel.DeleteColumn": Operation(delete_column),
    "Excel.InsertColumn": Operation(insert_column),
    "Excel.DeleteCells.DeleteCell": Operation(delete_cells),
    "Excel.DeleteCells.DeleteCells": Operation(delete_cells),
    "Excel.GetFirstFreeColumnRow": reads(first_free),
    "Excel.GetFirstFreeRowOnColumn": reads(first_free_row),
    "Excel.GetColumnName": reads(column),
    **{f"Excel.ResizeColumnsOrRows.{name}": Operation(resize) for name in _RESIZED},
    **{f"Excel.ClearCellsFromExcel.{name}": Operation(on_its_sheet(clear)) for name in _CLEARED},
    "Excel.ClearFilterFromExcel.ClearFilterWorksheet": Operation(clear_filter),
    **{f"Excel.GetEmptyCellFromExcel.GetEmptyCells{name}": reads(on_its_sheet(empty_cells)) for name in _EMPTY},
    "Excel.FindAndReplace.FindAll": reads(find),
    "Excel.FindAndReplace.FindSingle": reads(find),
    "Excel.FindAndReplace.FindAndReplaceAll": Operation(find),
    "Excel.FindAndReplace.FindAndReplaceSingle": Operation(find),
    "Excel.FilterCellsFromExcel.FilterAdvancedWorksheet": Operation(filter_worksheet),
}
