"""The XML module, and hashes."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sealflow
from desktop_world import World
from sealflow.engine.datatypes import Datum, Item
from sealflow.engine.runtime.flows.script_files import ScriptSource

ORDERS = '<orders xmlns:x="urn:x"><o id="1" paid="true">12.5</o><o id="2"><x:n>b</x:n></o>tail</orders>'


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_reading_and_writing(world: World) -> None:
    world.file("a.xml", f'<?xml version="1.0" encoding="utf-8"?>{ORDERS}')
    document = (await world.do("XML.ReadFromFile", File="C:\\a.xml"))["XmlDocument"]
    assert isinstance(document, Item)
    assert (document.kind, document.get("Name"), document.text) == ("XmlNode", "orders", ORDERS)
    assert document.get("InnerText") == "12.5btail"
    await world.do("XML.WriteXmlToFile.WriteToFileFormatted", Xml="<a><b/></a>", File="C:\\b.xml", Indentation=3)
    assert (world.folder / "b.xml").read_text() == "<a>\n   <b/>\n</a>"
    await world.do(
        "XML.WriteXmlToFile.WriteToFile", Xml=document, File="C:\\c.xml", Encoding="XML.FileEncoding.Unicode"
    )
    assert (world.folder / "c.xml").read_bytes().startswith(b"\xff\xfe<\0")
    world.file("d.xml", "<a>")
    await world.fails("FileDoesntContainAValidXMLDocumentError", "XML.ReadFromFile", File="C:\\d.xml")
    await world.fails("FileNotFoundError", "XML.ReadFromFile", File="C:\\none.xml")


async def test_entities_and_files_are_not_fetched(world: World) -> None:
    (world.outside / "secret").write_text("planted")
    evil = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{world.outside}/secret">]><a>&e;</a>'
    world.file("a.xml", evil)
    document = (await world.do("XML.ReadFromFile", File="C:\\a.xml"))["XmlDocument"]
    assert "planted" not in str(document)


async def test_asking(world: World) -> None:
    query = "XML.ExecuteXPathQuery.ExecuteXPath"
    found = (await world.do(query, Document=ORDERS, XPathQuery="//o"))["XPathResults"]
    assert [each.get("InnerText") for each in found] == ["12.5", "b"]  # type: ignore[union-attr]
    assert (await world.do(query, Document=ORDERS, XPathQuery="//o/@id"))["XPathResults"] == ["1", "2"]
    first = f"{query}AndGetFirstValueOnly"
    assert (await world.do(first, Document=ORDERS, XPathQuery="count(//o)"))["XPathResult"] == 2
    assert (await world.do(first, Document=ORDERS, XPathQuery="//x:n/text()"))["XPathResult"] == "b"
    await world.fails("InvalidXPathExpressionSpecifiedError", query, Document=ORDERS, XPathQuery="//o[")
    await world.fails("InvalidXMLDocumentSpecifiedError", query, Document="<a", XPathQuery="/")


async def test_values_and_attributes(world: World) -> None:
    first: dict[str, Datum] = {"Document": ORDERS, "XPathQuery": "//o[1]"}
    value = "XML.GetXmlElementValue.GetElementValue"
    assert (await world.do(value, **first))["TextValue"] == "12.5"
    assert (await world.do(f"{value}AsNumeric", **first))["NumericValue"] == Decimal("12.5")
    await world.fails("FailedToConvertElementValueToRequestedDataTypeError", f"{value}AsBoolean", **first)
    await world.fails("XPathExpressionDoesntReturnAnElementError", value, Document=ORDERS, XPathQuery="//none")
    attribute = "XML.GetXmlElementAttribute.GetElementAttribute"
    assert (await world.do(f"{attribute}AsBoolean", AttributeName="paid", **first))["BooleanValue"] is True
    date: dict[str, Datum] = {"Document": '<a on="2026-03-01"/>', "AttributeName": "on"}
    assert (await world.do(f"{attribute}AsDateTime", **date))["DateTimeValue"] == datetime(2026, 3, 1)
    await world.fails("AttributeNotFoundInElementError", attribute, AttributeName="none", **first)


async def test_changing(world: World) -> None:
    async def change(action: str, **more: Datum) -> str:
        done = (await world.do(f"XML.{action}", **more))["Document"]
        assert isinstance(done, Item)
        return done.text

    small = "<a><b>1</b>t</a>"
    assert (
        await change("SetElementValue", Document=small, XPathQuery="/a/b", ElementValue="<2>")
        == "<a><b>&lt;2&gt;</b>t</a>"
    )
    assert (
        await change("SetElementAttribute", Document="<a/>", AttributeName="n", AttributeValue='"') == '<a n="&quot;"/>'
    )
    assert await change("RemoveElementAttribute", Document='<a n="1"/>', AttributeName="n") == "<a/>"
    assert await change("InsertElement", Document=small, XPathQuery="/a", Element="<c/>") == "<a><b>1</b>t<c/></a>"
    assert await change("RemoveElement", Document=small, XPathQuery="//b") == "<a>t</a>"
    await world.fails("FailedToRemoveXMLElementError", "XML.RemoveElement", Document=small, XPathQuery="/a")
    await world.fails("FailedToSetElementValueError", "XML.SetElementValue", Document=small, ElementValue="\x01")


async def test_hashes(world: World) -> None:
    world.file("a.bin", b"\x00\x01")
    done = await world.do("Cryptography.HashText", TextToHash="é", Encoding="Cryptography.EncryptionEncoding.UTF8")
    assert done["HashedText"] == hashlib.sha256("é".encode()).hexdigest()
    done = await world.do("Cryptography.HashText", TextToHash="a", HashAlgorithm="Cryptography.HashAlgorithm.SHA512")
    assert done["HashedText"] == hashlib.sha512(b"a\x00").hexdigest()
    keyed: dict[str, Datum] = {"HashKey": "k", "Encoding": "UTF8", "HashAlgorithm": "HMACSHA384"}
    done = await world.do("Cryptography.HashTextWithKey", TextToHash="a", **keyed)
    assert done["HashedText"] == hmac.new(b"k", b"a", "sha384").hexdigest()
    done = await world.do("Cryptography.HashFromFile", FileToHash="C:\\a.bin")
    assert done["HashedText"] == hashlib.sha256(b"\x00\x01").hexdigest()
    done = await world.do("Cryptography.HashFromFileWithKey", FileToHash="C:\\a.bin", HashKey="k", Encoding="UTF8")
    assert done["HashedText"] == hmac.new(b"k", b"\x00\x01", "sha256").hexdigest()
    await world.fails("FailedToHashTextError", "Cryptography.HashText", TextToHash="a", HashAlgorithm="MD5")


SCRIPT = """@OUTPUT Out : { 'Description': '', 'FriendlyName': 'Out', 'Type': 'String' }
SET Text TO $'''<a><b k=\\"1\\" l=\\"2\\">x</b><c>gone</c></a>'''
XML.ExecuteXPathQuery.ExecuteXPathAndGetFirstValueOnly XmlDocument: Text XPathQuery: $'''/a''' XPathResult=> Doc
XML.ExecuteXPathQuery.ExecuteXPathAndGetFirstValueOnly XmlDocument: $'''<d>in</d>''' XPathQuery: $'''/d''' \
XPathResult=> D
XML.SetElementValue Document: Doc XPathQuery: $'''/a/b''' ElementValue: $'''new'''
XML.SetElementAttribute Document: Doc XPathQuery: $'''/a/b''' AttributeName: $'''k''' AttributeValue: $'''5'''
XML.RemoveElementAttribute Document: Doc XPathQuery: $'''/a/b''' AttributeName: $'''l'''
XML.RemoveElement Document: Doc XPathQuery: $'''/a/c'''
XML.InsertElement Document: Doc XPathQuery: $'''/a''' Element: D
XML.GetXmlElementValue.GetElementValue Document: Doc XPathQuery: $'''/a/b''' TextValue=> V
XML.GetXmlElementAttribute.GetElementAttributeAsNumeric Document: Doc AttributeName: $'''k''' XPathQuery: $'''/a/b''' \
NumericValue=> K
SET Out TO $'''%V% %K + 1% %Doc%'''
"""


async def test_what_is_changed_is_the_document_of_the_variable(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("flow", ScriptSource("flow", SCRIPT)), {})
        result = await run.result()
    assert result.outputs == {"Out": 'new 6 <a><b k="5">new</b><d>in</d></a>'}, result.error
