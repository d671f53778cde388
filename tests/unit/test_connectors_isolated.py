"""What the jobs of scripts, maps, templates and schemas make of their inputs, here in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sealflow.connectors.isolated import javascript, liquid_template, xml_schema, xslt
from sealflow.connectors.isolated.dotnet_date import render_date
from sealflow.connectors.isolated.fault import Fault

CONTEXT = {"actions": {"A": {"outputs": {"body": [1, 2]}}}, "trigger": None, "workflow": {"name": "f"}}
FEW = 64 * 1024 * 1024


def script(code: str, context: Any = CONTEXT, *, seconds: float = 60) -> Any:
    returned = javascript.perform({"code": code, "context": json.dumps(context), "seconds": seconds, "bytes": FEW})
    return None if returned is None else json.loads(returned)


def fault(work: Any, *given: Any, **named: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        work(*given, **named)
    return caught.value


# --- JavaScript


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return 1 + 1", 2),
        ("", None),
        ("return", None),
        ("return null", None),
        ("return undefined // and no more", None),
        ("return {a: undefined, n: NaN, d: new Date(0)}", {"n": None, "d": "1970-01-01T00:00:00.000Z"}),
        ("return workflowContext.actions.A.outputs.body.map(x => x * 2)", [2, 4]),
        ("const {actions} = workflowContext; return actions.A.outputs.body.length", 2),
        ("return Object.keys(workflowContext.actions)", ["A"]),
        ("return workflowContext.workflow.name", "f"),
        ("return 'é😀'", "é😀"),
        ("return (async () => 5)()", 5),
        ("return Promise.resolve([1]).then(x => x.concat(2))", [1, 2]),
        ("console.log(1); return 'quiet'", "quiet"),
        ("const b = workflowContext.actions.A.outputs.body; return [...b, ...b.concat(b)].sort()", [1, 1, 1, 2, 2, 2]),
        (
            "return {...workflowContext.actions.A.outputs, n: Object.entries(workflowContext.workflow)}",
            {"body": [1, 2], "n": [["name", "f"]]},
        ),
        ("return [typeof require, typeof setTimeout, typeof fetch, typeof std, typeof os]", ["undefined"] * 5),
    ],
)
def test_what_a_script_returns(code: str, value: Any) -> None:
    assert script(code) == value


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return (", "InlineCodeParsingFailure"),
        ("return await 1", "InlineCodeParsingFailure"),
        ("throw new TypeError('bad')", "InlineCodeScriptRuntimeFailure"),
        ("throw 'text'", "InlineCodeScriptRuntimeFailure"),
        ("return JSON.parse('{')", "InlineCodeScriptRuntimeFailure"),
        ("return Promise.reject(new Error('no'))", "InlineCodeScriptRuntimeFailure"),
        ("return new Promise(() => {})", "InlineCodeScriptRuntimeFailure"),
        ("const a = {}; a.a = a; return a", "InlineCodeScriptRuntimeFailure"),
        ("const f = () => f(); return f()", "InlineCodeScriptRuntimeFailure"),
        ("const a = []; while (true) a.push('x'.repeat(1000) + a.length)", "InlineCodeScriptRuntimeFailure"),
        ("workflowContext.x = 1", "InlineCodeCannotModifyWorkflowContext"),
        ("workflowContext.actions.A.outputs.body = 3", "InlineCodeCannotModifyWorkflowContext"),
        ("workflowContext.actions.A.outputs.body.push(3)", "InlineCodeCannotModifyWorkflowContext"),
        ("Object.values(workflowContext.actions.A)[0].body.length = 0", "InlineCodeCannotModifyWorkflowContext"),
        ("delete workflowContext.workflow.name", "InlineCodeCannotModifyWorkflowContext"),
        ("delete workflowContext.actions.A", "InlineCodeCannotModifyWorkflowContext"),
        ("return workflowContext.actions.B", "InlineCodeOperationMissing"),
        ("return workflowContext.trigger", "InlineCodeOperationMissing"),
        ("return workflowContext.variables", "InlineCodeInvalidProperty"),
        ("while (true);", "InlineCodeExecutionTimeout"),
        ("try { while (true); } catch (e) { return 'caught' }", "InlineCodeExecutionTimeout"),
        ("return /(a+)+$/.test('a'.repeat(40) + 'b')", "InlineCodeExecutionTimeout"),
    ],
)
def test_what_a_script_fails_with(code: str, expected: str) -> None:
    # Where another limit is reached, the time must not be: a busy machine makes any work slow.
    found = fault(script, code, seconds=0.2 if expected == "InlineCodeExecutionTimeout" else 60)
    assert found.code == expected
    assert found.message


def test_an_error_names_what_the_script_threw() -> None:
    assert fault(script, "throw new TypeError('bad thing')").message == "The script failed: TypeError: bad thing"


# --- XSLT

HEAD = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
  xmlns:msxsl="urn:schemas-microsoft-com:xslt" exclude-result-prefixes="msxsl">"""
DECLARED = '<?xml version="1.0" encoding="utf-8"?>'


def transformed(body: str, content: Any = "<a><b>1</b><b>2</b></a>", **more: Any) -> Any:
    given = {
        "content": content,
        "map": f"{HEAD}{body}</xsl:stylesheet>",
        "related": {},
        "parameters": {},
        "options": [],
    }
    return xslt.perform({**given, **more})


def template(inner: str) -> str:
    return f'<xsl:template match="/">{inner}</xsl:template>'


def test_a_map_makes_a_document_that_starts_with_a_byte_order_mark() -> None:
    done = transformed(template('<o><xsl:value-of select="sum(//b)"/></o>'))
    assert done == {"text": f"\ufeff{DECLARED}<o>3</o>", "type": "application/xml; charset=utf-8"}


def test_the_options_of_a_transformation() -> None:
    plain = ["disablebyteordermark"]
    assert transformed(template("<o/>"), options=plain)["text"] == f"{DECLARED}<o/>"
    output = '<xsl:output indent="yes" omit-xml-declaration="yes"/>'
    assert transformed(output + template("<o><p/></o>"), options=plain)["text"] == f"{DECLARED}<o><p/></o>"
    kept = transformed(output + template("<o><p/></o>"), options=[*plain, "applyxsltoutputattributes"])
    assert kept["text"] == "<o>\n  <p/>\n</o>\n"
    text = transformed('<xsl:output method="text"/>' + template("t"), options=plain)
    assert text == {"text": "t", "type": "text/plain; charset=utf-8"}


def test_parameters_reach_the_map_as_what_they_are() -> None:
    body = '<xsl:param name="p"/><xsl:param name="n"/><xsl:param name="b"/>' + template(
        '<o p="{$p}" n="{$n + 1}"><xsl:if test="$b">yes</xsl:if></o>'
    )
    given = {"p": 'it\'s "q"', "n": 2, "b": False}
    assert "it's &quot;q&quot;" in transformed(body, parameters=given)["text"]
    assert 'n="3"' in transformed(body, parameters=given)["text"]
    assert "yes" not in transformed(body, parameters=given)["text"]


def test_the_content_may_be_a_content_object() -> None:
    content = {"$content-type": "application/xml", "$content": "77u/PGE+w6k8L2E+"}
    assert "é" in transformed(template('<o><xsl:value-of select="a"/></o>'), content)["text"]


def test_node_set_goes_by_the_name_that_dotnet_has_for_it() -> None:
    inner = '<xsl:variable name="v"><x/><x/></xsl:variable><o><xsl:value-of select="count(msxsl:node-set($v)/x)"/></o>'
    assert "<o>2</o>" in transformed(template(inner))["text"]


def test_other_maps_are_included_by_file_name() -> None:
    other = f'<?xml version="1.0" encoding="utf-16"?>{HEAD}{template("<inc/>")}</xsl:stylesheet>'
    body = '<xsl:include href="../Maps/Common.xslt"/>'
    assert "<inc/>" in transformed(body, related={"common.xslt": other})["text"]
    assert fault(transformed, body).code == "ArtifactNotFound"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (template("<o><xsl:copy-of select=\"document('/etc/hostname')\"/></o>"), "XsltTransformFailed"),
        (template('<xsl:value-of select="u:f()" xmlns:u="urn:u"/>'), "XsltTransformFailed"),
        (template('<xsl:message terminate="yes">stop</xsl:message>'), "XsltTransformFailed"),
        (template('<xsl:apply-templates select="/"/>'), "XsltTransformFailed"),
        ('<msxsl:script language="C#" implements-prefix="u"/>', "XsltScriptNotSupported"),
        ("<xsl:template/>", "InvalidMap"),
    ],
)
def test_what_a_map_fails_with(body: str, expected: str) -> None:
    assert fault(transformed, body).code == expected


def test_maps_of_later_versions_are_refused() -> None:
    newer = HEAD.replace('"1.0"', '"3.0"') + "</xsl:stylesheet>"
    found = fault(transformed, "", map=newer)
    assert found.code == "XsltVersionNotSupported"
    assert "3.0" in found.message


@pytest.mark.parametrize("content", ["<a>", "", None, 5, {"$content": "!"}, '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'])
def test_content_that_is_no_xml(content: Any) -> None:
    assert fault(transformed, template("<o/>"), content).code == "InvalidXml"


# --- Liquid

PERSON = {"firstName": "Dean", "lastName": "Ledet", "devices": "Surface, Phone", "phone": "(111)5551111", "n": 7}


def rendered(text: str, kind: str = "jsontotext", content: Any = PERSON) -> Any:
    return liquid_template.perform({"content": content, "map": text, "kind": kind})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{content.firstName | Append: ' ' | Append: content.lastName}}", "Dean Ledet"),
        ("{{content.firstName | Upcase}}{{content.phone | Slice: 1, 3}}", "DEAN111"),
        ("{{content.n | DividedBy: 2}} {{content.n | divided_by: 2}} {{'a-b' | ReplaceFirst: '-', '+'}}", "3 3 a+b"),
        (
            "{% assign l = content.devices | Split: ', ' %}"
            "{% for d in l %}{{d}}{% if forloop.Last == true %}.{% endif %}{% endfor %}",
            "SurfacePhone.",
        ),
        ("{{ content | Json }}", json.dumps(PERSON, separators=(",", ":"))),
        ("{{ '2024-03-05T07:08:09Z' | Date: 'dd.MM.yy HH:mm' }}", "05.03.24 07:08"),
        ("{{ content.none }}", ""),
    ],
)
def test_what_a_template_renders(text: str, expected: str) -> None:
    assert rendered(text) == expected


def test_a_template_can_end_in_json() -> None:
    text = '{"a": [{% JSONArrayFor d in content.list -%} {{d.v}} {%- endJSONArrayFor %}], "t": "x,]",}'
    content = {"list": [{"v": 1}, {"v": ""}, {"v": 2}]}
    assert rendered(text, "jsontojson", content) == {"a": [1, 2], "t": "x,]"}
    assert fault(rendered, "no json", "jsontojson").code == "InvalidJson"


def test_a_template_of_xml_reads_the_document_with_and_without_its_root() -> None:
    xml = '<Root x="1"><b>t</b><c>1</c><c>2</c><d/></Root>'
    text = "{{content.Root.b}}{{content.b}}{{content.c[1]}}{{content.Root['@x']}}"
    assert rendered(text, "xmltotext", xml) == "tt21"


@pytest.mark.parametrize(
    "text", ["{{ x | Nope }}", "\n{% if %}", "{% for i in (1..2000000) %}{% endfor %}", "{% include 'x' %}"]
)
def test_what_a_template_fails_with(text: str) -> None:
    assert fault(rendered, text).code == "LiquidTemplateFailed"


def test_a_fault_of_a_template_has_a_line() -> None:
    assert "at line 2" in fault(rendered, "a\n{{ x | Nope }}").message


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ("2024-03-05T17:08:09.123Z", "yyyy-MM-ddTHH:mm:ss.fffzzz", "2024-03-05T17:08:09.123+00:00"),
        ("2024-03-05T17:08:09", "h:m tt 'of' dddd, d MMMM", "5:8 PM of Tuesday, 5 March"),
        ("2024-03-05", "d", "03/05/2024"),
        ("2024-03-05T17:08:09Z", "o", "2024-03-05T17:08:09.0000000"),
        ("2024-03-05T17:08:09Z", "%Y/%j", "2024/065"),
        ("2024-03-05T17:08:09Z", "yyyyK", "2024Z"),
        (0, "yyyy", "1970"),
        ("no date", "yyyy", "no date"),
        (None, "yyyy", ""),
        ("2024-03-05", "", "03/05/2024 00:00:00"),
    ],
)
def test_dates_in_dotnet_formats(value: Any, form: str, expected: str) -> None:
    assert render_date(value, form) == expected


# --- XML by schema

ORDER = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:o" xmlns:c="urn:c"
  targetNamespace="urn:o" elementFormDefault="qualified">
<xs:import namespace="urn:c" schemaLocation="..\\Schemas\\Common.xsd"/>
<xs:element name="Order"><xs:complexType><xs:sequence>
  <xs:element name="Id" type="xs:int"/><xs:element name="Total" type="Money"/>
  <xs:element name="Paid" type="xs:boolean" minOccurs="0" nillable="true"/>
  <xs:element name="Line" type="Line" maxOccurs="unbounded"/><xs:element ref="c:Note" minOccurs="0"/>
</xs:sequence><xs:attribute name="kind" type="xs:string"/></xs:complexType></xs:element>
<xs:complexType name="Base"><xs:sequence><xs:element name="Sku" type="xs:string"/></xs:sequence></xs:complexType>
<xs:complexType name="Line"><xs:complexContent><xs:extension base="Base"><xs:sequence>
  <xs:element name="Qty" type="xs:positiveInteger"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:simpleType name="Money"><xs:restriction base="xs:decimal"/></xs:simpleType></xs:schema>"""
COMMON = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:c"><xs:element name="Note">
<xs:complexType><xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="lang" type="xs:language"/>
</xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:schema>"""
DOCUMENT = """<Order xmlns="urn:o" kind="x"><Id>7</Id><Total>12.50</Total>\
<Paid xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/><Line><Sku>a</Sku><Qty>2</Qty></Line>\
<Note xmlns="urn:c" lang="en">hi</Note></Order>"""
AS_JSON = {
    "@kind": "x",
    "Id": 7,
    "Total": 12.5,
    "Paid": None,
    "Line": [{"Sku": "a", "Qty": 2}],
    "Note": {"@lang": "en", "#text": "hi"},
}


def by_schema(operation: str, content: Any, **more: Any) -> Any:
    given = {"operation": operation, "content": content, "schema": ORDER, "related": {"common.xsd": COMMON}}
    return xml_schema.perform({**given, **more})


def test_a_valid_document_comes_back() -> None:
    assert by_schema("validate", DOCUMENT) == {"text": DOCUMENT, "type": "application/xml; charset=utf-8"}


def test_the_faults_of_a_document_have_lines() -> None:
    found = fault(by_schema, "validate", DOCUMENT.replace("<Id>7", "\n<Id>x"))
    assert found.code == "XmlValidationFailed"
    assert "line 2" in found.message


def test_a_document_becomes_json_by_its_schema() -> None:
    assert by_schema("parse", DOCUMENT) == {"json": {"Order": AS_JSON}}


def test_the_settings_of_parsing() -> None:
    named = by_schema("parse", DOCUMENT, jsonWriterSettings={"ignoreAttributes": "Yes", "useFullyQualifiedNames": True})
    assert list(named["json"]) == ["urn:o:Order"]
    assert named["json"]["urn:o:Order"]["urn:c:Note"] == "hi"
    assert fault(by_schema, "parse", DOCUMENT, xmlReaderSettings={"dtdProcessing": "Parse"}).code == "InvalidXml"


def test_json_becomes_a_document_in_the_schemas_order() -> None:
    shuffled = dict(reversed(AS_JSON.items()))
    for content in (shuffled, {"Order": shuffled}):
        composed = by_schema("compose", content)
        assert by_schema("parse", composed["text"]) == {"json": {"Order": AS_JSON}}
        assert composed["text"].startswith(DECLARED)


def test_the_settings_of_composing() -> None:
    content = {"Id": 1, "Total": 2.5, "Line": {"Sku": "a", "Qty": 1}}
    settings = {"omitXmlDeclaration": True, "indent": "Yes", "indentChars": "\t", "newLineChars": "\r\n"}
    text = by_schema("compose", content, xmlWriterSettings=settings)["text"]
    assert text.startswith('<Order xmlns="urn:o">\r\n\t<Id>1</Id>')


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"Id": 7, "Total": 1, "Nope": 1, "Line": []}, "InvalidContent"),
        ({"Id": [1, 2]}, "InvalidContent"),
        ({"Id": {"a": 1}}, "InvalidContent"),
        ({"Id": 1}, "XmlValidationFailed"),
        ([1], "InvalidContent"),
    ],
)
def test_json_that_does_not_fit(content: Any, code: str) -> None:
    assert fault(by_schema, "compose", content).code == code


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ("<x/>", "InvalidSchema"),
        ("no xml", "InvalidXml"),
        ('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element/></xs:schema>', "InvalidSchema"),
    ],
)
def test_schemas_that_are_none(schema: str, code: str) -> None:
    assert fault(by_schema, "validate", DOCUMENT, schema=schema).code == code


def test_a_schema_that_is_missing_is_named() -> None:
    found = fault(by_schema, "validate", DOCUMENT, related={})
    assert (found.code, "common.xsd" in found.message) == ("ArtifactNotFound", True)
