"""XML by a schema: is a document valid, what is it as JSON, what is a JSON value as a document.

Source: Logic Apps, "Validate XML", "Parse XML using schemas", "Compose XML using schemas", with the settings they list.
The documents leave the form of the JSON open; here it is: attributes are `@name`, the text beside attributes `#text`,
elements that may repeat are arrays, numbers and booleans are what the schema says they are, `xsi:nil` is null.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .fault import Fault
from .xml_json import MIXED
from .xml_text import parsed, sibling
from .xsd import Part, Schema, local, qualified

_XSI_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_INTEGERS: Final = frozenset(
    {
        "integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger",
        "negativeInteger", "unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte",
    }
)  # fmt: skip
_FRACTIONS: Final = frozenset({"decimal", "double", "float"})
_MOST_FAULTS: Final = 10


def perform(inputs: dict[str, Any]) -> Any:
    """Do `operation` (`validate`, `parse`, `compose`) with `content` by `schema`; the other inputs are the action's."""
    return _OPERATIONS[inputs["operation"]](inputs)


def _validate(inputs: dict[str, Any]) -> dict[str, str]:
    """The document itself, where it is valid."""
    document = parsed(inputs["content"], "The content")
    _check(document, inputs)
    return _text(etree.tostring(document, encoding="unicode"))


def _parse(inputs: dict[str, Any]) -> dict[str, Any]:
    """`{"json": {root: value}}`."""
    reader, writer = _settings(inputs, "xmlReaderSettings"), _settings(inputs, "jsonWriterSettings")
    if str(reader.get("dtdProcessing", "prohibit")).lower() == "parse":
        raise Fault("InvalidXml", "Document types are not parsed: leave out 'dtdProcessing', or set it to Prohibit.")
    document = parsed(inputs["content"], "The content")
    _check(document, inputs)
    root = document.getroot()
    schema = Schema(inputs["schema"], inputs["related"])
    part = schema.root_of(inputs.get("rootNodeQualifiedName"), root.tag)
    naming = qualified if _on(writer, "useFullyQualifiedNames") else local
    read = _Reader(schema, naming, not _on(writer, "ignoreAttributes"), _on(reader, "ignoreWhitespace", True))
    return {"json": {naming(root.tag): read.value(root, part)}}


def _compose(inputs: dict[str, Any]) -> dict[str, str]:
    """The document of a JSON value: `{root: value}`, or the root's value alone."""
    schema = Schema(inputs["schema"], inputs["related"])
    content = inputs["content"]
    if not isinstance(content, dict):
        raise Fault("InvalidContent", "The content must be a JSON object.")
    name = inputs.get("rootNodeQualifiedName")
    named = next((part for part in schema.roots() if not name and set(content) == {local(part.tag)}), None)
    part = named or schema.root_of(name)
    value = content[local(part.tag)] if set(content) == {local(part.tag)} else content
    root = _Writer(schema).element(part, value, None)
    document = root.getroottree()
    _check(document, inputs)
    return _text(_written(document, _settings(inputs, "xmlWriterSettings")))


_OPERATIONS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "validate": _validate,
    "parse": _parse,
    "compose": _compose,
}


class _Related(etree.Resolver):  # type: ignore[misc]
    """Answers xs:include and xs:import from the flow's other schemas, by file name."""

    def __init__(self, related: dict[str, str]) -> None:
        self._related = related

    def resolve(self, url: str, public_id: str | None, context: Any) -> Any:
        return self.resolve_string(sibling(url, self._related, "schema"), context)


def _check(document: Any, inputs: dict[str, Any]) -> None:
    """Raises Fault: InvalidSchema, XmlValidationFailed with the first faults and their lines."""
    Schema(inputs["schema"], inputs["related"])  # says which one is missing, where libxml2 only fails
    source = parsed(inputs["schema"], "The schema", resolver=_Related(inputs["related"]))
    try:
        schema = etree.XMLSchema(source)
    except etree.XMLSchemaParseError as error:
        raise Fault("InvalidSchema", f"The schema is no XML Schema: {str(error)[:500]}") from None
    try:
        valid = schema.validate(document)
    except etree.XMLSchemaValidateError:  # libxml2 has given up: no memory for its automata
        raise Fault("InvalidSchema", "The schema is too complex: checking the content by it did not end.") from None
    if not valid:
        faults = [f"line {entry.line}: {entry.message}" for entry in schema.error_log]
        more = f" (and {len(faults) - _MOST_FAULTS} more)" if len(faults) > _MOST_FAULTS else ""
        listed = "; ".join(faults[:_MOST_FAULTS])[:2000]
        raise Fault("XmlValidationFailed", f"The XML does not fit the schema: {listed}{more}")


class _Reader:
    """Elements as JSON, by the schema."""

    def __init__(self, schema: Schema, naming: Callable[[str], str], attributes: bool, trim: bool) -> None:
        self._schema = schema
        self._naming = naming
        self._attributes = attributes
        self._trim = trim

    def value(self, element: Any, part: Part | None) -> Any:
        """An element's value; without a part (the schema leaves it open) all of it is text."""
        if element.get(_XSI_NIL) in ("true", "1"):
            return None
        known = {each.tag: each for each in self._schema.children(part.node)} if part is not None else {}
        members: dict[str, Any] = {}
        if self._attributes:
            types = {each.tag: each.node for each in self._schema.attributes(part.node)} if part is not None else {}
            for tag, text in element.items():
                if tag != _XSI_NIL:
                    base = self._schema.base(types[tag]) if tag in types else "string"
                    members[f"@{self._naming(tag)}"] = _typed(text, base)
        for child in element.iterchildren(tag=etree.Element):
            self._add(members, child, known.get(child.tag))
        text = element.text or ""
        base = self._schema.base(part.node) if part is not None else None if len(element) else "string"
        if base is not None and not members:
            return _typed(text, base)
        if base is not None or (text.strip() if self._trim else text):
            members[MIXED] = _typed(text, base or "string")
        return members

    def _add(self, members: dict[str, Any], child: Any, part: Part | None) -> None:
        name = self._naming(child.tag)
        value = self.value(child, part)
        if part is not None and part.many:
            members.setdefault(name, []).append(value)
        elif name not in members:
            members[name] = value
        else:
            raise Fault("InvalidXml", f"Two elements of different namespaces would both be '{name}' in the JSON.")


class _Writer:
    """JSON as elements, in the order of the schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def element(self, part: Part, value: Any, parent: Any) -> Any:
        """Append the element of a value. Raises Fault `InvalidContent` for what has no place in the schema."""
        namespace = part.tag[1:].partition("}")[0] if part.tag.startswith("{") else None
        plain = {None: namespace} if namespace is not None else None
        node = etree.Element(part.tag, nsmap=plain) if parent is None else etree.SubElement(parent, part.tag)
        if value is None:
            if part.node.get("nillable") == "true":
                node.set(_XSI_NIL, "true")
        elif isinstance(value, dict):
            self._members(node, part, value)
        elif isinstance(value, list):
            raise Fault("InvalidContent", f"The element '{local(part.tag)}' stands once and is given as an array.")
        else:
            node.text = _plain(value)
        return node

    def _members(self, node: Any, part: Part, value: dict[str, Any]) -> None:
        left = dict(value)
        for attribute in self._schema.attributes(part.node):
            given = _taken(left, attribute.tag, "@")
            if given is not None:
                node.set(attribute.tag, _plain(given))
        if MIXED in left:
            node.text = _plain(left.pop(MIXED))
        for child in self._schema.children(part.node):
            if local(child.tag) in left or qualified(child.tag) in left:
                given = _taken(left, child.tag, "")
                for each in given if child.many and isinstance(given, list) else [given]:
                    self.element(child, each, node)
        for name in left:
            if not name.lower().startswith("@xmlns"):
                raise Fault("InvalidContent", f"The schema has no '{name}' in '{local(part.tag)}'.")


def _taken(members: dict[str, Any], tag: str, mark: str) -> Any:
    for name in (mark + local(tag), mark + qualified(tag)):
        if name in members:
            return members.pop(name)
    return None


def _typed(text: str, base: str | None) -> Any:
    """A text as a value of its built-in type; what is none stays text."""
    stripped = text.strip()
    if base == "boolean" and stripped in ("true", "1", "false", "0"):
        return stripped in ("true", "1")
    try:
        if base in _INTEGERS:
            return int(stripped)
        if base in _FRACTIONS:
            number = Decimal(stripped)
            return float(number) if number.is_finite() else text
    except (ValueError, InvalidOperation):
        pass
    return text


def _plain(value: Any) -> str:
    """A JSON scalar as XML text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        raise Fault("InvalidContent", "An object or array stands where the schema has a text.")
    text = repr(value) if isinstance(value, float) else str(value if value is not None else "")
    try:
        etree.Element("a").text = text
    except ValueError:
        raise Fault("InvalidContent", "A text has a character that XML cannot hold.") from None
    return text


def _written(document: Any, settings: dict[str, Any]) -> str:
    root = document.getroot()
    if _on(settings, "indent"):
        etree.indent(root, space=str(settings.get("indentChars") or "  "))
    text = str(etree.tostring(root, encoding="unicode"))
    if not _on(settings, "omitXmlDeclaration"):
        text = f'<?xml version="1.0" encoding="utf-8"?>{chr(10) if _on(settings, "indent") else ""}{text}'
    return text.replace("\n", str(settings.get("newLineChars") or "\n"))


def _text(text: str) -> dict[str, str]:
    return {"text": text, "type": "application/xml; charset=utf-8"}


def _settings(inputs: dict[str, Any], name: str) -> dict[str, Any]:
    given = inputs.get(name)
    return given if isinstance(given, dict) else {}


def _on(settings: dict[str, Any], name: str, default: bool = False) -> bool:
    """A switch, given as a boolean or, by the designer, as Yes or No."""
    value = settings.get(name, default)
    return value if isinstance(value, bool) else str(value).lower() in ("yes", "true")
