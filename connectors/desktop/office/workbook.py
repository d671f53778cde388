"""An open workbook: its sheets, the active cell and selection, and what cells hold as values of a flow.

openpyxl keeps formulas and styles of what it writes back; it does not calculate. So a formula's value is the one that
was there when the file was last saved by a program that calculates. Formats that openpyxl does not write (.xls, .xlsb,
.ods) are read whole and can be saved as .xlsx only.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from openpyxl import Workbook, load_workbook
from openpyxl.utils import column_index_from_string, get_column_letter, range_boundaries
from openpyxl.utils.exceptions import IllegalCharacterError, InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from ....engine.datatypes import DataTable, Datum, Item, from_float
from ....engine.values import decimal_text
from ..fault import Fault, fault
from ..files.csv_file import unique_columns
from ..files.held import opened, written
from ..folders import Folders

WRITABLE: Final = (".xlsx", ".xlsm", ".xltx", ".xltm")
READ_WHOLE: Final = (".xls", ".xlsb", ".ods")

MOST_ROWS: Final = 1_048_576
MOST_COLUMNS: Final = 16_384
MOST_CELLS: Final = 5_000_000
"""Cells that one reading may give: a sheet's corners may be far apart."""


KIND: Final = "ExcelInstance"


class Book:
    """One open workbook. `path` None of a new one that was never saved; rows and columns count from 1."""

    def __init__(self, book: Workbook, path: Path | None, *, values: Workbook | None = None, read_only: bool = False):
        self.book = book
        self.path = path
        self.read_only = read_only
        self._values = values
        self._selection: dict[str, tuple[int, int, int, int]] = {}
        self._written: set[tuple[str, int, int]] = set()

    @classmethod
    def new(cls) -> Book:
        """An empty workbook with one sheet."""
        return cls(Workbook(), None)

    @classmethod
    def open(cls, path: Path, folders: Folders, *, read_only: bool = False) -> Book:
        """Raises Fault FailedToOpenExcelDocumentError."""
        try:
            with opened(folders, path) as file:
                if path.suffix.lower() in READ_WHOLE:
                    return cls(_read_whole(file), path, read_only=True)
                book = load_workbook(file, keep_vba=path.suffix.lower() in (".xlsm", ".xltm"))
                formulas = any(cell.data_type == "f" for sheet in book.worksheets for cell in _cells(sheet))
                file.seek(0)
                values = load_workbook(file, data_only=True) if formulas else None
                return cls(book, path, values=values, read_only=read_only)
        except FileNotFoundError:
            raise fault("Failed to open Excel document", f"There is no file '{path.name}'.") from None
        except (InvalidFileException, KeyError, ValueError, OSError, EOFError) as error:
            raise fault("Failed to open Excel document", f"'{path.name}' is no workbook that can be read.") from error
        except Exception as error:
            # zipfile.BadZipFile and the parsers' own kinds of errors
            raise fault("Failed to open Excel document", f"'{path.name}' is no workbook that can be read.") from error

    def save(self, target: Path, folders: Folders, *, other: bool = False) -> None:
        """`other`: under a path that is not its own. Raises Fault FailedToSaveExcelDocumentError."""
        if self.read_only and not other:
            raise fault("Failed to save Excel document", "The workbook was opened to be read; save it under a path.")
        if target.suffix.lower() not in WRITABLE:
            what = f"'{target.suffix}' is no format that can be written here; .xlsx is."
            raise fault("Failed to save Excel document", what)
        try:
            data = BytesIO()
            self.book.save(data)
            written(folders, target, data.getvalue())
        except OSError as error:
            raise fault("Failed to save Excel document", f"'{target.name}': {error.strerror}.") from error
        except Exception as error:  # openpyxl keeps parts that it cannot write back
            raise fault("Failed to save Excel document", f"'{target.name}' could not be written.") from error
        self.path = target
        self.read_only = False

    def close(self) -> None:
        """Forgets the workbook; nothing is saved."""
        self.book.close()

    # ---- sheets

    @property
    def sheet(self) -> Worksheet:
        """The active one."""
        active = self.book.active
        if not isinstance(active, Worksheet):
            raise fault("Failed to retrieve active worksheet", "The active sheet is a chart: it has no cells.")
        return active

    def named(self, name: str) -> Worksheet:
        """Raises Fault CantFindWorksheetError."""
        for sheet in self.book.worksheets:
            if sheet.title.casefold() == name.casefold():
                return sheet
        raise fault("Can't find worksheet", f"There is no worksheet '{name}'.")

    def numbered(self, number: int) -> Worksheet:
        """From 1. Raises Fault CantFindWorksheetError."""
        if not 1 <= number <= len(self.book.worksheets):
            raise fault(
                "Can't find worksheet", f"There is no worksheet {number}: there are {len(self.book.worksheets)}."
            )
        return self.book.worksheets[number - 1]

    # ---- cells

    def area_named(self, name: str) -> tuple[int, int, int, int]:
        """The cells that a name, or an address like `B2:C5`, stands for; their sheet becomes the active one."""
        text = name.strip()
        known = {**self.book.defined_names, **self.sheet.defined_names}
        defined = next((each for key, each in known.items() if key.casefold() == text.casefold()), None)
        try:
            sheet, area = next(iter(defined.destinations)) if defined is not None else (None, text)
            first_column, first_row, last_column, last_row = range_boundaries(area.replace("$", ""))
            if sheet is not None:
                self.book.active = self.named(sheet)
        except (ValueError, StopIteration, AttributeError) as error:
            raise fault("Failed to read cell value(s)", f"There are no cells with the name '{name}'.") from error
        rows, columns = self.used()
        return first_column or 1, first_row or 1, last_column or columns, last_row or rows

    def selection(self) -> tuple[int, int, int, int]:
        """First column, first row, last column, last row of what is selected in the active sheet."""
        return self._selection.get(self.sheet.title, (1, 1, 1, 1))

    def select(self, first_column: int, first_row: int, last_column: int, last_row: int) -> None:
        columns, rows = sorted((first_column, last_column)), sorted((first_row, last_row))
        self._selection[self.sheet.title] = (columns[0], rows[0], columns[1], rows[1])

    def used(self) -> tuple[int, int]:
        """The last row and column with something in them, 0 and 0 in an empty sheet."""
        sheet = self.sheet
        rows = columns = 0
        for cell in _cells(sheet):
            if cell.value is not None:
                rows, columns = max(rows, cell.row), max(columns, cell.column)
        return rows, columns

    def read(self, row: int, column: int, *, as_text: bool = False) -> Datum:
        """A cell's value: blank as an empty text, as reading a cell gives it."""
        cell = self.sheet.cell(row, column)
        found: Any = cell.value
        if cell.data_type == "f":
            known = self._values
            stale = known is None or (self.sheet.title, row, column) in self._written
            found = (
                None
                if stale or known is None or self.sheet.title not in known.sheetnames
                else known[self.sheet.title].cell(row, column).value
            )
        value = value_of(found)
        if as_text or value is None:
            return formatted(value, str(cell.number_format))
        return value

    def write(self, row: int, column: int, value: Datum) -> None:
        """Puts a value into a cell; a text that begins with `=` is a formula."""
        if not (1 <= row <= MOST_ROWS and 1 <= column <= MOST_COLUMNS):
            raise fault("Failed to write value to Excel", f"There is no cell at row {row}, column {column}.")
        cell = self.sheet.cell(row, column)
        try:
            cell.value = cell_value(value)
        except (ValueError, IllegalCharacterError) as error:
            raise fault("Failed to write value to Excel", "The value cannot stand in a cell.") from error
        self._written.add((self.sheet.title, row, column))

    def table(self, area: tuple[int, int, int, int], *, header: bool, as_text: bool) -> DataTable:
        """An area (first column, first row, last column, last row) as a data table."""
        first_column, first_row, last_column, last_row = area
        columns = range(first_column, last_column + 1)
        if (last_row - first_row + 1) * len(columns) > MOST_CELLS:
            raise fault("Failed to read cell value(s)", f"The area has more than {MOST_CELLS:,} cells.")
        names: list[str] = []
        if header and first_row <= last_row:
            names = [str(self.read(first_row, column, as_text=True)) for column in columns]
            first_row += 1
        rows = tuple(
            tuple(self.read(row, column, as_text=as_text) for column in columns)
            for row in range(first_row, last_row + 1)
        )
        return DataTable(unique_columns(names, len(columns)), rows)


def _cells(sheet: Worksheet) -> list[Any]:
    """The cells that a sheet has. `iter_rows` would make all those between its corners, which may be billions."""
    return list(sheet._cells.values())


def _read_whole(file: BinaryIO) -> Workbook:
    from python_calamine import CalamineWorkbook

    book = Workbook()
    for sheet in list(book.worksheets):
        book.remove(sheet)
    read = CalamineWorkbook.from_filelike(file)
    for name in read.sheet_names:
        made = book.create_sheet(name)
        for row in read.get_sheet_by_name(name).to_python(skip_empty_area=False):
            made.append([None if value == "" else value for value in row])
    return book


def column_number(text: str) -> int:
    """`B` or `2` as 2. Raises Fault CantFindColumnError."""
    plain = text.strip()
    try:
        number = int(plain) if plain.isdigit() else column_index_from_string(plain.upper())
    except ValueError:
        number = 0
    if not 1 <= number <= MOST_COLUMNS:
        raise fault("Can't find column", f"'{text}' is no column.")
    return number


def column_name(number: int) -> str:
    """2 as `B`. Raises Fault CantFindColumnError."""
    if not 1 <= number <= MOST_COLUMNS:
        raise fault("Can't find column", f"{number} is no column.")
    return get_column_letter(number)


def value_of(found: Any) -> Datum:
    """What openpyxl found, as a value of a flow: days as datetimes, whole floats as integers, times as texts."""
    if isinstance(found, bool) or found is None or isinstance(found, (int, str, datetime)):
        return found
    if isinstance(found, float):
        return int(found) if found.is_integer() and abs(found) < 1e15 else from_float(found)
    if isinstance(found, date):
        return datetime(found.year, found.month, found.day)
    if isinstance(found, (time, timedelta)):
        return str(found)
    return str(found)


def cell_value(value: Datum) -> Any:
    """A value of a flow as openpyxl takes it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else float(value)
    if isinstance(value, Item):
        return value.text
    if isinstance(value, (list, dict)) or value.__class__.__name__ in ("DataTable", "DataRow"):
        raise Fault("FailedToWriteValueToExcelError", "A cell holds one value; write a table or list to several cells.")
    return value


def formatted(value: Datum, pattern: str = "General") -> str:
    """A cell's value as text, by the plain number formats; others show the value as it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return str(value.date()) if (value.hour, value.minute, value.second) == (0, 0, 0) else value.isoformat(sep=" ")
    if isinstance(value, (int, Decimal)):
        return _number(Decimal(value), pattern)
    return value if isinstance(value, str) else str(value)


def _number(value: Decimal, pattern: str) -> str:
    plain = pattern.split(";")[0]
    percent = plain.endswith("%")
    digits = plain.rstrip("%")
    if digits.replace("#,##", "").strip("0") not in ("", "."):
        return decimal_text(value)
    if percent:
        value *= 100
    places = len(digits.partition(".")[2])
    text = f"{value:,.{places}f}" if digits.startswith("#,##") else f"{value:.{places}f}"
    return text + ("%" if percent else "")


def cells_of(value: Datum) -> Iterable[tuple[Datum, ...]]:
    """The rows that a value fills: of a table, a row, a list (down a column), or itself."""
    from ....engine.datatypes import DataRow

    if isinstance(value, DataTable):
        return value.rows
    if isinstance(value, DataRow):
        return (value.values,)
    if isinstance(value, list):
        return [item.values if isinstance(item, DataRow) else (item,) for item in value]
    return ((value,),)
