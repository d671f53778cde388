"""The catalogue of actions: every line can be read, names are found in any case and by older ids, errors get names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sealflow.engine.desktop.catalog import (
    ALIASES,
    STATEMENTS,
    actions,
    canonical,
    enum_values,
    is_enum,
    is_module,
    lookup,
    reason,
)
from sealflow.engine.desktop.catalog.aliases import PREFIXES
from sealflow.engine.errors import error_name

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "desktop" / "actions.tsv"


def test_every_action_is_there_once() -> None:
    listed = {(each.module, each.name) for each in actions()}
    assert len(listed) + len(STATEMENTS) == 421
    assert len({each.id.lower() for each in actions()}) == len(actions())
    assert {each.platform for each in actions()} == {"portable", "browser", "windows-only"}


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference of actions is not here")
def test_the_catalogue_has_the_reference_and_nothing_else() -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    # What is refused although the reference calls it portable has its reason in a table of its own.
    listed: dict[tuple[str, str], str] = {}
    for each in actions():
        own = listed.setdefault((each.module, each.name), each.platform)
        if own == "windows-only" and each.platform != own:
            listed[each.module, each.name] = each.platform
    for module, name, _ in STATEMENTS:
        listed[module, name] = "portable"
    wanted = {(row["module"], row["action"]): row["platform"] for row in rows}
    refused = {key for key, platform in listed.items() if platform == "windows-only" and platform != wanted[key]}
    assert {key: listed[key] for key in wanted if key not in refused} == {
        key: platform for key, platform in wanted.items() if key not in refused
    }
    assert refused == {
        ("OCR", "Create MODI OCR engine"),
        ("OCR", "If text on screen (OCR)"),
        ("OCR", "Wait for text on screen (OCR)"),
        ("Scripting", "Run .NET script"),
        ("WebAutomation", "Launch new Internet Explorer"),
    }
    ids = {one for row in rows for one in row["robin_ids_or_statement"].split(" ; ")}
    assert {each.id for each in actions()} <= ids


def test_looking_up() -> None:
    spec = lookup("text.TRIM")
    assert spec is not None
    assert (spec.id, spec.name, spec.module, spec.platform) == ("Text.Trim", "Trim text", "Text", "portable")
    option = spec.argument("trimoption")
    assert option is not None
    assert (option.name, option.type, option.default) == ("TrimOption", "Text.TrimOption", "Both")
    output = spec.output("trimmedTEXT")
    assert output is not None
    assert output.type == "String"
    assert lookup("Text.Trimm") is None
    assert canonical("Text.Trimm") == "Text.Trimm"


def test_arguments_changed_in_place() -> None:
    for action, name in (
        ("Variables.IncreaseVariable", "Value"),
        ("Variables.AddItemToList", "List"),
        ("Variables.SortList.SortList", "List"),
        ("Variables.MergeDataTables", "FirstDataTable"),
    ):
        spec = lookup(action)
        assert spec is not None
        argument = spec.argument(name)
        assert argument is not None
        assert argument.in_place


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ("Excel.Launch", "Excel.LaunchExcel.Launch"),
        ("excel.writecell", "Excel.WriteToExcel.WriteCell"),
        ("Excel.SaveAs.SaveAs", "Excel.SaveExcel.SaveAs"),
        ("Excel.ReadCell", "Excel.ReadFromExcel.ReadCell"),
        ("WebAutomation.FormFilling.PopulateTextField", "WebAutomation.PopulateTextField.PopulateTextField"),
        ("WebAutomation.DataExtraction.ExtractTable", "WebAutomation.ExtractData.ExtractTable"),
        ("WebAutomation.LaunchEdge", "WebAutomation.LaunchEdge.LaunchEdge"),
        ("Outlook.SendEmail", "Outlook.SendEmailThroughOutlook.SendEmail"),
        ("System.RunDOSCommand", "Scripting.RunDOSCommand.RunDOSCommand"),
        ("Text.Replace", "Text.Replace"),
        ("Text.Replace.ReplaceText", "Text.Replace.ReplaceText"),
    ],
)
def test_older_ids(older: str, now: str) -> None:
    assert canonical(older) == now
    spec = lookup(older)
    assert spec is not None
    assert spec.id == now


def test_every_alias_leads_somewhere() -> None:
    known = {each.id for each in actions()}
    assert set(ALIASES.values()) <= known
    for prefix in PREFIXES.values():
        assert any(each.startswith(prefix) for each in known)


def test_enumerations() -> None:
    assert is_enum("text.caseoption")
    assert not is_enum("Text.Nothing")
    assert enum_values("Text.TrimOption") == (("FromStart", "ToEnd", "Both"), True)
    assert enum_values("Text.Nothing") == ((), False)
    # What an argument is typed with is an enumeration, or a data type without a dot.
    for spec in actions():
        for argument in spec.arguments or ():
            if "." in argument.type:
                assert is_enum(argument.type), (spec.id, argument)


def test_modules() -> None:
    assert is_module("WebAutomation")
    assert is_module("excel")
    assert not is_module("Nothing")


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("File not found", "FileNotFoundError"),
        ("Timeout error", "TimeoutError"),
        ("Environment variable doesn't exist", "EnvironmentVariableNotFoundError"),
        ("Can't copy file", "CantCopyFileError"),
        ("Archive isn't a valid ZIP file", "ArchiveIsntAValidZIPFileError"),
        ("Failed to read cell value(s)", "FailedToReadCellValuesError"),
        ("Failed to retrieve first free column/row", "FailedToRetrieveFirstFreeColumnRowError"),
        ("Invalid email address(es)", "InvalidEmailAddressesError"),
        ("Can\u2019t find row", "CantFindRowError"),
    ],
)
def test_names_of_errors(shown: str, name: str) -> None:
    assert error_name(shown) == name


def test_errors_of_actions_have_names_that_a_section_can_be_headed_with() -> None:
    for spec in actions():
        names = [error.id for error in spec.errors]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name.endswith("Error") for name in names)


def test_windows_only_actions_have_a_reason() -> None:
    for spec in actions():
        if spec.platform == "windows-only":
            assert reason(spec.id).startswith("it ")
