"""Encodings: base64, binary, URI components, data URIs, parts of URIs, XML names and values, JSON of odd texts."""

from __future__ import annotations

from typing import Any

import pytest
from expression_cases import FAILS, check, params

OCTETS = "application/octet-stream"

BASE64 = [
    ("base64('')", ""),
    ("base64('é')", "w6k="),
    ("base64(1.0)", "MQ=="),
    ("base64(true)", "VHJ1ZQ=="),
    ("base64(null)", FAILS),
    ("base64(createArray(1))", "WzFd"),
    ("base64(binary('x'))", "eA=="),
    ("base64ToString('')", ""),
    ("base64ToString('aGVsbG8')", FAILS),
    ("base64ToString('a GVs\nbG8=')", "hello"),
    ("base64ToString('aGVsbG8=!')", FAILS),
    ("base64ToString('/w==')", "\ufffd"),
    ("base64ToString('aGk_')", FAILS),
    ("base64ToString(binary('x'))", FAILS),
    ("base64ToBinary('aGk=')", {"$content-type": OCTETS, "$content": "aGk="}),
    ("base64ToBinary('!')", FAILS),
    ("decodeBase64('aGk=')", "hi"),
    ("encodeBase64('hi')", "aGk="),
    ("binary('')", {"$content-type": OCTETS, "$content": ""}),
    ("binary(null)", FAILS),
    ("binary(12)", {"$content-type": OCTETS, "$content": "MTI="}),
]

COMPONENTS = [
    ("uriComponent('-_.~')", "-_.~"),
    ("uriComponent('!*()'' ')", "%21%2A%28%29%27%20"),
    ("uriComponent('%20')", "%2520"),
    ("uriComponent('é/?')", "%C3%A9%2F%3F"),
    ("uriComponent('')", ""),
    ("uriComponent(null)", FAILS),
    ("uriComponent(12)", "12"),
    ("encodeUriComponent(-1.5)", "-1.5"),
    ("encodeUriComponent(true)", "True"),
    ("encodeUriComponent(createArray(1))", FAILS),
    ("decodeUriComponent(12)", "12"),
    ("uriComponentToBinary(12)", {"$content-type": OCTETS, "$content": "MTI="}),
    (
        "uriComponent('\t\n:;<=>@[]^`{|}\\\"#$&+,')",
        "%09%0A%3A%3B%3C%3D%3E%40%5B%5D%5E%60%7B%7C%7D%5C%22%23%24%26%2B%2C",
    ),
    ("uriComponentToString('a+b')", "a+b"),
    ("uriComponentToString('%zz')", "%zz"),
    ("uriComponentToString('%')", "%"),
    ("uriComponentToString('%E9')", "%E9"),
    ("uriComponentToString('%c3%a9')", "é"),
    ("uriComponentToBinary('a%20b')", {"$content-type": OCTETS, "$content": "YSBi"}),
    ("decodeUriComponent('%41')", "A"),
    ("encodeUriComponent('ä')", "%C3%A4"),
]

DATA_URIS = [
    ("dataUri('hi')", "data:text/plain;charset=utf-8;base64,aGk="),
    ("dataUri('')", "data:text/plain;charset=utf-8;base64,"),
    ("dataUri(json('{\"a\":1}'))", "data:application/json;charset=utf-8;base64,eyJhIjoxfQ=="),
    ("dataUri(binary('hi'))", "data:application/octet-stream;base64,aGk="),
    ("dataUri(null)", FAILS),
    ("dataUriToString('data:text/plain;base64,aGk=')", "hi"),
    ("dataUriToString('data:,hi%20there')", "hi there"),
    ("dataUriToString('data:text/plain;charset=iso-8859-1,%E9')", "é"),
    ("dataUriToString('data:text/plain;charset=ISO-8859-1;base64,6Q==')", "é"),
    ("dataUriToString('data:text/plain;charset=utf-16;base64,aADpAA==')", "hé"),
    ("dataUriToString('data:text/plain;charset=\"utf-8\",%C3%A9')", "é"),
    ("dataUriToString('data:text/plain;charset=klingon,hi')", FAILS),
    ("dataUriToString('data:text/plain;base64;charset=utf-8,aGk=')", FAILS),
    ("dataUriToString('data:,a+b%2Bc')", "a b+c"),
    ("dataUriToString('data:;base64,YSti')", "a+b"),
    ("dataUriToBinary('data:,a+b')", {"$content-type": "text/plain", "$content": "YSBi"}),
    ("dataUriToBinary('data:;base64,aGk=')", {"$content-type": "text/plain", "$content": "aGk="}),
    ("dataUriToString('hi')", FAILS),
    ("dataUriToString('data:text/plain;base64')", FAILS),
    ("dataUriToBinary('data:text/plain;base64,aGk=')", {"$content-type": "text/plain", "$content": "aGk="}),
    ("dataUriToBinary('data:image/png,a')", {"$content-type": "image/png", "$content": "YQ=="}),
    ("decodeDataUri('data:,a')", {"$content-type": "text/plain", "$content": "YQ=="}),
    ("encodeDataUri('a')", "data:text/plain;charset=utf-8;base64,YQ=="),
]

URIS = [
    ("uriHost('https://User@Example.COM:8080/p?q#f')", "example.com"),
    ("uriPort('https://a.b')", 443),
    ("uriPort('http://a.b:81')", 81),
    ("uriPort('foo://a.b')", -1),
    ("uriPath('http://a.b')", "/"),
    ("uriPath('http://a.b/x y')", "/x%20y"),
    ("uriPath('http://a.b/x/../y/./z')", "/y/z"),
    ("uriQuery('http://a.b/?q=1&r=ä')", "?q=1&r=%C3%A4"),
    ("uriQuery('http://a.b/')", ""),
    ("uriPathAndQuery('http://a.b/p?q=1#f')", "/p?q=1"),
    ("uriPathAndQuery('http://a.b?q=1')", "/?q=1"),
    ("uriScheme('HTTPS://a.b')", "https"),
    ("uriHost('a.b/c')", FAILS),
    ("uriHost('')", FAILS),
    ("uriHost('http://')", FAILS),
    ("uriHost(null)", FAILS),
]

XML = [
    ("encodeXmlValue('a<b & \"c\"')", "a&lt;b &amp; &quot;c&quot;"),
    ("encodeXmlValue('')", ""),
    ("encodeXmlValue(1)", FAILS),
    ("decodeXmlValue('&lt;a&gt; &amp;amp; &#65;&#x42;')", "<a> &amp; AB"),
    ("decodeXmlValue('&nbsp;&')", "&nbsp;&"),
    ("decodeXmlValue('&#xD800;&#0;&#x110000;')", "&#xD800;&#0;&#x110000;"),
    ("encodeXmlName('Order Details')", "Order_x0020_Details"),
    ("encodeXmlName('1st')", "_x0031_st"),
    ("encodeXmlName('a_x0020_b')", "a_x005F_x0020_b"),
    ("encodeXmlName('ok-1.ü')", "ok-1.ü"),
    ("decodeXmlName('Order_x0020_Details')", "Order Details"),
    ("decodeXmlName('a_x005F_x0020_b')", "a_x0020_b"),
    ("decodeXmlName('_xZZZZ_')", "_xZZZZ_"),
    ("decodeXmlName('_xD83D__xDE00_')", "😀"),
    ("decodeXmlName('_xD83D_')", "\ufffd"),
]

JSON = [
    ("json('1')", 1),
    ("json(' 1 ')", 1),
    ("json('1.0')", 1.0),
    ("json('1e2')", 100.0),
    ("json('-0')", 0),
    ("json('9223372036854775807')", 9223372036854775807),
    ("json('9223372036854775808')", 9.223372036854775808e18),
    ("json('-9223372036854775808')", -9223372036854775808),
    ("json('null')", None),
    ("json('true')", True),
    ("json('\"a\"')", "a"),
    ('json(\'{"a":1,"a":2}\')', {"a": 2}),
    ('json(\'{"a":1,"A":2}\')', {"a": 1, "A": 2}),
    ("json('[]')", []),
    ("json('')", FAILS),
    ("json('NaN')", FAILS),
    ("json('[1,]')", FAILS),
    ("json('{\"a\":}')", FAILS),
    ("json('[1] 2')", FAILS),
    ("json('01')", FAILS),
    ("json('\ufeff[1]')", [1]),
    ("json(null)", FAILS),
    ("json(1)", FAILS),
    ("json(createArray(1))", FAILS),
    ("json(binary('[1]'))", [1]),
    ("json('\"\\u00e9\\n\\/\"')", "é\n/"),
    ("json('[12345678901234567890123]')", [1.2345678901234568e22]),
    (
        'json(\'{"n": 123456789012345678, "m": "1234567890123456789012"}\')',
        {"n": 123456789012345678, "m": "1234567890123456789012"},
    ),
]

ALL = [*BASE64, *COMPONENTS, *DATA_URIS, *URIS, *XML, *JSON]


@pytest.mark.parametrize(("text", "expected"), params(ALL))
def test_encodings(text: str, expected: Any) -> None:
    check(text, expected)
