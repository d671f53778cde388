"""A part of what an action got or gave, as bytes: a text in UTF-8, the bytes of a content object, else JSON. What is
large is read piece by piece.
"""

from __future__ import annotations

import re
from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator, Callable
from os import urandom
from typing import Any, Literal

from ....storage import StoredValue, Vault
from ....storage.format.stored_values import BASE64, PACKED, found_in, replaced
from ...errors import NotFound, SealflowError
from ...kernel import Entry
from ...values import content_bytes, is_content, to_json
from ..history.external_payloads import bytes_of, whole_of

Part = Literal["outputs", "inputs"]


def part_of(entry: Entry, part: Part, at: str | None) -> Any:
    """What stands at the JSON pointer `at` in the inputs or outputs of an action; None: their `body`, or all of them.

    Raises NotFound where there is nothing, and SealflowError, code `ValueSecured`, for what must not be shown.
    """
    if part in entry.hidden:
        raise SealflowError(
            f"The {part} of {entry.path} are secured by the flow's definition.",
            code="ValueSecured",
            hint="They are not shown to anybody.",
        )
    value: Any = entry.inputs if part == "inputs" else entry.outputs
    if at is None:
        return value["body"] if isinstance(value, dict) and "body" in value else _there(value, entry, part, "")
    for step in at.split("/")[1:] if at else []:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = None
            break
    return _there(value, entry, part, at)


def _there(value: Any, entry: Entry, part: Part, at: str) -> Any:
    if value is None:
        raise NotFound(
            f"The {part} of {entry.path} have nothing at '{at}'.", hint="`sealflow runs show` shows what there is."
        )
    return value


async def as_bytes(vault: Vault, run_id: bytes, value: Any) -> AsyncIterator[bytes]:
    """The bytes of such a part, a few hundred kilobytes at a time where it is large."""
    inner = value.get("$content") if isinstance(value, dict) and is_content_of(value) else None
    if isinstance(inner, StoredValue) and inner.form == BASE64:
        async for piece in bytes_of(vault, run_id, inner):
            yield piece
    elif isinstance(value, StoredValue) and value.form == BASE64:
        rest = b""
        async for piece in bytes_of(vault, run_id, value):
            rest += piece
            end = len(rest) - len(rest) % 3
            yield b64encode(rest[:end])
            rest = rest[end:]
        yield b64encode(rest)
    elif isinstance(value, StoredValue) and value.form != PACKED:
        async for piece in bytes_of(vault, run_id, value):
            yield piece
    else:
        whole: Any = await whole_of(vault, run_id, value)
        if isinstance(whole, dict) and is_content(whole):
            yield content_bytes(whole)
        else:
            text = whole if isinstance(whole, str) else to_json(whole)
            yield text.encode("utf-8", "surrogatepass")


async def json_pieces(vault: Vault, run_id: bytes, value: Any, encode: Callable[[Any], str]) -> AsyncIterator[str]:
    """The JSON of a value with names of large ones in it, in pieces; `encode` writes a value that has none."""
    named = dict.fromkeys(found_in([value]))
    if not named:
        yield encode(value)
        return
    mark = urandom(16).hex()  # stands where a large value is to be written, and nowhere else
    numbers = {stored: number for number, stored in enumerate(named)}
    text = encode(replaced(value, lambda stored: f"{mark}{numbers[stored]}"))
    values = list(named)
    for place, part in enumerate(re.split(f'"{mark}([0-9]+)"', text)):
        if place % 2 == 0:
            yield part
            continue
        stored = values[int(part)]
        if stored.form == PACKED:
            yield encode(await whole_of(vault, run_id, stored))
            continue
        yield '"'
        decoder = getincrementaldecoder("utf-8")()
        async for piece in as_bytes(vault, run_id, stored):
            yield encode(decoder.decode(piece))[1:-1]
        yield '"'


def is_content_of(value: dict[str, Any]) -> bool:
    """Whether this is a content object, wherever its content is."""
    return isinstance(value.get("$content-type"), str) and "$content" in value
