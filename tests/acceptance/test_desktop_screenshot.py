"""The picture of a real browser's page, kept of a run that failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sealflow
from http_server import Seen, Server

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

PAGE = b"<!doctype html><title>Orders</title><p>Nothing to press here"


def react(seen: Seen) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)


async def test_the_page_that_was_open_is_kept(tmp_path: Path) -> None:
    server = Server(react)
    await server.start()
    script = tmp_path / "press.robin"
    script.write_text(
        f"WebAutomation.LaunchChrome.LaunchChrome Url: $'''{server.url}/''' "
        "WindowState: WebAutomation.BrowserWindowState.Normal ClearCache: False ClearCookies: False "
        "WaitForPageToLoadTimeout: 60 Timeout: 60 BrowserInstance=> Browser\n"
        "File.ReadTextFromFile.ReadText File: $'''C:\\\\none.txt''' Encoding: File.TextFileEncoding.UTF8 "
        "Content=> Text\n"
    )
    try:
        async with sealflow.open(tmp_path / "home", keystore=tmp_path / "keystore.json") as engine:
            env = await engine.environment()
            (run,) = await env.start(await env.deploy("press", script), {})
            result = await run.result(120)
            picture = await run.screenshot()
    finally:
        await server.stop()
    assert result.status == "Failed"
    assert result.error is not None
    assert "Action name: Read text from file" in str(result.error), result.error
    assert picture is not None
    assert picture.startswith(b"\x89PNG\r\n")
