"""The picture that is kept of a desktop flow's run which fails with a browser open: when, where, and how it is got."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli
from sealflow.connectors.desktop import Session
from sealflow.connectors.desktop.web import automation as web_automation
from sealflow.connectors.desktop.web.browser import browsers_of
from sealflow.engine.importers.desktop import DesktopFlow
from sealflow.engine.runtime.flows.desktop_packages import source_in
from sealflow.engine.runtime.flows.script_files import ScriptSource

PICTURE = b"\x89PNG plantedpicture"
MISSING = "File.ReadTextFromFile.ReadText File: $'''none.txt''' Encoding: File.TextFileEncoding.UTF8 Content=> Text\n"
HANDLED = MISSING + "ON ERROR InvalidPathError\nEND\n"
BLOCK = "BLOCK b\nON BLOCK ERROR all\nEND\n" + MISSING + "END\n"
CALLED = "CALL Reads\nFUNCTION Reads GLOBAL\n" + MISSING + "END FUNCTION\n"
CALLED_IN_BLOCK = (
    "BLOCK b\nON BLOCK ERROR all\nEND\nCALL Reads\nEND\nFUNCTION Reads GLOBAL\n" + MISSING + "END FUNCTION\n"
)
OTHER_NAME = MISSING + "ON ERROR TimeoutError\nEND\n"
RETRIED = MISSING + "ON ERROR REPEAT 2 TIMES WAIT 0\n"
IN_HANDLER = (
    "BLOCK b\nON BLOCK ERROR all\nCALL Reads\nEND\n"
    + MISSING
    + "END\nFUNCTION Reads GLOBAL\n"
    + MISSING
    + "END FUNCTION\n"
)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """Every session has a browser open, and a page whose picture is taken; who was asked for one."""
    asked: list[Session] = []

    async def picture(session: Session) -> bytes:
        asked.append(session)
        return PICTURE

    real = Session.__init__

    def with_browser(self: Session, *args: Any, **options: Any) -> None:
        real(self, *args, **options)
        browsers_of(self)

    monkeypatch.setattr(web_automation, "last_look", picture)
    monkeypatch.setattr(Session, "__init__", with_browser)
    return asked


@pytest.mark.parametrize(
    ("text", "status", "pictures"),
    [
        (MISSING, "Failed", 1),
        (OTHER_NAME, "Failed", 1),
        (RETRIED, "Failed", 1),
        (CALLED, "Failed", 1),
        (IN_HANDLER, "Failed", 1),
        (HANDLED, "Succeeded", 0),
        (BLOCK, "Succeeded", 0),
        (CALLED_IN_BLOCK, "Succeeded", 0),
    ],
)
async def test_only_an_error_that_nobody_takes_leaves_a_picture(
    tmp_path: Path, looks: list[Session], text: str, status: str, pictures: int
) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("flow", _file(tmp_path, text)), {})
        result = await run.result()
        assert (result.status, len(looks)) == (status, pictures), result.error
        assert await run.screenshot() == (PICTURE if pictures else None)
        found = await sealflow.replay(await run.export(plaintext=True))
        assert found.differences == []


async def test_without_a_browser_there_is_none(tmp_path: Path) -> None:
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("flow", _file(tmp_path, MISSING)), {})
        assert (await run.result()).status == "Failed"
        assert await run.screenshot() is None


async def test_a_flow_that_wants_none_has_none(tmp_path: Path, looks: list[Session]) -> None:
    flow = DesktopFlow("Reads", "1", "x", MISSING, metadata={"disableScreenshotCaptureOnError": True})
    source = source_in(flow)
    assert not source.screenshots
    assert source_in(DesktopFlow("Reads", "1", "x", MISSING, metadata={})).screenshots
    async with sealflow.open(tmp_path / "home") as engine:
        env = await engine.environment()
        for each, kept in ((source, None), (ScriptSource("other", MISSING), PICTURE)):
            (run,) = await env.start(await env.deploy(each.name, each), {})
            assert (await run.result()).status == "Failed"
            assert await run.screenshot() == kept
    assert len(looks) == 1


def test_the_picture_is_sealed_and_written_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], looks: list[Session]
) -> None:
    cli = Cli(tmp_path, monkeypatch, capsys)
    _file(cli.folder, MISSING)
    assert cli("run", "flow.robin").code == 1
    assert looks
    kept = b"".join(path.read_bytes() for path in cli.folder.rglob("*") if path.is_file())
    assert kept
    assert b"plantedpicture" not in kept
    done = cli("runs", "screenshot", "latest", "--out", "page.png", "--json")
    assert (done.code, done.json["bytes"]) == (0, len(PICTURE))
    assert (cli.folder / "page.png").read_bytes() == PICTURE
    (cli.folder / "flow.robin").write_text("SET a TO 1\n")
    assert cli("run", "flow.robin").code == 0
    missing = cli("runs", "screenshot", "latest", "--out", "none.png", "--json")
    assert (missing.code, missing.error["code"]) == (3, "NoScreenshot")


def _file(folder: Path, text: str) -> Path:
    path = folder / "flow.robin"
    path.write_text(text)
    return path
