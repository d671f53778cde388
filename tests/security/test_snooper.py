"""The disk, process lists and environments are searched for planted texts in every usual encoding, while flows run and
after they crash.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actions import compose, respond
from canaries import Canaries, files
from desktop_world import World
from http_server import Seen, Server
from processes import Place
from sealflow.connectors import Call, ConnectorError, Services
from sealflow.connectors.conformance import StoppedClock
from sealflow.connectors.inline import JavaScriptConnector
from sealflow.connectors.isolation import JobLimits
from sealflow.engine.datatypes import Item

WHAT = (
    "a page",
    "its title",
    "its address",
    "a cookie",
    "what it keeps",
    "a script",
    "what is typed",
    "a download",
    "a job",
)
CANARIES = Canaries({what: f"Kanarieqzjxvw{number:02d}Vogel" for number, what in enumerate(WHAT)})
C = CANARIES.texts
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PAGE = f"""<!doctype html><title>{C["its title"]}</title><script src=/script></script><input id=name><a id=file
href=/file download>get</a><p>{C["a page"] * 50}</p><script>document.cookie = 'a={C["a cookie"]}; max-age=9999';
localStorage.setItem('k', '{C["what it keeps"]}'); sessionStorage.setItem('k', '{C["what it keeps"]}');
indexedDB.open('{C["what it keeps"]}', 1); caches.open('{C["what it keeps"]}').catch(() => 0)</script>"""


def react(seen: Seen) -> bytes:
    kind, more, body = "text/html", "", PAGE
    if seen.target == "/script":
        kind, body = "text/javascript", f"// {C['a script']}\n" * 20_000
    elif seen.target == "/file":
        kind, more, body = "text/csv", 'Content-Disposition: attachment; filename="a.csv"\r\n', C["a download"] * 9
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Cache-Control: max-age=9999\r\n"
    return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where programs of the user leave what they leave: temporary files, caches, configuration, the home."""
    with tempfile.TemporaryDirectory(prefix="s-") as user:  # short: browsers make sockets below
        for name in ("TMPDIR", "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
            folder = Path(user, name.lower())
            folder.mkdir(mode=0o700)
            monkeypatch.setenv(name, str(folder))
        monkeypatch.setattr("tempfile.tempdir", None)
        yield Path(user)


def children(pid: int) -> set[int]:
    """The processes below this one."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text("utf-8", "replace").rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid or parent in found:
            found.add(int(path.parent.name))
    return found


def shown(pids: set[int]) -> dict[str, bytes]:
    """What processes show of themselves: arguments, environment, names of threads and of open files."""
    found: dict[str, bytes] = {}
    for pid in pids:
        process = Path("/proc", str(pid))
        for name in ("cmdline", "environ", "comm", "maps"):
            try:
                found[f"{name} of {pid}"] = (process / name).read_bytes()
            except OSError:
                continue
        try:
            found[f"files of {pid}"] = b"\n".join(os.readlink(each).encode() for each in (process / "fd").iterdir())
        except OSError:
            continue
    return found


@linux
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
async def test_the_profile_of_a_browser(tmp_path: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snooper searches profiles, caches, temporary files and process arguments of the browser of a desktop flow,
    while it is open and afterwards. Pages, cookies, storage and typed text stay in memory.
    """
    monkeypatch.setattr("sealflow.connectors.desktop.web.browser.SECONDS", 60.0)
    server = Server(react)
    await server.start()
    world = World(tmp_path)
    try:
        url = f"{server.url}/{C['its address']}"
        browser = (await world.do("WebAutomation.LaunchChrome.LaunchChrome", Url=url))["BrowserInstance"]
        assert isinstance(browser, Item)
        text = C["what is typed"]
        await world.do(
            "WebAutomation.PopulateTextField.PopulateTextFieldUsePhysicalKeyboard",
            BrowserInstance=browser, Control="#name", Text=text,
        )  # fmt: skip
        below = children(os.getpid())
        assert len(below) > 2
        assert CANARIES.found(files(folders)) == []
        assert CANARIES.found(shown(below)) == []
    finally:
        await world.session.aclose()
        await server.stop()
    assert CANARIES.found(files(folders)) == []
    assert [name for name in files(folders) if "profile" in name] == []


@linux
async def test_the_process_of_a_job(folders: Path) -> None:
    """The snooper reads the arguments, the environment and the open files of the process that runs a script. Code and
    values go through a pipe and are in none of them. Neither is the environment of the parent.
    """
    os.environ["SNOOPED"] = C["a job"]
    try:
        code = f"const secret = '{C['a job']}'; while (true) {{ workflowContext; secret.length }}"
        context = {"actions": {"A": {"outputs": C["a job"]}}, "trigger": None, "workflow": {}}
        call = Call("inline-code", "javascript", {"code": code, "workflowContext": context}, "k")
        before = children(os.getpid())
        limits = JobLimits(seconds=1, memory=256 << 20)
        running = asyncio.ensure_future(JavaScriptConnector(limits).invoke(call, Services(clock=StoppedClock())))
        seen: dict[str, bytes] = {}
        while not running.done():
            seen |= shown(children(os.getpid()) - before)
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectorError, match="ran for more than 1 seconds"):
            await running
    finally:
        del os.environ["SNOOPED"]
    assert any(name.startswith("cmdline") for name in seen)
    assert CANARIES.found(seen) == []
    assert CANARIES.found(files(folders)) == []


@linux
def test_a_command_that_is_killed_at_any_moment(place: Place) -> None:
    """The snooper searches the store, temporary files and configuration after a command was killed before and after
    each commit of a run with values of all sizes. It finds no plain data.
    """
    sizes = (1, 300, 9_000, 40_000)
    actions: dict[str, Any] = {}
    for number, size in enumerate(sizes):
        actions[f"A{number}"] = compose([C["a job"]] * size, *([f"A{number - 1}"] if number else []))
    actions["R"] = respond({"x": "@outputs('A1')"}, f"A{len(sizes) - 1}")
    file = place.flow("f", actions)
    folders = (place.home, place.keystore.parent, place.temporary, place.folder / "config")
    for number in (1, 2, 3):
        for moment in ("before", "after"):
            place("run", file, "--json", prepare=[["die_at_commit", number, moment]])
            assert CANARIES.found(files(*[each for each in folders if each.exists()])) == [], (number, moment)
    done = place("run", file, "--json").expect(0)
    assert C["a job"] in done.out  # the control
    assert CANARIES.found(files(*folders)) == []
