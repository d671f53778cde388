"""The XML functions `xml` and `xpath`, and what `json` does with XML.

Trees and the JSON shapes are `..dotnet`; XPath is lxml's (XPath 1.0), without entities, network or extensions. XML
travels as a content object of type `application/xml;charset=utf-8`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...values import Value, content_bytes, is_content, make_content
from ..dotnet.faults import FormatError
from ..dotnet.xml_document import MAXIMUM_NODES, Document, Element, read_document, write
from ..dotnet.xml_json import decode_name, encode_name, from_json, to_json
from ..table import DESIGNER, Family
from .arguments import bounded, bounded_length, fault, text, wrong

FAMILY = Family("xml", "Logic Apps, expression functions reference: manipulation functions: JSON and XML")

XML_CONTENT = "application/xml;charset=utf-8"

ENCODING = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']*)[\"']")
# Encodings whose declaration reads like ASCII; of any other (UTF-16) the declaration could not have been read.
ENCODINGS = re.compile(
    r"(us-)?ascii|utf-?8|iso-8859-\d{1,2}|latin1|windows-\d{3,4}|koi8-[ru]|shift_jis|gb2312|gb18030|gbk|big5|euc-(jp|kr)",
    re.IGNORECASE,
)


def is_xml_content(value: Value) -> bool:
    """Whether a value is a content object of an XML type."""
    if not is_content(value) or not isinstance(value["$content-type"], str):
        return False
    media = value["$content-type"].partition(";")[0].strip().lower()
    return media in ("application/xml", "text/xml") or media.endswith("+xml")


def xml_to_json(value: dict[str, Any], fn: str = "json") -> Value:
    """The JSON value of an XML content object, for `json(xml(...))`. Raises ExpressionError when it holds no XML."""
    try:
        result: Value = to_json(_document(content_bytes(value)))
    except FormatError as error:
        raise fault(fn, f"was given XML that cannot be converted to JSON: {error}.") from None
    return result


def _document(data: bytes) -> Document:
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return read_document(_decoded(data[len(mark) :], codec))
    declared = ENCODING.match(data)
    name = declared[1].decode("latin-1") if declared else "utf-8"
    if not ENCODINGS.fullmatch(name):
        raise FormatError(f"'{name}' is not a supported encoding of its bytes")
    return read_document(_decoded(data, name))


def _decoded(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, LookupError):
        raise FormatError(f"its bytes are not of the encoding '{codec}'") from None


@FAMILY.function("xml", 1, source="Logic Apps, expression functions reference: conversion functions")
def xml(value: Value) -> Value:
    """The XML content object of an XML text, a JSON object or another content object (its bytes are not checked)."""
    try:
        if is_content(value):
            return make_content(XML_CONTENT, content_bytes(value))
        if type(value) is str:
            document = read_document(value)
        elif type(value) is dict:
            document = from_json(value)
        else:
            wrong("xml", 1, "a string, an object or XML", value)
        result = bounded(write(document), "xml")
    except FormatError as error:
        raise fault("xml", f"was given a value that cannot be converted to XML: {error}.") from None
    return make_content(XML_CONTENT, result.encode("utf-8", "replace"))


@FAMILY.function("xpath", 2)
def xpath(value: Value, expression: Value) -> Value:
    """What an XPath 1.0 expression finds: an array for nodes (elements as XML content objects), or one scalar."""
    if not is_content(value) or not is_xml_content(value):
        wrong("xpath", 1, "an XML", value)
    query = text(expression, "xpath", 2)
    try:
        document = _document(content_bytes(value))
        return _found(document, query)
    except FormatError as error:
        raise fault("xpath", f"cannot be evaluated: {error}.") from None


_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


@FAMILY.function("encodeXmlValue", 1, source=DESIGNER)
def encode_xml_value(value: Value) -> str:
    """The text with XML's five special characters as entities (SecurityElement.Escape)."""
    source = bounded(text(value, "encodeXmlValue"), "encodeXmlValue")
    special = sum(map(source.count, "&<>\"'"))
    bounded_length(len(source) + 5 * special, "encodeXmlValue")
    return source.translate(_MARKUP) if special else source


@FAMILY.function("decodeXmlValue", 1, source=DESIGNER)
def decode_xml_value(value: Value) -> str:
    """The inverse of encodeXmlValue; character references are decoded too, other text stays."""
    return _REFERENCE.sub(_character, text(value, "decodeXmlValue"))


def _character(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return _ENTITIES[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if 0 < code < 0xD800 or 0xE000 <= code < 0x110000 else found[0]


@FAMILY.function("encodeXmlName", 1, source=DESIGNER)
def encode_xml_name(value: Value) -> str:
    """The text as an XML name: characters that are not allowed become `_xHHHH_` (XmlConvert.EncodeName)."""
    source = text(value, "encodeXmlName")
    if len(source) > _LONGEST_NAME:
        raise fault("encodeXmlName", f"expects a name of at most {_LONGEST_NAME:,} characters.")
    return encode_name(source)


@FAMILY.function("decodeXmlName", 1, source=DESIGNER)
def decode_xml_name(value: Value) -> str:
    """The inverse of encodeXmlName (XmlConvert.DecodeName)."""
    return decode_name(text(value, "decodeXmlName"))


_LONGEST_NAME = 100_000


def _found(document: Document, query: str) -> Value:
    # Heavy, and needed by few flows.
    from lxml import etree  # type: ignore[import-untyped]

    plain = Document([node for node in document.nodes if not _before_root(node)])
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(write(plain).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise FormatError(f"the XML is not well-formed: {error}") from None
    if query.strip() == "/":
        return [_content(document)]
    _affordable(query, sum(1 for _ in tree.getroottree().iter()))
    try:
        result = tree.getroottree().xpath(query)
    except (etree.XPathError, ValueError) as error:
        raise FormatError(f"'{query[:100]}' is not a valid XPath expression: {error}") from None
    if isinstance(result, bool):
        return result
    if isinstance(result, float):
        return result
    if isinstance(result, str):
        return str(result)
    if len(result) > MAXIMUM_NODES:
        raise FormatError(f"'{query[:100]}' finds more than {MAXIMUM_NODES:,} nodes")
    own = dict(zip(tree.getroottree().iter(etree.Element), _elements(document.root), strict=True))
    items: list[Any] = []
    size = 0
    for item in result:
        found = _item(item, own, etree)
        size += len(found["$content"]) if isinstance(found, dict) else len(str(found))
        bounded_length(size, "xpath")
        items.append(found)
    return items


def _before_root(node: object) -> bool:
    return type(node).__name__ in ("Declaration", "DocumentType")


def _elements(root: Element | None) -> Iterator[Element]:
    """The element and all below it, in document order."""
    pending = [root] if root is not None else []
    while pending:
        element = pending.pop()
        yield element
        pending.extend(child for child in reversed(element.children) if isinstance(child, Element))


# Axes that visit the whole document, or could.
_WIDE = re.compile(r"//|\b(?:descendant|descendant-or-self|following|preceding)\s*::")
_STEPS = 100_000_000


def _affordable(query: str, nodes: int) -> None:
    """Raise FormatError where a query would visit the nodes far too often: it cannot be stopped once it runs.

    Predicates that search the document, inside of predicates that do, multiply; so do wide axes one behind the other.
    """
    if len(query) > _LONGEST_QUERY:
        raise FormatError(f"a query may have at most {_LONGEST_QUERY:,} characters")
    searches = [0]  # how many times each open level visits all nodes, the outermost first
    power = 1
    for part in re.findall(r"'[^']*'|\"[^\"]*\"|//|[\w-]+\s*::|[\[\]]", query):
        if part == "[":
            searches.append(0)
        elif part == "]":
            searches.pop() if len(searches) > 1 else None
        elif part == "//" or _WIDE.match(part):
            # A descendant of a descendant is found once; what follows or precedes is looked for from every node.
            searches[-1] = searches[-1] + 1 if part.startswith(("following", "preceding")) else max(searches[-1], 1)
            power = max(power, sum(searches))
    if nodes**power > _STEPS:
        raise FormatError(f"'{query[:100]}' would take too many steps on {nodes:,} nodes")


_LONGEST_QUERY = 8_192


def _item(item: Any, own: dict[Any, Element], etree: Any) -> Value:
    if isinstance(item, tuple):
        return str(item[1])
    if isinstance(item, str):
        return str(item)
    element = own.get(item)
    if element is not None:
        return _content(element)
    return item.text or ""


def _content(node: Document | Element) -> Value:
    return make_content(XML_CONTENT, write(node).encode())
