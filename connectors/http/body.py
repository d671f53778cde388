"""A body as bytes: JSON, text, content objects, forms and multipart content, each with its media type.

Source: Logic Apps, "Handle content types": a content object is sent as its bytes with its type; `$formdata`,
`$multipart`. A text is sent as it is, all else as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from ...engine.errors import ExpressionError
from ...engine.values import Value, content_bytes, is_content, to_json, to_text

JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes and what they are."""

    media_type: str
    data: bytes


def encode(body: Value, media_type: str, key: str) -> Content:
    """The bytes of a body that is not null. `media_type` is the flow's own Content-Type, "" where it has none.

    `key` makes the boundary of multipart content, so that a repeated call sends the same bytes. Raises
    ExpressionError for content that is no base64 and for parts that are none.
    """
    if isinstance(body, str):
        return Content(media_type or TEXT, _bytes(body))
    if isinstance(body, dict):
        if isinstance(body.get("$multipart"), list):
            return _multipart(body, media_type, key)
        if is_content(body):
            return Content(media_type or to_text(body["$content-type"]), content_bytes(body))
        if isinstance(body.get("$formdata"), list):
            fields = [field for field in body["$formdata"] if isinstance(field, dict)]
            return _form([(to_text(field.get("key")), field.get("value")) for field in fields], media_type)
        if media_type.partition(";")[0].strip().lower() == FORM:
            return _form(list(body.items()), media_type)
    return Content(media_type or JSON, _bytes(to_json(body)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _form(fields: list[tuple[str, Any]], media_type: str) -> Content:
    """Fields as browsers send them; a list gives its name once for each member."""
    pairs = [
        f"{quote_plus(name)}={quote_plus(to_text(each))}"
        for name, value in fields
        for each in (value if isinstance(value, list) else [value])
    ]
    return Content(media_type or FORM, "&".join(pairs).encode("ascii"))


def _multipart(body: dict[str, Any], media_type: str, key: str) -> Content:
    """`$multipart` by RFC 2046, section 5.1: each part has `headers` and a `body`, which may be a content object."""
    parts = [_part(part) for part in body["$multipart"]]
    number = 0
    while True:
        boundary = f"sealflow-{key}-{number}".encode("ascii", "replace")
        if not any(boundary in part for part in parts):
            break
        number += 1
    data = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    kind = (media_type or to_text(body.get("$content-type")) or "multipart/form-data").partition(";")[0].strip()
    return Content(f'{kind}; boundary="{boundary.decode("ascii")}"', data)


def _part(part: Value) -> bytes:
    if not isinstance(part, dict):
        raise ExpressionError("every part of '$multipart' must be an object with 'headers' and 'body'.")
    given: Any = part.get("headers")
    headers = [(str(name), to_text(value)) for name, value in given.items()] if isinstance(given, dict) else []
    if any(char in name + value for name, value in headers for char in "\r\n"):
        raise ExpressionError("a part of '$multipart' has a line break in a header.")
    own = next((value for name, value in headers if name.lower() == "content-type"), "")
    inner = part.get("body")
    content = Content("", b"") if inner is None else encode(inner, own, "part")
    others = [(name, value) for name, value in headers if name.lower() != "content-type"]
    typed = [*others, ("Content-Type", content.media_type)] if content.media_type else others
    return _bytes("".join(f"{name}: {value}\r\n" for name, value in typed)) + b"\r\n" + content.data
