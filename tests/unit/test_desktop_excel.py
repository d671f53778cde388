"""The Excel module."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from desktop_world import World
from openpyxl import Workbook, load_workbook
from sealflow.engine.datatypes import DataRow, DataTable, Datum, Item


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def opened(world: World, path: str | None = None, **arguments: Datum) -> Item:
    if path is None:
        made = await world.do("Excel.LaunchExcel.LaunchUnderExistingProcess", Visible=False)
    else:
        made = await world.do("Excel.LaunchExcel.LaunchAndOpenUnderExistingProcess", Path=path, **arguments)
    instance = made["Instance"]
    assert isinstance(instance, Item)
    return instance


async def cell(world: World, excel: Item, place: str, row: int, **arguments: Datum) -> Datum:
    found = await world.do("Excel.ReadFromExcel.ReadCell", Instance=excel, StartColumn=place, StartRow=row, **arguments)
    return found["CellValue"]


async def fill(world: World, excel: Item, value: Datum, column: str | int = "A", row: int = 1, **more: Datum) -> None:
    await world.do("Excel.WriteToExcel.WriteCell", Instance=excel, Value=value, Column=column, Row=row, **more)


async def test_a_new_workbook_is_filled_saved_and_read_again(world: World) -> None:
    excel = await opened(world)
    table = DataTable(("Name", "Amount"), (("Contoso", Decimal("12.50")), ("Fabrikam", 3)))
    await fill(world, excel, table.columns[0])
    await fill(world, excel, DataRow(table.columns, table.columns))
    await fill(world, excel, table, row=2)
    await fill(world, excel, datetime(2026, 3, 1), "C", 2)
    await fill(world, excel, True, 3, 3)
    await fill(world, excel, "=SUM(B2:B3)", "B", 4)
    await world.do("Excel.SaveExcel.SaveAs", Instance=excel, DocumentPath="C:\\out.xlsx")
    await world.do("Excel.CloseExcel.Close", Instance=excel)
    await world.fails("InstanceLost", "Excel.CloseExcel.Close", Instance=excel)

    excel = await opened(world, "C:\\out.xlsx")
    read = await world.do(
        "Excel.ReadFromExcel.ReadCells",
        Instance=excel,
        StartColumn="A",
        StartRow=1,
        EndColumn=2,
        EndRow=3,
        FirstLineIsHeader=True,
    )
    assert read["RangeValue"] == table
    assert await cell(world, excel, "C", 2) == datetime(2026, 3, 1)
    assert await cell(world, excel, "C", 2, ReadAsText=True) == "2026-03-01"
    assert await cell(world, excel, "C", 3) is True
    assert await cell(world, excel, "Z", 9) == ""
    assert await cell(world, excel, "B", 4) == "", "nobody has calculated it"
    everything = (await world.do("Excel.ReadFromExcel.ReadAllCells", Instance=excel))["RangeValue"]
    assert isinstance(everything, DataTable)
    assert (len(everything.rows), everything.columns) == (4, ("Column1", "Column2", "Column3"))
    assert load_workbook(world.folder / "out.xlsx")["Sheet"]["B4"].value == "=SUM(B2:B3)"


async def test_formulas_are_kept_and_their_last_values_read(world: World) -> None:
    import re
    import zipfile

    book = Workbook()
    assert book.active is not None
    book.active["A1"] = 2
    book.active["A2"] = "=A1*2"
    plain, path = world.folder / "plain.xlsx", world.folder / "f.xlsx"
    book.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("sheet1.xml"):  # as a program that calculates leaves it
                data = re.sub(rb"(<f>A1\*2</f>)<v ?/?>(</v>)?", rb"\1<v>4</v>", data)
            target.writestr(name, data)
    excel = await opened(world, "C:\\f.xlsx")
    assert await cell(world, excel, "A", 2) == 4
    await fill(world, excel, "x", "B", 1)
    await world.do("Excel.CloseExcel.CloseAndSave", Instance=excel)
    assert load_workbook(path)["Sheet"]["A2"].value == "=A1*2"


async def test_sheets(world: World) -> None:
    excel = await opened(world)
    await world.do("Excel.AddWorksheet", Instance=excel, Name="Last", WorksheetPosition="Excel.WorksheetPosition.Last")
    await world.do("Excel.AddWorksheet", Instance=excel, Name="First", WorksheetPosition="First")
    assert (await world.do("Excel.GetAllWorksheets", Instance=excel))["Worksheets"] == ["First", "Sheet", "Last"]
    assert await world.do("Excel.GetActiveWorksheet", Instance=excel) == {"Name": "Sheet", "Index": 2}
    await world.do("Excel.SetActiveWorksheet.ActivateWorksheetByName", Instance=excel, Name="LAST")
    await fill(world, excel, "here")
    await world.do("Excel.SetActiveWorksheet.ActivateWorksheetByIndex", Instance=excel, Index=1)
    assert await cell(world, excel, "A", 1) == ""
    await fill(world, excel, "there", WorksheetName="Sheet")
    assert (await world.do("Excel.GetActiveWorksheet", Instance=excel))["Name"] == "First"
    await world.do("Excel.RenameWorksheet.RenameWorksheetWithName", Instance=excel, Name="First", NewName="One")
    await world.do("Excel.RenameWorksheet.RenameWorksheetWithIndex", Instance=excel, Index=2, NewName="Two")
    await world.do("Excel.DeleteWorksheet.DeleteWorksheetByIndex", Instance=excel, Index=1)
    assert (await world.do("Excel.GetAllWorksheets", Instance=excel))["Worksheets"] == ["Two", "Last"]
    await world.do("Excel.DeleteWorksheet.DeleteWorksheetByName", Instance=excel, Name="two")
    await world.fails(
        "FailedToDeleteWorksheetError", "Excel.DeleteWorksheet.DeleteWorksheetByIndex", Instance=excel, Index=1
    )
    for action in ("SetActiveWorksheet.ActivateWorksheetByName", "DeleteWorksheet.DeleteWorksheetByName"):
        await world.fails("CantFindWorksheetError", f"Excel.{action}", Instance=excel, Name="none")
    await world.fails("AWorksheetWithTheSameNameAlreadyExistsError", "Excel.AddWorksheet", Instance=excel, Name="last")


async def test_the_active_cell_selections_and_the_clipboard(world: World) -> None:
    excel = await opened(world)
    await fill(world, excel, [DataRow(("a", "b"), (1, 2)), DataRow(("a", "b"), (3, 4))])
    await world.do("Excel.ActivateCellInExcel.ActivateCell", Instance=excel, Column="B", Row=3)
    await world.do(
        "Excel.ActivateCellInExcel.ActivateCellRelativeTo", Instance=excel, Direction="Above", OffsetFromActiveCell=1
    )
    assert await world.do("Excel.GetActiveCell", Instance=excel) == {
        "ActiveCellColumnIndex": 2,
        "ActiveCellRowIndex": 2,
    }
    await world.do("Excel.WriteToExcel.Write", Instance=excel, Value=40)
    assert await cell(world, excel, "B", 2) == 40
    await world.fails(
        "FailedToActivateCellError",
        "Excel.ActivateCellInExcel.ActivateCellRelativeTo",
        Instance=excel,
        Direction="Left",
        OffsetFromActiveCell=9,
    )
    await world.do(
        "Excel.SelectCellsFromExcel.SelectCells", Instance=excel, StartColumn="A", StartRow=1, EndColumn="B", EndRow=2
    )
    assert list((await world.do("Excel.GetSelectedCellRange", Instance=excel)).values()) == [1, 1, 2, 2]
    assert (await world.do("Excel.ReadFromExcel.Read", Instance=excel))["RangeValue"].rows == ((1, 2), (3, 40))  # type: ignore[union-attr]
    await world.do("Excel.CopyCellsFromExcel.Copy", Instance=excel)
    await world.do("Excel.PasteCellsToExcel.PasteAt", Instance=excel, Column="D", Row=5)
    assert await cell(world, excel, "E", 6) == 40
    other = await opened(world)
    await world.do("Excel.PasteCellsToExcel.Paste", Instance=other)
    assert await cell(world, other, "B", 1) == 2


async def test_rows_columns_and_cells(world: World) -> None:
    excel = await opened(world)
    await fill(world, excel, DataTable(("a", "b"), ((1, 2), (3, 4), (5, 6))))
    await world.do("Excel.DeleteRow", Instance=excel, Index=1)
    await world.do("Excel.InsertRow", Instance=excel, Index=1)
    await world.do("Excel.InsertColumn", Instance=excel, Column="A")
    assert [await cell(world, excel, "B", row) for row in (1, 2, 3)] == ["", 3, 5]
    await world.do("Excel.DeleteColumn", Instance=excel, Column=1)
    assert await world.do("Excel.GetFirstFreeColumnRow", Instance=excel) == {"FirstFreeColumn": 3, "FirstFreeRow": 4}
    await fill(world, excel, "x", "A", 9)
    free = await world.do("Excel.GetFirstFreeRowOnColumn", Instance=excel, Column="B")
    assert free == {"FirstFreeRowOnColumn": 4}
    await world.do(
        "Excel.DeleteCells.DeleteCell", Instance=excel, StartColumn="A", StartRow=2, ShiftCellsDirection="Up"
    )
    assert [await cell(world, excel, "A", row) for row in (2, 8)] == [5, "x"]
    await world.do(
        "Excel.DeleteCells.DeleteCell", Instance=excel, StartColumn="A", StartRow=2, ShiftCellsDirection="Left"
    )
    assert await cell(world, excel, "A", 2) == 4
    assert (await world.do("Excel.GetColumnName", CellColumnIndex=28))["ColumnName"] == "AB"
    await world.do("Excel.ResizeColumnsOrRows.AutofitAllColumns", Instance=excel)
    await world.fails("CantFindRowError", "Excel.DeleteRow", Instance=excel, Index=0)
    await world.fails("CantFindColumnError", "Excel.DeleteColumn", Instance=excel, Column="?")


async def test_finding_and_filtering(world: World) -> None:
    excel = await opened(world)
    await fill(world, excel, DataTable(("a", "b"), (("Kind", "n"), ("apple", 1), ("Pear", 20), ("pineapple", 3))))
    found = await world.do("Excel.FindAndReplace.FindAll", Instance=excel, TextToFind="APPLE")
    assert found["Cells"] == DataTable(("Column", "Row"), ((1, 2), (1, 4)))
    found = await world.do(
        "Excel.FindAndReplace.FindSingle", Instance=excel, TextToFind="Pear", MatchEntireCellContents=True
    )
    assert found == {"FoundColumnIndex": 1, "FoundRowIndex": 3}
    await world.do(
        "Excel.FindAndReplace.FindAndReplaceAll", Instance=excel, TextToFind="apple", TextToReplaceWith="\\1"
    )
    assert await cell(world, excel, "A", 4) == "pine\\1"
    await world.do(
        "Excel.FilterCellsFromExcel.FilterAdvancedWorksheet",
        Instance=excel,
        Column="n",
        AdvancedFilterFirstConditionOperator="Excel.FilterConditionOperator.GreaterThan",
        AdvancedFilterFirstConditionValue="2",
        AdvancedFilterLogicalOperator="Excel.FilterLogicalOperator.IsAnd",
        AdvancedFilterSecondConditionOperator="Excel.FilterConditionOperator.LessThan",
        AdvancedFilterSecondConditionValue="10",
    )
    await world.do("Excel.SaveAs", Instance=excel, DocumentPath="C:\\f.xlsx")
    rows = load_workbook(world.folder / "f.xlsx")["Sheet"].row_dimensions
    assert [bool(rows[number].hidden) for number in (1, 2, 3, 4)] == [False, True, True, False]


async def test_what_cannot_be_opened_or_saved(world: World) -> None:
    world.file("a.xlsx", "no workbook")
    await world.fails("FailedToOpenExcelDocumentError", "Excel.LaunchExcel.LaunchAndOpen", Path="C:\\a.xlsx")
    await world.fails("FailedToOpenExcelDocumentError", "Excel.LaunchExcel.LaunchAndOpen", Path="C:\\none.xlsx")
    await world.fails("AccessDeniedError", "Excel.LaunchExcel.LaunchAndOpen", Path="/etc/none.xlsx")
    excel = await opened(world)
    await world.fails("FailedToSaveExcelDocumentError", "Excel.SaveExcel.Save", Instance=excel)
    await world.fails(
        "FailedToSaveExcelDocumentError", "Excel.SaveExcel.SaveAs", Instance=excel, DocumentPath="C:\\a.pdf"
    )
    await world.fails("AccessDeniedError", "Excel.SaveExcel.SaveAs", Instance=excel, DocumentPath="D:\\a.xlsx")
    await world.fails(
        "FailedToWriteValueToExcelError",
        "Excel.WriteToExcel.WriteCell",
        Instance=excel,
        Value={"a": 1},
        Column="A",
        Row=1,
    )
    await world.fails("ArgumentTypeError", "Excel.GetAllWorksheets", Instance="no instance")


async def test_a_read_only_workbook_is_saved_under_another_path_only(world: World) -> None:
    Workbook().save(world.folder / "a.xlsx")
    excel = await opened(world, "C:\\a.xlsx", ReadOnly=True)
    await world.fails("FailedToSaveExcelDocumentError", "Excel.SaveExcel.Save", Instance=excel)
    await world.do("Excel.CloseExcel.CloseAndSaveAs", Instance=excel, DocumentPath="C:\\b")
    assert (world.folder / "b.xlsx").is_file()


async def test_the_session_closes_what_a_run_left_open(world: World) -> None:
    excel = await opened(world)
    await world.session.aclose()
    await world.fails("InstanceLost", "Excel.GetAllWorksheets", Instance=excel)
