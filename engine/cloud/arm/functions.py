"""The functions of ARM templates that depend on nothing but their arguments and the deployment.

Each takes the deployment and its arguments, and raises CannotEvaluateError or one of Python's ordinary errors where the
arguments do not fit; `arm` turns both into a problem. What asks Azure (reference, listKeys), the clock (utcNow) or
chance (newGuid) is missing on purpose. Source: Azure Resource Manager, template functions.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urljoin

from ...errors import DefinitionError
from ..syntax.json_text import read_json
from . import names as arm_names

if TYPE_CHECKING:
    from .deployment import Deployment

MAXIMUM_RESULT: Final = 4 * 1024 * 1024
"""Characters of one text. A template itself may have 4 MB; more only comes from expressions that multiply it."""

MAXIMUM_RANGE: Final = 10_000
"""Source: array functions, range: the sum of start and count, and the count, have limits."""


class CannotEvaluateError(Exception):
    """Why a template expression has no value here."""


def to_text(value: Any) -> str:
    """A value as `string`, `concat` and `format` write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else json.dumps(value, separators=(",", ":"))


def _bounded(text: str) -> str:
    if len(text) > MAXIMUM_RESULT:
        raise CannotEvaluateError("the text would be too long.")
    return text


# ---- texts


def _concat(*values: Any) -> Any:
    if values and all(isinstance(value, list) for value in values):
        return [item for value in values for item in value]
    if any(isinstance(value, list | dict) for value in values):
        raise TypeError("texts or arrays, not both")
    texts = [to_text(value) for value in values]
    if sum(map(len, texts)) > MAXIMUM_RESULT:
        raise CannotEvaluateError("the text would be too long.")
    return "".join(texts)


def _replace(text: str, old: str, new: str) -> str:
    if not old or len(text) + text.count(old) * len(new) > MAXIMUM_RESULT:
        raise ValueError("nothing to replace, or too long")
    return text.replace(old, new)


def _format(pattern: str, *values: Any) -> str:
    """Composite formatting as in .NET: `{0}`, `{0,8}`, `{0:N2}`, `{{`."""
    result, index = [], 0
    while index < len(pattern):
        character = pattern[index]
        if pattern[index : index + 2] in ("{{", "}}"):
            result.append(character)
            index += 2
        elif character == "{":
            end = pattern.index("}", index)
            place, _, specifier = pattern[index + 1 : end].partition(":")
            number, _, width = place.partition(",")
            result.append(_aligned(_formatted(values[int(number)], specifier), int(width or 0)))
            index = end + 1
        elif character == "}":
            raise ValueError("a brace that closes nothing")
        else:
            result.append(character)
            index += 1
    return _bounded("".join(result))


def _formatted(value: Any, specifier: str) -> str:
    if not specifier:
        return to_text(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CannotEvaluateError(f"the format '{specifier[:20]}' is known for integers only.")
    from ...expressions.dotnet.cultures import INVARIANT
    from ...expressions.dotnet.faults import FormatError
    from ...expressions.dotnet.number_format import format_number

    try:
        return format_number(value, specifier, INVARIANT)
    except FormatError as error:
        raise CannotEvaluateError(f"the format '{specifier[:20]}' is not known.") from error


def _aligned(text: str, width: int) -> str:
    if abs(width) > MAXIMUM_RESULT:
        raise CannotEvaluateError("the text would be too long.")
    return text.ljust(-width) if width < 0 else text.rjust(width)


def _pad_left(value: Any, width: int, sign: str = " ") -> str:
    if width > MAXIMUM_RESULT:
        raise CannotEvaluateError("the text would be too long.")
    return to_text(value).rjust(width, sign)


def _split(text: str, separators: str | list[str]) -> list[str]:
    parts = [text]
    for separator in [separators] if isinstance(separators, str) else separators:
        parts = [part for each in parts for part in each.split(separator)]
    return parts


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if not 0 <= start <= end <= len(text):
        raise CannotEvaluateError("the text is shorter than that.")
    return text[start:end]


def _trimmed(text: str) -> str:
    return str.strip(text)


def _index(text: str, wanted: str, *, last: bool = False) -> int:
    """Positions are found without regard to case."""
    return (text.lower().rfind if last else text.lower().find)(wanted.lower())


def _index_of(container: Any, wanted: Any) -> int:
    if isinstance(container, str):
        return _index(container, wanted)
    return next((index for index, item in enumerate(container) if _equals(item, wanted)), -1)


def _last_index_of(container: Any, wanted: Any) -> int:
    if isinstance(container, str):
        return _index(container, wanted, last=True)
    return max((index for index, item in enumerate(container) if _equals(item, wanted)), default=-1)


def _from_base64(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CannotEvaluateError("the text is no Base64 of UTF-8.") from None


def _data_uri_text(uri: str) -> str:
    head, comma, data = uri.partition(",")
    if not head.startswith("data:") or not comma:
        raise CannotEvaluateError("the text is no data URI.")
    return _from_base64(data) if head.endswith(";base64") else unquote(data)


def _texts(values: tuple[Any, ...]) -> tuple[str, ...]:
    if not values or not all(isinstance(value, str) for value in values):
        raise TypeError("texts are expected")
    return values


# ---- numbers and values


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an integer is expected")
    return value


def _int(value: Any) -> int:
    if isinstance(value, str):
        return int(value.strip())
    return int(value) if isinstance(value, float) else _number(value)


def _divided(left: int, right: int) -> int:
    """Towards zero, as integers divide in .NET."""
    quotient = abs(_number(left)) // abs(_number(right))
    return quotient if (left < 0) == (right < 0) else -quotient


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    found = {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    if found is None:
        raise ValueError("no boolean")
    return found


def _extreme(choose: Callable[[list[int]], int]) -> Callable[..., int]:
    def chosen(*values: Any) -> int:
        items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
        return choose([_number(item) for item in items])

    return chosen


def _parsed(text: str) -> Any:
    try:
        return read_json(text).value
    except DefinitionError:
        raise CannotEvaluateError("the text is no JSON.") from None


def _equals(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equals, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equals(left[name], right[name]) for name in left)
    return bool(left == right)


def _order(test: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def compared(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            _number(left), _number(right)
        return test(left, right)

    return compared


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a boolean is expected")
    return value


# ---- arrays and objects


def _contains(container: Any, wanted: Any) -> bool:
    if isinstance(container, str):
        return to_text(wanted) in container
    if isinstance(container, dict):
        return any(name.lower() == wanted.lower() for name in container)
    return any(_equals(item, wanted) for item in container)


def _union(*values: Any) -> Any:
    if all(isinstance(value, dict) for value in values):
        merged: dict[str, Any] = {}
        for value in values:
            merged = _merged(merged, value)
        return merged
    result: list[Any] = []
    for value in values:
        if not isinstance(value, list):
            raise TypeError("arrays or objects, not both")
        _append_new(result, value)
    return result


def _append_new(result: list[Any], items: list[Any]) -> None:
    if len(result) + len(items) > MAXIMUM_RANGE:
        raise CannotEvaluateError("the arrays are too long.")
    for item in items:
        if not any(_equals(item, each) for each in result):
            result.append(item)


def _merged(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Objects in both are merged in depth; else the later value counts. Names are matched without regard to case."""
    result = dict(left)
    names = {name.lower(): name for name in result}
    for name, value in right.items():
        known = names.get(name.lower(), name)
        if isinstance(result.get(known), dict) and isinstance(value, dict):
            value = _merged(result[known], value)
        result[known] = value
    return result


def _intersection(first: Any, *more: Any) -> Any:
    for other in more:
        if isinstance(first, dict):
            first = {name: value for name, value in first.items() if name in other and _equals(value, other[name])}
        else:
            if len(first) * len(other) > MAXIMUM_RANGE**2 // 100:
                raise CannotEvaluateError("the arrays are too long.")
            kept: list[Any] = []
            _append_new(kept, [item for item in first if any(_equals(item, each) for each in other)])
            first = kept
    return first


def _range(start: int, count: int) -> list[int]:
    if not 0 <= _number(count) <= MAXIMUM_RANGE or start + count > 2**31 - 1:
        raise CannotEvaluateError(f"at most {MAXIMUM_RANGE:,} numbers can be counted.")
    return list(range(_number(start), start + count))


def _flattened(value: list[Any]) -> list[Any]:
    return [each for item in value for each in (item if isinstance(item, list) else [item])]


def _end(position: int) -> Callable[[Any], Any]:
    def found(value: Any) -> Any:
        if isinstance(value, str):
            return value[position] if value else ""
        if not value:
            raise CannotEvaluateError("the array is empty.")
        return value[position]

    return found


def _taken(value: Any, count: int) -> Any:
    return value[: max(_number(count), 0)]


def _skipped(value: Any, count: int) -> Any:
    return value[max(_number(count), 0) :]


def _object(*values: Any) -> dict[str, Any]:
    return dict(zip(_texts(values[::2]) if values else (), values[1::2], strict=True))


def _items(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value[name]} for name in sorted(value, key=str.lower)]


def _pure(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that needs nothing of the deployment."""
    return lambda _, *arguments: function(*arguments)


_PURE: Final[Mapping[str, Callable[..., Any]]] = {
    # texts
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64tojson": lambda text: _parsed(_from_base64(text)),
    "base64tostring": _from_base64,
    "concat": _concat,
    "contains": _contains,
    "datauri": lambda value: f"data:text/plain;charset=utf8;base64,{b64encode(to_text(value).encode()).decode()}",
    "datauritostring": _data_uri_text,
    "empty": lambda value: value is None or len(value) == 0,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "first": _end(0),
    "format": _format,
    "guid": lambda *texts: arm_names.guid(*_texts(texts)),
    "indexof": _index_of,
    "join": lambda items, separator: _bounded(separator.join(to_text(item) for item in items)),
    "last": _end(-1),
    "lastindexof": _last_index_of,
    "length": len,
    "padleft": _pad_left,
    "replace": _replace,
    "skip": _skipped,
    "split": _split,
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": lambda value: "null" if value is None else to_text(value),
    "substring": _substring,
    "take": _taken,
    "tolower": lambda text: str.lower(text),
    "toupper": lambda text: str.upper(text),
    "trim": _trimmed,
    "uniquestring": lambda *texts: arm_names.unique_string(*_texts(texts)),
    "uri": lambda base, relative: urljoin(base, relative),
    "uricomponent": lambda text: quote(text, safe="-_.~"),
    "uricomponenttostring": lambda text: unquote(text),
    # numbers
    "add": lambda left, right: _number(left) + _number(right),
    "div": _divided,
    "int": _int,
    "max": _extreme(max),
    "min": _extreme(min),
    "mod": lambda left, right: left - _divided(left, right) * right,
    "mul": lambda left, right: _number(left) * _number(right),
    "sub": lambda left, right: _number(left) - _number(right),
    # logic and comparison; if, and, or are lazy: see `arm`
    "bool": _bool,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "equals": _equals,
    "false": lambda: False,
    "greater": _order(lambda left, right: left > right),
    "greaterorequals": _order(lambda left, right: left >= right),
    "less": _order(lambda left, right: left < right),
    "lessorequals": _order(lambda left, right: left <= right),
    "not": lambda value: not _truth(value),
    "true": lambda: True,
    # arrays and objects
    "array": lambda value: value if isinstance(value, list) else [value],
    "createarray": lambda *values: list(values),
    "createobject": _object,
    "flatten": _flattened,
    "intersection": _intersection,
    "items": _items,
    "json": _parsed,
    "null": lambda: None,
    "objectkeys": lambda value: sorted(value, key=str.lower),
    "range": _range,
    "shallowmerge": lambda values: {name: inner for value in values for name, inner in value.items()},
    "union": _union,
    # resources
    "extensionresourceid": lambda scope, *parts: arm_names.extension_resource_id(scope, parts),
    "managementgroupresourceid": lambda *parts: arm_names.management_group_resource_id(parts),
    "tenantresourceid": lambda *parts: arm_names.tenant_resource_id(parts),
}


def _resource_id(deployment: Deployment, *parts: str) -> str:
    return arm_names.resource_id(parts, subscription=deployment.subscription, group=deployment.resource_group)


def _subscription_resource_id(deployment: Deployment, *parts: str) -> str:
    return arm_names.subscription_resource_id(parts, subscription=deployment.subscription)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: _pure(function) for name, function in _PURE.items()},
    "resourceid": _resource_id,
    "subscriptionresourceid": _subscription_resource_id,
}
"""By lower-case name."""
