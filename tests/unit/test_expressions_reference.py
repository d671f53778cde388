"""Every function says its rule and where that is written, and the reference page says the same."""

from __future__ import annotations

import re

import pytest
from expression_reference import FAMILIES, PAGE, family, functions, listing, page, signature
from sealflow.engine.expressions import FUNCTIONS, Function

ALL = list(functions())


@pytest.mark.parametrize("function", ALL, ids=lambda function: function.name)
def test_a_function_states_its_rule_and_source(function: Function) -> None:
    assert len(function.rule) > 15
    assert function.rule.endswith((".", ".)"))
    assert not re.search(r"\b(TODO|Raises|ExpressionError)\b", function.rule)
    assert function.source.startswith(("Logic Apps, ", "undocumented; "))
    assert family(function) in FAMILIES.values()


def test_signatures_have_as_many_arguments_as_the_table_accepts() -> None:
    for function in ALL:
        inside = signature(function).partition("(")[2].rstrip(")")
        names = [name for name in inside.split(", ") if name]
        if function.maximum is None:
            assert names[-1] == "..."
        else:
            assert len(names) == function.maximum, function.name
            assert len([name for name in names if not name.endswith("?")]) == function.minimum, function.name


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert listing() in text, "python tests/support/expression_reference.py"
    assert page(text) == text


def test_the_page_says_where_the_sources_disagree() -> None:
    chosen = PAGE.read_text("utf-8").partition("## Where the sources disagree")[2]
    for subject in ("equals(true, 1)", "equals(null, '')", "bool('')", "setProperty", "nthIndexOf", "convertToUtc"):
        assert subject in chosen


def test_functions_of_the_designer_are_told_apart() -> None:
    odd = {function.name for function in FUNCTIONS.values() if function.source.startswith("undocumented")}
    assert odd == {
        "decodeXmlName",
        "decodeXmlValue",
        "encodeXmlName",
        "encodeXmlValue",
        "formatTimeSpan",
        "mergeObjects",
        "trimByteOrderMark",
    }
