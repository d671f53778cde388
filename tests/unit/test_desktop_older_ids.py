"""Actions under the ids that older versions of the designer wrote, and small ones that no other test is about."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest
from desktop_world import World
from openpyxl import load_workbook
from robin_run import ScriptRun
from sealflow.engine.datatypes import DataTable, Datum


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_workbook_by_the_ids_of_the_first_version(world: World) -> None:
    excel = (await world.do("Excel.Launch", Visible=False))["Instance"]
    await world.do("Excel.WriteCell", Instance=excel, Value="first", Column="A", Row=1)
    await world.do("Excel.SaveAs", Instance=excel, DocumentPath="C:\\old.xlsx")
    await world.do("Excel.WriteCell", Instance=excel, Value=2, Column="B", Row=1)
    await world.do("Excel.CloseAndSave", Instance=excel)
    with closing(load_workbook(world.folder / "old.xlsx")) as book:
        assert [list(row) for row in book.worksheets[0].values] == [["first", 2]]
    await world.fails("InstanceLost", "Excel.CloseAndSave", Instance=excel)


async def test_a_workbook_is_opened_by_the_id_of_the_first_version(world: World) -> None:
    await world.fails("FailedToOpenExcelDocumentError", "Excel.Launch", Path="C:\\none.xlsx", Visible=False)


async def test_a_file_as_binary_data_and_back(world: World) -> None:
    world.file("a.bin", bytes(range(256)))
    data = (await world.do("File.ConvertToBinary", File="C:\\a.bin"))["BinaryData"]
    assert data == base64.b64encode(bytes(range(256))).decode()
    await world.do("File.ConvertFromBinary", BinaryData=data, File="C:\\b.bin", IfFileExists="Overwrite")
    assert (world.folder / "b.bin").read_bytes() == bytes(range(256))


async def test_a_document_that_is_closed_is_gone_and_not_saved(world: World) -> None:
    word = (await world.do("Word.LaunchWord.Launch", Visible=False))["Instance"]
    given: dict[str, Datum] = {"Instance": word}
    await world.do("Word.WriteToWord.WriteStartOfDocument", Text="kept by nobody", AppendNewLine=True, **given)
    assert "kept by nobody" in str((await world.do("Word.ReadFromWord.Read", **given))["WordData"])
    await world.do("Word.CloseWord.Close", **given)
    await world.fails("InstanceLost", "Word.ReadFromWord.Read", **given)
    assert list(world.folder.iterdir()) == []


def test_a_list_is_emptied_in_place() -> None:
    clear = "Variables.ClearList List: List"
    run = ScriptRun(f"SET List TO [1, 2]\nSET Same TO List\n{clear}").to_the_end()
    assert (run["List"], run["Same"]) == ([], [1, 2])


def test_html_is_given_as_it_is() -> None:
    text = "Text.CreateHTMLContent HtmlEditor: $'''<p>%1 + 1% of 2</p>''' HtmlContent=> Html"
    assert ScriptRun(text).to_the_end()["Html"] == "<p>2 of 2</p>"


async def test_a_table_is_written_to_a_workbook_by_its_name(world: World) -> None:
    excel = (await world.do("Excel.LaunchExcel.LaunchNewDocument", Visible=False))["Instance"]
    table = DataTable(("a", "b"), ((1, "x"),))
    await world.do("Excel.WriteToExcel.WriteCells", Instance=excel, Value=table, StartColumn="B", StartRow=2)
    read = await world.do("Excel.ReadFromExcel.ReadAllCells", Instance=excel, ReadAsText=False)
    assert isinstance(read["RangeValue"], DataTable)
    assert read["RangeValue"].rows[-1][-2:] == (1, "x")
