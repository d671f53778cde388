"""Flat files to XML and back, by a flat file schema: delimited and positional records, tags, wrapped fields, padding.

Source: Logic Apps, "Encode and decode flat files"; BizTalk Server, "Flat file message structure". A file is taken
apart from the outside in: a record's text is cut at its delimiters, and each piece goes to the next child that it fits.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .fault import Fault
from .flat_file_schema import Field, FlatFile, Record, read_flat_file
from .xml_text import parsed
from .xsd import local, qualified

_NEW_LINE: Final = "\r\n"


def perform(inputs: dict[str, Any]) -> dict[str, str]:
    """Do `operation` (`decode`, `encode`) with `content` by `schema`; the text that comes of it and its media type."""
    file = read_flat_file(inputs["schema"], inputs["related"], inputs.get("rootNode"))
    if inputs["operation"] == "encode":
        root = parsed(inputs["content"], "The content").getroot()
        if root.tag != file.root.part.tag:
            wanted = qualified(file.root.part.tag)
            raise Fault("InvalidXml", f"The document's root is '{qualified(root.tag)}' and must be '{wanted}'.")
        return {"text": _Encoder(file).record(file.root, root), "type": "text/plain; charset=utf-8"}
    mode = str(inputs.get("emptyNodeGenerationMode") or "").lower()
    empty = {"forcedenabled": True, "forceddisabled": False}.get(mode, file.empty_nodes)
    document = _Decoder(file, empty).document(_text(inputs["content"]))
    written = etree.tostring(document, encoding="unicode")
    return {"text": f'<?xml version="1.0" encoding="utf-8"?>{written}', "type": "application/xml; charset=utf-8"}


def _text(content: Any) -> str:
    if isinstance(content, dict) and isinstance(content.get("$content"), str):
        try:
            return base64.b64decode(content["$content"], validate=True).decode("utf-8-sig")
        except (binascii.Error, UnicodeDecodeError):
            raise Fault("InvalidFlatFile", "The content object holds no text in UTF-8.") from None
    if not isinstance(content, str):
        raise Fault("InvalidFlatFile", "The content must be a text, or a content object.")
    return content.removeprefix("\ufeff")


class _Decoder:
    """A file's text as a document."""

    def __init__(self, file: FlatFile, empty_nodes: bool) -> None:
        self._file = file
        self._empty = empty_nodes

    def document(self, text: str) -> Any:
        record = self._file.root
        namespace = record.part.tag[1:].partition("}")[0] if record.part.tag.startswith("{") else None
        root = etree.Element(record.part.tag, nsmap={"ns0": namespace} if namespace else None)
        self._fill(record, text, root)
        return root

    def _record(self, record: Record, text: str, parent: Any) -> None:
        self._fill(record, text, etree.SubElement(parent, record.part.tag))

    def _fill(self, record: Record, text: str, node: Any) -> None:
        if record.positional:
            end = self._positional(record, text, 0, node)
            if text[end:].strip():
                raise Fault("InvalidFlatFile", f"The record '{record.name}' is followed by data that is not its own.")
            return
        text = self._untagged(record, text)
        pieces = self._pieces(record, text)
        place = 0
        for number, child in enumerate(record.children):
            place = self._take(record, child, number, pieces, place, node)
        if any(pieces[place:]):
            at = pieces[place][:40]
            raise Fault("InvalidFlatFile", f"The record '{record.name}' has data that fits none of its parts: '{at}'.")

    def _take(
        self, record: Record, child: Record | Field, number: int, pieces: list[str], place: int, node: Any
    ) -> int:
        """Give the child the pieces that are its own. Returns the place behind them."""
        later = sum(not (each.part.optional or each.part.many) for each in record.children[number + 1 :])
        taken = 0
        while place < len(pieces) and (child.part.many or not taken):
            piece = pieces[place]
            if isinstance(child, Record) and not self._fits(child, piece):
                break
            spare = taken or (child.part.optional and isinstance(child, Record))
            if spare and len(pieces) - place <= later:
                break
            if taken and not piece and place == len(pieces) - 1:
                break  # the delimiter at the end of the file
            if isinstance(child, Record):
                self._record(child, piece, node)
            else:
                self._field(child, piece, node, record.escape)
            place += 1
            taken += 1
        if not taken and not child.part.optional:
            name = local(child.part.tag)
            raise Fault("InvalidFlatFile", f"The record '{record.name}' has no '{name}' where it must have one.")
        return place

    def _fits(self, record: Record, piece: str) -> bool:
        return (
            piece.startswith(record.tag, record.tag_offset) if record.tag else bool(piece) or not record.part.optional
        )

    def _untagged(self, record: Record, text: str) -> str:
        if record.tag and not text.startswith(record.tag, record.tag_offset):
            raise Fault("InvalidFlatFile", f"The record '{record.name}' does not begin with its tag '{record.tag}'.")
        return text[: record.tag_offset] + text[record.tag_offset + len(record.tag) :] if record.tag else text

    def _pieces(self, record: Record, text: str) -> list[str]:
        """The text cut at the record's delimiter, outside of wrapped fields."""
        delimiter = record.delimiter
        if not delimiter:
            if len(record.children) > 1 or record.children[0].part.many:
                raise Fault("InvalidSchema", f"The record '{record.name}' has several parts and no delimiter.")
            return [text]
        if delimiter == _NEW_LINE and _NEW_LINE not in text:
            delimiter = "\n"
        pieces: list[str] = []
        start = at = 0
        wrapped = ""
        while at < len(text):
            each = text[at]
            if wrapped:
                wrapped = "" if each == wrapped else wrapped
                at += 1
            elif record.escape and text.startswith(record.escape, at):
                at += len(record.escape) + 1
            elif text.startswith(delimiter, at):
                pieces.append(text[start:at])
                start = at = at + len(delimiter)
            else:
                if each in self._file.wraps and at == start:
                    wrapped = each
                at += 1
        pieces.append(text[start:])
        if record.order == "prefix" and not pieces[0]:
            pieces.pop(0)
        elif record.order == "postfix" and not pieces[-1]:
            pieces.pop()
        return pieces

    def _positional(self, record: Record, text: str, at: int, node: Any) -> int:
        if record.tag:
            if not text.startswith(record.tag, at + record.tag_offset):
                raise Fault("InvalidFlatFile", f"The record '{record.name}' does not begin with '{record.tag}'.")
            at += record.tag_offset + len(record.tag)
        for child in record.children:
            if isinstance(child, Record):
                if not child.positional or child.part.many:
                    raise Fault("InvalidSchema", f"The positional record '{record.name}' holds one of another form.")
                at = self._positional(child, text, at, etree.SubElement(node, child.part.tag))
                continue
            at += child.offset
            self._field(child, text[at : at + child.length], node)
            at += child.length
        return at

    def _field(self, child: Field, piece: str, node: Any, escape: str = "") -> None:
        text = re.sub(f"{re.escape(escape)}(.)", r"\1", piece, flags=re.DOTALL) if escape else piece
        if child.wrap and len(text) > 1 and text[0] == text[-1] == child.wrap:
            text = text[1:-1].replace(child.wrap * 2, child.wrap)
        elif child.length or child.pad != " ":
            text = text.lstrip(child.pad) if child.right else text.rstrip(child.pad)
        if not text and not self._empty and child.part.optional:
            return
        try:
            if child.attribute:
                node.set(child.part.tag, text)
            else:
                etree.SubElement(node, child.part.tag).text = text
        except ValueError:
            name = local(child.part.tag)
            raise Fault("InvalidFlatFile", f"The field '{name}' has a character that XML cannot hold.") from None


class _Encoder:
    """A document as a file's text."""

    def __init__(self, file: FlatFile) -> None:
        self._file = file

    def record(self, record: Record, node: Any) -> str:
        if record.positional:
            return " " * record.tag_offset * bool(record.tag) + record.tag + self._positional(record, node)
        pieces: list[str] = []
        for child in record.children:
            found = self._values(child, node)
            if isinstance(child, Record):
                pieces += [self.record(child, each) for each in found]
            elif found:
                pieces += [self._field(record, child, each) for each in found]
            elif record.keeps_empty or not child.part.optional:
                pieces.append("")
        if record.drops_trailing:
            while pieces and not pieces[-1]:
                pieces.pop()
        delimiter = record.delimiter
        text = delimiter.join(pieces)
        if record.order == "prefix" and pieces:
            text = delimiter + text
        elif record.order == "postfix" and pieces:
            text += delimiter
        return " " * record.tag_offset * bool(record.tag) + record.tag + text

    def _values(self, child: Record | Field, node: Any) -> list[Any]:
        if isinstance(child, Field) and child.attribute:
            value = node.get(child.part.tag)
            return [] if value is None else [value]
        found = list(node.iterchildren(child.part.tag))
        if isinstance(child, Record):
            if not found and not child.part.optional:
                raise Fault("InvalidXml", f"'{local(node.tag)}' has no '{child.name}', which it must have.")
            return found
        return [each.text or "" for each in found]

    def _field(self, record: Record, child: Field, text: str) -> str:
        if child.length:
            return self._padded(child, text)
        special = [each for each in (record.delimiter, record.escape, child.wrap) if each and each in text]
        if not special:
            return text
        if child.wrap:
            return child.wrap + text.replace(child.wrap, child.wrap * 2) + child.wrap
        if record.escape:
            for each in dict.fromkeys((record.escape, record.delimiter)):
                text = text.replace(each, record.escape + each)
            return text
        name = local(child.part.tag)
        raise Fault(
            "InvalidXml", f"The field '{name}' holds the delimiter, and the schema has no wrap or escape character."
        )

    def _positional(self, record: Record, node: Any) -> str:
        text = ""
        for child in record.children:
            found = self._values(child, node)
            if isinstance(child, Record):
                text += "".join(self.record(child, each) for each in found)
            else:
                text += " " * child.offset + self._padded(child, found[0] if found else "")
        return text

    def _padded(self, child: Field, text: str) -> str:
        if len(text) > child.length:
            raise Fault("InvalidXml", f"The field '{local(child.part.tag)}' is longer than {child.length} characters.")
        return text.rjust(child.length, child.pad) if child.right else text.ljust(child.length, child.pad)
