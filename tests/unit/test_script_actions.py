"""The pure actions on variables: their errors by name, and what their scenarios leave out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sealflow.engine.datatypes import DataTable
from sealflow.engine.desktop.actions import pure_action, pure_ids
from sealflow.engine.desktop.actions.port import Given, PureAction
from sealflow.engine.desktop.catalog import lookup
from sealflow.engine.desktop.expressions.culture import culture_of
from sealflow.engine.desktop.expressions.errors import ActionError

TABLE = DataTable(("A", "B"), ((1, "x"), (2, "y")))


def given(arguments: dict[str, Any]) -> Given:
    count = iter(range(1, 1_000_000))

    def draw(length: int) -> bytes:
        return (next(count) * 0x9E3779B97F4A7C15F39CC0605CEDC834 % (1 << 128)).to_bytes(16, "big")[:length]

    return Given(arguments, culture_of("en-US"), datetime(2026, 1, 2), draw)


def run(id: str, **arguments: Any) -> Any:
    action = pure_action(id)
    assert action is not None
    return action.run(given(arguments))


def test_every_action_is_one_of_the_catalogue() -> None:
    for id in sorted(pure_ids()):
        spec = lookup(id)
        assert spec is not None, id
        assert spec.id == id


@pytest.mark.parametrize(
    ("id", "arguments", "code"),
    [
        ("RemoveItemFromList.RemoveItemFromListByIndex", {"List": [1], "ItemIndex": 1}, "ItemIndexIsOutOfRangeError"),
        ("RemoveItemFromList.RemoveItemFromListByValue", {"List": [1], "Item": 2}, "ItemNotFoundError"),
        ("MergeLists", {"FirstList": [1], "SecondList": 2}, "TheListsSuppliedAreOfIncompatibleTypesError"),
        ("DeleteRowFromDataTable", {"DataTable": TABLE, "RowIndex": 2}, "ItemIndexIsOutOfRangeError"),
        ("AddRowToDataTable.InsertItemToDataTable", {"DataTable": TABLE, "RowIndex": 3, "RowToAdd": [1, 2]},
         "ItemIndexIsOutOfRangeError"),
        ("AddRowToDataTable.AppendRowToDataTable", {"DataTable": TABLE, "RowToAdd": [1, 2, 3]}, "InvalidArgumentError"),
        ("AddColumnToDataTable.AppendColumnToDataTable", {"DataTable": TABLE, "ColumnName": "a"},
         "DuplicateColumnNameError"),
        ("DeleteColumnFromDataTable.DeleteColumnWithName", {"DataTable": TABLE, "ColumnName": "C"},
         "ColumnNotFoundError"),
        ("DeleteColumnFromDataTable.DeleteColumnWithIndex", {"DataTable": TABLE, "ColumnIndex": 2},
         "InvalidIndexError"),
        ("RetrieveDataTableColumnIntoList", {"DataTable": TABLE, "ColumnNameOrIndex": "C"},
         "ColumnNameDoesntExistError"),
        ("RetrieveDataTableColumnIntoList", {"DataTable": TABLE, "ColumnNameOrIndex": 5},
         "ColumnIndexIsOutOfRangeError"),
        ("SortDataTable.SortWithColumnName", {"DataTable": TABLE, "ColumnName": "C"}, "ColumnNotFoundError"),
        ("SortDataTable.SortWithColumnIndex", {"DataTable": DataTable(("A",), ((1,), ("x",))), "ColumnIndex": 0},
         "TypeMismatchError"),
        ("MergeDataTables", {"FirstDataTable": TABLE, "SecondDataTable": DataTable(("C",), ()),
                             "MergeMode": "ErrorOnExtraColumns"}, "MissingSchemaError"),
        ("GenerateRandomNumber.RandomNumber", {"MinimumValue": 2, "MaximumValue": 1},
         "FailedToGenerateRandomNumberError"),
        ("GenerateRandomNumber.ListOfRandomNumbers", {"MinimumValue": 1, "MaximumValue": 2, "NumbersCount": 3},
         "FailedToGenerateRandomNumberError"),
        ("TruncateNumber.RoundNumber", {"Number": 1, "DecimalPlaces": 29}, "InvalidArgumentError"),
        ("ConvertJsonToCustomObject", {"Json": "[1"}, "ErrorParsingTheJSONError"),
        ("ConvertJsonToCustomObject", {"Json": "[" * 300 + "]" * 300}, "ErrorParsingTheJSONError"),
        ("ConvertJsonToCustomObject", {"Json": "NaN"}, "ErrorParsingTheJSONError"),
        ("IncreaseVariable", {"Value": 1}, "InvalidArgumentError"),
        ("AddItemToList", {"List": 5, "Item": 1}, "InvalidArgumentError"),
    ],
)  # fmt: skip
def test_errors_have_their_documented_names(id: str, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(ActionError) as error:
        run(f"Variables.{id}", **arguments)
    assert error.value.code == code
    assert error.value.message.endswith(".")


def test_random_numbers_without_duplicates_are_all_different_and_in_range() -> None:
    found = run(
        "Variables.GenerateRandomNumber.ListOfRandomNumbers", MinimumValue=-5, MaximumValue=94, NumbersCount=100
    )
    assert sorted(found["RandomNumbers"]) == list(range(-5, 95))
    assert found["RandomNumbers"] != sorted(found["RandomNumbers"])


def test_a_shuffle_keeps_the_items() -> None:
    items = list(range(50))
    found = run("Variables.ShuffleList", List=items)["List"]
    assert sorted(found) == items
    assert found != items


def test_a_short_row_is_filled_up() -> None:
    found = run("Variables.AddRowToDataTable.AppendRowToDataTable", DataTable=TABLE, RowToAdd=[9])["DataTable"]
    assert found.rows[2] == (9, None)


def test_nothing_that_was_given_is_changed() -> None:
    items = [3, 1, 2]
    for id in ("SortList.SortList", "ReverseList", "ShuffleList", "AddItemToList", "RemoveDuplicateItemsFromList"):
        run(f"Variables.{id}", List=items, Item=4)
    assert items == [3, 1, 2]


def test_an_action_is_found_in_any_case_and_fails_by_itself_for_a_wrong_type() -> None:
    assert pure_action("variables.ADDITEMTOLIST") is not None
    assert pure_action("File.Delete") is None
    broken = PureAction("X.Y", lambda given: {"Z": given.integer("A")})
    with pytest.raises(ActionError) as error:
        broken.run(given({"A": "1.5"}))
    assert error.value.code == "InvalidArgumentError"


def test_a_list_that_was_never_assigned_is_an_empty_one() -> None:
    """Published flows merge what they got into an output list that nothing has set."""
    assert run("Variables.MergeLists", FirstList=["a"], SecondList=None) == {"OutputList": ["a"]}
    assert run("Variables.SubtractLists", FirstList=None, SecondList=["a"])["ListDifference"] == []
