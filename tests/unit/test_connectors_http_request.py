"""What an Http action sends: address, headers, credentials, body."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.connectors import Call, ConnectorError
from sealflow.connectors.http.request import Request, build


def request(options: frozenset[str] = frozenset(), /, **inputs: Any) -> Request:
    return build(Call("http", "", {"method": "GET", "uri": "https://example.org/a", **inputs}, "k1", options=options))


def headers(made: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in made.headers}


# ---- address


@pytest.mark.parametrize(
    ("uri", "queries", "expected"),
    [
        ("https://example.org/a", None, "https://example.org/a"),
        (" https://example.org/a ", {}, "https://example.org/a"),
        ("https://example.org/a", {"q": "x y&z", "n": 5, "t": True}, "https://example.org/a?q=x%20y%26z&n=5&t=True"),
        ("https://example.org/a?one=1", {"two": 2}, "https://example.org/a?one=1&two=2"),
        ("https://example.org/a?one=1&", {"two": 2}, "https://example.org/a?one=1&two=2"),
        ("https://example.org/a?", {"two": None}, "https://example.org/a?two="),
        ("https://example.org/a#part", {"two": [1, 2]}, "https://example.org/a?two=1&two=2"),
        (
            "https://example.org/a",
            {"$filter": "name eq 'ü'"},
            "https://example.org/a?%24filter=name%20eq%20%27%C3%BC%27",
        ),
    ],
)
def test_queries_are_added_to_the_address(uri: str, queries: Any, expected: str) -> None:
    assert request(uri=uri, queries=queries).url == expected


@pytest.mark.parametrize(
    "uri", [None, "", "  ", 5, "/relative", "ftp://example.org/", "https://", "https://[::1/", "http://h:99999/"]
)
def test_an_address_must_be_absolute(uri: Any) -> None:
    with pytest.raises(ConnectorError) as caught:
        request(uri=uri)
    assert caught.value.code == "InvalidInput"


def test_user_and_password_in_the_address_become_credentials() -> None:
    made = request(uri="https://me:secret@example.org/a")
    assert made.url == "https://example.org/a"
    assert headers(made)["authorization"] == "Basic bWU6c2VjcmV0"
    own = request(uri="https://me:secret@example.org/a", headers={"authorization": "Bearer t"})
    assert headers(own)["authorization"] == "Bearer t"


def test_errors_name_the_server_only() -> None:
    assert request(uri="https://example.org:8443/a/secret?sig=secret").server == "https://example.org:8443"
    assert request(uri="http://[::1]:80/").server == "http://[::1]:80"


@pytest.mark.parametrize("method", ["GET /", "", "\r\n", None, "GE T"])
def test_methods(method: Any) -> None:
    if method in ("", "\r\n", None):
        assert request(method=method).method == "GET"
    else:
        with pytest.raises(ConnectorError, match="method"):
            request(method=method)
    assert request(method="post").method == "POST"


@pytest.mark.parametrize("inputs", [None, [], "x"])
def test_inputs_must_be_an_object(inputs: Any) -> None:
    with pytest.raises(ConnectorError, match="object"):
        build(Call("http", "", inputs, "k"))


# ---- headers


def test_headers_that_the_host_removes() -> None:
    given = {
        "Accept": "text/plain",
        "Accept-Language": "de",
        "accept-version": "2",
        "Allow": "x",
        "Content-Language": "de",
        "Content-Length": "5",
        "Content-Disposition": "inline",
        "Cookie": "a=b",
        "Expires": "0",
        "HOST": "elsewhere",
        "Last-Modified": "x",
        "Origin": "x",
        "Set-Cookie": "x",
        "Transfer-Encoding": "chunked",
        "X-Mine": "yes",
        "X-Number": 5,
        "X-Flag": True,
    }
    sent = headers(request(method="POST", headers=given, body="hello"))
    assert sent == {
        "accept": "text/plain",
        "accept-version": "2",
        "content-disposition": "inline",
        "x-mine": "yes",
        "x-number": "5",
        "x-flag": "True",
        "content-type": "text/plain; charset=utf-8",
        "accept-encoding": "gzip, deflate",
        "idempotency-key": "k1",
        "user-agent": "sealflow",
    }


def test_content_headers_go_only_with_a_body() -> None:
    assert "content-type" not in headers(request(headers={"Content-Type": "application/json"}))
    assert headers(request(headers={"content-type": "a/b"}, body="x"))["content-type"] == "a/b"


def test_compression_can_be_left_alone() -> None:
    assert "accept-encoding" not in headers(request(frozenset({"disableautomaticdecompression"})))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_no_idempotency_key_where_nothing_changes(method: str) -> None:
    assert "idempotency-key" not in headers(request(method=method))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_idempotency_key(method: str) -> None:
    assert headers(request(method=method))["idempotency-key"] == "k1"
    own = request(method=method, headers={"idempotency-KEY": "mine"})
    assert [value for name, value in own.headers if name.lower() == "idempotency-key"] == ["mine"]


def test_the_cookie_input() -> None:
    assert headers(request(headers={"Cookie": "no"}, cookie="a=b; c=d"))["cookie"] == "a=b; c=d"


@pytest.mark.parametrize(("name", "value"), [("X Y", "1"), ("", "1"), ("X-A", "1\r\nX-B: 2"), ("X-A", "a\0b")])
def test_headers_that_http_does_not_allow(name: str, value: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        request(headers={name: value})
    assert caught.value.code == "InvalidInput"
    assert "X-B" not in caught.value.message


@pytest.mark.parametrize("part", ["headers", "queries"])
def test_headers_and_queries_are_objects(part: str) -> None:
    with pytest.raises(ConnectorError, match=part):
        request(**{part: "text"})


# ---- credentials


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ({"type": "None"}, None),
        ({"type": "basic", "username": "u", "password": "p:q"}, "Basic dTpwOnE="),
        ({"type": "Raw", "value": "Bearer abc"}, "Bearer abc"),
        ({"type": "Raw", "scheme": "Key", "parameter": "abc"}, "Key abc"),
    ],
)
def test_authentication(authentication: Any, expected: str | None) -> None:
    assert headers(request(authentication=authentication)).get("authorization") == expected


def test_authentication_replaces_the_header() -> None:
    made = request(headers={"authorization": "old"}, authentication={"type": "Raw", "value": "new"})
    assert [value for name, value in made.headers if name.lower() == "authorization"] == ["new"]


@pytest.mark.parametrize("kind", ["ActiveDirectoryOAuth", "ManagedServiceIdentity", "ClientCertificate"])
def test_authentication_that_is_not_built_yet_is_refused(kind: str) -> None:
    with pytest.raises(ConnectorError, match=kind) as caught:
        request(authentication={"type": kind, "secret": "planted"})
    assert caught.value.code == "NotYetSupported"
    assert "planted" not in str(caught.value.to_json())


@pytest.mark.parametrize("authentication", ["planted", {"type": "planted"}, [1]])
def test_authentication_that_is_none(authentication: Any) -> None:
    with pytest.raises(ConnectorError) as caught:
        request(authentication=authentication)
    assert caught.value.code == "InvalidInput"
    assert "planted" not in str(caught.value.to_json())


# ---- body


@pytest.mark.parametrize(
    ("body", "given_type", "data", "media_type"),
    [
        ({"a": [1, 2.0, None]}, None, b'{"a":[1,2.0,null]}', "application/json; charset=utf-8"),
        ([1], None, b"[1]", "application/json; charset=utf-8"),
        (5, None, b"5", "application/json; charset=utf-8"),
        (False, None, b"false", "application/json; charset=utf-8"),
        ({"a": 1}, "application/merge-patch+json", b'{"a":1}', "application/merge-patch+json"),
        ("héllo", None, "héllo".encode(), "text/plain; charset=utf-8"),
        ("<a/>", "application/xml", b"<a/>", "application/xml"),
        ("", None, b"", "text/plain; charset=utf-8"),
        ({"$content-type": "image/png", "$content": "AAEC"}, None, b"\x00\x01\x02", "image/png"),
        ({"$content-type": "image/png", "$content": "AAEC"}, "a/b", b"\x00\x01\x02", "a/b"),
        ("a=1&b=2", "application/x-www-form-urlencoded", b"a=1&b=2", "application/x-www-form-urlencoded"),
        (
            {"a": "x y", "b": [1, 2]},
            "application/x-www-form-urlencoded; charset=utf-8",
            b"a=x+y&b=1&b=2",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        (
            {"$content-type": "application/x-www-form-urlencoded", "$formdata": [{"key": "k", "value": "ü"}]},
            None,
            b"k=%C3%BC",
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_bodies(body: Any, given_type: str | None, data: bytes, media_type: str) -> None:
    given = {} if given_type is None else {"Content-type": given_type}
    made = request(method="POST", headers=given, body=body)
    assert made.body == data
    assert headers(made)["content-type"] == media_type
    assert sum(name.lower() == "content-type" for name, _ in made.headers) == 1


def test_no_body() -> None:
    assert request(body=None).body is None
    assert request(method="POST").body == b""


def test_content_that_is_no_base64() -> None:
    with pytest.raises(ConnectorError) as caught:
        request(method="POST", body={"$content-type": "image/png", "$content": "planted!"})
    assert caught.value.code == "InvalidInput"
    assert "planted" not in caught.value.message


def test_multipart() -> None:
    parts = [
        {"headers": {"Content-Disposition": "form-data; name=a"}, "body": "text"},
        {
            "headers": {"Content-Disposition": "form-data; name=f; filename=x.png"},
            "body": {"$content-type": "image/png", "$content": "AAEC"},
        },
        {"headers": {"Content-Disposition": "form-data; name=j", "content-type": "application/json"}, "body": {"n": 1}},
        {"body": None},
    ]
    made = request(method="POST", body={"$content-type": "multipart/form-data", "$multipart": parts})
    assert headers(made)["content-type"] == 'multipart/form-data; boundary="sealflow-k1-0"'
    assert made.body == (
        b"--sealflow-k1-0\r\nContent-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"\r\ntext\r\n"
        b"--sealflow-k1-0\r\nContent-Disposition: form-data; name=f; filename=x.png\r\nContent-Type: image/png\r\n"
        b"\r\n\x00\x01\x02\r\n"
        b"--sealflow-k1-0\r\nContent-Disposition: form-data; name=j\r\nContent-Type: application/json\r\n"
        b'\r\n{"n":1}\r\n'
        b"--sealflow-k1-0\r\n\r\n\r\n"
        b"--sealflow-k1-0--\r\n"
    )
    again = request(method="POST", body={"$multipart": [{"body": "sealflow-k1-0"}]})
    assert headers(again)["content-type"] == 'multipart/form-data; boundary="sealflow-k1-1"'


@pytest.mark.parametrize("part", ["text", {"headers": {"A": "1\r\nB: 2"}, "body": "x"}])
def test_parts_that_are_none(part: Any) -> None:
    with pytest.raises(ConnectorError, match="multipart"):
        request(method="POST", body={"$multipart": [part]})


# ---- onward


def test_credentials_stay_with_their_server() -> None:
    made = request(method="POST", headers={"x-key": "secret"}, authentication={"type": "Raw", "value": "t"}, body="x")
    near = made.onward("/status/1?x=1")
    assert (near.method, near.url, near.body) == ("GET", "https://example.org/status/1?x=1", None)
    assert set(headers(near)) == {"x-key", "authorization", "accept-encoding", "user-agent"}
    for far in ("https://elsewhere.org/", "http://example.org/", "https://example.org:8443/"):
        assert set(headers(made.onward(far))) == {"accept-encoding", "user-agent"}
    assert made.onward("https://example.org:443/x").headers == near.headers
    with pytest.raises(ConnectorError, match="needs an absolute address"):
        made.onward("file:///etc/passwd")
