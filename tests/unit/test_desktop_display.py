"""Dialogs without a display, and the clipboard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from desktop_world import World
from sealflow.engine.datatypes import Datum


def answered(tmp_path: Path, **answers: Any) -> World:
    return World(tmp_path, answers=answers)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("Display.ShowMessageDialog.ShowMessage", "CantDisplayMessageBoxInNoninteractiveMode"),
        ("Display.InputDialog", "CantDisplayInputDialogInNoninteractiveMode"),
        ("Display.SelectDateDialog.SelectDate", "CantDisplayDateSelectionDialogInNoninteractiveMode"),
        ("Display.SelectFileDialog.SelectFile", "CantDisplayFileSelectionDialogInNoninteractiveMode"),
        ("Display.SelectFolder", "CantDisplayFolderSelectionDialogInNoninteractiveMode"),
        ("Display.SelectFromListDialog.SelectFromList", "CantDisplaySelectionDialogInNoninteractiveMode"),
    ],
)
async def test_nobody_answers(tmp_path: Path, action: str, error: str) -> None:
    name = error.replace("Noninteractive", "NonInteractive") + "Error"
    await World(tmp_path).fails(name, action, Title="Secret")


async def test_a_message_gets_its_button(tmp_path: Path) -> None:
    world = answered(tmp_path, **{"Go on?": "yes", "Odd": "Maybe"})
    box: dict[str, Datum] = {"Buttons": "Display.Buttons.YesNo", "Message": "m"}
    done = await world.do("Display.ShowMessageDialog.ShowMessage", Title="go ON?", **box)
    assert done == {"ButtonPressed": "Yes"}
    await world.fails("FailedToDisplayMessageBoxError", "Display.ShowMessageDialog.ShowMessage", Title="Odd", **box)


async def test_the_other_dialogs(tmp_path: Path) -> None:
    world = answered(
        tmp_path,
        Name="Ada",
        Day="2026-03-01",
        Pick="C:\\a.txt",
        Where="C:\\",
        Which="b",
        Several=["a", "c"],
        Form={"name": "Ada", "ButtonPressed": "Send"},
    )
    world.file("a.txt", "x")
    assert await world.do("Display.InputDialog", Title="Name") == {"UserInput": "Ada", "ButtonPressed": "OK"}
    date = await world.do("Display.SelectDateDialog.SelectDate", Title="Day")
    assert date["SelectedDate"] == datetime(2026, 3, 1)
    file = (await world.do("Display.SelectFileDialog.SelectFile", Title="Pick"))["SelectedFile"]
    assert file.properties["Size"] == 1  # type: ignore[union-attr]
    folder = (await world.do("Display.SelectFolder", Description="Where"))["SelectedFolder"]
    assert folder.properties["FilesCount"] == 1  # type: ignore[union-attr]
    one = await world.do("Display.SelectFromListDialog.SelectFromList", Title="Which", List=["a", "b"])
    assert one == {"SelectedItem": "b", "SelectedIndex": 1, "ButtonPressed": "OK"}
    await world.fails(
        "FailedToDisplaySelectionDialogError", "Display.SelectFromListDialog.SelectFromList", Title="Which", List=["a"]
    )
    several = await world.do("Display.SelectFromListDialog.SelectItemsFromList", Title="Several", List=["a", "b", "c"])
    assert several["SelectedIndexes"] == [0, 2]
    form = await world.do("Display.ShowCustomDialog", Title="Form", CardTemplateJson="{}")
    assert form == {"CustomFormData": {"name": "Ada"}, "ButtonPressed": "Send"}


async def test_an_answer_does_not_widen_the_sandbox(tmp_path: Path) -> None:
    await answered(tmp_path, **{"*": "/etc/passwd"}).fails("AccessDeniedError", "Display.SelectFileDialog.SelectFile")


async def test_the_clipboard_is_the_runs_own(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert (await world.do("Clipboard.GetText"))["Text"] == ""
    await world.do("Clipboard.SetText", Text="a")
    assert (await world.do("Clipboard.GetText"))["Text"] == "a"
    await world.do("Clipboard.Clear")
    assert (await world.do("Clipboard.GetText"))["Text"] == ""
