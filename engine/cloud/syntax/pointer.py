"""JSON pointers (RFC 6901): how every fault in a definition says where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def escape(token: str) -> str:
    """One reference token as it stands in a pointer: `~` as `~0`, `/` as `~1` (RFC 6901, section 3)."""
    if "~" in token or "/" in token:
        return token.replace("~", "~0").replace("/", "~1")
    return token


def join(pointer: str, *tokens: str | int) -> str:
    """`pointer` extended by property names and array indexes."""
    for token in tokens:
        pointer += "/" + (escape(token) if isinstance(token, str) else str(token))
    return pointer


def split(pointer: str) -> list[str]:
    """The tokens of a pointer, unescaped; the empty pointer has none."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def texts(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every string in a JSON value that stands at `at`, each with its pointer; names of properties are none."""
    waiting: list[tuple[Any, str]] = [(value, at)]
    while waiting:
        current, here = waiting.pop()
        if isinstance(current, str):
            yield current, here
        elif isinstance(current, dict):
            waiting += [(inner, join(here, name)) for name, inner in current.items()]
        elif isinstance(current, list):
            waiting += [(inner, join(here, index)) for index, inner in enumerate(current)]
