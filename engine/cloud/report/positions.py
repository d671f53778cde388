"""Where in a JSON text the values of JSON pointers stand, as lines and columns from 1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from ..syntax.json_text import without_comments
from ..syntax.pointer import join

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)


def positions(text: str, pointers: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Line and column of each pointer's value (of a property: of its name); what is not in the text is left out.

    `text` has to be JSON that could be read, comments and all. Takes time in proportion to the text, whatever the
    nesting.
    """
    wanted = set(pointers)
    found: dict[str, tuple[int, int]] = {}
    # Of each open container: its pointer, and the index of the present element, None in an object.
    open_: list[tuple[str, int | None]] = []
    here = ""
    expects_name = False
    line, line_start, scanned = 1, 0, 0
    for token in _TOKEN.finditer(without_comments(text)):
        piece = token[0]
        line += text.count("\n", scanned, token.start())
        line_start = max(line_start, text.rfind("\n", scanned, token.start()) + 1)
        scanned = token.start()
        if piece in "}]":
            here = open_.pop()[0] if open_ else ""
            expects_name = False
        elif piece == ",":
            if open_:
                parent, index = open_[-1]
                if index is None:
                    expects_name = True
                else:
                    open_[-1] = (parent, index + 1)
                    here = join(parent, str(index + 1))
        elif piece == ":":
            continue
        elif expects_name and piece[0] == '"':
            here = join(open_[-1][0], _name(piece))
            _note(found, wanted, here, line, token.start() - line_start + 1)
            expects_name = False
        else:
            _note(found, wanted, here, line, token.start() - line_start + 1)
            if piece == "{":
                open_.append((here, None))
                expects_name = True
            elif piece == "[":
                open_.append((here, 0))
                here = join(here, "0")
    return found


def _note(found: dict[str, tuple[int, int]], wanted: set[str], pointer: str, line: int, column: int) -> None:
    if pointer in wanted:
        found.setdefault(pointer, (line, column))


def _name(piece: str) -> str:
    return json.loads(piece, strict=False) if "\\" in piece else piece[1:-1]
