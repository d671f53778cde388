"""Assert: the run goes on where what is asserted is true, and fails where it is not.

Source: desktop flows, "Testing actions"; the name of the error is made of the action's, since none is documented.
"""

from __future__ import annotations

from typing import Final

from ...errors import error_name
from ..expressions.errors import ActionError
from .port import Given, Outputs, PureAction, table_of

_FAILED: Final = error_name("Assertion failed")


def _assert(given: Given) -> Outputs:
    if not given.boolean("ValueToAssert"):
        raise ActionError(_FAILED, given.text("ErrorMessage", "") or "What is asserted is not true.")
    return {}


ACTIONS: Final = table_of((PureAction("Testing.Assert", _assert),))
