"""What the designer copies beside a subflow's actions: UI elements and images, behind a marked comment."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_MARK: Final = re.compile(r"^[^\S\r\n]*#[^\S\r\n]*\[ControlRepository\]\[PowerAutomateDesktop\]", re.MULTILINE)


def cut_off(text: str) -> tuple[str, dict[str, Any]]:
    """A text without the block of UI elements at its end, and that block's repositories by `appmask` and `imgrepo`.

    A block that is no JSON is cut off all the same. `references` has the connections it names.
    """
    match = _MARK.search(text)
    if match is None:
        return text, {}
    try:
        block = json.loads(text[match.end() :])
    except (ValueError, RecursionError):
        return text[: match.start()], {}
    if not isinstance(block, dict):
        return text[: match.start()], {}
    found: dict[str, Any] = {}
    for name, key in (("appmask", "ControlRepositorySymbols"), ("imgrepo", "ImageRepositorySymbols")):
        symbols = block.get(key)
        if isinstance(symbols, list):
            found[name] = [repository(symbol) for symbol in symbols if isinstance(symbol, dict)]
    if block.get("ConnectionReferences"):
        found["references"] = block["ConnectionReferences"]
    return text[: match.start()], found


def repository(symbol: Any) -> Any:
    """The repository in a symbol, where it stands as the text of JSON; what is no symbol is a repository itself."""
    given = symbol.get("Repository", symbol) if isinstance(symbol, dict) else symbol
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return None
