"""Sorting a list by properties of its items, and Assert."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from robin_run import ScriptRun
from sealflow.engine.datatypes import Item
from sealflow.engine.desktop.actions import pure_action
from sealflow.engine.desktop.actions.port import Given
from sealflow.engine.desktop.expressions.culture import culture_of
from sealflow.engine.desktop.expressions.errors import ActionError

ACTION = "Variables.SortList.SortListByProperty"
PEOPLE = [{"Name": "Cy", "Age": 30}, {"Name": "ann", "Age": 9}, {"Name": "Bob", "Age": 30}]


def sorted_by(items: list[Any], **given: Any) -> list[Any]:
    action = pure_action(ACTION)
    assert action is not None
    arguments = {"List": items, **given}
    found = action.run(Given(arguments, culture_of("en-US"), datetime(2026, 1, 1), bytes))["List"]
    assert isinstance(found, list)
    return found


def test_by_one_property_and_by_several() -> None:
    by_age = sorted_by(PEOPLE, Property1="age")
    assert [each["Name"] for each in by_age] == ["ann", "Cy", "Bob"]  # as numbers; equal ones stay as they were
    down = sorted_by(PEOPLE, Property1="Age", SortDirection1="Variables.SortDirection.Descending")
    assert [each["Name"] for each in down] == ["Cy", "Bob", "ann"]
    both = sorted_by(PEOPLE, Property1="Age", SortDirection1="Descending", Property2="Name")
    assert [each["Name"] for each in both] == ["Bob", "Cy", "ann"]
    assert sorted_by(PEOPLE, Property1="", Property3="") == PEOPLE


def test_items_with_properties_are_sorted_too() -> None:
    files = [Item("File", name, {"Size": size}) for name, size in (("a", 10), ("b", 9))]
    assert [each.text for each in sorted_by(files, Property1="Size")] == ["b", "a"]
    with pytest.raises(ActionError) as caught:
        sorted_by(files, Property1="Colour")
    assert caught.value.code == "InvalidArgumentError"


def test_the_list_of_a_script_is_changed_in_place() -> None:
    run = ScriptRun(
        "SET Items TO [{ 'n': 2 }, { 'n': 1 }]\n"
        "Variables.SortList.SortListByProperty SortDirection1: Variables.SortDirection.Ascending SortDirection3: "
        "Variables.SortDirection.Ascending SortDirection2: Variables.SortDirection.Ascending Property1: $'''n''' "
        "List: Items Property3: $'''%''%''' Property2: $'''%''%'''\n"
    ).to_the_end()
    assert run["Items"] == [{"n": 1}, {"n": 2}]


def test_an_assertion_that_is_true_and_one_that_is_not() -> None:
    run = ScriptRun(
        "SET n TO 1\n"
        "Testing.Assert ValueToAssert: n = 1 ErrorMessage: $'''never'''\n"
        "Testing.Assert ValueToAssert: n > 1 ErrorMessage: $'''n is %n%'''\n"
        "ON ERROR AssertionFailedError\n    SET Caught TO True\nEND\n"
        "ERROR => LastError\nSET Told TO LastError.Message\n"
    ).to_the_end()
    assert run["Caught"] is True
    assert run["Told"] == "n is 1"
