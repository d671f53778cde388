"""The XML module: documents read, asked by XPath 1.0, changed and written. Without entities, network or extensions.

A document is an XmlNode whose text is its XML; what changes it gives the changed one back as `Document`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from ...engine.datatypes import Datum, Item
from .arguments import Arguments
from .fault import fault
from .files.encodings import decoded, encoded
from .files.file import read_whole, resolved
from .files.held import written
from .port import Operation, Outputs, Table, reads
from .session import Session

_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_NO_ELEMENT: Final = "XPath expression doesn't return an element"
_NO_ATTRIBUTE: Final = "Attribute not found in element"


def _parser() -> Any:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _root(text: str, display: str) -> Any:
    try:
        return etree.fromstring(_DECLARATION.sub("", text).encode(), _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise fault(display, f"It is no XML document: {getattr(error, 'msg', 'it is not well formed')}.") from None


def node(element: Any) -> Item:
    """The XmlNode of an element."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    inner = (element.text or "") + "".join(etree.tostring(child, encoding="unicode") for child in element)
    properties: dict[str, Datum] = {
        "Name": etree.QName(element).localname,
        "InnerText": "".join(element.itertext()),
        "InnerXML": inner,
        "OuterXML": text,
        "Value": "",
    }
    return Item("XmlNode", text, properties)


def _document(arguments: Arguments) -> Any:
    return _root(arguments.text("Document"), "Invalid XML document specified")


def _asked(root: Any, query: str) -> list[Any]:
    """What an XPath finds; a number, text or truth is the only thing found."""
    try:
        found = root.getroottree().xpath(query, namespaces=_namespaces(root))
    except (etree.XPathError, ValueError, TypeError) as error:
        raise fault("Invalid XPath expression specified", f"{error}") from None
    return found if isinstance(found, list) else [found]


def _namespaces(root: Any) -> dict[str, str]:
    """The prefixes that the document declares, at whatever depth."""
    return {
        prefix: uri for each in root.iter() if isinstance(each.tag, str) for prefix, uri in each.nsmap.items() if prefix
    }


def _element(root: Any, arguments: Arguments) -> Any:
    """The first element that XPathQuery finds; the root where none is asked for."""
    if not arguments.text("XPathQuery", ""):
        return root
    for each in _asked(root, arguments.text("XPathQuery")):
        if isinstance(each, etree._Element) and isinstance(each.tag, str):
            return each
    raise fault(_NO_ELEMENT, f"'{arguments.text('XPathQuery')}' finds no element.")


# --- reading


def read_file(arguments: Arguments, session: Session) -> Outputs:
    """XML.ReadFromFile."""
    path = resolved(arguments.get("File"), session)
    if not path.parent.is_dir():
        raise fault("Directory not found", f"There is no folder '{session.folders.shown(path.parent)}'.")
    data = read_whole(path, session, "Failed to read file")
    named = arguments.text("Encoding", "DefaultEncoding").rsplit(".", 1)[-1].casefold()
    display = "File doesn't contain a valid XML document"
    if named != "defaultencoding":
        return {"XmlDocument": node(_root(decoded(data, named), display))}
    try:
        return {"XmlDocument": node(etree.fromstring(data, _parser()))}
    except (etree.XMLSyntaxError, ValueError) as error:
        raise fault(display, f"{getattr(error, 'msg', 'It is not well formed')}.") from None


def write_file(arguments: Arguments, session: Session) -> Outputs:
    """XML.WriteXmlToFile.WriteToFile, .WriteToFileFormatted."""
    path = resolved(arguments.get("File"), session, write=True)
    if not path.parent.is_dir():
        raise fault("Invalid directory specified", f"There is no folder '{session.folders.shown(path.parent)}'.")
    text = arguments.text("Xml")
    if arguments.selector.casefold() == "writetofileformatted":
        root = _root(text, "Failed to write XML to file")
        etree.indent(root, " " * min(max(arguments.integer("Indentation", 2), 0), 32))
        text = etree.tostring(root, encoding="unicode")
    named = arguments.text("Encoding", "DefaultEncoding")
    try:
        data = encoded(text, "utf8nobom" if named.endswith("DefaultEncoding") else named, first=True)
        written(session.folders, path, data)
    except OSError as error:
        raise fault("Failed to write XML to file", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return None


def query(arguments: Arguments, session: Session) -> Outputs:
    """XML.ExecuteXPathQuery.*: elements as nodes, attributes and texts as texts."""
    root = _root(
        arguments.text("Document" if "Document" in arguments else "XmlDocument"), "Invalid XML document specified"
    )
    named = "XPathQuery" if "XPathQuery" in arguments else "XPathExpression"
    found = [_told(each) for each in _asked(root, arguments.text(named))]
    if arguments.selector.casefold().endswith("firstvalueonly"):
        return {"XPathResult": found[0] if found else ""}
    return {"XPathResults": found}


def _told(found: Any) -> Datum:
    if isinstance(found, etree._Element):
        return node(found) if isinstance(found.tag, str) else str(found.text or "")
    if isinstance(found, bool):
        return found
    if isinstance(found, float):
        return int(found) if found.is_integer() else Decimal(repr(found))
    return str(found)


def value(arguments: Arguments, session: Session) -> Outputs:
    """XML.GetXmlElementValue.*"""
    text = "".join(_element(_document(arguments), arguments).itertext())
    name, convert = _kind(arguments)
    outputs = _converted(text, convert, "Failed to convert element value to requested data type")
    return {f"{name}Value": outputs, "XmlElementValue": outputs}


def attribute(arguments: Arguments, session: Session) -> Outputs:
    """XML.GetXmlElementAttribute.*"""
    element = _element(_document(arguments), arguments)
    found = element.get(arguments.text("AttributeName"))
    if found is None:
        raise fault(_NO_ATTRIBUTE, f"There is no attribute '{arguments.text('AttributeName')}'.")
    name, convert = _kind(arguments)
    outputs = _converted(found, convert, "Failed to convert attribute value to requested data type")
    return {f"{name}Value": outputs, "XmlAttributeValue": outputs}


def _kind(arguments: Arguments) -> tuple[str, Callable[[str], Datum]]:
    selector = arguments.selector.casefold()
    for ending, name, convert in _KINDS:
        if selector.endswith(ending):
            return name, convert
    return "Text", str


def _boolean(text: str) -> bool:
    word = text.strip().casefold()
    if word not in ("true", "false", "1", "0"):
        raise ValueError
    return word in ("true", "1")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.strip()).replace(tzinfo=None)


def _numeric(text: str) -> Datum:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ValueError
    return int(number) if number == number.to_integral_value() and abs(number) < 10**18 else number


_KINDS: Final[tuple[tuple[str, str, Callable[[str], Datum]], ...]] = (
    ("asboolean", "Boolean", _boolean),
    ("asdatetime", "DateTime", _moment),
    ("asnumeric", "Numeric", _numeric),
)


def _converted(text: str, convert: Callable[[str], Datum], display: str) -> Datum:
    try:
        return convert(text)
    except (ValueError, InvalidOperation):
        raise fault(display, "The value is not of that type.") from None


# --- changing


def set_value(arguments: Arguments, session: Session) -> Outputs:
    """XML.SetElementValue: what was inside is replaced."""
    root = _document(arguments)
    element = _element(root, arguments)
    for child in list(element):
        element.remove(child)
    element.text = _allowed(arguments.text("ElementValue", ""), "Failed to set element value")
    return {"Document": node(root)}


def set_attribute(arguments: Arguments, session: Session) -> Outputs:
    """XML.SetElementAttribute."""
    root = _document(arguments)
    element = _element(root, arguments)
    display = "Failed to set XML attribute"
    try:
        element.set(arguments.text("AttributeName"), _allowed(arguments.text("AttributeValue", ""), display))
    except ValueError as error:
        raise fault(display, f"{error}.") from None
    return {"Document": node(root)}


def remove_attribute(arguments: Arguments, session: Session) -> Outputs:
    """XML.RemoveElementAttribute."""
    root = _document(arguments)
    element = _element(root, arguments)
    name = arguments.text("AttributeName")
    if element.get(name) is None:
        raise fault(_NO_ATTRIBUTE, f"There is no attribute '{name}'.")
    del element.attrib[name]
    return {"Document": node(root)}


def insert(arguments: Arguments, session: Session) -> Outputs:
    """XML.InsertElement: as the last child of each element that is found."""
    root = _document(arguments)
    display = "Failed to insert XML element"
    text = arguments.text("Element")
    parents = [each for each in _asked(root, arguments.text("XPathQuery", "/*")) if isinstance(each, etree._Element)]
    if not parents:
        raise fault(_NO_ELEMENT, f"'{arguments.text('XPathQuery', '/*')}' finds no element.")
    for parent in parents:
        parent.append(_root(text, display))
    return {"Document": node(root)}


def remove(arguments: Arguments, session: Session) -> Outputs:
    """XML.RemoveElement: each element that is found, but not the root."""
    root = _document(arguments)
    for each in _asked(root, arguments.text("XPathQuery")):
        if not isinstance(each, etree._Element):
            continue
        parent = each.getparent()
        if parent is None:
            raise fault("Failed to remove XML element", "A document cannot be without its root.")
        _keep_tail(each, parent)
        parent.remove(each)
    return {"Document": node(root)}


def _keep_tail(element: Any, parent: Any) -> None:
    """The text behind an element is its parent's, and stays."""
    if element.tail:
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail


def _allowed(text: str, display: str) -> str:
    try:
        etree.Element("x").text = text
    except ValueError as error:
        raise fault(display, "It holds characters that XML does not allow.") from error
    return text


_AS: Final = ("", "AsBoolean", "AsDateTime", "AsNumeric")

TABLE: Table = {
    "XML.ReadFromFile": reads(read_file),
    "XML.WriteXmlToFile.WriteToFile": Operation(write_file, "rerun"),
    "XML.WriteXmlToFile.WriteToFileFormatted": Operation(write_file, "rerun"),
    "XML.ExecuteXPathQuery.ExecuteXPath": reads(query),
    "XML.ExecuteXPathQuery.ExecuteXPathAndGetFirstValueOnly": reads(query),
    **{f"XML.GetXmlElementValue.GetElementValue{kind}": reads(value) for kind in _AS},
    **{f"XML.GetXmlElementAttribute.GetElementAttribute{kind}": reads(attribute) for kind in _AS},
    "XML.SetElementValue": reads(set_value),
    "XML.SetElementAttribute": reads(set_attribute),
    "XML.RemoveElementAttribute": reads(remove_attribute),
    "XML.InsertElement": reads(insert),
    "XML.RemoveElement": reads(remove),
}
