"""Every code that the checker can report is explained, with the severities it has; nothing else is."""

from __future__ import annotations

from problem_codes import SEVERITIES, codes_in_source
from sealflow.engine.cloud.report.explanations import explanations


def test_every_code_is_explained_and_no_other() -> None:
    assert {code: set(each.severities) for code, each in explanations().items()} == codes_in_source()


def test_explanations_are_sentences_of_one_line() -> None:
    for each in explanations().values():
        assert each.meaning.endswith("."), each.code
        assert each.remedy.endswith((".", "`")), each.code
        assert "|" not in each.meaning + each.example + each.remedy, each.code
        assert list(each.severities) == [name for name in SEVERITIES if name in each.severities], each.code
