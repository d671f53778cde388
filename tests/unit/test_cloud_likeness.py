"""Guesses of which name was meant: as good among many names as among few, and hardly dearer."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealflow.engine.cloud import check, read_object
from sealflow.engine.cloud.similar_names import nearest

MANY = [f"Step {number} of the chain" for number in range(300)]


@pytest.mark.parametrize("wrong", ["Get_ivoice", "get_invoices", "GetInvoice", "Get_invoiec", "et_invoice"])
def test_a_misspelled_name_is_found_among_few_and_many(wrong: str) -> None:
    assert nearest(wrong, ["Other", "Get_invoice"]) == "Get_invoice"
    assert nearest(wrong, [*MANY, "Get_invoice", "Send_mail"]) == "Get_invoice"


def test_what_is_like_none_gets_no_guess() -> None:
    assert nearest("zzz", MANY) is None
    assert nearest("", MANY) is None
    assert nearest("x", []) is None


@given(st.text(max_size=100), st.lists(st.text(max_size=100), max_size=30))
def test_a_guess_is_one_of_the_names_and_like_it(name: str, names: list[str]) -> None:
    assert nearest(name, names) in (None, *names)


def test_few_of_many_names_are_compared_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: a damaged definition with 300 names that are wrong has 90,000 pairs of them."""
    compared: list[int] = []
    closest = difflib.get_close_matches

    def counted(word: str, possibilities: list[str], n: int, cutoff: float) -> list[str]:
        compared.append(len(list(possibilities)))
        return closest(word, possibilities, n, cutoff)

    monkeypatch.setattr("sealflow.engine.cloud.similar_names.difflib.get_close_matches", counted)
    actions = {name: {"type": "Compose", "inputs": f"@outputs('{name.replace('Step', 'Stp')}')"} for name in MANY}
    problems = check(read_object({"triggers": {"m": {"type": "Request"}}, "actions": actions}))
    hints = [problem.hint for problem in problems if problem.code == "UnknownAction"]
    assert len(hints) == len(MANY)
    assert all(hint is not None and "Did you mean 'Step " in hint for hint in hints)
    assert max(compared) < 10
