"""What is wrong with a value that does not fit its JSON Schema, in words that do not depend on the validator's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....values import Value, to_text, type_name

_WORDS: Final[Mapping[str, str]] = {
    "type": "expected is {types}, found {found}",
    "required": "the property '{property}' is missing",
    "additionalProperties": "the properties {unexpected} are not in the schema",
    "falseSchema": "nothing is allowed here",
    "enum": "the value is none of those that the schema lists",
    "const": "the value is not the one that the schema gives",
    "anyOf": "the value fits none of the schemas of 'anyOf'",
    "oneOf": "the value does not fit exactly one of the schemas of 'oneOf'",
    "not": "the value fits the schema of 'not'",
    "pattern": "the text does not match '{pattern}'",
    "format": "the text is no {format}",
    "minLength": "the text has fewer than {limit} characters",
    "maxLength": "the text has more than {limit} characters",
    "minItems": "the array has fewer than {limit} items",
    "maxItems": "the array has more than {limit} items",
    "uniqueItems": "two items of the array are the same",
    "minProperties": "the object has fewer than {limit} properties",
    "maxProperties": "the object has more than {limit} properties",
    "minimum": "the number is less than {limit}",
    "maximum": "the number is more than {limit}",
    "exclusiveMinimum": "the number is not more than {limit}",
    "exclusiveMaximum": "the number is not less than {limit}",
    "multipleOf": "the number is no multiple of {multiple_of}",
}
_LONGEST: Final = 200


def described(keyword: str, details: Mapping[str, Any], value: Value) -> str:
    """A fault by the schema's keyword and what the keyword asks for, e.g. `{"types": ["integer"]}`."""
    words = _WORDS.get(keyword)
    if words is None:
        return f"'{keyword[:_LONGEST]}' of the schema is not met"
    return words.format(found=type_name(value), **{name: _shown(each) for name, each in details.items()})


def _shown(asked: Any) -> str:
    if isinstance(asked, list):
        return " or ".join(to_text(each) for each in asked)[:_LONGEST]
    return str(asked)[:_LONGEST]
