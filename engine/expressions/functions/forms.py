"""Form data and multipart bodies, read out of the outputs of actions and triggers.

A form is a content object with `$formdata` (a list of key and value), a urlencoded text, or a multipart body; a
multipart body has `$multipart` (a list of headers and body) or its raw bytes. "Handle content types in Azure Logic
Apps"; "Logic Apps, expression functions reference: formDataValue, multipartBody". The scope maps the context functions
onto these.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

from ...values import Value, content_bytes, find_name, is_content, make_content, to_text
from .arguments import RandomSource, fault, integer, text

__all__ = ["RandomSource", "form_data_value", "form_data_values", "multipart_body"]

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_FIELD_NAME = re.compile(r'\bname="?([^";]*)"?', re.IGNORECASE)
_MAXIMUM_FIELDS = 100_000


def form_data_values(body: Value, key: Value, fn: str) -> list[Any]:
    """All values of a form's field, in their order."""
    wanted = text(key, fn, 0)
    return [value for name, value in _fields(body, fn) if name == wanted]


def form_data_value(body: Value, key: Value, fn: str) -> Value:
    """The value of a form's field, null if there is none. Raises ExpressionError where there are several."""
    values = form_data_values(body, key, fn)
    if len(values) > 1:
        raise fault(
            fn, f"found {len(values)} values for the key '{to_text(key)}' where one is expected: use {_plural(fn)}()."
        )
    return values[0] if values else None


def _plural(fn: str) -> str:
    return fn[: -len("Value")] + "MultiValues" if fn.lower().endswith("value") else fn


def _fields(body: Value, fn: str) -> list[tuple[str, Value]]:
    if isinstance(body, dict) and isinstance(body.get("$formdata"), list):
        entries = [entry for entry in body["$formdata"] if isinstance(entry, dict)]
        return [(to_text(entry.get("key")), entry.get("value")) for entry in entries]
    if isinstance(body, dict) and "multipart/form-data" in to_text(body.get("$content-type")).lower():
        fields: list[tuple[str, Value]] = []
        for part in _parts(body, fn):
            match = _FIELD_NAME.search(_header(part, "Content-Disposition"))
            if match:
                fields.append((match[1], to_text(part.get("body"))))
        return fields
    if isinstance(body, str):
        return _urlencoded(body, fn)
    if is_content(body):
        return _urlencoded(content_bytes(body).decode("utf-8", "replace"), fn)
    raise fault(fn, "expects a body of form data.")


def _urlencoded(source: str, fn: str) -> list[tuple[str, Value]]:
    if source.count("&") > _MAXIMUM_FIELDS:
        raise fault(fn, f"reads forms of at most {_MAXIMUM_FIELDS:,} fields.")
    pairs = (field.partition("=") for field in source.split("&") if field)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def multipart_body(body: Value, index: Value, fn: str) -> Value:
    """The body of one part, by its 0-based index. Raises ExpressionError where there is no such part."""
    parts, wanted = _parts(body, fn), integer(index, fn, 0)
    if not 0 <= wanted < len(parts):
        raise fault(fn, f"expects an index from 0 to {len(parts) - 1}: got {wanted}.")
    result: Value = parts[wanted].get("body")
    return result


def _parts(body: Value, fn: str) -> list[dict[str, Any]]:
    if isinstance(body, dict) and isinstance(body.get("$multipart"), list):
        return [part for part in body["$multipart"] if isinstance(part, dict)]
    if is_content(body):
        match = _BOUNDARY.search(to_text(body["$content-type"]))
        if match:
            return _split(content_bytes(body), match[1].strip().encode("utf-8", "replace"), fn)
    raise fault(fn, "expects a multipart body.")


def _split(data: bytes, boundary: bytes, fn: str) -> list[dict[str, Any]]:
    """The parts of raw multipart bytes (RFC 2046, section 5.1)."""
    if data.count(b"--" + boundary) > _MAXIMUM_FIELDS:
        raise fault(fn, f"reads bodies of at most {_MAXIMUM_FIELDS:,} parts.")
    parts: list[dict[str, Any]] = []
    for piece in (b"\r\n" + data).split(b"\r\n--" + boundary)[1:]:
        if piece.startswith(b"--"):
            break
        head, _, content = piece.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n") if ":" in line)
        headers = {name.strip(): value.strip() for name, _, value in lines}
        parts.append({"headers": headers, "body": _typed(_header({"headers": headers}, "Content-Type"), content)})
    return parts


def _typed(media_type: str, content: bytes) -> Value:
    if not media_type or media_type.lower().startswith("text/"):
        return content.decode("utf-8", "replace")
    return make_content(media_type, content)


def _header(part: dict[str, Any], name: str) -> str:
    headers = part.get("headers")
    found = find_name(headers, name) if isinstance(headers, dict) else None
    return to_text(headers[found]) if isinstance(headers, dict) and found is not None else ""
