"""Inputs and outputs of a desktop flow, as callers give and get them."""

from __future__ import annotations

from typing import Any

import pytest
from robin_run import ScriptRun, plan_of
from sealflow.engine.datatypes import DataTable
from sealflow.engine.errors import DefinitionError
from sealflow.engine.kernel.desktop.interface import outputs_of, start_value
from sealflow.engine.kernel.desktop.plan import ScriptPlan


def with_input(kind: str, more: str = "") -> ScriptPlan:
    text = f"@INPUT X : {{ 'Description': '', 'FriendlyName': 'Given', 'Type': '{kind}'{more} }}\n"
    text += f"@OUTPUT Y : {{ 'Description': '', 'FriendlyName': 'Back', 'Type': '{kind}' }}\nSET Y TO X"
    return plan_of(text)


@pytest.mark.parametrize(
    ("kind", "given", "back"),
    [
        ("String", 5, "5"),
        ("String", "x", "x"),
        ("Numeric", "2.50", 2.5),
        ("Numeric", 1.5, 1.5),
        ("Numeric", 7, 7),
        ("Bool", "true", True),
        ("List", [1, "a"], [1, "a"]),
        ("CustomObject", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("CustomObject", '{"a": 1}', {"a": 1}),
        ("Datatable", [{"A": 1}, {"A": 2, "B": 3}], [{"A": 1, "B": None}, {"A": 2, "B": 3}]),
        ("Datatable", [[1, 2], [3, 4]], [{"Column1": 1, "Column2": 2}, {"Column1": 3, "Column2": 4}]),
    ],
)
def test_values_become_what_the_input_is_declared_as(kind: str, given: Any, back: Any) -> None:
    run = ScriptRun(with_input(kind), {"given": given})
    found = outputs_of(run.state)["Back"]
    if kind == "Numeric":
        found = float(str(found))
    assert found == back


def test_a_table_is_a_table_inside() -> None:
    run = ScriptRun(with_input("Datatable"), {"Given": [{"A": 1}]})
    assert isinstance(run.state.slots[run.plan.scope.places["x"]], DataTable)


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("Numeric", {"Given": "many"}, "InvalidInput"),
        ("Bool", {"Given": "perhaps"}, "InvalidInput"),
        ("List", {"Given": "a"}, "InvalidInput"),
        ("CustomObject", {"Given": "{"}, "InvalidInput"),
        ("Datatable", {"Given": 5}, "InvalidInput"),
        ("String", {}, "MissingInput"),
        ("String", {"Given": "x", "Other": 1}, "UnknownInput"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, given: dict[str, Any], code: str) -> None:
    with pytest.raises(DefinitionError) as error:
        start_value(with_input(kind), given)
    assert error.value.code == code
    assert "many" not in error.value.message
    assert "perhaps" not in error.value.message


@pytest.mark.parametrize(
    ("kind", "empty"),
    [("String", ""), ("Numeric", 0), ("Bool", False), ("List", []), ("CustomObject", {}), ("Datatable", [])],
)
def test_an_optional_input_and_an_output_that_was_never_set_are_empty(kind: str, empty: Any) -> None:
    run = ScriptRun(with_input(kind, ", 'IsOptional': True"))
    assert outputs_of(run.state) == {"Back": empty}
    text = (
        f"@OUTPUT Y : {{ 'Description': '', 'FriendlyName': 'Back', 'Type': '{kind}' }}\nIF False THEN\nSET Y TO 1\nEND"
    )
    assert outputs_of(ScriptRun(text).state) == {"Back": empty}


def test_outputs_can_be_read_before_the_end() -> None:
    text = "@OUTPUT Y : { 'Description': '', 'FriendlyName': 'Y', 'Type': 'Numeric' }\nSET Y TO 1\nWAIT 5\nSET Y TO 2"
    run = ScriptRun(text)
    assert run.state.end is None
    assert outputs_of(run.state) == {"Y": 1}
