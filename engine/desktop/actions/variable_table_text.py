"""Pure actions between tables and texts: CSV read and written, and looking for something in the cells.

Source: desktop flows, "Variables actions". Positions count from 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from ...datatypes import DataTable, Datum
from ...errors import error_name
from ..expressions.conversions import to_text
from ..expressions.errors import ActionError
from ..expressions.operators import numbered_columns
from .column_names import unique
from .port import Given, Outputs, PureAction, table_of
from .table_rules import NO_COLUMN
from .text_patterns import compiled, matches, replaced

_PARSING: Final = error_name("CSV parsing failed")
_CONVERSION: Final = error_name("Conversion failed")
_NO_INDEX: Final = error_name("Column index invalid")
_BAD_REGEX: Final = error_name("Invalid regex")

# "System default" depends on the machine where a flow was made; here it is a comma, whatever the culture.
_SEPARATORS: Final = {"systemdefault": ",", "comma": ",", "semicolon": ";", "tab": "\t"}
_LINE: Final = re.compile(r"\r\n|\r|\n")


def _separator(given: Given) -> str:
    if given.has("CustomColumnsSeparator"):
        return given.text("CustomColumnsSeparator")
    return _SEPARATORS[given.choice("ColumnsSeparator", "SystemDefault", among=_SEPARATORS)]


# --- reading


def _read_csv(given: Given) -> Outputs:
    separator = _separator(given)
    if not separator:
        raise ActionError(_PARSING, "The separator is empty.")
    return _table(given, _records(given.text("CSVText"), separator))


def _read_widths(given: Given) -> Outputs:
    text = given.text("FixedColumnWidths")
    try:
        widths = [int(width) for width in re.split(r"[,;\s]+", text.strip())]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise ActionError(_PARSING, f"'{text}' are no widths of columns, such as 5,10,3.")
    rows = []
    for line in _LINE.split(given.text("CSVText")):
        ends = [sum(widths[: number + 1]) for number in range(len(widths))]
        if line:
            rows.append([line[end - width : end] for end, width in zip(ends, widths, strict=True)])
    return _table(given, rows)


def _records(text: str, separator: str) -> list[list[str]]:
    """The fields, line by line (RFC 4180): in quotes a field may hold separators, new lines and doubled quotes."""
    between = re.compile(rf"({re.escape(separator)})|\r\n|\r|\n|\Z")
    records: list[list[str]] = []
    record: list[str] = []
    at = 0
    while True:
        field = ""
        quoted = at < len(text) and text[at] == '"'
        if quoted:
            field, at = _quoted(text, at + 1)
        end = between.search(text, at)
        assert end is not None  # noqa: S101 - the end of the text is always found
        record.append(field + text[at : end.start()])
        at = end.end()
        if end[1] is None:
            if len(record) > 1 or record[0] or quoted:
                records.append(record)
            record = []
            if end.start() == len(text):
                return records


def _quoted(text: str, at: int) -> tuple[str, int]:
    """A field from behind its first quote to behind its last."""
    parts: list[str] = []
    while True:
        end = text.find('"', at)
        if end < 0:
            raise ActionError(_PARSING, "A field begins with a quote that nothing closes.")
        parts.append(text[at:end])
        if text[end + 1 : end + 2] != '"':
            return "".join(parts), end + 1
        parts.append('"')
        at = end + 2


def _table(given: Given, rows: list[list[str]]) -> Outputs:
    if given.boolean("TrimFields", True):
        rows = [[field.strip() for field in row] for row in rows]
    names = rows[0] if given.boolean("FirstLineContainsColumnNames", False) and rows else []
    if names:
        rows = rows[1:]
    width = max([len(names), *map(len, rows)], default=0)
    as_text = given.boolean("ReadFieldsAsText", False)
    cells = tuple(
        tuple([field if as_text else _typed(given, field) for field in row] + [""] * (width - len(row))) for row in rows
    )
    return {"CSVTable": DataTable(_columns(names, width), cells)}


def _typed(given: Given, field: str) -> Datum:
    """A number where the field spells one. A leading zero is kept: it is a code then, not a number."""
    bare = field.strip().lstrip("+-")
    if bare[:1] == "0" and bare[1:2].isdigit():
        return field
    number = given.culture.read_number(field)
    return field if number is None else number


def _columns(names: list[str], width: int) -> tuple[str, ...]:
    numbered = numbered_columns(width)
    return unique((names[place] if place < len(names) else "") or default for place, default in enumerate(numbered))


# --- writing


def _to_csv(given: Given) -> Outputs:
    table, separator = given.table("DataTable"), _separator(given)
    if not separator:
        raise ActionError(_CONVERSION, "The separator is empty.")
    lines: list[tuple[Any, ...]] = [table.columns] if given.boolean("IncludeColumnNames", False) else []
    lines += table.rows
    return {
        "CSVText": "\r\n".join(
            separator.join(_field(to_text(cell, given.culture), separator) for cell in line) for line in lines
        )
    }


def _field(text: str, separator: str) -> str:
    if separator in text or any(sign in text for sign in '"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


# --- finding and replacing


def _finder(given: Given, regex: bool) -> tuple[Callable[[str], bool], Callable[[str], str]]:
    """Whether a cell's text has what is looked for, and the text with it replaced."""
    wanted = given.text("ValueToFind", "")
    new = given.text("TextToReplaceWith", "")
    if regex:
        try:
            compiled(wanted)
        except ActionError as error:
            raise ActionError(_BAD_REGEX, error.message) from None
        return (lambda text: bool(matches(wanted, text))), (lambda text: replaced(wanted, new, text))
    flags = re.NOFLAG if given.boolean("MatchCase", False) else re.IGNORECASE
    expression = re.compile(re.escape(wanted), flags)
    if given.boolean("MatchEntireCellContents", False):
        return (lambda text: expression.fullmatch(text) is not None), (lambda text: new)
    if not wanted:
        return (lambda text: not text), (lambda text: new)
    return (lambda text: expression.search(text) is not None), (lambda text: expression.sub(lambda _: new, text))


def _search(regex: bool, replace: bool, one_column: bool) -> Callable[[Given], Outputs]:
    def work(given: Given) -> Outputs:
        table = given.table("DataTable")
        has, changed = _finder(given, regex)
        columns = [_column(given, table)] if one_column else list(range(len(table.columns)))
        everywhere = given.boolean("AllMatches", True)
        found: list[tuple[Datum, ...]] = []
        rows = [list(row) for row in table.rows]
        for number, row in enumerate(rows):
            for place in columns:
                if (found and not everywhere) or not has(to_text(row[place], given.culture)):
                    continue
                found.append((number, place))
                if replace:
                    row[place] = changed(to_text(row[place], given.culture))
        outputs: dict[str, Datum] = {"DataTableMatches": DataTable(("Row", "Column"), tuple(found))}
        if replace:
            outputs["DataTable"] = DataTable(table.columns, tuple(map(tuple, rows)))
        return outputs

    return work


def _column(given: Given, table: DataTable) -> int:
    text = given.text("ColumnNameOrIndex")
    place = table.column(text)
    if place >= 0:
        return place
    if not text.strip().lstrip("-").isdecimal():
        raise ActionError(NO_COLUMN, f"There is no column '{text}'.")
    if not 0 <= int(text) < len(table.columns):
        raise ActionError(_NO_INDEX, f"There is no column {text}: the table has {len(table.columns)}.")
    return int(text)


def _searches() -> list[PureAction]:
    """Find and replace, by text and by expression, everywhere and in one column."""
    return [
        PureAction(
            f"Variables.FindOrReplaceInDataTable.{'Replace' if replace else 'Find'}ItemInDataTable"
            f"{'WithRegex' if regex else ''}{'ByColumnIndex' if one_column else 'Everywhere'}",
            _search(regex, replace, one_column),
            ("DataTable",) if replace else (),
        )
        for replace in (False, True)
        for regex in (False, True)
        for one_column in (False, True)
    ]


ACTIONS: Final = table_of(
    [
        PureAction("Variables.GenerateDataTableFromCSV.ReadPredefinedSeparator", _read_csv),
        PureAction("Variables.GenerateDataTableFromCSV.ReadCustomSeparator", _read_csv),
        PureAction("Variables.GenerateDataTableFromCSV.ReadFixedColumnWidths", _read_widths),
        PureAction("Variables.ConvertDataTableToCSV.DataTableToCSVCommonSeparator", _to_csv),
        PureAction("Variables.ConvertDataTableToCSV.DataTableToCSVCustomSeparator", _to_csv),
        *_searches(),
    ]
)
