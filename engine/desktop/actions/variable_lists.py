"""Pure actions on lists: create, add, remove, sort, compare with another.

A list that is changed in place is an output of the same name. Source: desktop flows, "Variables actions".
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

from ...datatypes import Datum
from ...errors import error_name
from ..expressions.errors import ActionError, LogicError
from ..expressions.operators import equal, order
from ..expressions.properties import get_property
from .port import Given, Outputs, PureAction, table_of

_RANGE: Final = error_name("Item index is out of range")
_MISSING: Final = error_name("Item not found")


def _create(given: Given) -> Outputs:
    return {"List": []}


def _add(given: Given) -> Outputs:
    """The item at the end. A list that does not exist yet is made: the action defines it."""
    known = given.value("List", None)
    items = [] if known is None else given.items("List")
    changed = [*items, given.value("Item")]
    return {"List": changed, "NewList": changed}


def _clear(given: Given) -> Outputs:
    given.items("List")
    return {"List": []}


def _remove_at(given: Given) -> Outputs:
    items, place = given.items("List"), given.integer("ItemIndex")
    if not -len(items) <= place < len(items):
        raise ActionError(_RANGE, f"The index {place} is out of range: the list has {len(items)} items.")
    place %= len(items)
    return {"List": items[:place] + items[place + 1 :]}


def _remove_value(given: Given) -> Outputs:
    items, item = given.items("List"), given.value("Item")
    everywhere = given.boolean("ItemMatchAllOccurrences", False)
    found = [place for place, each in enumerate(items) if equal(each, item, given.culture)]
    if not found:
        raise ActionError(_MISSING, "The list does not have this item.")
    gone = frozenset(found if everywhere else found[:1])
    return {"List": [each for place, each in enumerate(items) if place not in gone]}


def _unique(given: Given) -> Outputs:
    ignore = given.boolean("IgnoreCase", False)
    kept: list[Any] = []
    seen: set[object] = set()
    for item in given.items("List"):
        text = isinstance(item, str)
        key = (item.casefold() if ignore and text else item) if text or isinstance(item, int) else None
        if key is None:
            if not any(equal(item, each, given.culture) for each in kept):
                kept.append(item)
        elif (type(item), key) not in seen:
            seen.add((type(item), key))
            kept.append(item)
    return {"List": kept}


def _reverse(given: Given) -> Outputs:
    return {"List": given.items("List")[::-1]}


def _shuffle(given: Given) -> Outputs:
    items = list(given.items("List"))
    for place in range(len(items) - 1, 0, -1):
        other = int.from_bytes(given.draw(16), "big") * (place + 1) // (1 << 128)
        items[place], items[other] = items[other], items[place]
    return {"List": items}


def _sort(given: Given) -> Outputs:
    def compare(left: Datum, right: Datum) -> int:
        return order(left, right, given.culture)

    return {"List": sorted(given.items("List"), key=cmp_to_key(compare))}


def _sort_by(given: Given) -> Outputs:
    """By up to three properties, the first one before the others; items that are equal in all stay in their order."""
    items = list(given.items("List"))
    for number in (3, 2, 1):  # sorting is stable: the last one counts most
        name = given.text(f"Property{number}", "").strip()
        if not name:
            continue

        def compare(left: Datum, right: Datum, name: str = name) -> int:
            return order(get_property(left, name), get_property(right, name), given.culture)

        down = given.choice(f"SortDirection{number}", "Ascending", among=("Ascending", "Descending")) == "descending"
        items.sort(key=cmp_to_key(compare), reverse=down)
    return {"List": items}


def _merge(given: Given) -> Outputs:
    first, second = given.value("FirstList"), given.value("SecondList")
    try:
        return {"OutputList": [*given.items("FirstList"), *given.items("SecondList")]}
    except LogicError:
        if isinstance(first, list) or isinstance(second, list):
            raise ActionError(
                error_name("The lists supplied are of incompatible types"), "One of the two is no list."
            ) from None
        raise


def _common(given: Given) -> Outputs:
    second = given.items("SecondList")
    common = [item for item in given.items("FirstList") if _has(second, item, given)]
    kept: list[Any] = []
    for item in common:
        if not _has(kept, item, given):
            kept.append(item)
    return {"OutputList": kept, "IntersectionList": kept}


def _subtract(given: Given) -> Outputs:
    second = given.items("SecondList")
    rest = [item for item in given.items("FirstList") if not _has(second, item, given)]
    return {"OutputList": rest, "ListDifference": rest}


def _has(items: list[Any], item: Datum, given: Given) -> bool:
    return any(equal(each, item, given.culture) for each in items)


ACTIONS: Final = table_of(
    (
        PureAction("Variables.CreateNewList", _create),
        PureAction("Variables.AddItemToList", _add, ("List",)),
        PureAction("Variables.ClearList", _clear, ("List",)),
        PureAction("Variables.RemoveItemFromList.RemoveItemFromListByIndex", _remove_at, ("List",)),
        PureAction("Variables.RemoveItemFromList.RemoveItemFromListByValue", _remove_value, ("List",)),
        PureAction("Variables.RemoveDuplicateItemsFromList", _unique, ("List",)),
        PureAction("Variables.ReverseList", _reverse, ("List",)),
        PureAction("Variables.ShuffleList", _shuffle, ("List",)),
        PureAction("Variables.SortList.SortList", _sort, ("List",)),
        PureAction("Variables.SortList.SortListByProperty", _sort_by, ("List",)),
        PureAction("Variables.MergeLists", _merge),
        PureAction("Variables.FindCommonListItems", _common),
        PureAction("Variables.SubtractLists", _subtract),
    )
)
