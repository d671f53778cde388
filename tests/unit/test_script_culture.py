"""Cultures: how values are written and read."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.desktop.expressions.conversions import to_boolean, to_datetime, to_list, to_number, to_text
from sealflow.engine.desktop.expressions.culture import INVARIANT, culture_of
from sealflow.engine.desktop.expressions.errors import LogicError
from sealflow.engine.errors import DefinitionError

NAMES = [
    *("en-US", "en-GB", "de-DE", "de-CH", "fr-FR", "sv-SE", "ja-JP", "nl-NL", ""),
    *(
        "es-ES",
        "pl-PL",
        "el-GR",
        "ko-KR",
        "da-DK",
        "bg-BG",
        "hu-HU",
        "ms-MY",
    ),  # marks and halves of the day of their own
]


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31)))
def test_what_is_written_is_read_again(name: str, at: datetime) -> None:
    culture = culture_of(name)
    whole = at.replace(microsecond=0)
    assert culture.read_moment(culture.moment(whole)) == whole
    assert culture.read_moment(whole.isoformat()) == whole


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.decimals(-(10**12), 10**12, places=4))
def test_numbers_too(name: str, number: Decimal) -> None:
    culture = culture_of(name)
    assert culture.read_number(culture.number(number)) == number


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("en-US", "1,234.5", Decimal("1234.5")),
        ("de-DE", "1.234,5", Decimal("1234.5")),
        ("fr-FR", "1 234,5", None),
        ("fr-FR", "1\u202f234,5", Decimal("1234.5")),
        ("en-US", " -7 ", -7),
        ("en-US", "1E3", 1000),
        ("en-US", "1.2.3", None),
        ("en-US", "", None),
        ("en-US", "0x10", None),
    ],
)
def test_groups_and_marks(name: str, text: str, number: object) -> None:
    assert culture_of(name).read_number(text) == number


def test_an_unknown_culture_is_refused() -> None:
    with pytest.raises(DefinitionError) as error:
        culture_of("xx-YY")
    assert error.value.code == "UnknownCulture"
    with pytest.raises(DefinitionError, match="no culture 'th-TH'"):
        culture_of("th-TH")  # whose years are others
    assert culture_of("EN_us").name == "en-US"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("en-US", "3/5/2024 4:07:09 PM"),
        ("en-GB", "05/03/2024 16:07:09"),
        ("es-ES", "5/3/2024 16:07:09"),
        ("pl-PL", "5.03.2024 16:07:09"),
        ("nl-NL", "05-03-2024 16:07:09"),
        ("el-GR", "5/3/2024 4:07:09 μ.μ."),
        ("ja-JP", "2024/03/05 16:07:09"),
        ("", "03/05/2024 16:07:09"),
    ],
)
def test_datetimes_are_written_as_dotnet_does(name: str, text: str) -> None:
    assert culture_of(name).moment(datetime(2024, 3, 5, 16, 7, 9)) == text


@pytest.mark.parametrize("text", ["2024-13-01", "30/30/2024", "13:00 PM", "2024", "yesterday", "1/2/2024 25:00"])
def test_no_datetime(text: str) -> None:
    assert culture_of("en-US").read_moment(text) is None


def test_conversions_that_fail_name_the_type_and_no_long_text() -> None:
    for work, value in ((to_number, "x" * 100), (to_boolean, "maybe"), (to_datetime, "soon"), (to_number, [1])):
        with pytest.raises(LogicError) as error:
            work(value, INVARIANT)
        assert error.value.code == "TypeMismatchError"
        assert len(error.value.message) < 120
    with pytest.raises(LogicError, match="should be a list, but it is a text"):
        to_list("text")


def test_a_small_number_as_text_has_no_exponent() -> None:
    assert to_text(Decimal("0.0000001"), INVARIANT) == "0.0000001"
    assert to_text(None, INVARIANT) == ""
