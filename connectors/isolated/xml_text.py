"""XML texts and content objects as trees: no entities, no document types, nothing fetched."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .fault import Fault

_DECLARATION: Final = re.compile(r"^\ufeff?\s*<\?xml\b[^>]*\?>")


def parsed(content: Any, what: str, *, resolver: Any = None) -> Any:
    """The tree of a text, or of a content object (`$content` in base64). Raises Fault `InvalidXml`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    if resolver is not None:
        parser.resolvers.add(resolver)
    try:
        root = etree.fromstring(_bytes(content, what), parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Fault("InvalidXml", f"{what} is no XML: line {line}, column {column}: {error.msg}.") from None
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None:
        raise Fault("InvalidXml", f"{what} has a document type, which is not allowed.")
    return tree


def _bytes(content: Any, what: str) -> bytes:
    if isinstance(content, dict) and isinstance(content.get("$content"), str):
        try:
            return base64.b64decode(content["$content"], validate=True)
        except binascii.Error:
            raise Fault("InvalidXml", f"{what} is a content object whose '$content' is no base64.") from None
    if not isinstance(content, str):
        raise Fault("InvalidXml", f"{what} must be XML: a text, or a content object.")
    # The text is characters already, whatever encoding it was declared to have as bytes.
    return without_declaration(content).encode("utf-8", "replace")


def without_declaration(text: str) -> str:
    """The text without a byte order mark and `<?xml ...?>`."""
    return _DECLARATION.sub("", text, count=1).lstrip("\ufeff")


def sibling(url: str, related: dict[str, str], what: str) -> str:
    """The artifact that a reference such as `../Common.xsd` means, by its file name. Raises Fault."""
    name = url.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if name not in related:
        raise Fault("ArtifactNotFound", f"The {what} refers to '{name}', which is not among the flow's artifacts.")
    return without_declaration(related[name])
