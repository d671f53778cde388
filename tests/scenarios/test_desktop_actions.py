"""The page of desktop actions says what is built, and nothing is said to run that no test carries out."""

from __future__ import annotations

from collections import Counter

import desktop_actions_page as made
import pytest


@pytest.fixture(scope="module")
def rows() -> list[made.Row]:
    return made.rows()


def test_every_action_of_the_designer_is_there(rows: list[made.Row]) -> None:
    assert len(rows) == 421
    assert len({(row.module, row.name) for row in rows}) == 421


def test_the_page_agrees_with_the_code(rows: list[made.Row]) -> None:
    assert made.PAGE.read_text("utf-8") == made.page(rows), f"make it again: python {made.__file__}"


def test_what_runs_is_carried_out_by_a_test(rows: list[made.Row]) -> None:
    assert made.untested(rows) == []


def test_what_no_test_names_would_be_told(monkeypatch: pytest.MonkeyPatch, rows: list[made.Row]) -> None:
    monkeypatch.setattr(made, "tested", lambda: frozenset({"file.copy"}))
    missing = made.untested(rows)
    assert "File: Copy file(s)" not in missing
    assert "File: Delete file(s)" in missing
    assert len(missing) == Counter(bool(row.variants) for row in rows)[True] - 1


def test_ids_are_put_together_as_the_tests_do() -> None:
    import ast

    text = """
kind = "Excel.Read"
for name in ("One", "Two"):
    do(f"{kind}.{name}")
def change(action): return f"XML.{action}"
change("Set")
"""
    assert set(made._put_together(ast.parse(text))) == {"Excel.Read.One", "Excel.Read.Two", "XML.Set"}


def test_statements_are_carried_out_by_the_cases_of_the_language(rows: list[made.Row]) -> None:
    cases = "".join(path.read_text("utf-8") for path in made.ROOT.glob("tests/scenarios/robin/*.txt"))
    missing = [row.name for row in rows if row.here == "statement" and row.written not in cases]
    assert missing == []
