"""Collection functions: length, contains, empty, first, last, take, skip, chunk, join, sort, reverse, union, ...

Source throughout: "Logic Apps, expression functions reference: collection functions". Arrays given are never changed.
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import chain
from operator import itemgetter
from typing import Any

from ...errors import ExpressionError
from ...values import Value, compare, get, identity, same, to_text, type_name, weigh
from ..table import Family
from . import utf16
from .arguments import MAXIMUM_TEXT, array, bounded_items, bounded_length, fault, integer, mismatch, text, wrong

FAMILY = Family("collections", "Logic Apps, expression functions reference: collection functions")


@FAMILY.function("length", 1)
def length(collection: Value) -> int:
    """The number of items of an array, or of UTF-16 code units of a text. Objects and null have no length."""
    if type(collection) is list:
        return len(collection)
    if type(collection) is str:
        return len(collection) if collection.isascii() else utf16.length(collection)
    raise mismatch("length", 0, "an array or a string", collection)


@FAMILY.function("empty", 1)
def empty(collection: Value) -> bool:
    """Whether a text, array or object is empty. null is empty; numbers and booleans are an error."""
    if collection is None:
        return True
    if isinstance(collection, (str, list, dict)):
        return not collection
    raise mismatch("empty", 0, "an object, an array or a string", collection)


@FAMILY.function("contains", 2)
def contains(collection: Value, value: Value) -> bool:
    """Whether a text has a substring, an array an item or an object a property of this name; case-sensitive."""
    if type(collection) is str:
        return text(value, "contains", 2) in collection
    if type(collection) is list:
        kind = type(value)
        if kind is str:
            return value in collection
        if kind is int:
            if value not in collection:
                return False
            if type(collection[collection.index(value)]) is not bool:
                return True  # a boolean equals 1 or 0 for Python, but is not the same
        if kind is list or kind is dict:
            weigh(value)
        return any(same(item, value) for item in collection)
    if type(collection) is dict:
        return text(value, "contains", 2) in collection
    raise mismatch("contains", 1, "a dictionary (object), an array or a string", collection)


@FAMILY.function("first", 1)
def first(collection: Value) -> Value:
    """The first item of an array (null when empty) or character of a text (empty when empty)."""
    if type(collection) is list:
        return collection[0] if collection else None
    if type(collection) is str:
        return collection[:1] if collection[:1].isascii() else utf16.part(collection[:1], 0, 1)
    raise mismatch("first", 0, "an array or a string", collection)


@FAMILY.function("last", 1)
def last(collection: Value) -> Value:
    """The last item of an array (null when empty) or character of a text (empty when empty)."""
    if type(collection) is list:
        return collection[-1] if collection else None
    if type(collection) is str:
        tail = collection[-1:]
        return tail if tail.isascii() else utf16.part(tail, utf16.length(tail) - 1, 2)
    raise mismatch("last", 0, "an array or a string", collection)


def _count(value: Value, fn: str) -> int:
    count = integer(value, fn, 2)
    if count < 0:
        raise ExpressionError(
            f"The template language function '{fn}' expects its second parameter to be a positive integer. "
            f"The provided value is {count}."
        )
    return count


@FAMILY.function("take", 2)
def take(collection: Value, count: Value) -> Value:
    """The first `count` items or characters, or all if there are fewer. A negative count is an error."""
    if type(collection) is list:
        return collection[: _count(count, "take")]
    if type(collection) is str:
        return utf16.part(collection, 0, _count(count, "take"))
    raise mismatch("take", 1, "an array or a string", collection)


@FAMILY.function("skip", 2)
def skip(collection: Value, count: Value) -> Value:
    """All but the first `count` items or characters. A negative count is an error."""
    if type(collection) is list:
        return collection[_count(count, "skip") :]
    if type(collection) is str:
        return utf16.part(collection, _count(count, "skip"), utf16.length(collection))
    raise mismatch("skip", 1, "an array or a string", collection)


@FAMILY.function("chunk", 2)
def chunk(collection: Value, size: Value) -> list[Any]:
    """The collection split into pieces of `size` items or characters, the last perhaps shorter."""
    if not isinstance(collection, (str, list)):
        raise mismatch("chunk", 1, "an array or a string", collection)
    step = integer(size, "chunk", 2)
    if step < 1:
        raise fault("chunk", f"expects its second parameter to be a positive integer. The provided value is {step}.")
    total = utf16.length(collection) if isinstance(collection, str) else len(collection)
    bounded_items(total // step, "chunk")
    if isinstance(collection, str) and not utf16.is_plain(collection):
        data = collection.encode("utf-16-le", "surrogatepass")
        return [data[at : at + 2 * step].decode("utf-16-le", "replace") for at in range(0, len(data), 2 * step)]
    return [collection[at : at + step] for at in range(0, total, step)]


@FAMILY.function("join", 2)
def join(collection: Value, delimiter: Value) -> str:
    """The items as text, by the rule of string(), with the delimiter between them."""
    items = collection if type(collection) is list else array(collection, "join", 1)
    between = delimiter if type(delimiter) is str else text(delimiter, "join", 2)
    size = max(len(items) - 1, 0) * len(between)
    try:
        if size + sum(map(len, items)) <= MAXIMUM_TEXT:
            return between.join(items)
    except TypeError:
        pass  # not all of them are texts
    texts: list[str] = []
    for item in items:
        piece = item if type(item) is str else to_text(item)
        size += len(piece)
        bounded_length(size, "join")
        texts.append(piece)
    return between.join(texts)


@FAMILY.function("reverse", 1)
def reverse(collection: Value) -> list[Any]:
    """The items of an array in reverse order."""
    return array(collection, "reverse")[::-1]


@FAMILY.function("sort", 1, 2)
def sort(collection: Value, sort_by: Value = None) -> list[Any]:
    """The items in ascending order, or objects in the order of one property; equal ones stay in their order.

    null comes first; booleans, numbers and texts are ordered among themselves, a mixture is an error.
    """
    items = array(collection, "sort", 1)
    if sort_by is None:
        keys: list[Any] = items
    else:
        name = text(sort_by, "sort", 2)
        keys = [
            get(item, name, True) if type(item) is dict else wrong("sort", 1, "an array of objects", item)
            for item in items
        ]
    order: list[tuple[int, Any]] = list(enumerate(keys))
    if {type(key) for key in keys} <= {int, float}:
        order.sort(key=itemgetter(1))
    else:
        order.sort(key=cmp_to_key(_by_key))
    return [items[index] for index, _ in order]


def _by_key(left: tuple[int, Any], right: tuple[int, Any]) -> int:
    return _sort_order(left[1], right[1])


def _sort_order(left: Value, right: Value) -> int:
    if left is None or right is None:
        return (left is not None) - (right is not None)
    if isinstance(left, bool) and isinstance(right, bool):
        return left - right
    order = compare(left, right)
    if order is None:
        raise ExpressionError(
            "The template language function 'sort' cannot order values of type "
            f"'{type_name(left)}' and '{type_name(right)}'."
        )
    return order


def _same_kind(collections: tuple[Value, ...], fn: str) -> type:
    kind = type(collections[0])
    if kind is not list and kind is not dict:
        raise mismatch(fn, 1, "either an array or an object", collections[0])
    for n, collection in enumerate(collections[1:], 2):
        if type(collection) is not kind:
            raise fault(
                fn,
                "expects parameters of same type, either all arrays or all objects. "
                f"The types provided are '{type_name(collections[0])}' and '{type_name(collection)}' (parameter {n}).",
            )
    return kind


# Python tells values of these types apart as the language does: no two of them are equal but not the same.
_SIMPLE = {str, int, type(None)}


def _simple(items: list[Any]) -> bool:
    return set(map(type, items)) <= _SIMPLE


@FAMILY.function("union", 1, None)
def union(*collections: Any) -> Value:
    """All items of all arrays, each once, as they first appear; of objects, the last value of each property."""
    if _same_kind(collections, "union") is list:
        bounded_items(sum(map(len, collections)), "union")
        if all(map(_simple, collections)):
            return list(dict.fromkeys(chain.from_iterable(collections)))
        for collection in collections:
            weigh(collection)
        seen: set[object] = set()
        items: list[Any] = []
        for collection in collections:
            for item in collection:
                key = identity(item)
                if key not in seen:
                    seen.add(key)
                    items.append(item)
        return items
    merged: dict[str, Any] = {}
    for collection in collections:
        merged.update(collection)
    return merged


@FAMILY.function("intersection", 1, None)
def intersection(*collections: Any) -> Value:
    """The items that all arrays have, each once, in the first one's order; of objects, the properties equal in all."""
    head, others = collections[0], collections[1:]
    if _same_kind(collections, "intersection") is list:
        bounded_items(sum(map(len, collections)), "intersection")
        if all(map(_simple, collections)):
            common = set(head).intersection(*others)
            return [item for item in dict.fromkeys(head) if item in common]
        for collection in collections:
            weigh(collection)
        wanted = [{identity(item) for item in other} for other in others]
        seen: set[object] = set()
        items: list[Any] = []
        for item in head:
            key = identity(item)
            if key not in seen and all(key in keys for keys in wanted):
                seen.add(key)
                items.append(item)
        return items
    return {
        name: value
        for name, value in head.items()
        if all(name in other and same(other[name], value) for other in others)
    }
