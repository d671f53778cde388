"""Content in chunks: uploads by the host's protocol, downloads by ranges, and services that do not keep to either."""

from __future__ import annotations

import functools
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from http_server import Seen, Serve, as_json, raw, serving
from sealflow.connectors import Call, ConnectorError, HttpConnector, Limits, Services
from sealflow.engine.runtime.workers.clock import VirtualClock

CHUNKED = {"contentTransfer": {"transferMode": "Chunked"}}
TEXT = "0123456789" * 4 + "abc"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


@pytest.fixture
async def http() -> AsyncIterator[HttpConnector]:
    connector = HttpConnector()
    yield connector
    await connector.aclose()


def services(**limits: Any) -> Services:
    return Services(clock=VirtualClock(), limits=Limits(**{"chunk_bytes": 16, **limits}))


def call(url: str, method: str, settings: Any = CHUNKED, **given: Any) -> Call:
    return Call("http", "", {"method": method, "uri": url, **given}, "k1", settings=settings)


async def refused(http: HttpConnector, made: Call, given: Services | None = None) -> str:
    with pytest.raises(ConnectorError) as caught:
        await http.invoke(made, given or services())
    assert "secret" not in caught.value.message
    return caught.value.code


class Store:
    """A service that takes chunks. `suggested`: the size it asks for; `confirm` makes its `Range` of the last byte."""

    def __init__(self, suggested: str = "", confirm: Callable[[int], str] = "bytes=0-{}".format) -> None:
        self.data = b""
        self.suggested = {"x_ms_chunk_size": suggested} if suggested else {}
        self.confirm = confirm

    def __call__(self, seen: Seen) -> bytes:
        if seen.method != "PATCH":
            return raw(200, Location="/upload/7?secret=1", **self.suggested)
        self.data += seen.body
        total = seen.headers["content-range"].rpartition("/")[2]
        end = len(self.data) - 1
        return as_json({"received": len(self.data), "of": int(total)}, 200, Range=self.confirm(end))


async def test_a_large_body_goes_in_chunks(http: HttpConnector, serve: Serve) -> None:
    store = Store()
    server = await serve(store)
    made = call(server.url + "/files", "POST", body=TEXT, headers={"Authorization": "Bearer secret", "X-Mine": "1"})
    reply = await http.invoke(made, services())
    assert store.data == TEXT.encode()
    assert (reply.status_code, reply.body) == (200, {"received": 43, "of": 43})
    first, *patches = server.seen
    assert (first.method, first.target, first.body) == ("POST", "/files", b"")
    assert (first.headers["x-ms-transfer-mode"], first.headers["x-ms-content-length"]) == ("chunked", "43")
    assert [seen.headers["content-range"] for seen in patches] == ["bytes 0-15/43", "bytes 16-31/43", "bytes 32-42/43"]
    assert {(seen.method, seen.target) for seen in patches} == {("PATCH", "/upload/7?secret=1")}
    for seen in patches:
        assert seen.headers["content-type"] == "text/plain; charset=utf-8"
        assert (seen.headers["authorization"], seen.headers["x-mine"]) == ("Bearer secret", "1")
    keys = [seen.headers["idempotency-key"] for seen in server.seen]
    assert keys == ["k1", "k1-0", "k1-16", "k1-32"]


@pytest.mark.parametrize(("suggested", "sizes"), [("10", [10, 10, 10, 10, 3]), ("1000", [16, 16, 11])])
async def test_the_service_suggests_the_size(http: HttpConnector, serve: Serve, suggested: str, sizes: Any) -> None:
    server = await serve(Store(suggested))
    await http.invoke(call(server.url, "PUT", body=TEXT), services())
    assert [len(seen.body) for seen in server.seen[1:]] == sizes


@pytest.mark.parametrize(
    ("method", "body", "settings"),
    [("POST", "short", CHUNKED), ("PATCH", TEXT, CHUNKED), ("POST", TEXT, {}), ("POST", TEXT, {"contentTransfer": {}})],
)
async def test_everything_else_goes_in_one_piece(
    http: HttpConnector, serve: Serve, method: str, body: str, settings: Any
) -> None:
    server = await serve(lambda seen: raw(204))
    await http.invoke(call(server.url, method, settings, body=body), services())
    [seen] = server.seen
    assert seen.body == body.encode()
    assert "x-ms-transfer-mode" not in seen.headers


async def test_a_service_that_wants_none_of_it_has_the_last_word(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: as_json({"error": {"code": "No", "message": "no"}}, 405))
    reply = await http.invoke(call(server.url, "POST", body=TEXT), services())
    assert (reply.status_code, len(server.seen)) == (405, 1)
    server = await serve(lambda seen: raw(507) if seen.method == "PATCH" else raw(200, Location="/x"))
    reply = await http.invoke(call(server.url, "POST", body=TEXT), services())
    assert (reply.status_code, len(server.seen)) == (507, 2)


def _told(confirmed: str, end: int) -> str:
    return confirmed


async def test_answers_to_an_upload_that_are_none(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(200))
    made = call(server.url, "POST", body=TEXT)
    assert await refused(http, made) == "InvalidProtocolResponse"
    for suggested in ("0", "-1", "many"):
        server.handler = Store(suggested)
        assert await refused(http, made) == "InvalidProtocolResponse"
    for confirmed in ("", "bytes=0-3", "bytes=1-15", "items=0-15", "0-15"):
        server.handler = Store(confirm=functools.partial(_told, confirmed))
        assert await refused(http, made) == "InvalidContentRangeHeader"
    for fine in ("bytes=0-{}", "bytes 0-{}", "bytes 0-{}/43"):
        server.handler = Store(confirm=fine.format)
        assert (await http.invoke(made, services())).status_code == 200


async def test_credentials_do_not_go_to_another_server(http: HttpConnector, serve: Serve) -> None:
    other = await serve(Store())
    server = await serve(lambda seen: raw(200, Location=other.url + "/upload"))
    await http.invoke(call(server.url, "POST", body=TEXT, headers={"Authorization": "Bearer secret"}), services())
    assert not [seen for seen in other.seen if "authorization" in seen.headers]


async def test_even_in_chunks_there_is_a_most(http: HttpConnector) -> None:
    made = call("http://127.0.0.1:9/", "POST", body=TEXT)
    assert await refused(http, made, services(chunked_bytes=20)) == "RequestTooLarge"
    assert await refused(http, call("http://127.0.0.1:9/", "POST", {"contentTransfer": {"transferMode": "Fast"}})) == (
        "InvalidInput"
    )


# ---- downloads


class Ranges:
    """A service that hands its content out in parts of `size` bytes; `changed` is what it says of a part instead."""

    def __init__(self, size: int = 16, changed: Callable[[int, int], dict[str, str]] | None = None) -> None:
        self.size = size
        self.changed = changed or (lambda start, end: {})

    def __call__(self, seen: Seen) -> bytes:
        start, _, end = seen.headers.get("range", f"bytes=0-{self.size - 1}").removeprefix("bytes=").partition("-")
        first, last = int(start), min(int(end), len(TEXT) - 1)
        told = {"Content_Range": f"bytes {first}-{last}/{len(TEXT)}", "ETag": '"1"', **self.changed(first, last)}
        return raw(206, TEXT[first : last + 1].encode(), Content_Type="text/plain", **told)


@pytest.mark.parametrize("settings", [CHUNKED, {}])
async def test_a_part_is_followed_by_the_rest(http: HttpConnector, serve: Serve, settings: Any) -> None:
    server = await serve(Ranges())
    made = call(server.url, "GET", settings, headers={"Authorization": "Bearer secret"})
    reply = await http.invoke(made, services())
    assert (reply.status_code, reply.body) == (200, TEXT)
    assert reply.headers == {"Content-Type": "text/plain", "ETag": '"1"', "Content-Length": "43"}
    assert [seen.headers.get("range") for seen in server.seen] == [None, "bytes=16-31", "bytes=32-42"]
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer secret"}


async def test_a_flow_suggests_ranges_itself(http: HttpConnector, serve: Serve) -> None:
    server = await serve(Ranges())
    reply = await http.invoke(call(server.url, "GET", headers={"Range": "bytes=20-29"}), services())
    assert reply.body == TEXT[20:]
    assert [seen.headers["range"] for seen in server.seen] == ["bytes=20-29", "bytes=30-39", "bytes=40-42"]
    assert not [seen for seen in server.seen if "accept-encoding" in seen.headers]


def _part(told: dict[str, str], seen: Seen) -> bytes:
    return raw(206, b"ab", **told)


async def test_a_part_of_an_unknown_whole_stays_one(http: HttpConnector, serve: Serve) -> None:
    for told in (
        {},
        {"Content_Range": "bytes 0-1/*"},
        {"Content_Range": "bytes 5-1/9"},
        {"Content_Range": "lines 0-1/9"},
    ):
        server = await serve(functools.partial(_part, told))
        reply = await http.invoke(call(server.url, "GET"), services())
        assert (reply.status_code, reply.body, len(server.seen)) == (206, "ab", 1)


async def test_parts_that_do_not_fit(http: HttpConnector, serve: Serve) -> None:
    changes: list[Callable[[int, int], dict[str, str]]] = [
        lambda start, end: {"Content_Range": "bytes 0-15/43"},
        lambda start, end: {"Content_Range": f"bytes {start}-{end}/{43 + start}"},
        lambda start, end: {"Content_Range": f"bytes {start}-{end - (start > 0)}/43"},
        lambda start, end: {"ETag": f'"{start}"'},
    ]
    for change in changes:
        server = await serve(Ranges(changed=change))
        assert await refused(http, call(server.url, "GET")) == "InvalidProtocolResponse"


async def test_a_part_that_is_refused_is_the_answer(http: HttpConnector, serve: Serve) -> None:
    whole = Ranges()
    server = await serve(lambda seen: raw(416) if "range" in seen.headers else whole(seen))
    assert (await http.invoke(call(server.url, "GET"), services())).status_code == 416


async def test_a_whole_that_is_too_large_is_not_begun(http: HttpConnector, serve: Serve) -> None:
    server = await serve(Ranges())
    assert await refused(http, call(server.url, "GET"), services(chunked_bytes=42)) == "ResponseTooLarge"
    assert await refused(http, call(server.url, "GET", {}), services(response_bytes=42)) == "ResponseTooLarge"
    assert len(server.seen) == 2
    reply = await http.invoke(call(server.url, "GET"), services(response_bytes=20))
    assert reply.body == TEXT


async def test_compressed_content_is_no_part(http: HttpConnector, serve: Serve) -> None:
    zipped = raw(200, gzip.compress(TEXT.encode()), Content_Type="text/plain", Content_Encoding="gzip")
    server = await serve(lambda seen: zipped)
    assert (await http.invoke(call(server.url, "GET"), services())).body == TEXT
