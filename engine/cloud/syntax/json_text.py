"""From a file's text to JSON, with the place of what is wrong with it.

Knows JSON only; what the JSON holds is for `source`. Nothing here trusts its input: size, depth and numbers are
bounded.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ...errors import DefinitionError
from .pointer import join

MAXIMUM_SIZE = 64 * 1024 * 1024
"""Characters of a file. The hosts' own bound on a definition is far below."""

MAXIMUM_DEPTH = 200
"""Objects and arrays in one another. Whatever walks a definition may recurse this deep."""

# Texts are matched so that what looks like a comment or a comma in them is left alone, and nothing in them goes back
# over what it has read.
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_LAST_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{\[,]\s*,|,(?=\s*[}\]])', re.DOTALL)
_NOT_A_BREAK = re.compile(r"[^\r\n]")

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


@dataclass(frozen=True, slots=True)
class Document:
    """A file's JSON and the pointers of the properties that stand twice in their object (the last one counts)."""

    value: Any
    duplicates: tuple[str, ...]


def read_json(text: str | bytes) -> Document:
    """The JSON of a file: UTF-8, UTF-16 or UTF-32 with or without a byte order mark, comments or last commas.

    Raises DefinitionError with `at` as `line:column` for text that is no JSON, holds a number that is none (NaN, 1e999)
    or is larger or deeper than a definition may be.
    """
    if isinstance(text, bytes):
        if len(text) > 4 * MAXIMUM_SIZE:
            raise _too_large()
        encoding = json.detect_encoding(text)
        try:
            text = text.decode(encoding)
        except UnicodeDecodeError as error:
            raise DefinitionError(
                f"The file is not text in {encoding.upper()}: byte {error.start} does not belong there.",
                at="1:1",
                code="InvalidJson",
                hint="Save it as UTF-8.",
            ) from None
    text = text.removeprefix("\ufeff")
    if len(text) > MAXIMUM_SIZE:
        raise _too_large()
    twice: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            twice[id(found)] = (found, [name for name, count in counts.items() if count > 1])
        return found

    def load(text: str) -> Any:
        return json.loads(text, object_pairs_hook=collect, parse_constant=_refuse, parse_float=_finite)

    try:
        try:
            value = load(text)
        except json.JSONDecodeError:
            bare = without_comments(text)
            if bare == text:
                raise
            twice.clear()
            value = load(bare)
    except json.JSONDecodeError as error:
        raise DefinitionError(
            f"The file is no JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            at=f"{error.lineno}:{error.colno}",
            code="InvalidJson",
        ) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # _refuse, _finite, and integers longer than Python converts
        raise DefinitionError(
            "The file holds a number that JSON does not have or that is out of range.",
            at=_number_at(text),
            code="InvalidJson",
            hint="NaN, Infinity and numbers beyond the range of a double cannot be used.",
        ) from None
    return Document(value, examine(value, twice))


def without_comments(text: str) -> str:
    """The text with spaces where it has comments and commas behind a last element, so that every place stays.

    The hosts and their editors read both, though JSON has neither.
    """
    if "//" in text or "/*" in text:
        text = _COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else _NOT_A_BREAK.sub(" ", found[0]), text)
    return _LAST_COMMA.sub(lambda found: " " if found[0] == "," else found[0], text)


def examine(value: Any, twice: Mapping[int, tuple[Any, list[str]]] = MappingProxyType({})) -> tuple[str, ...]:
    """The pointers of duplicate properties; `twice` has their names by the identity of their object.

    Raises DefinitionError for what nests too deep.
    """
    duplicates = []
    waiting = [(value, "", 1)]
    while waiting:
        current, pointer, depth = waiting.pop()
        if depth > MAXIMUM_DEPTH:
            raise _too_deep()
        if isinstance(current, dict):
            if id(current) in twice:
                duplicates += [join(pointer, name) for name in twice[id(current)][1]]
            children: Iterable[tuple[str | int, Any]] = current.items()
        elif isinstance(current, list):
            children = enumerate(current)
        else:
            continue
        waiting += [
            (child, join(pointer, name) if twice else "", depth + 1)
            for name, child in children
            if isinstance(child, dict | list)
        ]
    return tuple(duplicates)


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _number_at(text: str) -> str:
    """`line:column` of the first number that Python or JSON cannot hold."""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token[0] == '"':
            continue
        if token[-1] in "yN" or len(token) > 4000 or not math.isfinite(float(token)):
            line = text.count("\n", 0, match.start()) + 1
            return f"{line}:{match.start() - text.rfind(chr(10), 0, match.start())}"
    return "1:1"


def _too_large() -> DefinitionError:
    return DefinitionError("The file is too large for a flow definition.", at="1:1", code="TooLarge")


def _too_deep() -> DefinitionError:
    return DefinitionError(f"The file nests deeper than {MAXIMUM_DEPTH} levels.", at="1:1", code="TooDeep")
