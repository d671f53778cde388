"""The Web module, against a server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.engine.datatypes import DataTable, Item


def answer(status: int, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def react(seen: Seen) -> bytes:
    if seen.target == "/moved":
        return answer(302, "", "Location: /page", "Set-Cookie: session=abc")
    if seen.target == "/away":
        return answer(302, "", "Location: http://127.0.0.1:1/nowhere")
    if seen.target == "/latin":
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 1\r\n\r\n\xe9"
    if seen.target == "/file":
        return answer(200, "data", 'Content-Disposition: attachment; filename="..\\..\\evil.csv"')
    if seen.target == "/bad":
        return answer(500, "broken")
    return answer(200, f"{seen.method} {seen.headers.get('cookie', '-')}", "X-Told: yes")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(react)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.session.aclose()


async def test_a_page_with_redirects_and_cookies(world: World, server: Server) -> None:
    page = await world.do("Web.DownloadFromWeb.Download", Url=f"{server.url}/moved")
    assert page["WebPageText"] == "GET session=abc"
    page = await world.do("Web.DownloadFromWeb.Download", Url=f"{server.url}/page", ClearCookies=True)
    assert page["WebPageText"] == "GET -"
    page = await world.do("Web.DownloadFromWeb.Download", Url=f"{server.url}/moved", FollowRedirection=False)
    assert page["WebPageText"] == ""
    latin = await world.do("Web.DownloadFromWeb.Download", Url=f"{server.url}/latin")
    assert latin["WebPageText"] == "é"


async def test_files_are_downloaded_under_harmless_names(world: World, server: Server) -> None:
    (world.folder / "to").mkdir()
    done = await world.do("Web.DownloadFromWeb.DownloadToFolder", Url=f"{server.url}/file", DestinationFolder="C:\\to")
    assert isinstance(done["DownloadedFile"], Item)
    assert done["DownloadedFile"].text == "C:\\to\\evil.csv"
    await world.do("Web.DownloadFromWeb.DownloadToFile", Url=f"{server.url}/file", FilePath="C:\\mine.csv")
    assert (world.folder / "mine.csv").read_text() == "data"
    count = len(server.seen)
    refused = {"Url": f"{server.url}/file", "FilePath": "/etc/x"}
    await world.fails("AccessDeniedError", "Web.DownloadFromWeb.DownloadToFile", **refused)
    assert len(server.seen) == count


async def test_a_form_is_posted(world: World, server: Server) -> None:
    table = DataTable(("n", "v"), (("a b", "1&2"), ("c", 3)))
    await world.do("Web.DownloadFromWeb.DownloadUsePost", Url=f"{server.url}/form", Parameters=table)
    assert server.seen[-1].body == b"a+b=1%262&c=3"
    assert server.seen[-1].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_a_service_is_called(world: World, server: Server) -> None:
    done = await world.do(
        "Web.InvokeWebService.InvokeWebServiceUseAuth",
        Url=f"{server.url}/api",
        Method="Web.Method.Put",
        Accept="application/json",
        ContentType="application/json",
        CustomHeaders="X-One: 1\nX-Two:2",
        RequestBody=' {"a": 1} ',
        UserName="u",
        Password="p",
    )
    assert (done["StatusCode"], done["Response"]) == (200, "PUT -")
    assert "X-Told: yes" in done["ResponseHeaders"]  # type: ignore[operator]
    seen = server.seen[-1]
    assert seen.body == b'{"a": 1}'
    wanted = {"accept": "application/json", "x-one": "1", "x-two": "2", "authorization": "Basic dTpw"}
    assert {name: seen.headers[name] for name in wanted} == wanted
    # The latest designers name the method in the action's id.
    posted = await world.do(
        "Web.InvokeWebService.InvokeWebServicePost", Url=f"{server.url}/api", RequestBody="<a/>", Accept="*/*"
    )
    assert (posted["Response"], server.seen[-1].body) == ("POST -", b"<a/>")
    bad = await world.do("Web.InvokeWebService.InvokeWebService", Url=f"{server.url}/bad")
    assert (bad["StatusCode"], bad["Response"]) == (500, "broken")
    soap = await world.do("Web.InvokeSoapService.InvokeSoapService", Endpoint=f"{server.url}/soap", RequestBody="<e/>")
    assert soap["StatusCode"] == 200
    assert server.seen[-1].headers["content-type"].startswith("text/xml")


async def test_what_goes_wrong(world: World, server: Server) -> None:
    await world.fails("DownloadFromWebError", "Web.DownloadFromWeb.Download", Url=f"{server.url}/bad")
    await world.fails("DownloadFromWebError", "Web.DownloadFromWeb.Download", Url="file:///etc/passwd")
    await world.fails("DownloadFromWebError", "Web.DownloadFromWeb.Download", Url=f"{server.url}/away")
    await world.fails("EgressRefused", "Web.DownloadFromWeb.Download", Url="http://169.254.169.254/latest")
    bad: dict[str, str | bool] = {"Url": f"{server.url}/bad", "FailOnErrorStatus": True}
    await world.fails("InvokeWebServiceError", "Web.InvokeWebService.InvokeWebService", **bad)
    headers = {"Url": f"{server.url}/api", "CustomHeaders": "no header"}
    await world.fails("InvalidHeaderInCustomHeadersError", "Web.InvokeWebService.InvokeWebService", **headers)
    trust: dict[str, str | bool] = {"Url": f"{server.url}/api", "AcceptUntrustedCertificates": True}
    await world.fails("UntrustedCertificatesNotAllowedError", "Web.InvokeWebService.InvokeWebService", **trust)
