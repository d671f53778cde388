"""Selectors of UI elements, translated for the browser."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.connectors.desktop.fault import Fault
from sealflow.connectors.desktop.web.selectors import css, selectors_of
from sealflow.engine.datatypes import Item


@pytest.mark.parametrize(
    ("jquery", "expected"),
    [
        ("#send", "css=#send"),
        ("html > body > div:eq(1)", "css=html > body > div >> nth=1"),
        ("div:eq(0) > form > input", "css=div >> nth=0 >> css=:scope > form > input"),
        ("div:eq(0) a:eq(2)", "css=div >> nth=0 >> css=a >> nth=2"),
    ],
)
def test_css_of_jquery(jquery: str, expected: str) -> None:
    assert css(jquery) == expected


def element(*names: str) -> Item:
    return Item("UIElement", " > ".join(names), {"Repository": "appmask", "Path": list(names)})


def repository(*selectors: dict[str, Any]) -> Any:
    control = {"Name": "Button", "Tag": "button", "Selectors": list(selectors)}
    return [{"Screens": [{"Name": "Page", "Tag": "domcontainer", "Controls": [control]}]}]


def chain(*steps: tuple[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "Elements": [
            {
                "Tag": tag,
                "Attributes": [
                    {"Name": name, "Operation": "EqualTo", "Value": value, "IsOrdinal": name == "Ordinal"}
                    for name, value in attributes.items()
                ],
            }
            for tag, attributes in steps
        ]
    }


def test_an_element_of_the_repository_by_its_names_in_any_case() -> None:
    known = repository({"IsCustom": True, "CustomSelector": "#a"}, {"CustomSelector": "#b"})
    assert selectors_of(element("page", "BUTTON"), known) == ["css=#a", "css=#b"]


def test_chains_of_tags_with_attributes() -> None:
    known = repository(chain(("div", {"Id": "x"}), ("span", {"Text": 'a "b"'}), ("a", {"Ordinal": "2"}), ("b", {})))
    expected = 'css=div[id="x"] > span:text-is("a \\"b\\"") > a >> nth=2 >> css=:scope > b'
    assert selectors_of(element("Page", "Button"), known) == [expected]


def test_what_is_ignored_and_what_is_contained() -> None:
    selector = chain(("div", {}), ("input", {"Name": "n"}))
    selector["Elements"][0]["Ignore"] = True
    selector["Elements"][1]["Attributes"][0]["Operation"] = "Contains"
    assert selectors_of(element("Page", "Button"), repository(selector)) == ['css=input[name*="n"]']


def test_elements_that_are_not_there() -> None:
    for control, known, code in (
        (element("Page", "None"), repository({"CustomSelector": "#a"}), "UIElementNotFoundError"),
        (element("Page", "Button"), None, "UIElementNotFoundError"),
        (element("Page", "Button"), repository(), "UnsupportedSelectorError"),
        (5, None, "ArgumentTypeError"),
    ):
        with pytest.raises(Fault) as caught:
            selectors_of(control, known)
        assert caught.value.name == code
