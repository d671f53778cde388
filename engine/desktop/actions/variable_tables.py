"""Pure actions on data tables: create, rows and columns, sort, merge.

A table that is changed in place is an output of the same name. Source: desktop flows, "Variables actions".
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

from ...datatypes import DataRow, DataTable, Datum
from ...errors import error_name
from ..expressions.conversions import to_text
from ..expressions.errors import ActionError, LogicError
from ..expressions.functions import is_empty
from ..expressions.operators import numbered_columns, order
from .port import Given, Outputs, PureAction, table_of

_RANGE: Final = error_name("Item index is out of range")
_NO_NAME: Final = error_name("Column name doesn't exist")
_NO_INDEX: Final = error_name("Column index is out of range")
_NO_COLUMN: Final = error_name("Column not found")
_BAD_INDEX: Final = error_name("Invalid index")
_TYPE: Final = error_name("Type mismatch")


def _create(given: Given) -> Outputs:
    return {"DataTable": given.table("InputTable")}


def _append_row(given: Given) -> Outputs:
    known = given.value("DataTable", None)
    table = DataTable() if known is None else given.table("DataTable")
    return {"DataTable": _with_rows(table, len(table.rows), _new_rows(given, table))}


def _insert_row(given: Given) -> Outputs:
    table, place = given.table("DataTable"), given.integer("RowIndex")
    if not 0 <= place <= len(table.rows):
        raise ActionError(_RANGE, f"The index {place} is out of range: the table has {len(table.rows)} rows.")
    return {"DataTable": _with_rows(table, place, _new_rows(given, table))}


def _new_rows(given: Given, table: DataTable) -> tuple[tuple[Datum, ...], ...]:
    """The row to be added as the table's columns want it: too short a row is filled up with blanks."""
    value = given.value("RowToAdd")
    if isinstance(value, DataTable):
        rows = value.rows
    elif isinstance(value, DataRow | list):
        rows = (tuple(given.items("RowToAdd")),)
    else:
        rows = ((value,),)
    width = len(table.columns)
    for row in rows:
        if width and len(row) > width:
            raise ActionError(
                "InvalidArgumentError", f"A row of {len(row)} values does not fit a table of {width} columns."
            )
    return tuple(row + (None,) * (width - len(row)) for row in rows)


def _with_rows(table: DataTable, place: int, rows: tuple[tuple[Datum, ...], ...]) -> DataTable:
    columns = table.columns
    if not columns and rows:
        columns = numbered_columns(max(len(row) for row in rows))
    return DataTable(columns, table.rows[:place] + rows + table.rows[place:])


def _delete_row(given: Given) -> Outputs:
    table, place = given.table("DataTable"), given.integer("RowIndex")
    if not -len(table.rows) <= place < len(table.rows):
        raise ActionError(_RANGE, f"The index {place} is out of range: the table has {len(table.rows)} rows.")
    place %= len(table.rows)
    return {"DataTable": DataTable(table.columns, table.rows[:place] + table.rows[place + 1 :])}


def _append_column(given: Given) -> Outputs:
    table = given.table("DataTable")
    name = given.text("ColumnName")
    if table.column(name) >= 0:
        raise ActionError(error_name("Duplicate column name"), f"There is a column '{name}' already.")
    return {"DataTable": DataTable((*table.columns, name), tuple((*row, None) for row in table.rows))}


def _delete_named(given: Given) -> Outputs:
    table, name = given.table("DataTable"), given.text("ColumnName")
    place = table.column(name)
    if place < 0:
        raise ActionError(_NO_COLUMN, f"There is no column '{name}'.")
    return {"DataTable": _without_column(table, place)}


def _delete_indexed(given: Given) -> Outputs:
    table = given.table("DataTable")
    return {"DataTable": _without_column(table, _index(table, given.integer("ColumnIndex")))}


def _index(table: DataTable, place: int) -> int:
    if not 0 <= place < len(table.columns):
        raise ActionError(_BAD_INDEX, f"There is no column {place}: the table has {len(table.columns)}.")
    return place


def _without_column(table: DataTable, place: int) -> DataTable:
    columns = table.columns[:place] + table.columns[place + 1 :]
    return DataTable(columns, tuple(row[:place] + row[place + 1 :] for row in table.rows))


def _clear(given: Given) -> Outputs:
    return {"DataTable": DataTable(given.table("DataTable").columns)}


def _delete_empty(given: Given) -> Outputs:
    table = given.table("DataTable")
    rows = tuple(row for row in table.rows if not all(is_empty(cell) for cell in row))
    return {"DataTable": DataTable(table.columns, rows)}


def _delete_duplicates(given: Given) -> Outputs:
    table = given.table("DataTable")
    rows: list[tuple[Any, ...]] = []
    seen: set[tuple[str, ...]] = set()
    for row in table.rows:
        key = tuple(f"{type(cell).__name__}:{to_text(cell, given.culture)}" for cell in row)
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return {"DataTable": DataTable(table.columns, tuple(rows))}


def column_of(given: Given, table: DataTable, name: str = "ColumnNameOrIndex") -> int:
    """The column that an argument names, or whose place it gives. Raises ActionError."""
    text = given.text(name)
    place = table.column(text)
    if place >= 0:
        return place
    if not text.strip().lstrip("-").isdecimal():
        raise ActionError(_NO_NAME, f"There is no column '{text}'.")
    place = int(text)
    if not 0 <= place < len(table.columns):
        raise ActionError(_NO_INDEX, f"There is no column {place}: the table has {len(table.columns)}.")
    return place


def _modify(given: Given) -> Outputs:
    table, place = given.table("DataTable"), given.integer("RowIndex")
    if not -len(table.rows) <= place < len(table.rows):
        raise ActionError(_RANGE, f"The index {place} is out of range: the table has {len(table.rows)} rows.")
    column = column_of(given, table)
    rows = list(table.rows)
    row = rows[place]
    rows[place] = (*row[:column], given.value("Value"), *row[column + 1 :])
    return {"DataTable": DataTable(table.columns, tuple(rows))}


def _column_to_list(given: Given) -> Outputs:
    table = given.table("DataTable")
    column = column_of(given, table)
    return {"ColumnAsList": [row[column] for row in table.rows]}


def _sort_named(given: Given) -> Outputs:
    table, name = given.table("DataTable"), given.text("ColumnName")
    place = table.column(name)
    if place < 0:
        raise ActionError(_NO_COLUMN, f"There is no column '{name}'.")
    return {"DataTable": _sorted(given, table, place)}


def _sort_indexed(given: Given) -> Outputs:
    table = given.table("DataTable")
    return {"DataTable": _sorted(given, table, _index(table, given.integer("ColumnIndex")))}


def _sorted(given: Given, table: DataTable, column: int) -> DataTable:
    descending = given.choice("Order", "Ascending") == "descending"

    def compare(left: tuple[Datum, ...], right: tuple[Datum, ...]) -> int:
        return order(left[column], right[column], given.culture)

    try:
        return DataTable(table.columns, tuple(sorted(table.rows, key=cmp_to_key(compare), reverse=descending)))
    except LogicError as error:
        raise ActionError(_TYPE, error.message) from None


def _merge(given: Given) -> Outputs:
    """The rows of the second table below those of the first, by the names of the columns."""
    first, second = given.table("FirstDataTable"), given.table("SecondDataTable")
    mode = given.choice("MergeMode", "AddExtraColumns")
    extra = tuple(name for name in second.columns if first.column(name) < 0)
    if extra and mode == "erroronextracolumns":
        raise ActionError(error_name("Missing Schema"), f"The first table has no column '{extra[0]}'.")
    columns = first.columns + (extra if mode == "addextracolumns" else ())
    rows = [row + (None,) * (len(columns) - len(row)) for row in first.rows]
    places = [second.column(name) for name in columns]
    rows += [tuple(row[place] if place >= 0 else None for place in places) for row in second.rows]
    return {"FirstDataTable": DataTable(columns, tuple(rows))}


ACTIONS: Final = table_of(
    (
        PureAction("Variables.CreateNewDatatable", _create),
        PureAction("Variables.AddRowToDataTable.AppendRowToDataTable", _append_row, ("DataTable",)),
        PureAction("Variables.AddRowToDataTable.InsertItemToDataTable", _insert_row, ("DataTable",)),
        PureAction("Variables.DeleteRowFromDataTable", _delete_row, ("DataTable",)),
        PureAction("Variables.AddColumnToDataTable.AppendColumnToDataTable", _append_column, ("DataTable",)),
        PureAction("Variables.DeleteColumnFromDataTable.DeleteColumnWithName", _delete_named, ("DataTable",)),
        PureAction("Variables.DeleteColumnFromDataTable.DeleteColumnWithIndex", _delete_indexed, ("DataTable",)),
        PureAction("Variables.ClearDataTable", _clear, ("DataTable",)),
        PureAction("Variables.DeleteEmptyRowsFromDataTable", _delete_empty, ("DataTable",)),
        PureAction("Variables.DeleteDuplicateRowsFromDataTable", _delete_duplicates, ("DataTable",)),
        PureAction("Variables.ModifyDataTableItem", _modify, ("DataTable",)),
        PureAction("Variables.RetrieveDataTableColumnIntoList", _column_to_list),
        PureAction("Variables.SortDataTable.SortWithColumnName", _sort_named, ("DataTable",)),
        PureAction("Variables.SortDataTable.SortWithColumnIndex", _sort_indexed, ("DataTable",)),
        PureAction("Variables.MergeDataTables", _merge, ("FirstDataTable",)),
    )
)
