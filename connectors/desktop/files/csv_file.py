"""The CSV actions of the File module: data tables read from text and written as it."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Final

from ....engine.datatypes import DataRow, DataTable, Datum, Item
from ....engine.values import decimal_text
from ..arguments import Arguments
from ..fault import Fault, fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .encodings import decoded
from .file import lines_of, read_whole, resolved, write

# "System default" depends on the machine where a flow was made; here it is a comma, whatever the culture.
_SEPARATORS: Final = {"systemdefault": ",", "comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

_FAILED: Final = "Read from CSV failed"


def _separator(arguments: Arguments) -> str:
    if arguments.selector.casefold().endswith("customseparator"):
        return arguments.text("CustomColumnsSeparator" if "CustomColumnsSeparator" in arguments else "ColumnsSeparator")
    return _SEPARATORS.get(arguments.text("ColumnsSeparator", "SystemDefault").rsplit(".", 1)[-1].casefold(), ",")


def read(arguments: Arguments, session: Session) -> Outputs:
    """File.ReadFromCSVFile.*: values are texts; a row that is short is filled with empty texts."""
    path = resolved(arguments.get("CSVFile"), session)
    try:
        text = decoded(read_whole(path, session, _FAILED), arguments.text("Encoding", "UTF8"))
        rows = list(_rows(text, arguments))
    except (csv.Error, Fault) as error:
        if isinstance(error, Fault) and error.name not in ("FileNotFoundError", "FileTooLargeError"):
            raise
        raise fault(_FAILED, str(error)) from error
    if arguments.boolean("TrimFields", True):
        rows = [[value.strip() for value in row] for row in rows]
    names: list[str] = []
    if arguments.boolean("FirstLineContainsColumnNames", False) and rows:
        names = rows.pop(0)
    width = max([len(names), *map(len, rows)], default=0)
    columns = unique_columns(names, width)
    return {"CSVTable": DataTable(columns, tuple(tuple(row + [""] * (width - len(row))) for row in rows))}


def unique_columns(names: list[str], width: int) -> tuple[str, ...]:
    """`width` names of columns: those given, `Column1` and so on where there is none or it was taken."""
    columns: list[str] = []
    taken: set[str] = set()
    for number in range(1, width + 1):
        name = names[number - 1] if number <= len(names) and names[number - 1] else f"Column{number}"
        candidate, again = name, 1
        while candidate.casefold() in taken:
            again += 1
            candidate = f"{name}{again}"
        taken.add(candidate.casefold())
        columns.append(candidate)
    return tuple(columns)


def _rows(text: str, arguments: Arguments) -> list[list[str]]:
    if arguments.selector.casefold().endswith("fixedcolumnwidths"):
        widths = [int(width) for width in arguments.text("FixedColumnWidths").replace(";", ",").split(",")]
        return [_cut(line, widths) for line in lines_of(text)]
    separator = _separator(arguments)
    if len(separator) == 1:
        csv.field_size_limit(1 << 30)
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    return [line.split(separator) if separator else [line] for line in lines_of(text) if line]


def _cut(line: str, widths: list[int]) -> list[str]:
    parts, at = [], 0
    for width in widths:
        parts.append(line[at : at + width])
        at += width
    return parts


def write_csv(arguments: Arguments, session: Session) -> Outputs:
    """File.WriteToCSVFile.*: a table, a row, a list (a line for each item) or a single value."""
    path = resolved(arguments.get("CSVFile"), session, write=True)
    columns, rows = _lines(arguments.get("VariableToWrite"))
    separator = _separator(arguments)
    if len(separator) != 1:
        raise fault("Write failed", "A separator to write with must be one character.")
    append = arguments.choice("IfFileExists", ("Overwrite", "Append"), "Overwrite") == "append"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    if columns and arguments.boolean("IncludeColumnNames", False):
        writer.writerow(columns)
    try:
        writer.writerows([[_text(value) for value in row] for row in rows])
        write(path, out.getvalue(), arguments.text("CsvFileEncoding", "UTF8"), session, append=append)
    except (csv.Error, Fault) as error:
        raise fault("Write failed", str(error)) from error
    return None


def _lines(value: Datum) -> tuple[tuple[str, ...], list[tuple[Datum, ...]]]:
    if isinstance(value, DataTable):
        return value.columns, list(value.rows)
    if isinstance(value, DataRow):
        return value.columns, [value.values]
    if isinstance(value, list):
        return (), [item.values if isinstance(item, DataRow) else (item,) for item in value]
    return (), [(value,)]


def _text(value: Datum) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Item):
        return value.text
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


_READING: Final = ("ReadCSV", "ReadCSVWithCustomSeparator", "ReadCSVWithFixedColumnWidths")
_WRITING: Final = ("WriteCSV", "WriteCSVWithCustomSeparator")

TABLE: Table = {
    **{f"File.ReadFromCSVFile.{name}": reads(read) for name in _READING},
    **{f"File.WriteToCSVFile.{name}": Operation(write_csv) for name in _WRITING},
}
