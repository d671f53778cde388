"""A page uses all ways of a browser to reach other servers: redirects, sockets, workers and files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.connectors.egress.policy import Egress, rule
from sealflow.engine.datatypes import Datum, Item

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


INNER = Egress("local", (rule("127.0.0.2", allow=False),))
"""A policy that refuses 127.0.0.2, where a server stands for what must not be reached."""


class Secret:
    """Counts who connects to 127.0.0.2."""

    def __init__(self) -> None:
        self.visits = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.2", 0)
        self.address = f"127.0.0.2:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        await writer.drain()
        writer.close()


def answered(body: str, kind: str = "text/html", status: str = "200 OK", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


SOCKET = """<title>waits</title><script>
const socket = new WebSocket('ws://%s/'); socket.onclose = socket.onerror = () => { document.title = 'closed'; };
</script>"""
WORKER = """<title>waits</title><script>
navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)
  .then(() => document.title = 'works', () => document.title = 'none');
setTimeout(() => { if (document.title === 'waits') document.title = 'none'; }, 300);</script>"""


@pytest.fixture
async def secret() -> AsyncIterator[Secret]:
    secret = Secret()
    await secret.start()
    yield secret
    secret.server.close()


@pytest.fixture
async def server(secret: Secret) -> AsyncIterator[Server]:
    def react(seen: Seen) -> bytes:
        if seen.target == "/away":
            return answered("", "text/html", "302 Found", f"Location: http://{secret.address}/")
        if seen.target == "/socket":
            return answered(SOCKET % secret.address)
        if seen.target == "/worker":
            return answered(WORKER)
        if seen.target == "/worker.js":
            return answered(f"fetch('http://{secret.address}/')", "text/javascript")
        if seen.target == "/post":
            return answered(f"<p>{seen.method} {seen.body.decode()} {'proxy-authorization' in seen.headers}")
        return answered("<title>home</title><form method=post action=/post><input name=a value=b><button>go</button>")

    server = Server(react)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("sealflow.connectors.desktop.web.browser.SECONDS", 60.0)  # a busy machine is no missing element
    world = World(tmp_path)
    world.session.egress = INNER
    yield world
    await world.session.aclose()


async def opened(world: World, url: str) -> dict[str, Datum]:
    done = await world.do("WebAutomation.LaunchChrome.LaunchChrome", Url=url)
    assert isinstance(done["BrowserInstance"], Item)
    return {"BrowserInstance": done["BrowserInstance"]}


async def text(world: World, web: dict[str, Datum]) -> str:
    return str((await world.do("WebAutomation.GetDetailsOfWebPage", DetailsType="Text", **web))["Details"])


async def until(world: World, web: dict[str, Datum], title: str) -> str:
    """The title once it is no more what the page began with."""
    script = (
        "function ExecuteScript() { return new Promise((done) => { const look = () => document.title === '"
        + title
        + "' ? setTimeout(look, 10) : done(document.title); look(); }); }"
    )
    return str((await world.do("WebAutomation.ExecuteJavascript", Javascript=script, **web))["Result"])


async def test_a_redirect_is_judged(world: World, server: Server, secret: Secret) -> None:
    """A page redirects to a denied server. The egress policy rejects it."""
    try:
        assert "secret" not in await text(world, await opened(world, f"{server.url}/away"))
    except Exception as error:
        assert "ERR" in str(error)  # noqa: PT017
    assert secret.visits == 0


async def test_a_socket_is_judged(world: World, server: Server, secret: Secret) -> None:
    """A page opens a WebSocket to a denied server. The egress policy rejects it."""
    web = await opened(world, f"{server.url}/socket")
    assert await until(world, web, "waits") == "closed"
    assert secret.visits == 0


async def test_no_service_worker_is_at_work(world: World, server: Server, secret: Secret) -> None:
    """A page registers a service worker. It does not run."""
    web = await opened(world, f"{server.url}/worker")
    assert await until(world, web, "waits") == "none"
    assert secret.visits == 0


async def test_forms_get_through_and_nobody_is_told_of_the_proxy(world: World, server: Server, secret: Secret) -> None:
    """No attack: forms work, and the server sees no trace of the proxy."""
    web = await opened(world, f"{server.url}/")
    await world.do("WebAutomation.Click.Click", Control="button", **web)
    assert (await text(world, web)).strip() == "POST a=b False"


async def test_files_outside_are_not_shown(world: World) -> None:
    """A page or an address leads to a file outside the allowed folders. It is not shown."""
    (world.outside / "s.html").write_text("<p>outside")
    (world.folder / "a b.html").symlink_to(world.outside / "s.html")
    world.file("f.html", f"<p>inside<iframe src='file://{world.outside}/s.html'></iframe>")
    base = f"file://{world.folder}"
    assert (await text(world, await opened(world, f"{base}/f.html"))).strip() == "inside"
    for url in (f"file://{world.outside}/s.html", f"{base}/a%20b.html", f"{base}/../outside/s.html"):
        await world.fails("FailedToLaunchChromeError", "WebAutomation.LaunchChrome.LaunchChrome", Url=url)
    for url in ("view-source:file:///etc/passwd", "chrome://version"):
        await world.fails("InvalidURLError", "WebAutomation.LaunchChrome.LaunchChrome", Url=url)
