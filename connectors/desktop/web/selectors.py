"""UI elements of web pages as selectors of Playwright.

An element is a raw selector text, or a name in the flow's repository of elements. Repositories hold selectors in two
forms: CSS as jQuery reads it (`div:eq(1)` is the second match, from zero), and chains of tags with attributes.

Source: the layout of published repositories; the browser's automation protocol. Elements of the desktop have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from ....engine.datatypes import Datum, Item
from ..fault import Fault

_EQ: Final = re.compile(r":eq\(\s*(\d+)\s*\)")

_ATTRIBUTES: Final = {"id": "id", "name": "name", "class": "class", "title": "title", "href": "href", "type": "type"}
_OPERATIONS: Final = {"equalto": "=", "contains": "*=", "startswith": "^=", "endswith": "$="}


def selectors_of(control: Datum, repository: Any) -> list[str]:
    """The selectors of an element, in the order they are tried.

    `repository` is what came with the flow. Raises Fault UIElementNotFoundError, UnsupportedSelectorError.
    """
    if isinstance(control, str):
        return [css(control)]
    if not isinstance(control, Item) or control.kind != "UIElement":
        raise Fault("ArgumentTypeError", "A UI element must be an element of the repository, or a selector as text.")
    path = control.properties.get("Path")
    steps = [str(step) for step in path] if isinstance(path, list) else []
    found = _element(repository, [step.casefold() for step in steps])
    if found is None:
        raise Fault("UIElementNotFoundError", f"The flow has no UI element '{control.text}'.")
    selectors = [
        selector for each in found.get("Selectors") or [] if isinstance(each, dict) and (selector := _selector(each))
    ]
    if not selectors:
        raise Fault("UnsupportedSelectorError", f"The UI element '{control.text}' has no selector for a web page.")
    return selectors


def css(text: str) -> str:
    """A selector of jQuery as one of Playwright: what stands before `:eq(n)` is a set of which one is taken."""
    parts: list[str] = []
    at = 0
    for match in _EQ.finditer(text):
        parts += _part(text[at : match.start()], bool(parts))
        parts.append(f"nth={match.group(1)}")
        at = match.end()
    parts += _part(text[at:], bool(parts))
    return " >> ".join(parts)


def _part(text: str, inside: bool) -> list[str]:
    bare = text.strip()
    if not bare:
        return []
    if not inside:
        return [f"css={bare}"]
    # Behind a choice, selectors go on from the chosen element.
    return [f"css=:scope {bare}"] if bare[0] in ">+~" else [f"css={bare}"]


def _selector(selector: dict[str, Any]) -> str:
    """One selector of a repository, "" where it is none of a web page's."""
    custom = selector.get("CustomSelector")
    if isinstance(custom, str) and custom.strip():
        return css(custom)
    parts: list[str] = []
    chain = ""
    for element in selector.get("Elements") or []:
        if not isinstance(element, dict) or element.get("Ignore"):
            continue
        step, ordinal = _step(element)
        chain = f"{chain} > {step}" if chain else (f":scope > {step}" if parts else step)
        if ordinal is not None:
            parts += [f"css={chain}", f"nth={ordinal}"]
            chain = ""
    if chain:
        parts.append(f"css={chain}")
    return " >> ".join(parts)


def _step(element: dict[str, Any]) -> tuple[str, int | None]:
    """One tag with its attributes; with the ordinal it is chosen by, if it has one."""
    text = str(element.get("Tag") or "*").lower()
    ordinal: int | None = None
    for attribute in element.get("Attributes") or []:
        if not isinstance(attribute, dict) or attribute.get("Ignore"):
            continue
        name, value = str(attribute.get("Name", "")).lower(), str(attribute.get("Value", ""))
        operation = str(attribute.get("Operation", "EqualTo")).lower()
        if attribute.get("IsOrdinal") or name == "ordinal":
            ordinal = int(value) if value.isdigit() else 0
        elif operation not in _OPERATIONS:
            raise Fault("UnsupportedSelectorError", f"A selector compares with '{operation}', which is not supported.")
        elif name == "text":
            text += f":text-is({json.dumps(value)})" if operation == "equalto" else f":has-text({json.dumps(value)})"
        else:
            text += f"[{_ATTRIBUTES.get(name, name)}{_OPERATIONS[operation]}{json.dumps(value)}]"
    return text, ordinal


def _element(repository: Any, path: list[str]) -> dict[str, Any] | None:
    """The element that a path of names leads to, through screens, folders and controls."""
    waiting: list[tuple[Any, list[str]]] = [(repository, path)]
    while waiting:
        value, rest = waiting.pop()
        if isinstance(value, list):
            waiting += [(each, rest) for each in reversed(value)]
            continue
        if not isinstance(value, dict):
            continue
        name = value.get("Name")
        if isinstance(name, str) and rest and name.casefold() == rest[0]:
            rest = rest[1:]
            if not rest:
                return value
        waiting += [(inner, rest) for inner in _inner(value)]
    return None


def _inner(value: dict[str, Any]) -> Iterator[Any]:
    for key in ("Screens", "Controls", "Folders", "Repository"):
        inner = value.get(key)
        if isinstance(inner, str):
            try:
                inner = json.loads(inner)
            except ValueError:
                continue
        if inner is not None:
            yield inner
