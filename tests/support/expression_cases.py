"""Tables of expressions with the values they give: how a case is run and compared.

A case is (text, value): the text as in a flow, or a bare expression. `FAILS` stands for an expression without a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import evaluate_text


class _Fails:
    def __repr__(self) -> str:
        return "FAILS"


FAILS = _Fails()

Case = tuple[str, Any]


def params(cases: Iterable[Case]) -> list[Any]:
    """The cases as parameters, named for their texts."""
    return [pytest.param(text, value, id=ascii(text)[1:-1][:90]) for text, value in cases]


def check(text: str, expected: Any, context: dict[str, Any] | None = None) -> None:
    """Evaluate and compare, types included: 1 is neither 1.0 nor True."""
    if expected is FAILS:
        with pytest.raises(ExpressionError):
            evaluate_text(text, context or {})
        return
    value = evaluate_text(text, context or {})
    assert typed(value) == typed(expected)


def typed(value: Any) -> Any:
    """A value with the types of all its parts; decimals with their places."""
    if isinstance(value, dict):
        return {name: typed(member) for name, member in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return (type(value).__name__, str(value) if isinstance(value, (float, Decimal)) else value)
