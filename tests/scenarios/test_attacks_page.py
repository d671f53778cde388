"""The page of attacks says what the tests do."""

from __future__ import annotations

import ast

import attacks_page as made


def test_the_page_agrees_with_the_tests() -> None:
    assert made.PAGE.read_text("utf-8") == made.page(made.files()), f"Make the page again: {made.COMMAND}"


def test_every_attack_says_what_it_is() -> None:
    assert made.undescribed(made.files()) == []


def test_a_listed_file_exists() -> None:
    assert [path for path in made.ELSEWHERE if not (made.ROOT / path).exists()] == []


def test_the_cases_of_a_table_are_listed() -> None:
    text = """
CASES = {"one": 1, "two": 2}
@pytest.mark.parametrize("value", CASES.values(), ids=CASES)
def test_it(value): pass
"""
    tree = ast.parse(text)
    (function,) = made._functions(tree)
    assert list(made._cases(function, dict(made._lists(tree)))) == ["one", "two"]
