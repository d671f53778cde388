"""XML to JSON and back, in the shapes of Newtonsoft.Json's XmlNodeConverter.

Attributes are `@name`, texts `#text`, CDATA `#cdata-section`; elements of one name become an array; an element with
nothing but a text is that text, `<a/>` is null. Comments are lost; several of them in one element leave an empty
`#comment` array.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from .cultures import INVARIANT
from .faults import FormatError
from .number_format import format_number
from .xml_document import (
    MAXIMUM_NODES,
    XML,
    XMLNS,
    Attribute,
    Declaration,
    Document,
    DocumentType,
    Element,
    Leaf,
    is_name,
    local,
    prefix,
)

# The type of `engine.values.Value`, which this package does not know.
Json = Any

JSON_NAMESPACE = "http://james.newtonking.com/projects/json"
MAXIMUM_DEPTH = 200

Node = Declaration | DocumentType | Element | Leaf


# --- names

_PLAIN_START = re.compile(r"[A-Za-z_:]")
_PLAIN_CHAR = re.compile(r"[A-Za-z0-9_:.\-]")
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{4})?)_")


def encode_name(name: str) -> str:
    """A text as an XML name: characters that are not allowed become `_xHHHH_` (XmlConvert.EncodeName)."""
    out: list[str] = []
    for at, char in enumerate(name):
        if _allowed(char, first=not at) and not (char == "_" and _ENCODED.match(name, at)):
            out.append(char)
        else:
            out.append(f"_x{ord(char):04X}_" if ord(char) <= 0xFFFF else f"_x{ord(char):08X}_")
    return "".join(out)


@lru_cache(maxsize=4096)
def _allowed(char: str, *, first: bool) -> bool:
    """Whether a character may stand in a name, or begin one."""
    if char.isascii():
        return (_PLAIN_START if first else _PLAIN_CHAR).fullmatch(char) is not None
    # The parser knows the tables of XML 1.0, appendix B, which are .NET's too.
    return is_name(char if first else "_" + char)


def decode_name(name: str) -> str:
    """The inverse of `encode_name`."""
    if "_x" not in name:
        return name
    decoded = _ENCODED.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else found[0], name)
    # Two escaped halves of a character are the character; one alone is none.
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Scope:
    """Namespace declarations in force, the latest last (XmlNamespaceManager)."""

    def __init__(self) -> None:
        self.nodes = 0
        self.declared: list[tuple[str, str]] = [("xmlns", XMLNS), ("xml", XML)]

    def namespace(self, before: str) -> str:
        return next((uri for name, uri in reversed(self.declared) if name == before), "")

    def prefix(self, uri: str) -> str:
        for name, each in reversed(self.declared):
            if each == uri and self.namespace(name) == uri:
                return name
        return ""


# --- XML to JSON


def to_json(document: Document) -> Json:
    """The JSON value of a document. Raises FormatError for what has no JSON form (entity references)."""
    result: dict[str, Json] = {}
    _grouped(list(document.nodes), _Scope(), result, 0)
    return result


def _name(node: Node | Attribute, scope: _Scope) -> str:
    match node:
        case Attribute():
            if node.namespace == JSON_NAMESPACE:
                return "$" + local(node.name)
            return "@" + _qualified(node.name, node.namespace, scope)
        case Element():
            if node.namespace == JSON_NAMESPACE:
                return "$" + local(node.name)
            return _qualified(node.name, node.namespace, scope)
        case Declaration():
            return "?xml"
        case DocumentType():
            return "!DOCTYPE"
    match node.kind:
        case "text":
            return "#text"
        case "cdata":
            return "#cdata-section"
        case "comment":
            return "#comment"
        case "space":
            return "#significant-whitespace"
        case "instruction":
            return "?" + decode_name(node.target)
    raise FormatError(f"the entity reference '&{node.value};' has no JSON form")


def _qualified(name: str, namespace: str, scope: _Scope) -> str:
    own = decode_name(local(name))
    if name == "xmlns" and namespace == XMLNS:
        return own
    before = scope.prefix(namespace) if namespace else ""
    return f"{before}:{own}" if before else own


def _grouped(nodes: list[Node], scope: _Scope, into: dict[str, Json], depth: int) -> None:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        groups.setdefault(_name(node, scope), []).append(node)
    for name, group in groups.items():
        if len(group) == 1 and not _is_array(group[0]):
            _single(name, group[0], scope, into, depth)
        else:
            # Comments of a group leave nothing in its array.
            into[name] = [_value(node, scope, depth)[1] for node in group if not _is_comment(node)]


def _is_array(node: Node) -> bool:
    if not isinstance(node, Element):
        return False
    return any(
        a.namespace == JSON_NAMESPACE and local(a.name) == "Array" and a.value in ("true", "1") for a in node.attributes
    )


def _is_comment(node: Node) -> bool:
    return isinstance(node, Leaf) and node.kind == "comment"


def _single(name: str, node: Node, scope: _Scope, into: dict[str, Json], depth: int) -> None:
    if _is_comment(node):
        return
    own, value = _value(node, scope, depth)
    into[own or name] = value


def _value(node: Node, scope: _Scope, depth: int) -> tuple[str, Json]:
    """The value of a node and, for an element, its name with the prefixes that it declares itself."""
    match node:
        case Leaf():
            return "", node.value
        case Declaration():
            parts = {"@version": node.version, "@encoding": node.encoding, "@standalone": node.standalone}
            return "", {key: value for key, value in parts.items() if value}
        case DocumentType():
            kind = {
                "@name": node.name,
                "@public": node.public,
                "@system": node.system,
                "@internalSubset": node.subset,
            }
            return "", {key: value for key, value in kind.items() if value}
    if depth > MAXIMUM_DEPTH:
        raise FormatError(f"the XML is nested deeper than {MAXIMUM_DEPTH} elements")
    before = len(scope.declared)
    for attribute in node.attributes:
        if attribute.namespace == XMLNS:
            scope.declared.append((attribute.name[6:], attribute.value))
    try:
        return _name(node, scope), _element(node, scope, depth)
    finally:
        del scope.declared[before:]


def _element(node: Element, scope: _Scope, depth: int) -> Json:
    plain = not any(_counts(attribute) for attribute in node.attributes)
    if plain and len(node.children) == 1:
        only = node.children[0]
        if isinstance(only, Leaf) and only.kind == "text":
            return only.value
    if not node.children and not node.attributes:
        return None if node.empty else ""
    result: dict[str, Json] = {}
    for attribute in node.attributes:
        if _counts(attribute):
            result[_name(attribute, scope)] = attribute.value
    children: list[Node] = list(node.children)
    _grouped(children, scope, result, depth + 1)
    return result


def _counts(attribute: Attribute) -> bool:
    """Whether an attribute is content: Newtonsoft's own marks are not."""
    if attribute.namespace == XMLNS and attribute.value == JSON_NAMESPACE:
        return False
    return attribute.namespace != JSON_NAMESPACE


# --- JSON to XML


def from_json(value: Json) -> Document:
    """The document of a JSON object. Raises FormatError unless it has one property for the root (or none at all)."""
    if not isinstance(value, dict):
        raise FormatError("only a JSON object can be converted to XML")
    document = Document()
    scope = _Scope()
    for name, member in value.items():
        if document.root is not None:
            raise FormatError(
                "the JSON root object has multiple properties; it must have a single one to be a valid XML document"
            )
        for each in member if isinstance(member, list) else [member]:
            _add(document, name, each, scope, 0)
    return document


def _add(parent: Document | Element, name: str, value: Json, scope: _Scope, depth: int) -> None:
    scope.nodes += 1
    if scope.nodes > MAXIMUM_NODES:
        raise FormatError(f"it has more than {MAXIMUM_NODES:,} elements")
    if depth > MAXIMUM_DEPTH:
        raise FormatError(f"the JSON is nested deeper than {MAXIMUM_DEPTH} objects")
    if name in ("#text", "#cdata-section", "#whitespace", "#significant-whitespace"):
        if isinstance(parent, Document):
            raise FormatError(f"'{name}' cannot stand outside of the root")
        kind = {"#text": "text", "#cdata-section": "cdata"}.get(name, "space")
        written = _text(value)
        if kind == "cdata" and "]]>" in written:
            raise FormatError("a CDATA section cannot hold ']]>'")
        parent.add(Leaf(kind, written))
    elif name.startswith("?"):
        _instruction(parent, name, value)
    elif name.upper() == "!DOCTYPE":
        _type(parent, value)
    elif name.startswith("@") and isinstance(parent, Element):
        _attribute(parent, name[1:], value, scope)
    elif not name:
        raise FormatError("an empty property name has no XML form")
    else:
        _child(parent, name, value, scope, depth)


def _child(parent: Document | Element, name: str, value: Json, scope: _Scope, depth: int) -> None:
    before = len(scope.declared)
    # Declarations come first: the element itself may use them.
    attributes = _leading_attributes(value, scope) if isinstance(value, dict) else []
    element = Element(encode_name(name), scope.namespace(prefix(name)))
    for key, text in attributes:
        element.attributes.append(_made(key, text, scope))
    if isinstance(parent, Document):
        if parent.root is not None:
            raise FormatError("the document already has a root element")
        parent.nodes.append(element)
    else:
        parent.add(element)
    if isinstance(value, dict):
        for key, member in list(value.items())[len(attributes) :]:
            for each in member if isinstance(member, list) else [member]:
                _add(element, key, each, scope, depth + 1)
    elif isinstance(value, list):
        # An array inside of an array repeats the name one level deeper.
        for each in value:
            _add(element, name, each, scope, depth + 1)
    elif value is not None:
        element.add(Leaf("text", _text(value)))
    del scope.declared[before:]


def _leading_attributes(value: dict[str, Json], scope: _Scope) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, member in value.items():
        if not key.startswith("@") or len(key) == 1:
            break
        text = _text(member)
        found.append((key[1:], text))
        if key == "@xmlns" or key.startswith("@xmlns:"):
            scope.declared.append((key[7:], text))
    return found


def _made(name: str, text: str, scope: _Scope) -> Attribute:
    if name == "xmlns" or name.startswith("xmlns:"):
        return Attribute(name, text, XMLNS)
    return Attribute(encode_name(name), text, scope.namespace(prefix(name)) if ":" in name else "")


def _attribute(element: Element, name: str, value: Json, scope: _Scope) -> None:
    made = _made(name, _text(value), scope)
    element.attributes = [each for each in element.attributes if each.name != made.name] + [made]


def _instruction(parent: Document | Element, name: str, value: Json) -> None:
    if name == "?xml":
        if isinstance(parent, Element) or parent.nodes:
            raise FormatError("an XML declaration must come first")
        if not isinstance(value, dict):
            raise FormatError("an XML declaration must be an object")
        given = {key: _text(member) for key, member in value.items()}
        unknown = set(given) - {"@version", "@encoding", "@standalone"}
        if unknown:
            raise FormatError(f"an XML declaration has no property '{sorted(unknown)[0]}'")
        if given.get("@version", "1.0") != "1.0":
            raise FormatError(f"XML of version '{given['@version']}' is not supported")
        if given.get("@standalone", "") not in ("", "yes", "no"):
            raise FormatError("standalone must be 'yes' or 'no'")
        encoding, standalone = given.get("@encoding", ""), given.get("@standalone", "")
        if '"' in encoding or "?" in encoding:
            raise FormatError(f"'{encoding}' is not an encoding")
        parent.nodes.append(Declaration("1.0", encoding, standalone))
        return
    leaf = Leaf("instruction", _text(value), name[1:])
    if encode_name(leaf.target) != leaf.target or not leaf.target or "?>" in leaf.value:
        raise FormatError(f"'{name}' is not a processing instruction")
    if isinstance(parent, Document):
        parent.nodes.append(leaf)
    else:
        parent.add(leaf)


def _type(parent: Document | Element, value: Json) -> None:
    if isinstance(parent, Element) or not isinstance(value, dict):
        raise FormatError("a document type must be an object before the root")
    given = {key: _text(member) for key, member in value.items()}
    unknown = set(given) - {"@name", "@public", "@system", "@internalSubset"}
    if unknown or not given.get("@name"):
        raise FormatError("a document type has '@name' and, if any, '@public', '@system' and '@internalSubset'")
    if any('"' in given.get(key, "") for key in ("@name", "@public", "@system")):
        raise FormatError("a document type's identifiers cannot hold quotes")
    parent.nodes.append(
        DocumentType(given["@name"], given.get("@public"), given.get("@system"), given.get("@internalSubset"))
    )


def _text(value: Json) -> str:
    """A JSON scalar as XML text (XmlConvert.ToString)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "INF" if value > 0 else "-INF"
    if isinstance(value, (int, float, Decimal)):
        return format_number(value, "G", INVARIANT)
    raise FormatError("an object or array cannot be the text of an attribute or a text")
