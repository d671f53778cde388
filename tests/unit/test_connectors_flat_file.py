"""Flat files by their schemas: delimited, positional, tagged, wrapped, padded - taken apart and put together again."""

from __future__ import annotations

import base64
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from sealflow.connectors.isolated import flat_file
from sealflow.connectors.isolated.fault import Fault

MANY = 'maxOccurs="unbounded"'
CRLF = {"child_delimiter_type": "hex", "child_delimiter": "0x0D 0x0A"}
COMMA = {"structure": "delimited", "child_delimiter_type": "char", "child_delimiter": ","}


def note(kind: str, given: dict[str, str]) -> str:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in given.items())
    return f"<xs:annotation><xs:appinfo><b:{kind}{attributes}/></xs:appinfo></xs:annotation>"


def field(name: str, occurs: str = "", **given: str) -> str:
    return f'<xs:element name="{name}" type="xs:string" {occurs}>{note("fieldInfo", given)}</xs:element>'


def record(name: str, *children: str, occurs: str = "", **given: str) -> str:
    body = f"<xs:complexType><xs:sequence>{''.join(children)}</xs:sequence></xs:complexType>"
    return f'<xs:element name="{name}" {occurs}>{note("recordInfo", given)}{body}</xs:element>'


def schema(root: str, **given: str) -> str:
    spaces = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:b="http://schemas.microsoft.com/BizTalk/2003"'
    info = note("schemaInfo", {"root_reference": "File", **given})
    return f'<xs:schema {spaces} targetNamespace="urn:f">{info}{root}</xs:schema>'


def lines(*children: str, order: str = "infix", **info: str) -> str:
    return schema(record("File", *children, structure="delimited", child_order=order, **CRLF), **info)


def of_commas(*fields: str, **given: str) -> str:
    return record("L", *fields, occurs=MANY, **{**COMMA, **given})


def decode(by: str, content: Any, **more: Any) -> str:
    done = flat_file.perform({"operation": "decode", "content": content, "schema": by, "related": {}, **more})
    assert done["type"] == "application/xml; charset=utf-8"
    head = '<?xml version="1.0" encoding="utf-8"?><ns0:File xmlns:ns0="urn:f">'
    assert done["text"].startswith(head)
    return done["text"].removeprefix(head).removesuffix("</ns0:File>")


def encode(by: str, inner: str) -> str:
    content = f'<f:File xmlns:f="urn:f">{inner}</f:File>'
    done = flat_file.perform({"operation": "encode", "content": content, "schema": by, "related": {}})
    assert done["type"] == "text/plain; charset=utf-8"
    return done["text"]


WRAPPED = lines(of_commas(field("A", wrap_char_type="char", wrap_char='"'), field("B")))
ORDERS = lines(
    record("H", field("N"), tag_name="HDR", **{**COMMA, "child_order": "prefix"}),
    record("L", field("S"), field("Q"), occurs=f'minOccurs="0" {MANY}', tag_name="LIN", **COMMA),
    record("T", field("C"), tag_name="END", **COMMA),
    order="postfix",
)
POSITIONS = lines(
    record(
        "R",
        field("N", pos_length="4"),
        field("Q", pos_length="3", pos_offset="1", justification="right", pad_char_type="char", pad_char="0"),
        occurs=MANY,
        structure="positional",
        tag_name="R",
    )
)
ESCAPED = lines(of_commas(field("A"), field("B"), escape_char_type="char", escape_char="\\"))
NESTED = lines(
    of_commas(
        field("A"),
        record("P", field("X"), field("Y"), structure="delimited", child_delimiter_type="char", child_delimiter=";"),
    )
)


@pytest.mark.parametrize(
    ("by", "text", "inner"),
    [
        (WRAPPED, 'a,b\r\n"x,""1""",y', '<L><A>a</A><B>b</B></L><L><A>x,"1"</A><B>y</B></L>'),
        (
            ORDERS,
            "HDR,7\r\nLIN,a,1\r\nLIN,b,2\r\nEND,2\r\n",
            "<H><N>7</N></H><L><S>a</S><Q>1</Q></L><L><S>b</S><Q>2</Q></L><T><C>2</C></T>",
        ),
        (ORDERS, "HDR,7\r\nEND,0\r\n", "<H><N>7</N></H><T><C>0</C></T>"),
        (POSITIONS, "Rab   012\r\nRcdef 123", "<R><N>ab</N><Q>12</Q></R><R><N>cdef</N><Q>123</Q></R>"),
        (ESCAPED, "a\\,1,b\\\\", "<L><A>a,1</A><B>b\\</B></L>"),
        (NESTED, "a,x;y\r\nb,z;w", "<L><A>a</A><P><X>x</X><Y>y</Y></P></L><L><A>b</A><P><X>z</X><Y>w</Y></P></L>"),
    ],
)
def test_there_and_back(by: str, text: str, inner: str) -> None:
    assert decode(by, text) == inner
    assert encode(by, inner) == text


def test_line_ends_of_one_character_and_at_the_end_are_read() -> None:
    assert decode(WRAPPED, "a,b\nc,d\n") == decode(WRAPPED, "a,b\r\nc,d")


def test_the_content_may_be_a_content_object() -> None:
    data = base64.b64encode("é,b".encode("utf-8-sig")).decode()
    assert decode(WRAPPED, {"$content-type": "text/plain", "$content": data}) == "<L><A>é</A><B>b</B></L>"


def test_empty_fields_become_elements_as_schema_and_action_say() -> None:
    fields = (field("A"), field("B", 'minOccurs="0"'), field("C"))
    plain, none = lines(of_commas(*fields)), lines(of_commas(*fields), generate_empty_nodes="false")
    assert decode(plain, "a,,c") == "<L><A>a</A><B></B><C>c</C></L>"
    assert decode(none, "a,,c") == "<L><A>a</A><C>c</C></L>"
    assert decode(plain, "a,,c", emptyNodeGenerationMode="ForcedDisabled") == "<L><A>a</A><C>c</C></L>"
    assert decode(none, "a,,c", emptyNodeGenerationMode="ForcedEnabled") == "<L><A>a</A><B></B><C>c</C></L>"


def test_delimiters_of_what_is_not_there() -> None:
    fields = (field("A"), field("B", 'minOccurs="0"'), field("C", 'minOccurs="0"'))
    inner = "<L><A>a</A></L>"
    assert encode(lines(of_commas(*fields)), inner) == "a"
    assert encode(lines(of_commas(*fields, preserve_delimiter_for_empty_data="true")), inner) == "a,,"
    kept = {"preserve_delimiter_for_empty_data": "true", "suppress_trailing_delimiters": "true"}
    assert encode(lines(of_commas(*fields, **kept)), inner) == "a"


def test_defaults_of_the_schema_count_where_a_record_asks_for_them() -> None:
    by = schema(
        record(
            "File", field("A"), field("B"), structure="delimited", child_delimiter_type="default", child_order="default"
        ),
        default_child_delimiter_type="char",
        default_child_delimiter="|",
        default_child_order="postfix",
    )
    assert decode(by, "a|b|") == "<A>a</A><B>b</B>"


def test_children_stand_in_the_order_of_their_sequence_numbers() -> None:
    by = lines(of_commas(field("B", sequence_number="2"), field("A", sequence_number="1")))
    assert decode(by, "1,2") == "<L><A>1</A><B>2</B></L>"


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (WRAPPED, "a,b,c"),
        (WRAPPED, "a"),
        (WRAPPED, "a,\x01"),
        (ORDERS, "XXX,7\r\n"),
        (ORDERS, "HDR,7\r\nEND,0\r\nHDR,8\r\n"),
        (POSITIONS, "Rab   012 and more"),
        (WRAPPED, {"$content": "!"}),
        (WRAPPED, None),
    ],
)
def test_files_that_do_not_fit(by: str, text: Any) -> None:
    with pytest.raises(Fault) as caught:
        decode(by, text)
    assert caught.value.code == "InvalidFlatFile"


@pytest.mark.parametrize(
    ("by", "inner"),
    [
        (lines(of_commas(field("A"), field("B"))), "<L><A>a,b</A><B/></L>"),
        (POSITIONS, "<R><N>12345</N><Q/></R>"),
        (ORDERS, "<H><N>7</N></H>"),
    ],
)
def test_documents_that_do_not_fit(by: str, inner: str) -> None:
    with pytest.raises(Fault) as caught:
        encode(by, inner)
    assert caught.value.code == "InvalidXml"


@pytest.mark.parametrize(
    ("by", "code"),
    [
        (WRAPPED.replace("schemaInfo", "other"), "InvalidSchema"),
        (lines(of_commas(field("A")), count_positions_by_byte="true"), "FlatFileSchemaNotSupported"),
        (lines(of_commas(field("A"), repeating_delimiter=";")), "FlatFileSchemaNotSupported"),
        (schema(field("File")), "InvalidSchema"),
        (schema(record("File", field("A"), field("B"), structure="delimited")), "InvalidSchema"),
        (lines(record("R", field("A"), structure="positional")), "InvalidSchema"),
        (lines(record("R", field("A", pos_length="x"), structure="positional")), "InvalidSchema"),
        (lines(of_commas(field("A"), child_delimiter_type="hex")), "InvalidSchema"),
    ],
)
def test_schemas_that_are_not_done(by: str, code: str) -> None:
    with pytest.raises(Fault) as caught:
        decode(by, "a")
    assert caught.value.code == code
