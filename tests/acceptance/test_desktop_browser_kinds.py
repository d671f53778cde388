"""Web actions under their older ids and through each browser's launch: all are the one browser that is here."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.engine.datatypes import DataTable, Datum

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

PAGE = """<!doctype html><title>Kinds</title><input id=name onfocus="document.title = 'focus'">
<p id=over onmouseover="document.title = 'over'">over</p><span id=told></span>
<button id=send onclick="told.textContent = document.getElementById('name').value">Send</button>
<table id=t><tr><th>Id</th></tr><tr><td>1</td></tr></table>"""


def react(seen: Seen) -> bytes:
    data = PAGE.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[World, str]]:
    """A session with a browser, and the address of the page."""
    monkeypatch.setattr("sealflow.connectors.desktop.web.browser.SECONDS", 60.0)  # a busy machine is no missing element
    world, server = World(tmp_path), Server(react)
    await server.start()
    yield world, server.url
    await world.session.aclose()
    await server.stop()


async def test_every_browser_is_the_one_that_is_here(desk: tuple[World, str]) -> None:
    world, url = desk
    for launch, attach in (
        ("WebAutomation.LaunchEdge.LaunchEdge", "WebAutomation.LaunchEdge.AttachToEdgeByUrl"),
        ("WebAutomation.LaunchFirefox.LaunchFirefox", "WebAutomation.LaunchFirefox.AttachToFirefoxByUrl"),
        (
            "WebAutomation.LaunchEdge.LaunchEdgeWithDriverNoWaitCustomProfile",
            "WebAutomation.LaunchEdge.AttachToTheForegroundEdge",
        ),
    ):
        first = (await world.do(launch, Url=f"{url}/{launch}"))["BrowserInstance"]
        again = (await world.do(attach, TabUrl=launch, AttachTimeout=5))["BrowserInstance"]
        title: dict[str, Datum] = {"DetailsType": "Title", "BrowserInstance": again}
        assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == "Kinds"
        await world.do("WebAutomation.CloseWebBrowser", BrowserInstance=first)


async def test_older_ids_and_the_pointer(desk: tuple[World, str]) -> None:
    world, url = desk
    browser = (await world.do("WebAutomation.LaunchChrome.LaunchChrome", Url=url))["BrowserInstance"]
    web: dict[str, Datum] = {"BrowserInstance": browser}
    title: dict[str, Datum] = {"DetailsType": "Title", **web}
    await world.do("WebAutomation.Focus.Focus", Control="#name", **web)
    assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == "focus"
    await world.do("WebAutomation.HoverOverElement", Control="#over", **web)
    assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == "over"
    typed: dict[str, Datum] = {"Control": "#name", "Text": "Ada", "EmulateTyping": True}
    await world.do("WebAutomation.FormFilling.PopulateTextField", **typed, **web)
    await world.do("WebAutomation.FormFilling.PressButton", Control="#send", **web)
    told = "WebAutomation.DataExtraction.GetDetailsOfElement"
    assert (await world.do(told, Control="#told", AttributeName="innertext", **web))["AttributeValue"] == "Ada"
    found = await world.do("WebAutomation.DataExtraction.ExtractHtmlTable", Control="#t", **web)
    assert found["ExtractedData"] == DataTable(("Id",), (("1",),))
