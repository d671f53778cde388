"""XML: texts in and out as XmlDocument writes them, JSON in Newtonsoft's shapes, XPath."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions.dotnet.xml_json import decode_name, encode_name
from sealflow.engine.expressions.functions.xml import XML_CONTENT, is_xml_content, xml, xml_to_json, xpath
from sealflow.engine.values import content_text, make_content


def text_of(value: Any) -> str:
    return content_text(xml(value))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("<root/>", "<root />"),
        ("<root></root>", "<root></root>"),
        ("<root> <a/> </root>", "<root><a /></root>"),
        ("<root>   </root>", "<root></root>"),
        ("<root> <!-- a --> b <!-- c --> </root>", "<root><!-- a --> b <!-- c --></root>"),
        ("<a><![CDATA[<>&]]><![CDATA[]]></a>", "<a><![CDATA[<>&]]><![CDATA[]]></a>"),
        ("<a b='\"x\"'/>", '<a b="&quot;x&quot;" />'),
        ("<a>&#65;&lt;&amp;&gt;\"'</a>", "<a>A&lt;&amp;&gt;\"'</a>"),
        ("<a>x\r\ny</a>", "<a>x\r\ny</a>"),
        ('<a b="1\n2"/>\r\n<!--\r\n-->\r\n', '<a b="1&#xA;2" /><!--\r\n-->'),
        ('<?xml version="1.0" encoding="ucs-2"?>\n<root/>', '<?xml version="1.0" encoding="ucs-2"?><root />'),
        ("<!DOCTYPE t><t/>", "<!DOCTYPE t[]><t />"),
        ('<!DOCTYPE t PUBLIC "p" "s"><t/>', '<!DOCTYPE t PUBLIC "p" "s"[]><t />'),
        ('<!DOCTYPE t [<!ENTITY k "v"><!-- c -->]><t>a&k;b</t>', '<!DOCTYPE t[<!ENTITY k "v"><!-- c -->]><t>a&k;b</t>'),
        ("<?pi data?><a/>", "<?pi data?><a />"),
        ('<a xml:space="preserve"> <b/> </a>', '<a xml:space="preserve"> <b /> </a>'),
        ('<p:a xmlns:p="u" p:b="1"/>', '<p:a xmlns:p="u" p:b="1" />'),
        ("<a><a></a><a/></a>", "<a><a></a><a /></a>"),
    ],
)
def test_xml_of_text(given_: str, expected: str) -> None:
    assert text_of(given_) == expected
    assert xml(given_)["$content-type"] == XML_CONTENT


@pytest.mark.parametrize(
    "given_",
    [
        "",
        "text",
        "<a>",
        "<a/><b/>",
        '<a b="1" b="2"/>',
        "<p:a/>",
        '<a p:b=""/>',
        "<!-- only -->",
        "<a>&undeclared;</a>",
        '<?xml version="1.1"?><a/>',
        '<?xml encoding="ascii"?><a/>',
        ' <?xml version="1.0"?><a/>',
        "<a>" * 300 + "</a>" * 300,
        "<a>\ud800</a>",
        5,
        None,
        True,
        [1],
    ],
)
def test_no_xml(given_: Any) -> None:
    with pytest.raises(ExpressionError, match="xml"):
        xml(given_)


def test_entities_never_expand() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE t [<!ENTITY l0 "ha">{laughs}]><t>&l11;</t>'
    assert text_of(bomb).endswith("<t>&l11;</t>")
    with pytest.raises(ExpressionError):
        xml_to_json(xml(bomb))
    outside = xml('<!DOCTYPE t [<!ENTITY k SYSTEM "file:///etc/hostname">]><t>&k;</t>')
    with pytest.raises(ExpressionError):
        xpath(outside, "string(/t)")


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("<r>Testing</r>", {"r": "Testing"}),
        ("<r/>", {"r": None}),
        ("<r></r>", {"r": ""}),
        ('<r a="x"/>', {"r": {"@a": "x"}}),
        ('<r a="x">t</r>', {"r": {"@a": "x", "#text": "t"}}),
        ("<r><i>1</i><j/><i>2</i></r>", {"r": {"i": ["1", "2"], "j": None}}),
        ("<r><i>1</i><i>2</i></r>", {"r": {"i": ["1", "2"]}}),
        ("<r>a<!--b-->c<!--d--><e/>f</r>", {"r": {"#text": ["a", "c", "f"], "#comment": [], "e": None}}),
        ("<r>a<!--b--></r>", {"r": {"#text": "a"}}),
        ("<r><!--b--></r>", {"r": {}}),
        ("<r><![CDATA[x]]></r>", {"r": {"#cdata-section": "x"}}),
        ("<ro_x0020_ot/>", {"ro ot": None}),
        ('<p:r xmlns:p="u" p:x="1"><p:q/></p:r>', {"p:r": {"@xmlns:p": "u", "@p:x": "1", "p:q": None}}),
        ('<r xmlns="u"><q/></r>', {"r": {"@xmlns": "u", "q": None}}),
        ("<?pi data?><r/>", {"?pi": "data", "r": None}),
        (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><!DOCTYPE r [<!ELEMENT r ANY>\r\n\r]><r/>',
            {
                "?xml": {"@version": "1.0", "@encoding": "UTF-8", "@standalone": "yes"},
                "!DOCTYPE": {"@name": "r", "@internalSubset": "<!ELEMENT r ANY>\r\n\n"},
                "r": None,
            },
        ),
        (
            '<r xmlns:json="http://james.newtonking.com/projects/json"><i json:Array="true">1</i></r>',
            {"r": {"i": ["1"]}},
        ),
    ],
)
def test_json_of_xml(given_: str, expected: Any) -> None:
    found = xml_to_json(xml(given_))
    assert isinstance(found, dict)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("<a>é</a>".encode(), {"a": "é"}),
        ("<a>é</a>".encode("utf-8-sig"), {"a": "é"}),
        ("\ufeff<a>é</a>".encode("utf-16-le"), {"a": "é"}),
        (
            '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1"),
            {"?xml": {"@version": "1.0", "@encoding": "iso-8859-1"}, "a": "é"},
        ),
    ],
)
def test_encodings(data: bytes, expected: Any) -> None:
    assert xml_to_json(make_content("application/xml", data)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" encoding="ucs-2"?><a/>',
        b'<?xml version="1.0" encoding="base64"?><a/>',
        b"<a>\xff</a>",
        b"",
        b"<",
    ],
)
def test_wrong_bytes(data: bytes) -> None:
    with pytest.raises(ExpressionError, match="json"):
        xml_to_json(make_content("application/xml", data))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({}, ""),
        ({"a": None}, "<a />"),
        ({"a": ""}, "<a></a>"),
        ({"a": {}}, "<a />"),
        ({"a": [1]}, "<a>1</a>"),
        ({"a": {"b": [1, [2, 3]]}}, "<a><b>1</b><b><b>2</b><b>3</b></b></a>"),
        ({"a": {"b": []}}, "<a />"),
        ({"a": {"@x": 1, "@y": True, "#text": 1.5, "c": False}}, '<a x="1" y="true">1.5<c>false</c></a>'),
        ({"a": {"c": 1, "@x": None}}, '<a x=""><c>1</c></a>'),
        ({"a": 1.0}, "<a>1</a>"),
        ({"a": float("-inf")}, "<a>-INF</a>"),
        ({"p:a": {"@xmlns:p": "u", "p:b": 1}}, '<p:a xmlns:p="u"><p:b>1</p:b></p:a>'),
        ({"p:a": 1}, "<a>1</a>"),
        ({"?xml": {"@version": "1.0", "@encoding": "x"}, "a": 1}, '<?xml version="1.0" encoding="x"?><a>1</a>'),
        ({"!DOCTYPE": {"@name": "a", "@system": "s"}, "a": 1}, '<!DOCTYPE a SYSTEM "s"><a>1</a>'),
        ({"ro>ot": "te\nxt"}, "<ro_x003E_ot>te\nxt</ro_x003E_ot>"),
        ({"1a": {"#cdata-section": "<"}}, "<_x0031_a><![CDATA[<]]></_x0031_a>"),
        ({"a": "\x01"}, "<a>&#x1;</a>"),
        ({"root": {"#comment": "-->test"}}, "<root><_x0023_comment>--&gt;test</_x0023_comment></root>"),
    ],
)
def test_xml_of_json(given_: Any, expected: str) -> None:
    assert text_of(given_) == expected


@pytest.mark.parametrize(
    "given_",
    [
        {"a": 1, "b": 2},
        {"a": [1, 2]},
        {"": 1},
        {"#text": "x"},
        {"a": {"@x": {"y": 1}}},
        {"a": {"#cdata-section": "]]>"}},
        {"?xml": {"@version": "1.1"}, "a": 1},
        {"?xml": {"@encoding": '"?><b/>'}, "a": 1},
        {"!DOCTYPE": {"@name": 'a"'}, "a": 1},
        {"a": {"?pi": "?><x/>"}},
    ],
)
def test_json_without_xml_form(given_: Any) -> None:
    with pytest.raises(ExpressionError, match="xml"):
        xml(given_)


def test_content_is_relabelled_unread() -> None:
    assert xml(make_content("application/octet-stream", b"<")) == make_content(XML_CONTENT, b"<")


@pytest.mark.parametrize(
    ("media", "expected"),
    [("application/xml", True), ("text/xml; charset=utf-8", True), ("image/svg+xml", True), ("text/plain", False)],
)
def test_media_types(media: str, expected: bool) -> None:
    assert is_xml_content(make_content(media, b"<a/>")) is expected


FRUIT = (
    '<?xml version="1.0"?><!DOCTYPE p><p xmlns:q="u"><i id="1"><n>Gala</n></i>'
    '<i id="2"><n></n><q:z q:k="v"/></i><!--c--></p>'
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("/p/i", ['<i id="1"><n>Gala</n></i>', '<i id="2"><n></n><q:z q:k="v" xmlns:q="u" /></i>']),
        ("//i[@id='2']/n", ["<n></n>"]),
        ("/p/x", []),
        ("//n/text()", ["Gala"]),
        ("//@id", ["1", "2"]),
        ("//comment()", ["c"]),
        ("count(//i)", 2.0),
        ("sum(//@id)", 3.0),
        ("string(//n)", "Gala"),
        ("name(/p/*[1])", "i"),
        ("1=1", True),
        ("//*[local-name()='z']/@*", ["v"]),
    ],
)
def test_xpath(query: str, expected: Any) -> None:
    found = xpath(xml(FRUIT), query)
    if isinstance(found, list):
        found = [content_text(item) if isinstance(item, dict) else item for item in found]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("query", ["bad[", "//q:z", "unknown()", "", "re:test('a','b')", "//i\x00"])
def test_wrong_xpath(query: str) -> None:
    with pytest.raises(ExpressionError, match="xpath"):
        xpath(xml(FRUIT), query)


@pytest.mark.parametrize("value", ["<a/>", None, 5, {"a": 1}, make_content("text/plain", b"<a/>")])
def test_xpath_needs_xml(value: Any) -> None:
    with pytest.raises(ExpressionError, match="xpath"):
        xpath(value, "/a")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name[0] not in "#?@!" and ":" not in name
)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8).filter(
    lambda text: text == "" or text.strip(" \t\r\n") != ""
)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | TEXTS, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=8
)


@settings(max_examples=200, deadline=None)
@given(NAMES, TREES)
def test_plain_objects_come_back(name: str, tree: Any) -> None:
    assert xml_to_json(xml({name: tree})) == {name: tree}


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10))
def test_encoded_names_decode(name: str) -> None:
    assert decode_name(encode_name(name)) == name


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.text("<a/>b&;!-[]?\"'= \r\n:x", max_size=40))
def test_any_text_is_xml_or_an_error(text: str) -> None:
    try:
        content = xml(text)
    except ExpressionError:
        return
    # What is written is a fixed point.
    assert content_text(xml(content_text(content))) == content_text(content)
