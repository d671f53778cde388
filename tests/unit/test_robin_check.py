"""What the checker says about scripts that can be read: names, places, actions and their arguments."""

from __future__ import annotations

import gc

import pytest
from sealflow.engine.desktop.checks.check import check, report
from sealflow.engine.desktop.checks.rules import Rules
from sealflow.engine.desktop.checks.similar_names import MOST
from sealflow.engine.desktop.syntax.parse import parse


def found(text: str, rules: Rules | None = None) -> list[str]:
    return [f"{each.at} {each.severity} {each.code}" for each in check(parse(text), rules)]


CASES = {
    # names
    "unknown variable": ("SET a TO b + 1", ["1:10 error UnknownVariable"]),
    "once for each variable": ("SET a TO b\nSET c TO B", ["1:10 error UnknownVariable"]),
    "set later": ("SET a TO b\nSET b TO 1", []),
    "set in another subflow": ("CALL s\nSET a TO b\nFUNCTION s\nSET B TO 1\nEND FUNCTION", []),
    "set by a disabled row only": ("DISABLE SET b TO 1\nSET a TO b", ["2:10 error UnknownVariable"]),
    "in a disabled row": ("DISABLE SET a TO b", []),
    "in what is disabled": ("DISABLE IF b THEN\nSET a TO c\nDISABLE END", []),
    "an input": ("@INPUT b : {'Type': 'String'}\nSET a TO b", []),
    "an output": ("Text.Trim Text: $'''x''' TrimmedText=> t\nSET a TO t", []),
    "a list that is made by adding": ("Variables.AddItemToList Item: 1 List: L\nSET a TO L", []),
    "a loop's variable": ("LOOP FOREACH x IN [1]\nSET a TO x\nEND\nLOOP i FROM 1 TO 2\nSET a TO i\nEND", []),
    "set in a handler": ("Clipboard.Clear\nON ERROR\nSET f TO True\nEND\nIF f THEN\nEND", []),
    "the last error": ("ERROR => e\nSET a TO e.Message", []),
    "in a text": ("SET a TO $'''x %b% y'''", ["1:17 error UnknownVariable"]),
    "an item of what is set nowhere": ("SET o['k'] TO 1", ["1:5 error UnknownVariable"]),
    "in a handler": ("Clipboard.Clear\nON ERROR\nSET a TO b\nEND", ["3:10 error UnknownVariable"]),
    "given by the caller": ("SET a TO Given", ["1:10 error UnknownVariable"]),
    "fields of an extraction": (
        "SET b TO 1\nWebAutomation.ExtractData.ExtractTable BrowserInstance: b Control: $'''x''' "
        "ExtractionParameters: {[css, 'Own Text', '', 'V']} ExtractedData=> d",
        [],
    ),
    # properties
    "property of a list": ("SET L TO [1]\nSET a TO L.IsEmpty", ["2:11 error NoSuchProperty"]),
    "property of a text": ("SET t TO 'x'\nSET a TO t.Length + t.Count", ["2:22 error NoSuchProperty"]),
    "property of a number": ("SET n TO 5\nSET a TO n.Length", ["2:11 error NoSuchProperty"]),
    "property of an output": (
        "Text.SplitText.Split Text: $'''x''' Result=> L\nSET a TO L.Count\nSET b TO L.Length",
        ["3:11 error NoSuchProperty"],
    ),
    "not known of what is set twice": ("SET x TO [1]\nSET x TO 'a'\nSET a TO x.Nothing", []),
    "not known of an input": ("@INPUT x : {'Type': 'List'}\nSET a TO x.Nothing", []),
    "any property of an object": ("SET o TO {'k': 1}\nSET a TO o.whatever", []),
    # subflows and labels
    "unknown subflow": ("CALL s", ["1:1 error UnknownSubflow"]),
    "subflow in another case": ("CALL S\nFUNCTION s\nEND FUNCTION", []),
    "unknown subflow in a handler": ("Clipboard.Clear\nON ERROR\nCALL s\nEND", ["3:1 error UnknownSubflow"]),
    "recursion": (
        "CALL a\nFUNCTION a\nCALL b\nEND FUNCTION\nFUNCTION b\nCALL A\nEND FUNCTION",
        ["3:1 warning RecursiveSubflow", "6:1 warning RecursiveSubflow"],
    ),
    "exit in Main": ("EXIT FUNCTION", ["1:1 error ExitInMain"]),
    "unknown label": ("GOTO x", ["1:1 error UnknownLabel"]),
    "label of another subflow": ("GOTO x\nFUNCTION s\nLABEL x\nEND FUNCTION", ["1:1 error UnknownLabel"]),
    "same label in two subflows": ("LABEL x\nGOTO x\nFUNCTION s\nLABEL x\nGOTO X\nEND FUNCTION", []),
    "label twice": ("LABEL x\nLABEL X", ["2:1 error DuplicateLabel"]),
    "label behind an IF": ("IF True THEN\nGOTO x\nEND\nLABEL x", []),
    "label in an IF": ("GOTO x\nIF True THEN\nLABEL x\nEND", []),
    "label in a loop": ("GOTO x\nLOOP FROM 1 TO 2\nLABEL x\nEND", ["1:1 error LabelOutOfScope"]),
    "label in the same loop": ("LOOP FROM 1 TO 2\nGOTO x\nLABEL x\nEND", []),
    "out of a loop": ("LOOP FROM 1 TO 2\nGOTO x\nEND\nLABEL x", []),
    "from loop to loop": (
        "LOOP FROM 1 TO 2\nGOTO x\nEND\nLOOP FROM 1 TO 2\nLABEL x\nEND",
        ["2:1 error LabelOutOfScope"],
    ),
    "from a handler into its block": (
        "BLOCK\nON BLOCK ERROR\nGOTO x\nEND\nLABEL x\nEND",
        ["3:1 error LabelOutOfScope"],
    ),
    "from a handler out of its block": ("BLOCK\nON BLOCK ERROR\nGOTO x\nEND\nSET a TO 1\nEND\nLABEL x", []),
    "exit loop outside": ("EXIT LOOP", ["1:1 error NotInLoop"]),
    "next loop in an IF": ("IF True THEN\nNEXT LOOP\nEND", ["2:1 error NotInLoop"]),
    "next loop in a block in a loop": ("LOOP FROM 1 TO 2\nBLOCK\nSET a TO 1\nNEXT LOOP\nEND\nEND", []),
    # actions
    "unknown action": ("Text.Trimm Text: $'''x'''", ["1:1 error UnknownActionId"]),
    "unknown module": ("Contoso.Do It: 1", ["1:1 error UnknownActionId"]),
    "older id": ("SET e TO 1\nExcel.WriteCell Instance: e Value: 1 Column: 1 Row: 1", []),
    "unknown argument": ("Text.Trim Text: $'''x''' Optoin: 1", ["1:34 error UnknownArgument"]),
    "argument not known to be wrong": ("SET e TO 1\nExcel.WriteCell Instance: e Whatever: 1", []),
    "missing argument": ("Text.ToNumber Number=> n", ["1:1 error MissingArgument"]),
    "missing argument with a default": ("Text.Trim TrimmedText=> t", []),
    "unqualified enumeration": (
        "Text.ChangeCase Text: $'''x''' NewCase: UpperCase Result=> r",
        ["1:41 error UnqualifiedEnum"],
    ),
    "unknown value of an enumeration": (
        "Text.ChangeCase Text: $'''x''' NewCase: Text.CaseOption.Upper Result=> r",
        ["1:41 error UnknownEnumValue"],
    ),
    "value of another enumeration": (
        "Text.ChangeCase Text: $'''x''' NewCase: Text.TrimOption.Both Result=> r",
        ["1:41 error UnknownEnumValue"],
    ),
    "enumeration in another case": ("text.changecase text: $'''x''' newcase: text.caseoption.uppercase", []),
    "enumeration whose values are not all known": (
        "SET f TO 'x'\nFile.WriteText File: f TextToWrite: 1 Encoding: File.FileEncoding.ASCII",
        [],
    ),
    "changed in place": ("Variables.ReverseList List: [1, 2]", ["1:29 error NotAVariable"]),
    "windows only": (
        "UIAutomation.Click.Click Element: appmask['W']['B']",
        ["1:1 error WindowsOnlyAction"],
    ),
    "unknown but surely windows only": ("UIAutomation.Whatever.Else", ["1:1 error WindowsOnlyAction"]),
    "unknown variant, surely windows only": ("Excel.RunMacro.Other", ["1:1 error WindowsOnlyAction"]),
    "unknown variant": ("File.WaitForFile.Changed", ["1:1 error UnknownActionId"]),
    "windows only and disabled": ("DISABLE UIAutomation.Click.Click Element: appmask['W']['B']", []),
    "protected text": ("SET p TO P'AQAA'", ["1:10 error ProtectedText"]),
    "empty protected text": ("SET p TO P''", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_found(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_given_variables_are_known() -> None:
    assert found("SET a TO Given", Rules(given=frozenset(("given",)))) == []


def test_a_copied_subflow_may_leave_itself() -> None:
    assert check(parse("EXIT FUNCTION", kind="clipboard")) == ()


def test_a_windows_only_action_says_where_and_why() -> None:
    text = "CALL s\nFUNCTION s\n    UIAutomation.Click.Click Element: appmask['W']['B']\nEND FUNCTION"
    (problem,) = check(parse(text))
    assert problem.message == (
        "Subflow 's', line 3: 'Click UI element in window' (UIAutomation.Click.Click) runs on Windows only: "
        "it works on windows of desktop applications."
    )
    assert problem.at == "3:5"
    assert found(text, Rules(allow_unsupported=True)) == ["3:5 warning WindowsOnlyAction"]


def test_what_is_built() -> None:
    asked: list[str] = []

    def built(action: str) -> bool:
        asked.append(action)
        return action != "Clipboard.Clear"

    text = "clipboard.clear\nDisplay.ShowMessageDialog.ShowMessage Title: $'''a'''"
    assert found(text, Rules(built=built)) == ["1:1 error NotYetSupported"]
    assert asked == ["Clipboard.Clear", "Display.ShowMessageDialog.ShowMessage"]
    assert found(text, Rules(built=built, allow_unsupported=True)) == ["1:1 warning NotYetSupported"]


def test_scripts() -> None:
    text = "Scripting.RunPythonScript Script: $'''x'''\nScripting.RunPythonScript Script: $'''y'''"
    assert found(text) == []
    assert found(text, Rules(scripts_allowed=True)) == []
    assert found(text, Rules(scripts_allowed=False)) == ["1:1 warning ScriptNotAllowed"]


def test_names_that_are_nearly_right_are_hinted_at() -> None:
    (variable,) = check(parse("SET Customer TO 1\nSET a TO Custmer"))
    assert variable.hint == "Is it 'Customer'?"
    (action,) = check(parse("Text.Trimm Text: $'''x'''"))
    assert action.hint == "Is it Text.Trim?"
    (argument,) = check(parse("Text.Trim Tetx: $'''x'''"))
    assert argument.hint == "Is it 'Text'?"


def test_elements_are_looked_for_where_a_repository_came_along() -> None:
    text = "SET b TO 1\nWebAutomation.PressButton.PressButton BrowserInstance: b Control: appmask['Page']['Go']"
    screens = {"Screens": [{"Name": "Page", "Controls": [{"Name": "Stop"}, {"Name": "go"}]}]}
    assert check(parse(text)) == ()
    assert check(parse(text, repositories={"appmask": [screens]})) == ()
    inner = {"Screens": [{"Name": "Page", "Controls": [{"Name": "Form", "Controls": [{"Name": "Go"}]}]}]}
    assert check(parse(text, repositories={"appmask": [inner]})) == ()
    screens["Screens"][0]["Controls"] = [{"Name": "Stop"}]
    (problem,) = check(parse(text, repositories={"appmask": [screens]}))
    assert (problem.code, problem.at) == ("UnknownElement", "2:67")


def test_the_report() -> None:
    assert report(b"SET a TO b\nClipboard.Clear", "f.robin") == {
        "file": "f.robin",
        "ok": False,
        "kind": "desktop",
        "actions": 1,
        "problems": [
            {
                "code": "UnknownVariable",
                "severity": "error",
                "at": "1:10",
                "message": "The variable 'b' is set nowhere.",
                "hint": "Set it, or declare it as an @INPUT.",
            }
        ],
    }


def test_hints_are_looked_for_a_few_times_only() -> None:
    text = "SET Customer TO 1\n" + "".join(f"SET a TO Customer{number}\n" for number in range(MOST + 10))
    found = check(parse(text))
    assert len(found) == MOST + 10
    assert [each.hint for each in found].count("Is it 'Customer'?") == MOST
    assert [each.message for each in check(parse("CALL x\n" * 3))] == ["There is no subflow 'x'."]


def test_collecting_garbage_goes_on_after_a_long_text() -> None:
    assert gc.isenabled()
    assert parse("SET a TO 1\n" * 10_000).ok
    assert gc.isenabled()
    gc.disable()
    try:
        assert parse("SET a TO 1\n" * 10_000).ok
        assert not gc.isenabled()
    finally:
        gc.enable()
