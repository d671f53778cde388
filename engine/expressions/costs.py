"""What calls of plain functions cost, by the sizes of their arguments: only what can take long is listed.

The numbers are nanoseconds for a character of a text and for an item of an array, measured and rounded up. They decide
where a call is evaluated (`effort`), never what it gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..effort import spend
from .table import Function, Implementation

_SMALL: Final = 2_000
"""Characters and items below which no call is counted."""

# Functions whose work is in proportion to their texts. What only copies bytes has the smallest number.
_TEXTS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("tolower", "toupper", "length", "trim", "substring", "slice", "take", "skip", "chunk"), 75.0),
    **dict.fromkeys(("indexof", "lastindexof", "nthindexof", "startswith", "endswith"), 200.0),
    **dict.fromkeys(("urihost", "uripath", "uripathandquery", "uriport", "uriquery", "urischeme"), 110.0),
    **dict.fromkeys(("uricomponent", "encodeuricomponent", "decodeuricomponent", "uricomponenttostring"), 30.0),
    **dict.fromkeys(("uricomponenttobinary", "decodexmlname", "decodexmlvalue", "formatnumber"), 10.0),
    **dict.fromkeys(("base64", "base64tostring", "base64tobinary", "decodebase64", "encodebase64", "binary"), 4.0),
    **dict.fromkeys(("datauri", "datauritobinary", "datauritostring", "decodedatauri", "encodedatauri"), 6.0),
    **dict.fromkeys(("encodexmlvalue", "encodexmlname", "split"), 30.0),
    **dict.fromkeys(("replace", "contains", "trimbyteordermark", "greater", "less"), 6.0),
    "json": 150.0,
    "xml": 1_000.0,
    "xpath": 1_500.0,
}
# The same for arrays, by their number of items. What looks deeper into its items weighs them (`values.weigh`).
_ARRAYS: Final[Mapping[str, float]] = {
    "sort": 4_000.0,
    "chunk": 600.0,
    **dict.fromkeys(("max", "min", "union", "intersection", "concat", "array"), 500.0),
    **dict.fromkeys(("join", "contains"), 200.0),
    **dict.fromkeys(("setproperty", "addproperty", "removeproperty", "mergeobjects"), 300.0),
    **dict.fromkeys(("reverse", "take", "skip", "createarray", "coalesce"), 10.0),
}


def counted(function: Function) -> Implementation:
    """The implementation, which spends what a call costs before it does the work."""
    call, name = function.implementation, function.name.lower()
    character, item = _TEXTS.get(name, 0.0), _ARRAYS.get(name, 0.0)
    if not character and not item:
        return call

    def spending(*arguments: Any) -> Any:
        cost = 0.0
        for argument in arguments:
            kind = argument.__class__
            if kind is str:
                if len(argument) > _SMALL:
                    cost += len(argument) * character
            elif kind is list or kind is dict:
                if len(argument) > _SMALL:
                    cost += len(argument) * item
                elif character and kind is dict and "$content" in argument:
                    cost += len(str(argument["$content"])) * character
        if cost:
            spend(cost)
        return call(*arguments)

    return spending
