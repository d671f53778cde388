"""JSON values as flows see them: types by name, text, equality, order, property access and content objects.

The rules are those of the host that flows are written for (.NET): how a float or a boolean becomes text, which values
are equal, how a name finds a property. Nothing here knows expressions, actions or runs.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from json.encoder import encode_basestring as _quoted
from typing import Any, TypeAlias, TypeGuard

from .effort import spend
from .errors import ExpressionError

# A JSON value. Members of arrays and objects are values again; integers are within int64. Values are never changed in
# place.
Value: TypeAlias = "bool | int | float | Decimal | str | list[Any] | dict[str, Any] | None"

LOWEST_INTEGER = -(2**63)
HIGHEST_INTEGER = 2**63 - 1

# The documented bound on a text: "Logic Apps, expression functions reference: concat". No document bounds the number
# of items; memory does.
LONGEST_TEXT = 104_857_600
MOST_ITEMS = 5_000_000

_PLAIN: frozenset[type] = frozenset({type(None), bool, int, float, Decimal, str, bytes})


def is_elsewhere(value: Any) -> bool:
    """Whether this is no value, but stands for one that is stored elsewhere: an object with `is_elsewhere`, whose
    `size` is how many bytes the value has.
    """
    return value.__class__ not in _PLAIN and getattr(value.__class__, "is_elsewhere", False)


def holds_elsewhere(value: Any) -> bool:
    """Whether something in this value stands for one that is stored elsewhere."""
    todo: list[Any] = [(value,)]
    while todo:
        each = todo.pop()
        for item in each.values() if each.__class__ is dict else each:
            if item.__class__ in _CONTAINERS:
                todo.append(item)
            elif is_elsewhere(item):
                return True
    return False


_CONTAINERS: frozenset[type] = frozenset({list, dict})

_NAMES: dict[type, str] = {
    type(None): "Null",
    bool: "Boolean",
    int: "Integer",
    float: "Float",
    Decimal: "Decimal",
    str: "String",
    list: "Array",
    dict: "Object",
}


def type_name(value: Value) -> str:
    """The type of a value in the host's words: Null, Boolean, Integer, Float, Decimal, String, Array or Object."""
    return _NAMES.get(type(value), type(value).__name__)


# --- text


def float_text(value: float) -> str:
    """A float as .NET writes it: the shortest digits that read back, `E+16` beyond 15 digits, `5` for 5.0."""
    text = repr(value)
    if text[-2:] == ".0" and -1e15 < value < 1e15:
        return text[:-2]
    if 1e-4 <= value < 1e15 or -1e15 < value <= -1e-4:
        return text
    return _unusual_float_text(value)


def _unusual_float_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int) or digits == (0,):
        return "-0" if sign else "0"
    text = "".join(map(str, digits))
    point = len(text) + exponent
    if point > max(len(text), 15) or point < -3:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        result = f"{mantissa}E{'+' if point > 0 else '-'}{abs(point - 1):02d}"
    elif point <= 0:
        result = "0." + "0" * -point + text
    elif exponent >= 0:
        result = text + "0" * exponent
    else:
        result = text[:point] + "." + text[point:]
    return "-" + result if sign else result


def decimal_text(value: Decimal) -> str:
    """A decimal in plain digits; trailing zeros are kept, since they are part of the value."""
    return format(value, "f")


def to_text(value: Value) -> str:
    """The value as text, by the rule of `string()`, `concat()` and interpolation.

    null gives an empty text, booleans `True` and `False`, a content object its decoded text, other objects and arrays
    compact JSON. Raises ExpressionError for content that is not base64.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]
    if value is None:
        return ""
    if kind is int:
        return str(value)
    if value is True:
        return "True"
    if value is False:
        return "False"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if is_content(value):
        return content_text(value)
    return to_json(value)


def to_json(value: Value, *, canonical: bool = False) -> str:
    """The value as compact JSON text as the host writes it: floats and decimals have a decimal place (`5.0`).

    With `canonical`, names are sorted, so that equal values have one text. Raises ExpressionError for a value that is
    nested too deeply.
    """
    try:
        if weigh(value):
            text = (_CANONICAL if canonical else _COMPACT).encode(value)
        else:
            pieces: list[str] = []
            _write(value, pieces.append, canonical)
            text = "".join(pieces)
    except RecursionError:
        raise ExpressionError("The value is nested too deeply to be written as JSON.") from None
    if not text.isascii():
        # The host's writer escapes these three, although JSON does not ask for it.
        text = text.replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, sort_keys=True)
_SAME_IN_JSON = {str, int, bool, type(None)}


_MANY = 1_000
_LONG = 100_000
# Nanoseconds of what is done with values that are weighed: written as JSON, compared, looked through.
_PER_ITEM = 500
_PER_CHARACTER = 5


def weigh(value: Value) -> bool:
    """Raise ExpressionError where a value has too many parts or characters to be worked on as a whole.

    The parts of a value may be one and the same object many times over, so that a small value stands for one that would
    fill the memory. Gives whether every number is written alike by Python's own (fast) encoder.
    """
    if type(value) is not dict and type(value) is not list:
        return _plain_number(value)
    plain = True
    items = characters = counted = 0
    pending: list[Any] = [value]
    while pending:
        members = pending.pop()
        if type(members) is dict:
            characters += sum(map(len, members))
            members = members.values()
        items += len(members) + 4  # an empty list takes time and memory as well
        kinds = set(map(type, members))
        if str in kinds:
            characters += sum([len(member) for member in members if type(member) is str])
        if not kinds <= _SAME_IN_JSON:
            for member in members:
                if type(member) is dict or type(member) is list:
                    pending.append(member)
                elif plain:
                    plain = _plain_number(member)
        if items > MOST_ITEMS or characters > LONGEST_TEXT:
            raise ExpressionError(
                f"The value is too large: more than {MOST_ITEMS:,} items or {LONGEST_TEXT:,} characters."
            )
        if items > counted + _MANY:  # as it goes: to weigh is work as well
            spend((items - counted) * _PER_ITEM)
            counted = items
    if characters > _LONG:
        spend(characters * _PER_CHARACTER)
    return plain


def _plain_number(value: Value) -> bool:
    if type(value) is float:
        return 1e-4 <= value < 1e15 or -1e15 < value <= -1e-4 or value == 0
    return type(value) is not Decimal


def _write(value: Value, put: Any, canonical: bool) -> None:
    if isinstance(value, dict):
        before = "{"
        for name in sorted(value) if canonical else value:
            put(before + _quoted(name) + ":")
            _write(value[name], put, canonical)
            before = ","
        put("}" if value else "{}")
    elif isinstance(value, list):
        before = "["
        for item in value:
            put(before)
            _write(item, put, canonical)
            before = ","
        put("]" if value else "[]")
    elif isinstance(value, (float, Decimal)) and not isinstance(value, bool):
        text = float_text(value) if isinstance(value, float) else decimal_text(value)
        if text[-1] in "yN":  # Infinity, NaN: no JSON numbers, so the host writes them as texts
            put(f'"{text}"')
        else:
            put(text if "." in text or "E" in text else text + ".0")
    else:
        put(json.dumps(value, ensure_ascii=False))


def from_json(text: str) -> Value:
    """The value of a JSON text; the last of equal names counts.

    Raises ValueError for text that is no JSON, and for one with too many items.
    """
    value: Value
    if len(text) > MOST_ITEMS and text.count(",") + text.count("[") + text.count("{") > MOST_ITEMS:
        raise ValueError(f"it has more than {MOST_ITEMS:,} items")
    try:
        # Without so many digits in a row no number is too large, and Python's own integers can be trusted.
        value, end = (_scan_all if _may_be_large(text) else _scan_simple)(text, 0)
    except (ValueError, StopIteration):
        end = -1
    if end != len(text):
        value = _DECODER.decode(text)  # white space around it, or the reason why it is none
    if "\\u" in text and "\\ud" in text.lower():
        return _without_lone_surrogates(value)
    return value


def _integer(text: str) -> int | float:
    # Texts longer than int64 can hold are not converted to integers at all: that would take quadratic time.
    if len(text) < 20:
        number = int(text)
        if LOWEST_INTEGER <= number <= HIGHEST_INTEGER:
            return number
    elif len(text) == 20 and LOWEST_INTEGER <= int(text) <= HIGHEST_INTEGER:
        return int(text)
    return float(text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_constant)
_SIMPLE_DECODER = json.JSONDecoder(parse_constant=_no_constant)
# What `decode` calls; its own two searches for white space take as long as reading a small object.
_scan_all: Any = _DECODER.__dict__["scan_once"]
_scan_simple: Any = _SIMPLE_DECODER.__dict__["scan_once"]
_MANY_DIGITS = re.compile(r"[0-9]{19}")
_SOME_DIGITS = re.compile(r"[0-9]{3}")


def _may_be_large(text: str) -> bool:
    # Of 19 digits in a row every sixth character sees three, so that few texts are read as a whole.
    return _SOME_DIGITS.search(text[::6]) is not None and _MANY_DIGITS.search(text) is not None


def _without_lone_surrogates(value: Value) -> Value:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {str(_without_lone_surrogates(name)): _without_lone_surrogates(item) for name, item in value.items()}
    return value


def digest(value: Value) -> str:
    """SHA-256 of the canonical JSON text, as hex: equal values have equal digests."""
    return sha256(to_json(value, canonical=True).encode("utf-8", "surrogatepass")).hexdigest()


# --- content objects: {"$content-type": ..., "$content": base64}


def is_content(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a content object: media type and bytes in base64, for what is neither JSON nor text."""
    return type(value) is dict and "$content" in value and "$content-type" in value and type(value["$content"]) is str


def make_content(media_type: str, data: bytes) -> dict[str, Any]:
    """The content object of these bytes."""
    return {"$content-type": media_type, "$content": binascii.b2a_base64(data, newline=False).decode("ascii")}


def content_bytes(value: dict[str, Any]) -> bytes:
    """The bytes of a content object. Raises ExpressionError when they are no base64."""
    return decode_base64(value["$content"])


def content_text(value: dict[str, Any]) -> str:
    """The text of a content object, read as UTF-8; what is no UTF-8 becomes U+FFFD."""
    return content_bytes(value).decode("utf-8", "replace")


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text. As .NET reads it: white space is skipped, padding is required."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        compact = text.translate(_BASE64_SPACE)
    try:
        if len(compact) % 4:
            raise ValueError("its length is no multiple of four")
        return binascii.a2b_base64(compact, strict_mode=True)
    except ValueError as error:
        raise ExpressionError(
            f"The value is not a valid base64 text: {error}.",
            hint="Base64 uses A-Z, a-z, 0-9, + and /, padded with = to a multiple of four characters.",
        ) from None


_BASE64_SPACE = {ord(space): None for space in " \t\r\n"}


# --- equality and order


def equal(left: Value, right: Value) -> bool:
    """Equality by the rules of `equals()`.

    Texts by code unit; numbers by value whatever their type; a boolean equals its name (`'true'`) and 1 or 0; null
    equals an empty text ("Logic Apps, expression functions reference: logical comparison functions", note on null
    values); arrays and objects member by member, names in any order.
    """
    kind = type(left)
    if kind is type(right):
        if kind is list or kind is dict:
            weigh(left)
            return _equal_members(left, right)
        return left == right
    if kind is bool or type(right) is bool:
        truth, other = (left, right) if kind is bool else (right, left)
        if isinstance(other, str):
            return other.lower() == ("true" if truth else "false")
        return isinstance(other, (int, float, Decimal)) and other == (1 if truth else 0)
    if left is None or right is None:
        return left == "" or right == ""
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return _aligned(left, right) == _aligned(right, left)
    return False


def _equal_members(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, list):
        return all(map(same, left, right))
    return all(name in right and same(member, right[name]) for name, member in left.items())


def same(left: Value, right: Value) -> bool:
    """Whether two members of arrays or objects are the same: like `equal`, but never across types but numbers."""
    kind = type(left)
    if kind is type(right):
        return _equal_members(left, right) if kind is list or kind is dict else left == right
    if kind is bool or type(right) is bool:
        return False
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        return _aligned(left, right) == _aligned(right, left)
    return False


def identity(value: Value) -> object:
    """A hashable stand-in: two values are the `same` exactly when their identities are equal. For sets of values."""
    kind = type(value)
    if kind is str:
        return value
    if kind is bool or value is None:
        return (kind, value)
    if isinstance(value, dict):
        return (dict, frozenset((name, identity(member)) for name, member in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(identity, value)))
    if isinstance(value, Decimal):
        return float(value) if Decimal(float(value)) == value else value
    return value


def _aligned(number: int | float | Decimal, other: int | float | Decimal) -> int | float | Decimal:
    # A float beside a decimal is compared as a decimal: 0.1 equals decimal('0.1').
    if isinstance(number, float) and isinstance(other, Decimal) and number - number == 0:
        return Decimal(f"{number:.15g}")
    return number


def compare(left: Value, right: Value) -> int | None:
    """Negative, zero or positive as `left` is less, equal or greater; None where the two have no order.

    Numbers are ordered by value, texts by code unit, null counts as an empty text beside a text.
    """
    if isinstance(left, (int, float, Decimal)) and isinstance(right, (int, float, Decimal)):
        if isinstance(left, bool) or isinstance(right, bool):
            return None
        first, second = _aligned(left, right), _aligned(right, left)
        if first != first or second != second:
            return 0  # NaN has no order; the functions that ask look for it themselves
        return (first > second) - (first < second)
    if left is None and isinstance(right, str):
        left = ""
    if right is None and isinstance(left, str):
        right = ""
    if isinstance(left, str) and isinstance(right, str):
        if not (left.isascii() or right.isascii()):
            # Code points and UTF-16 code units are ordered differently above U+FFFF.
            one, two = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
            return (one > two) - (one < two)
        return (left > right) - (left < right)
    return None


# --- properties


def find_name(names: Iterable[str], wanted: str) -> str | None:
    """The first of the names that equals `wanted` whatever its case."""
    lowered, size = wanted.lower(), len(wanted)
    for name in names:
        if len(name) == size and name.lower() == lowered:
            return name
    return None


def get(value: Value, key: Value, optional: bool = False) -> Value:
    """The member of an array or object that one link reads.

    A property is found by its exact name, else whatever its case, else by following the parts of a path
    (`body/value`; Power Automate). An `optional` link gives null for a null parent, a missing property or an index out
    of range; a text or a number has no members either way. Raises ExpressionError where the link cannot be followed.
    """
    if type(value) is dict:
        if type(key) is not str:
            raise ExpressionError(
                f"Properties of an object are selected by name, not by a value of type '{type_name(key)}'.",
                hint="Use a text such as ['name'].",
            )
        if key in value:
            return value[key]  # type: ignore[no-any-return]
        found = find_name(value, key)
        if found is not None:
            return value[found]  # type: ignore[no-any-return]
        if "/" in key:
            try:
                return _get_path(value, key, optional)
            except ExpressionError:
                if optional:
                    raise
        if optional:
            return None
        raise ExpressionError(
            f"The property '{key}' doesn't exist, available properties are '{_some(value)}'.",
            hint=f"Use ?['{key}'] where the property may be missing.",
        )
    if value is None:
        if optional:
            return None
        raise ExpressionError(
            f"Cannot read {_shown(key)} of null.", hint=f"Use ?[{_shown(key)}] where the value before it may be null."
        )
    if type(value) is list:
        if type(key) is not int:
            raise ExpressionError(
                f"Array elements can only be selected using an integer index, not by {_shown(key)}.",
                hint="Select an element first, for example with first() or [0].",
            )
        if 0 <= key < len(value):
            return value[key]  # type: ignore[no-any-return]
        if optional:
            return None
        raise ExpressionError(
            f"The index {key} is outside the bounds (0, {len(value) - 1}) of the array.",
            hint="Use ?[...] where the array may be shorter.",
        )
    raise ExpressionError(
        f"Cannot read {_shown(key)} of a value of type '{type_name(value)}'.",
        hint="Only objects and arrays have members. Text that holds JSON is read with json().",
    )


def _get_path(value: Value, path: str, optional: bool) -> Value:
    current = value
    for part in path.split("/"):
        if isinstance(current, list) and part.isascii() and part.isdigit() and len(part) < 10:
            current = get(current, int(part), optional)
        elif optional and not isinstance(current, (dict, list)):
            return None
        else:
            current = get(current, part, optional)
    return current


def _shown(key: Value) -> str:
    return f"'{key}'" if isinstance(key, str) else to_text(key)


def _some(names: dict[str, Any]) -> str:
    shown = list(names)[:20]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
