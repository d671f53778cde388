"""Flat file schemas: what BizTalk's annotations in an XML schema say about records, fields and their delimiters.

Source: BizTalk Server, "Node Properties of Flat File Schemas", each with its attribute under "XSD Persistence".
What the annotations can say and is not done here is refused rather than ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from .fault import Fault
from .xsd import XSD, Part, Schema, local

_BIZTALK: Final = "{http://schemas.microsoft.com/BizTalk/2003}"
_INFO: Final = f"{XSD}annotation/{XSD}appinfo/{_BIZTALK}"
_ORDERS: Final = frozenset({"prefix", "infix", "postfix"})
_DEEPEST: Final = 50


@dataclass(slots=True)
class Field:
    """A field: an element of text, or an attribute. `length` and `offset` count in positional records."""

    part: Part
    attribute: bool
    length: int = 0
    offset: int = 0
    pad: str = " "
    right: bool = False
    wrap: str = ""


@dataclass(slots=True)
class Record:
    """A record. `order` says where the delimiter stands: prefix, infix or postfix."""

    part: Part
    positional: bool
    tag: str
    tag_offset: int
    delimiter: str
    order: str
    escape: str
    keeps_empty: bool
    drops_trailing: bool
    children: list[Record | Field] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The element's name, for errors."""
        return local(self.part.tag)


@dataclass(slots=True)
class FlatFile:
    """A whole file: its root, whether empty fields become elements, and the characters that may be around fields."""

    root: Record
    empty_nodes: bool
    wraps: frozenset[str]


def read_flat_file(text: str, related: dict[str, str], root: str | None) -> FlatFile:
    """The file that a schema describes. Raises Fault: InvalidSchema, FlatFileSchemaNotSupported."""
    schema = Schema(text, related)
    info = schema.root.find(f"{_INFO}schemaInfo")
    if info is None:
        raise Fault("InvalidSchema", "The schema has no flat file annotations (schemaInfo of BizTalk).")
    if info.get("count_positions_by_byte") == "true":
        raise _unsupported("positions that are counted in bytes")
    part = schema.root_of(root or info.get("root_reference"))
    reader = _Reader(schema, info)
    found = reader.node(part, 0)
    if isinstance(found, Field):
        raise Fault("InvalidSchema", "The schema's root is a field and must be a record.")
    return FlatFile(found, info.get("generate_empty_nodes") != "false", frozenset(reader.wraps))


class _Reader:
    """Goes through a schema's elements; collects the wrap characters of all fields."""

    def __init__(self, schema: Schema, info: Any) -> None:
        self._schema = schema
        self._info = info
        self.wraps: set[str] = set()

    def node(self, part: Part, depth: int) -> Record | Field:
        if depth > _DEEPEST:
            raise _unsupported("records that hold themselves")
        children = self._schema.children(part.node)
        attributes = self._schema.attributes(part.node)
        if not children and not attributes:
            return self._field(part, False)
        record = self._record(part)
        inner: list[Record | Field] = [self._field(each, True) for each in attributes]
        inner += [self.node(each, depth + 1) for each in children]
        record.children = sorted(inner, key=lambda each: _sequence(each.part.node))
        if record.positional and any(isinstance(each, Field) and not each.length for each in inner):
            raise Fault("InvalidSchema", f"The positional record '{record.name}' has a field without a length.")
        return record

    def _record(self, part: Part) -> Record:
        found = part.node.find(f"{_INFO}recordInfo")
        given = found if found is not None else {}
        tag = given.get("tag_name") or ""
        order = str(given.get("child_order") or "")
        if order == "default":
            order = str(self._info.get("default_child_order") or "")
        if order not in _ORDERS:  # the conditional default
            order = "prefix" if tag else "infix"
        if given.get("repeating_delimiter_type") or given.get("repeating_delimiter"):
            raise _unsupported("a repeating delimiter of its own")
        return Record(
            part,
            given.get("structure") == "positional",
            tag,
            _number(given, "tag_offset"),
            self._character(given, "child_delimiter"),
            order,
            self._character(given, "escape_char"),
            given.get("preserve_delimiter_for_empty_data") == "true",
            given.get("suppress_trailing_delimiters") == "true",
        )

    def _field(self, part: Part, attribute: bool) -> Field:
        found = part.node.find(f"{_INFO}fieldInfo")
        given = found if found is not None else {}
        wrap = self._character(given, "wrap_char")
        if wrap:
            self.wraps.add(wrap)
        return Field(
            part,
            attribute,
            _number(given, "pos_length"),
            _number(given, "pos_offset"),
            self._character(given, "pad_char") or " ",
            given.get("justification") == "right",
            wrap,
        )

    def _character(self, given: Any, name: str) -> str:
        """A delimiter, pad, wrap or escape character: as it is, in hexadecimal, or the schema's default."""
        kind = given.get(f"{name}_type")
        if kind == "default" or (kind is None and given.get(name) is None):
            given, name = self._info, f"default_{name}"
            if given.get(name) is None:
                return ""
            kind = given.get(f"{name}_type")
        value = str(given.get(name) or "")
        if kind != "hex":
            return value
        try:
            return "".join(chr(int(each, 16)) for each in value.split())
        except (ValueError, OverflowError):
            raise Fault("InvalidSchema", f"The schema's {name} '{value[:40]}' is not hexadecimal.") from None


def _sequence(node: Any) -> int:
    """The place of a child in its record; nodes without one keep the schema's order."""
    for name in ("recordInfo", "fieldInfo"):
        info = node.find(f"{_INFO}{name}")
        if info is not None and (info.get("sequence_number") or "").isdigit():
            return int(info.get("sequence_number"))
    return 0


def _number(given: Any, name: str) -> int:
    value = str(given.get(name) or "0").strip()
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Fault("InvalidSchema", f"The schema's {name} '{value[:40]}' is no number.")
    return int(value)


def _unsupported(what: str) -> Fault:
    return Fault("FlatFileSchemaNotSupported", f"The flat file schema has {what}, which is not done here.")
