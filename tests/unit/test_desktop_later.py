"""Variants of actions that newer designers write, with the names of arguments and outputs that stand in their text."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
import sealflow
from desktop_world import World
from openpyxl import Workbook, load_workbook
from openpyxl.workbook.defined_name import DefinedName
from sealflow.engine.desktop.catalog import actions, later, lookup
from sealflow.engine.desktop.checks.check import check
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.runtime.flows.script_files import ScriptSource
from sealflow.engine.runtime.flows.scripts import can_run

SCRIPT = """@OUTPUT Sheets : { 'Description': '', 'FriendlyName': 'Sheets', 'Type': 'String' }
@OUTPUT Found : { 'Description': '', 'FriendlyName': 'Found', 'Type': 'String' }
@OUTPUT There : { 'Description': '', 'FriendlyName': 'There', 'Type': 'String' }
SET There TO $'''no'''
Excel.LaunchExcel.LaunchUnderExistingProcess Visible: True UseMachineLocale: False Instance=> ExcelInstance
Excel.AddWorksheet Instance: ExcelInstance Name: $'''Second''' WorksheetPosition: Excel.WorksheetPosition.Last
Excel.GetAllWorksheets Instance: ExcelInstance Worksheets=> SheetNames
Excel.GetActiveWorksheet Instance: ExcelInstance Name=> SheetName Index=> SheetIndex
Excel.GetActiveCell Instance: ExcelInstance ActiveCellColumnIndex=> X ActiveCellRowIndex=> Y
Excel.GetColumnName CellColumnIndex: X + 26 ColumnName=> Letters
File.GetPathPart File: $'''C:\\\\a\\\\b.txt''' FileName=> Name FileNameWithoutExtension=> Stem Extension=> Ending
DateTime.GetCurrentDateTime.Local DateTimeFormat: DateTime.DateTimeFormat.DateAndTime CurrentDateTime=> Here
DateTime.GetCurrentDateTime.CustomOffset CustomOffset: 5.5 DateTimeFormat: DateTime.DateTimeFormat.DateAndTime \
CurrentDateTime=> Delhi
DateTime.GetCurrentDateTime.Windows TimeZoneLocation: DateTime.TimeZoneLocation.IndiaStandardTime \
DateTimeFormat: DateTime.DateTimeFormat.DateAndTime CurrentDateTime=> India
DateTime.GetCurrentDateTime.Current DateTimeFormat: DateTime.DateTimeFormat.DateOnly Offset: $'''Asia/Kolkata''' \
CurrentDateTime=> Kolkata
DateTime.Subtract FromDate: India SubstractDate: Delhi TimeUnit: DateTime.DifferenceTimeUnit.Minutes \
TimeDifference=> Apart
IF (System.IfProcess.ProcessWithNameIsNotRunning ProcessUser: $'''LAB\\\\nobody''' ProcessName: $'''python''') THEN
    SET There TO $'''none'''
END
SET Sheets TO $'''%SheetNames[1]% %SheetName% %SheetIndex%'''
SET Found TO $'''%X% %Y% %Letters% %Name% %Stem% %Ending% %Kolkata.Hour% %Apart < 1%'''
"""


async def test_a_script_of_the_designer_gets_what_it_asks_for(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        flow = await env.deploy("flow", ScriptSource("flow", SCRIPT))
        (run,) = await env.start(flow, {})
        result = await run.result()
    assert result.outputs == {
        "Sheets": "Second Sheet 1",
        "Found": "1 1 AA b.txt b .txt 0 True",
        "There": "none",
    }, result.error


@pytest.mark.parametrize("name", ["", "Mars Standard Time"])
async def test_a_zone_that_is_none(tmp_path: Path, name: str) -> None:
    line = (
        f"DateTime.GetCurrentDateTime.CustomTimeZone CustomTimeZone: $'''{name or 'nowhere'}''' CurrentDateTime=> Now\n"
    )
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("flow", ScriptSource("flow", line)), {})
        assert (await run.result()).code == "SpecifiedCountryRegionNotFoundError"


def test_each_of_them_is_built_and_none_is_twice() -> None:
    assert [each.id for each in later() if not can_run(each.id)] == []
    ids = [each.id.lower() for each in (*actions(), *later())]
    assert len(set(ids)) == len(ids)
    assert lookup("scripting.runpowershellscript.runscript") is not None


def test_the_module_for_sap_needs_windows() -> None:
    found = check(parse("SAP.SapLogin.SapSSOLogInOptionTerminate Client: $'''1''' SapInstance=> S\n"))
    assert [(each.code, "SAP GUI" in each.message) for each in found] == [("WindowsOnlyAction", True)]


# --- Excel


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (("Name", "Count"), ("a", 1), ("b", None), (None, "=B2*2")):
        sheet.append(row)
    other = book.create_sheet("Other")
    other["A1"] = "there"
    book.defined_names["Data"] = DefinedName("Data", attr_text="Sheet!$A$1:$B$5")
    book.defined_names["Elsewhere"] = DefinedName("Elsewhere", attr_text="Other!$A$1")
    book.save(world.folder / "book.xlsx")
    return world


async def _excel(world: World) -> object:
    opened = await world.do("Excel.LaunchExcel.LaunchAndOpenUnderExistingProcess", Path="C:\\book.xlsx")
    return opened["Instance"]


async def test_cells_with_a_name(world: World) -> None:
    excel = await _excel(world)
    read = await world.do(
        "Excel.ReadFromExcel.ReadNamedCell",
        Instance=excel,  # type: ignore[arg-type]
        CellName="data",
        GetCellContentsMode="Excel.GetCellContentsMode.FormattedTextValues",
        TrimEmptyCells=True,
    )
    assert read["RangeValue"].rows == (("Name", "Count"), ("a", "1"), ("b", ""))  # type: ignore[union-attr]
    await world.do("Excel.CopyCellsFromExcel.CopyNamedCell", Instance=excel, CellName="Elsewhere")  # type: ignore[arg-type]
    await world.do("Excel.PasteCellsToExcel.PasteAtNamedCell", Instance=excel, CellName="D4")  # type: ignore[arg-type]
    await world.do(
        "Excel.WriteToExcel.WriteNamedCell",
        Instance=excel,  # type: ignore[arg-type]
        CellName="E1:F2",
        Value=7,
        WriteToAllCells=True,
    )
    assert (await world.do("Excel.GetActiveWorksheet", Instance=excel))["Name"] == "Sheet"  # type: ignore[arg-type]
    await world.do("Excel.SelectCellsFromExcel.SelectNamedCell", Instance=excel, CellName="Data")  # type: ignore[arg-type]
    assert list((await world.do("Excel.GetSelectedCellRange", Instance=excel)).values()) == [1, 1, 2, 5]  # type: ignore[arg-type]
    await world.do("Excel.ActivateCellInExcel.ActivateNamedCell", Instance=excel, CellName="Elsewhere")  # type: ignore[arg-type]
    assert (await world.do("Excel.GetActiveWorksheet", Instance=excel))["Name"] == "Other"  # type: ignore[arg-type]
    await world.fails(
        "FailedToReadCellValuesError",
        "Excel.ReadFromExcel.ReadNamedCell",
        Instance=excel,  # type: ignore[arg-type]
        CellName="no such name",
    )
    await world.do("Excel.CloseExcel.CloseAndSaveAs", Instance=excel, DocumentPath="C:\\new.xlsx")  # type: ignore[arg-type]
    sheet = load_workbook(world.folder / "new.xlsx")["Sheet"]
    assert [sheet[at].value for at in ("D4", "E1", "F2")] == ["there", 7, 7]


async def test_formulas_blank_cells_and_emptying(world: World) -> None:
    excel = await _excel(world)

    async def do(action: str, **arguments: object) -> dict[str, object]:
        return await world.do(f"Excel.{action}", Instance=excel, **arguments)  # type: ignore[arg-type,return-value]

    area = {"StartColumn": "A", "StartRow": 1, "EndColumn": "B", "EndRow": 4}
    assert await do("ReadCellFormula.ReadFormulaFromCellCoordinates", Column="B", Row=4) == {"CellFormula": "=B2*2"}
    assert await do("ReadCellFormula.ReadFormulaFromNamedCell", CellName="B2") == {"CellFormula": "1"}
    found = await do("GetEmptyCellFromExcel.GetEmptyCellsAbsoluteRangeAllEmptyCells", **area)
    assert found["EmptyCells"].rows == ((2, 3), (1, 4), (2, 4))  # type: ignore[attr-defined]
    first = "GetEmptyCellFromExcel.GetEmptyCells"
    for name, more, column, row in (
        ("AbsoluteRangeFirstEmptyCell", {**area, "EmptyCellsSearchDirection": "Columns"}, 1, 4),
        ("AbsoluteRangeFirstEmptyCellInColumn", {**area, "SearchColumn": "B"}, 2, 3),
        ("AbsoluteRangeFirstEmptyCellInRow", {**area, "SearchRow": 1}, 0, 0),
        ("NamedCellFirstEmptyCell", {"NamedCell": "Data"}, 2, 3),
        ("NamedCellFirstEmptyCellInColumn", {"NamedCell": "Data", "SearchColumn": "A"}, 1, 4),
        ("NamedCellFirstEmptyCellInRow", {"NamedCell": "Data", "SearchRow": 5}, 1, 5),
    ):
        wanted = {"EmptyCellColumnIndex": column, "EmptyCellRowIndex": row}
        assert await do(f"{first}{name}", **more) == wanted, name
    found = await do(f"{first}NamedCellAllEmptyCells", NamedCell="Data")
    assert len(found["EmptyCells"].rows) == 5  # type: ignore[attr-defined]
    await do("ClearCellsFromExcel.ClearSingleCell", SingleCellColumn="A", SingleCellRow=1)
    await do("ClearCellsFromExcel.ClearNamedCell", CellName="B1")
    await do("ActivateCellInExcel.ActivateCell", Column="A", Row=2)
    await do(
        "ClearCellsFromExcel.ClearCellsRelativeTo",
        HorizontalDirection="Right",
        OffsetX=1,
        VerticalDirection="Below",
        OffsetY=0,
    )
    read = await do("ReadFromExcel.ReadCells", **area)
    assert read["RangeValue"].rows == (("", ""), ("", ""), ("b", ""), ("", ""))  # type: ignore[attr-defined]
    await do("ClearCellsFromExcel.ClearCells", **area)
    assert (await do("GetFirstFreeColumnRow"))["FirstFreeRow"] == 1
    code = "FailedToClearCellsError"
    places = {"SingleCellColumn": "A", "SingleCellRow": 0}
    await world.fails(code, "Excel.ClearCellsFromExcel.ClearSingleCell", Instance=excel, **places)  # type: ignore[arg-type]


async def test_sizes_filters_and_copies_of_sheets(world: World) -> None:
    excel, other = await _excel(world), await _excel(world)

    async def do(action: str, **arguments: object) -> None:
        await world.do(f"Excel.{action}", Instance=excel, **arguments)  # type: ignore[arg-type]

    await do("ResizeColumnsOrRows.ResizeAllColumns", Width=20)
    await do("ResizeColumnsOrRows.ResizeSingleColumn", Column="B", Width=30)
    await do("ResizeColumnsOrRows.ResizeRangeOfColumns", StartColumn="C", EndColumn="D", Width=5)
    await do("ResizeColumnsOrRows.AutofitSingleColumn", Column="A")
    await do("ResizeColumnsOrRows.AutofitRangeOfColumns", StartColumn="A", EndColumn="A")
    await do("ResizeColumnsOrRows.ResizeAllRows", Height=20)
    await do("ResizeColumnsOrRows.ResizeSingleRow", Row=2, Height=40)
    await do("ResizeColumnsOrRows.ResizeRangeOfRows", StartRow=3, EndRow=4, Height=50)
    await do("ResizeColumnsOrRows.AutofitSingleRow", Row=4)
    await do("ResizeColumnsOrRows.AutofitRangeOfRows", StartRow=1, EndRow=1)
    await do(
        "FilterCellsFromExcel.FilterAdvancedWorksheet",
        Column="Name",
        AdvancedFilterFirstConditionOperator="Equal",
        AdvancedFilterFirstConditionValue="b",
    )
    await do("ClearFilterFromExcel.ClearFilterWorksheet")
    where = {"SourceInstance": excel, "TargetInstance": other}
    copied = "Excel.CopyExcelWorksheet.CopyWorksheetWith"
    await world.do(f"{copied}Name", SourceWorksheetName="sheet", TargetWorksheetName="Copy", **where)  # type: ignore[arg-type]
    last = {"TargetWorksheetName": "End", "PasteWorksheetPosition": "Last"}
    await world.do(f"{copied}Index", SourceWorksheetIndex=2, **last, **where)  # type: ignore[arg-type]
    missing = {"SourceWorksheetName": "none", "TargetWorksheetName": "x", **where}
    await world.fails("CantFindWorksheetError", f"{copied}Name", **missing)  # type: ignore[arg-type]
    twice = {"SourceWorksheetIndex": 1, "TargetWorksheetName": "END", **where}
    await world.fails("AWorksheetWithTheSameNameAlreadyExistsError", f"{copied}Index", **twice)  # type: ignore[arg-type]
    await world.do("Excel.CloseExcel.CloseAndSaveAs", Instance=other, DocumentPath="C:\\new.xlsx")  # type: ignore[arg-type]
    book = load_workbook(world.folder / "new.xlsx")
    assert book.sheetnames == ["Copy", "Sheet", "Other", "End"]
    sheet = book["Copy"]
    assert (sheet["B4"].value, book["End"]["A1"].value) == ("=B2*2", "there")
    assert [sheet.column_dimensions[letter].width for letter in "ABC"] == [6, 30, 5]
    assert [sheet.row_dimensions[number].height for number in (1, 2, 3, 4)] == [None, 40, 50, None]
    await do("ResizeColumnsOrRows.AutofitAllRows")
    await do("ResizeColumnsOrRows.AutofitAllColumns")
    await do("CloseExcel.CloseAndSave")
    sheet = load_workbook(world.folder / "book.xlsx")["Sheet"]
    assert [sheet.row_dimensions[number].hidden for number in (2, 3)] == [False, False]
    assert sheet.auto_filter.ref is None


# --- the other modules


async def test_word(world: World) -> None:
    made = await world.do("Word.LaunchWord.Launch", Visible=True)
    await world.do("Word.WriteToWord.WriteEndOfDocument", Instance=made["Instance"], Text="one", AppendNewLine=True)
    await world.do("Word.WriteToWord.WriteEndOfDocument", Instance=made["Instance"], Text=" two")
    await world.do("Word.SaveWord.SaveAs", Instance=made["Instance"], DocumentPath="C:\\a.docx")
    await world.do("Word.CloseWord.CloseAndSave", Instance=made["Instance"])
    again = await world.do("Word.LaunchWord.LaunchAndOpen", Path="C:\\a.docx", Visible=True, ReadOnly=False)
    assert (await world.do("Word.ReadFromWord.Read", Instance=again["Instance"]))["WordData"] == "one two"
    await world.do("Word.SaveWord.Save", Instance=again["Instance"])
    await world.do("Word.CloseWord.CloseAndSaveAs", Instance=again["Instance"], DocumentPath="C:\\b.docx")
    assert (world.folder / "b.docx").is_file()
    await world.fails("FailedToOpenWordDocumentError", "Word.LaunchWord.LaunchAndOpen", Path="C:\\none.docx")


async def test_scripts(tmp_path: Path) -> None:
    world = World(tmp_path, scripts=frozenset({"python", "shell", "javascript", "powershell"}))
    world.file("lib/mine.py", "x = 5")
    for name in ("RunPythonScript", "RunPythonScript34", "RunPythonScriptCPython"):
        done = await world.do(
            f"Scripting.RunPythonScript.{name}",
            PythonPath="C:\\",
            PythonCode="import mine; print(mine.x)",
            ModuleFolderPaths=["C:\\lib"],
        )
        assert (done["ScriptOutput"], done["ScriptError"]) == ("5\n", "")
    for name in ("RunDOSCommandAndFailOnTimeout", "RunDOSCommandWithCodePageAndFailOnTimeout"):
        done = await world.do(f"Scripting.RunDOSCommand.{name}", DOSCommandOrApplication="echo a; exit 3", Timeout=60)
        assert (done["StandardOutput"], done["ExitCode"]) == ("a\n", 3)
    done = await world.do(
        "Scripting.RunJavascript.RunJavascriptAndFailOnTimeout", JavascriptCode="WScript.Echo(1 + 1)", Timeout=60
    )
    assert done["ScriptOutput"] == "2\r\n"
    world.clock.hastens = True
    await world.fails(
        "FailedToRunScriptInTheAllottedTimeError",
        "Scripting.RunDOSCommand.RunDOSCommandAndFailOnTimeout",
        DOSCommandOrApplication="sleep 1000",
    )


async def test_powershell_by_its_newer_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, scripts=frozenset({"powershell"}))
    program = world.file("bin/pwsh", "#!/bin/sh\ncat\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    for name in ("RunScript", "RunScriptAndFailOnTimeout"):
        done = await world.do(f"Scripting.RunPowershellScript.{name}", Script="text", Timeout=60)
        assert done["ScriptOutput"] == "text"
    monkeypatch.setenv("PATH", str(world.outside))
    await world.fails("FailedToRunPowerShellScriptError", "Scripting.RunPowershellScript.RunScript", Script="1")


async def test_processes_of_a_user(tmp_path: Path) -> None:
    world = World(tmp_path, applications=("sleep",))
    started = await world.do(
        "System.RunApplication.RunApplication", ApplicationPath="sleep", CommandLineArguments="900"
    )
    mine, none = {"ProcessUser": f"LAB\\{getpass.getuser()}"}, {"ProcessUser": "nobody-has-this"}
    number, named = {"ProcessId": started["ProcessId"]}, {"ProcessName": "sleep.exe"}
    assert (await world.do("System.IfProcess.ProcessWithNameIsRunning", **mine, **named))["Condition"] is True
    assert (await world.do("System.IfProcess.ProcessWithNameIsNotRunning", **none, **named))["Condition"] is True
    assert (await world.do("System.WaitForProcess.ProcessWithNameToStart", **mine, **named))["Condition"] is True
    assert (await world.do("System.WaitForProcess.ProcessWithNameToStop", **none, **named))["Condition"] is True
    by_name = "System.TerminateProcess.TerminateProcessByNameWithUserName"
    by_id = "System.TerminateProcess.TerminateProcessByIdWithUserName"
    await world.fails("FailedToTerminateProcessError", by_name, **none, **named)
    await world.fails("ProcessWithSpecifiedIDNotRunningError", by_id, **none, **number)
    await world.do(by_id, **mine, **number)


async def test_oracle_is_asked_through_a_connection_string_too(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.fails(
        "InvalidConnectionStringError",
        "Database.ExecuteSqlStatement.ConnectAndExecuteOracle",
        ConnectionString="nonsense",
        ProviderLibraryPath="C:\\driver.dll",
        Statement="SELECT 1",
    )
