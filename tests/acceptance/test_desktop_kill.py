"""kill -9 in a desktop flow, then resume: it ends as it would have, and no finished action ran twice.

What was under way at the death and cannot be repeated is the error ActionInterrupted, a workbook that was open is
InstanceLost at its next use; the script handles both.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from openpyxl import load_workbook
from processes import Place
from thorough import LONG

SCRIPT = """@INPUT Name : { 'Description': '', 'FriendlyName': 'Name', 'Type': 'String' }
@OUTPUT Total : { 'Description': '', 'FriendlyName': 'Total', 'Type': 'Numeric' }
@OUTPUT Interrupted : { 'Description': '', 'FriendlyName': 'Interrupted', 'Type': 'Numeric' }
@OUTPUT Lost : { 'Description': '', 'FriendlyName': 'Lost', 'Type': 'Numeric' }
@OUTPUT Chance : { 'Description': '', 'FriendlyName': 'Chance', 'Type': 'List' }
SET Total TO 0
SET Interrupted TO 0
SET Lost TO 0
SET Chance TO []
LOOP Number FROM 1 TO 3
    File.WriteText File: $'''C:\\\\%Name%.txt''' TextToWrite: Number AppendNewLine: True IfFileExists: File.IfFileExists.Append Encoding: File.FileEncoding.UTF8
        ON ERROR ActionInterrupted
            SET Interrupted TO Interrupted + 1
        END
    SET Total TO Total + Number
    Variables.GenerateRandomNumber.RandomNumber MinimumValue: 1 MaximumValue: 1000000 RandomNumber=> Drawn
    Variables.AddItemToList Item: Drawn List: Chance
END
WAIT 2
BLOCK 'Book'
ON BLOCK ERROR InstanceLost
    SET Lost TO Lost + 1
    REPEAT BLOCK
ON BLOCK ERROR ActionInterrupted
    SET Interrupted TO Interrupted + 1
    REPEAT BLOCK
END
    Excel.LaunchExcel.LaunchUnderExistingProcess Visible: False UseMachineLocale: False Instance=> Book
    Excel.WriteToExcel.WriteCell Instance: Book Value: Total Column: 1 Row: 1 WorksheetName: $'''%''%'''
    File.ReadTextFromFile.ReadText File: $'''C:\\\\%Name%.txt''' Encoding: File.TextFileEncoding.UTF8 Content=> Kept
    Excel.WriteToExcel.WriteCell Instance: Book Value: $'''end''' Column: 2 Row: 1 WorksheetName: $'''%''%'''
    Excel.CloseExcel.CloseAndSaveAs Instance: Book DocumentFormat: Excel.ExcelFormat.OpenXmlWorkbook DocumentPath: $'''C:\\\\%Name%.xlsx'''
END
"""  # noqa: E501
FINAL = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Left:
    """What a run left behind: its lines in the file, the workbook's first row, its result."""

    lines: list[str]
    cells: list[Any]
    result: Any


@pytest.fixture
def desk(place: Place) -> Place:
    """A place whose environment allows its drive. Its time passes faster, which a pause of the flow sees none of."""
    (place.folder / "drive").mkdir()
    place.write("flow.robin", SCRIPT)
    place("env", "create", "default").expect(0)
    place("env", "permissions", "set", "default", "--map", f"C:={place.folder / 'drive'}").expect(0)
    place.prepare = [] if LONG else [["hasten", 100, time.time_ns() // 100]]
    return place


def arguments(name: str) -> list[str]:
    return ["run", "flow.robin", "--input", json.dumps({"Name": name}), "--json"]


def left(desk: Place, name: str, result: Any) -> Left:
    drive = desk.folder / "drive"
    lines = (drive / f"{name}.txt").read_text("utf-8-sig").split()
    with closing(load_workbook(drive / f"{name}.xlsx")) as book:
        cells = [list(row) for row in book.worksheets[0].values]
    return Left(lines, cells[0], result)


def test_an_undisturbed_run(desk: Place) -> None:
    found = left(desk, "a", desk(*arguments("a")).expect(0).json)
    assert (found.lines, found.cells) == (["1", "2", "3"], [6, "end"])
    assert len(found.result["outputs"].pop("Chance")) == 3
    assert found.result["outputs"] == {"Total": 6, "Interrupted": 0, "Lost": 0}


def finished(result: Any) -> dict[str, Any]:
    return {action["path"]: action for action in result["actions"] if action["status"] in FINAL}


def resumed(desk: Place, name: str) -> Left | None:
    """The killed run, resumed and looked at; None where nothing of it was durable."""
    listed = desk("runs", "list", "--limit", "1", "--json").expect(0).json
    if not listed or listed[0]["end"] is not None:
        return None
    run = listed[0]["run"]
    before = finished(desk("runs", "show", run, "--json").expect(0).json)
    after = desk("runs", "resume", run, "--json").expect(0).json
    now = finished(after)
    assert {path: action for path, action in now.items() if path in before} == before
    assert (after["status"], after["error"]) == ("Succeeded", None)
    return left(desk, name, after)


@pytest.mark.parametrize(("moment", "sample"), [("before", (2, 6)), ("after", (3, 7))])
def test_killed_at_commits(desk: Place, moment: str, sample: tuple[int, ...]) -> None:
    """Some moments, or all. A line is written once or, where its action was interrupted, once or not at all."""
    disturbed = killed = 0
    for number in count(1) if LONG else sample:
        name = f"{moment}{number}"
        died = desk(*arguments(name), prepare=[["die_at_commit", number, moment]])
        if not died.killed:  # there are no more commits
            died.expect(0)
            break
        killed += 1
        found = resumed(desk, name)
        if found is not None:  # else it was killed before its first commit, or between its last and telling of it
            outputs = found.result["outputs"]
            assert found.cells == [6, "end"]
            assert outputs["Total"] == 6
            assert len(outputs["Chance"]) == 3
            assert found.lines == sorted(set(found.lines))
            assert len(found.lines) >= 3 - outputs["Interrupted"]
            assert outputs["Interrupted"] + outputs["Lost"] <= 2
            disturbed += outputs["Interrupted"] + outputs["Lost"]
    assert killed >= 2
    assert disturbed >= 1


WRITE, READ, CELL = "File.WriteText", "File.ReadTextFromFile.ReadText", "Excel.WriteToExcel.WriteCell"


@pytest.mark.parametrize(
    ("action", "moment", "interrupted", "lost", "lines"),
    [
        (WRITE, "before", 1, 0, ["2", "3"]),  # it did not happen, and is not made up for
        (WRITE, "after", 1, 0, ["1", "2", "3"]),  # it did, and is not done again
        (CELL, "after", 1, 0, ["1", "2", "3"]),  # the block begins again, with a new workbook
        (READ, "after", 0, 1, ["1", "2", "3"]),  # reading is repeated; the next cell is one of a lost workbook
    ],
)
def test_killed_at_an_action(
    desk: Place, action: str, moment: str, interrupted: int, lost: int, lines: list[str]
) -> None:
    assert desk(*arguments("a"), prepare=[["die_at_action", action, moment]]).killed
    found = resumed(desk, "a")
    assert found is not None
    outputs = found.result["outputs"]
    assert (outputs["Interrupted"], outputs["Lost"], outputs["Total"]) == (interrupted, lost, 6)
    assert (found.lines, found.cells) == (lines, [6, "end"])
    desk("runs", "export", "latest", "--out", "killed.bundle").expect(0)
    desk("replay", "killed.bundle").expect(0)


def test_an_interruption_that_nobody_handles_fails_the_run(desk: Place) -> None:
    """The action was on record as under way, and nobody knows whether it happened: it is not done again."""
    desk.write("bare.robin", "File.WriteText File: 'C:\\\\bare.txt' TextToWrite: 'x' AppendNewLine: True")
    assert desk("run", "bare.robin", "--json", prepare=[["die_at_commit", 1, "after"]]).killed
    ended = desk("runs", "resume", "latest", "--json").expect(1).json
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "ActionInterrupted")
    assert not (desk.folder / "drive" / "bare.txt").exists()
