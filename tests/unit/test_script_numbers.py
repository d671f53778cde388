"""Numbers of desktop flows: .NET's Decimal, digit by digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.desktop.expressions import numbers
from sealflow.engine.desktop.expressions.errors import LogicError
from sealflow.engine.desktop.expressions.numbers import HIGHEST

NUMBERS = st.one_of(
    st.integers(-HIGHEST, HIGHEST),
    st.decimals(-HIGHEST, HIGHEST, places=10),
    st.decimals(-1, 1, places=28),
)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("1", "3", "0.3333333333333333333333333333"),
        ("10", "3", "3.3333333333333333333333333333"),
        ("2", "3", "0.6666666666666666666666666667"),
        ("79228162514264337593543950335", "2", "39614081257132168796771975168"),  # halves to even, 28 digits at most
        ("1", "8", "0.125"),
        ("6", "2", "3"),
    ],
)
def test_divisions_have_as_many_digits_as_fit(left: str, right: str, expected: str) -> None:
    assert numbers.plain_text(numbers.divide(numbers.fitted(Decimal(left)), numbers.fitted(Decimal(right)))) == expected


def test_more_than_28_places_are_rounded_to_even() -> None:
    assert numbers.fitted(Decimal("0.12345678901234567890123456785")) == Decimal("0.1234567890123456789012345678")
    assert numbers.fitted(Decimal("0.12345678901234567890123456775")) == Decimal("0.1234567890123456789012345678")


def test_whole_results_are_integers_and_others_have_no_trailing_zeros() -> None:
    assert isinstance(numbers.add(Decimal("0.5"), Decimal("1.5")), int)
    assert numbers.plain_text(numbers.add(Decimal("1.20"), Decimal("1.30"))) == "2.5"
    assert numbers.plain_text(Decimal("1E-7")) == "0.0000001"


@pytest.mark.parametrize("work", [numbers.divide, numbers.remainder])
def test_by_zero_is_an_error_of_logic(work: object) -> None:
    with pytest.raises(LogicError) as error:
        work(1, 0)  # type: ignore[operator]
    assert error.value.code == "DivisionByZeroError"


def test_the_range_ends_at_96_bits() -> None:
    assert numbers.add(HIGHEST, 0) == HIGHEST
    assert numbers.subtract(-HIGHEST, 0) == -HIGHEST
    for left, right in ((HIGHEST, 1), (HIGHEST, Decimal("0.6"))):
        with pytest.raises(LogicError) as error:
            numbers.add(left, right)
        assert error.value.code == "NumberOverflowError"


@pytest.mark.parametrize(("left", "right", "rest"), [(7, 3, 1), (-7, 3, -1), (7, -3, 1), (Decimal("7.5"), 2, 1.5)])
def test_a_remainder_has_the_sign_of_the_dividend(left: int, right: int, rest: float) -> None:
    assert numbers.remainder(left, right) == rest


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.sampled_from([numbers.add, numbers.subtract, numbers.multiply, numbers.divide]))
def test_every_result_is_a_number_of_the_type_or_an_error(
    left: numbers.Number, right: numbers.Number, work: object
) -> None:
    try:
        result = work(left, right)  # type: ignore[operator]
    except LogicError:
        return
    assert -HIGHEST <= result <= HIGHEST
    if isinstance(result, Decimal):
        _, digits, exponent = result.as_tuple()
        assert isinstance(exponent, int)
        assert 0 < -exponent <= 28
        assert int("".join(map(str, digits))) <= HIGHEST
    assert "E" not in numbers.plain_text(result)
    assert numbers.read(numbers.plain_text(result)) == result


@pytest.mark.parametrize("text", ["", "x", "1_000", "NaN", "Infinity", "1e99", "9" * 500, "--1"])
def test_what_spells_no_number_is_none(text: str) -> None:
    assert numbers.read(text) is None
