"""What a flow sees of an answer, and how pages of one list become one."""

from __future__ import annotations

from typing import Any

import pytest
from sealflow.connectors import ConnectorError, ConnectorResponse, status_name
from sealflow.connectors.http.pages import gather, wanted
from sealflow.connectors.http.response import reply_of


def typed(media_type: str | None, data: bytes, status: int = 200) -> ConnectorResponse:
    return reply_of(status, [] if media_type is None else [(b"content-type", media_type.encode())], data)


@pytest.mark.parametrize(
    ("media_type", "data", "body"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("Application/JSON; charset=utf-8", b"\xef\xbb\xbf[1]", [1]),
        ("application/json; charset=utf-16", "{}".encode("utf-16"), {}),
        ("application/json", b"null", None),
        ("application/json", b"12345678901234567890", 1.2345678901234567e19),
        ("text/plain", "ü".encode(), "ü"),
        ("text/plain; charset=iso-8859-1", b"\xfc", "ü"),
        ("text/plain; charset=nonsense", b"a\xff", "a\ufffd"),
        ("text/plain; charset=base64", b"YQ==", "YQ=="),
        ("text/html", b"<p>", "<p>"),
        ("application/xml", b"<a/>", {"$content-type": "application/xml", "$content": "PGEvPg=="}),
        (
            "multipart/form-data; boundary=x",
            b"--x--",
            {"$content-type": "multipart/form-data; boundary=x", "$content": "LS14LS0="},
        ),
        (None, b"plain", "plain"),
        (None, b"\xff", {"$content-type": "application/octet-stream", "$content": "/w=="}),
    ],
)
def test_bodies(media_type: str | None, data: bytes, body: Any) -> None:
    reply = typed(media_type, data)
    assert reply.body == body
    assert not reply.empty


def test_no_body() -> None:
    assert typed("application/json", b"") == ConnectorResponse(
        200, {"content-type": "application/json"}, None, empty=True
    )


def test_json_that_is_none_fails_a_success() -> None:
    with pytest.raises(ConnectorError) as caught:
        typed("application/json", b"<html>planted")
    assert caught.value.code == "BadRequest"
    assert "planted" not in caught.value.message
    assert caught.value.outputs == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": {"$content-type": "application/json", "$content": "PGh0bWw+cGxhbnRlZA=="},
    }


def test_json_that_is_none_in_a_failed_answer_is_content() -> None:
    assert typed("application/json", b"oops", 503).body == {"$content-type": "application/json", "$content": "b29wcw=="}


def test_json_nested_beyond_reason() -> None:
    with pytest.raises(ConnectorError, match="JSON"):
        typed("application/json", b"[" * 200_000)


def test_headers_are_joined() -> None:
    lines = [(b"X-A", b"1"), (b"Set-Cookie", b"a=b"), (b"x-a", b"2"), (b"set-cookie", b"c=d"), (b"X-U", b"\xfc")]
    assert reply_of(204, lines, b"").headers == {"X-A": "1,2", "Set-Cookie": "a=b,c=d", "X-U": "ü"}


def test_a_body_that_was_decompressed_is_not_called_compressed() -> None:
    lines = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"20"), (b"X-A", b"1")]
    assert reply_of(200, lines, b"x", decoded=True).headers == {"X-A": "1"}


@pytest.mark.parametrize(
    ("status", "name"),
    [(200, "OK"), (201, "Created"), (302, "Found"), (404, "NotFound"), (413, "RequestEntityTooLarge"), (418, "418")],
)
def test_names_of_statuses(status: int, name: str) -> None:
    assert status_name(status) == name


# ---- pages


@pytest.mark.parametrize(
    ("settings", "count"),
    [({}, 0), ({"paginationPolicy": {"minimumItemCount": 5}}, 5), ({"paginationPolicy": {"minimumItemCount": "6"}}, 6)],
)
def test_how_many_items_are_wanted(settings: dict[str, Any], count: int) -> None:
    assert wanted(settings) == count


def test_a_count_that_is_none() -> None:
    with pytest.raises(ConnectorError, match="minimumItemCount"):
        wanted({"paginationPolicy": {"minimumItemCount": "many"}})


class Pages:
    """Five items on pages of two."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, link: str) -> ConnectorResponse:
        self.asked.append(link)
        start = int(link)
        more = {"@odata.nextLink": str(start + 2)} if start < 4 else {}
        return ConnectorResponse(200, {}, {"value": list(range(start, min(start + 2, 5))), **more})


FIRST = ConnectorResponse(200, {"X": "1"}, {"@odata.context": "c", "value": [0, 1], "@odata.nextLink": "2"})


@pytest.mark.parametrize(
    ("count", "asked", "body"),
    [
        (2, [], {"@odata.context": "c", "value": [0, 1], "@odata.nextLink": "2"}),
        (3, ["2"], {"@odata.context": "c", "value": [0, 1, 2, 3], "@odata.nextLink": "4"}),
        (99, ["2", "4"], {"@odata.context": "c", "value": [0, 1, 2, 3, 4]}),
    ],
)
async def test_pages_become_one_list(count: int, asked: list[str], body: Any) -> None:
    pages = Pages()
    assert await gather(FIRST, count, pages.fetch) == ConnectorResponse(200, {"X": "1"}, body)
    assert pages.asked == asked


async def test_pages_that_end_otherwise() -> None:
    async def failing(link: str) -> ConnectorResponse:
        return ConnectorResponse(503, {}, "later")

    async def circle(link: str) -> ConnectorResponse:
        return ConnectorResponse(200, {}, {"value": [9], "nextLink": "2"})

    async def strange(link: str) -> ConnectorResponse:
        return ConnectorResponse(200, {}, "x")

    assert (await gather(FIRST, 9, failing)).status_code == 503
    assert (await gather(FIRST, 9, circle)).body["value"] == [0, 1, 9]  # type: ignore[index,call-overload]
    with pytest.raises(ConnectorError, match="page"):
        await gather(FIRST, 9, strange)
    assert await gather(ConnectorResponse(200, {}, [1]), 9, strange) == ConnectorResponse(200, {}, [1])
