"""Data out of web pages: one value, a list, a table, an HTML table; from one page or through its pager; into a
variable or a new workbook.

`ExtractionParameters` is a data table. Of an HTML table its first row names the columns; of everything else each row
says where a column's value is inside of an entry: selector, attribute, a regular expression, name of the column.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from playwright.async_api import Error as PlaywrightError

from ....engine.datatypes import DataTable, Datum
from ....engine.patterns import PatternError, matches
from ..arguments import Arguments
from ..fault import Fault
from ..files.csv_file import unique_columns
from ..office.workbook import KIND as INSTANCE
from ..office.workbook import Book
from ..port import Outputs, Table, reads
from ..session import Session
from .automation import attribute
from .browser import PAGE_SECONDS, Tab, failed, located, milliseconds, repository, tab_of
from .selectors import css, selectors_of

_FAILED: Final = "Failed to extract data"

MOST_PAGES: Final = 1_000
"""Pages that "all pages" means."""

_HTML_TABLE: Final = """(table) => Array.from(table.rows, (row) =>
  ({head: Array.from(row.cells).every((cell) => cell.tagName === 'TH'),
    cells: Array.from(row.cells, (cell) => cell.innerText.trim())}))"""


async def extract(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.ExtractData.*, DataExtraction.*"""
    tab = tab_of(arguments, session)
    how = arguments.selector.casefold()
    pages = 1
    if "usingpaging" in how:
        pages = arguments.integer("MaxWebPagesToProcess", MOST_PAGES) if "numberofpages" in how else MOST_PAGES
    columns: tuple[str, ...] = ()
    rows: list[tuple[Datum, ...]] = []
    try:
        for number in range(pages):
            columns, found = await _page(tab, how, arguments)
            rows += found
            if number + 1 == pages or not await _next_page(tab, arguments):
                break
    except PlaywrightError as error:
        raise failed(_FAILED, error) from None
    if how.endswith("inexcel"):
        return {"ExcelInstance": session.keep(INSTANCE, await asyncio.to_thread(_written, columns, rows))}
    return {"ExtractedData": _shaped(how, columns, rows)}


def _written(columns: tuple[str, ...], rows: list[tuple[Datum, ...]]) -> Book:
    """A new workbook with the names of the columns and what was found. Raises Fault FailedToWriteValueToExcelError."""
    book = Book.new()
    for down, line in enumerate((columns, *rows), 1):
        for right, value in enumerate(line, 1):
            book.write(down, right, value)
    return book


def _shaped(how: str, columns: tuple[str, ...], rows: list[tuple[Datum, ...]]) -> Datum:
    if "singlevalue" in how:
        return rows[0][0] if rows and rows[0] else ""
    if "extractlist" in how:
        return [row[0] for row in rows if row]
    return DataTable(columns, tuple(rows))


async def _page(tab: Tab, how: str, arguments: Arguments) -> tuple[tuple[str, ...], list[tuple[Datum, ...]]]:
    if "htmltable" in how:
        return await _html_table(tab, arguments)
    places = _places(arguments)
    if "singlevalue" in how or "handpicked" in how:
        await tab.page.wait_for_load_state("load")
        base: list[Any] = [tab.page.locator("html")]
        if "Control" in arguments:
            base = [await located(arguments, tab, missing=_FAILED)]
    else:
        await located(arguments, tab, missing=_FAILED)
        selector = selectors_of(arguments.get("Control"), repository(arguments))[0]
        base = await tab.page.locator(selector).all()
    rows = [tuple([await _value(entry, place) for place in places]) for entry in base]
    return unique_columns([place[3] for place in places], len(places)), [tuple(row) for row in rows]


async def _html_table(tab: Tab, arguments: Arguments) -> tuple[tuple[str, ...], list[tuple[Datum, ...]]]:
    element = await located(arguments, tab, missing=_FAILED)
    found = await element.evaluate(_HTML_TABLE)
    head: list[Any] = next((row["cells"] for row in found if row["head"]), [])
    body = [[str(cell) for cell in row["cells"]] for row in found if not row["head"]]
    names = [str(name) for name in _first_row(arguments)] or [str(name) for name in head]
    width = max([len(names), *map(len, body)], default=0)
    return unique_columns(names, width), [tuple(row + [""] * (width - len(row))) for row in body]


def _first_row(arguments: Arguments) -> list[str]:
    table = arguments.get("ExtractionParameters", None)
    if not isinstance(table, DataTable) or not table.rows:
        return []
    return [str(value) for value in table.rows[0] if value not in (None, "")]


def _places(arguments: Arguments) -> list[tuple[str, str, str, str]]:
    """Selector, attribute, expression and name of each column; an entry itself where nothing is said."""
    table = arguments.get("ExtractionParameters", None)
    found = []
    if isinstance(table, DataTable):
        for number, row in enumerate(table.rows, 1):
            cells = ["" if value is None else str(value) for value in row] + [""] * 4
            found.append((cells[0], cells[1] or "Own Text", cells[2], cells[3] or f"Value #{number}"))
    return found or [("", "Own Text", "", "Value #1")]


async def _value(entry: Any, place: tuple[str, str, str, str]) -> str:
    selector, name, pattern, _ = place
    element = entry
    if selector.strip():
        inner = css(selector)
        element = entry.locator(inner).first
        if not await element.count():
            return ""
    text = await attribute(element, name)
    if not pattern:
        return text
    try:
        # Not on the loop: a pattern may run away, up to its limit of time.
        found = await asyncio.to_thread(matches, pattern, text)
    except PatternError as error:
        raise Fault("FailedToExtractDataError", error.message) from None
    return str(found[0].group()) if found else ""


async def _next_page(tab: Tab, arguments: Arguments) -> bool:
    """Presses the pager; False where there is none any more, or it cannot be pressed."""
    named = next((name for name in ("PagerCssSelector", "PagerControl", "NextPageControl") if name in arguments), "")
    if not named:
        return False
    pager = tab.page.locator(selectors_of(arguments.get(named), repository(arguments))[0]).first
    if not await pager.count() or not await pager.is_visible() or not await pager.is_enabled():
        return False
    await pager.click()
    await tab.page.wait_for_load_state("load", timeout=milliseconds(arguments, ("TimeoutInSeconds",), PAGE_SECONDS))
    return True


_KINDS: Final = ("Data", "HandPickedValues", "HtmlTable", "List", "SingleValue", "Table")
_PAGINGS: Final = ("", "UsingPagingFromAllPages", "UsingPagingFromNumberOfPages")
_ENDS: Final = tuple(f"{paging}{where}" for paging in _PAGINGS for where in ("", "InExcel"))

TABLE: Table = {
    **{f"WebAutomation.ExtractData.Extract{kind}{paging}": reads(extract) for kind in _KINDS for paging in _ENDS},
    **{f"WebAutomation.DataExtraction.Extract{kind}{paging}": reads(extract) for kind in _KINDS for paging in _PAGINGS},
}
