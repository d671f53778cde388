"""Why a text is no JSON, in words that do not depend on the version of the parser."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Final

_WORDS: Final[Mapping[str, str]] = {
    "Expecting value": "a value is missing",
    "Expecting property name": "a name in double quotes is missing",
    "Expecting ':'": "a colon is missing",
    "Expecting ','": "a comma is missing",
    "Extra data": "something follows the value",
    "Illegal trailing comma": "nothing follows the comma",
    "Unterminated string": "the text that begins there has no end",
    "Invalid control character": "a control character stands in a text",
    "Invalid \\": "what follows a backslash is not known",
}
"""By how the parser's message begins."""


def why_no_json(error: ValueError) -> str:
    """What is wrong, with line and column, both from 1, where the parser told them."""
    if not isinstance(error, JSONDecodeError):
        return str(error)
    said = next((words for start, words in _WORDS.items() if error.msg.startswith(start)), "it is no JSON")
    return f"{said} at line {error.lineno}, column {error.colno}"
