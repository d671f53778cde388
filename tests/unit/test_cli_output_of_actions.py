"""`sealflow runs output`: what an action gave, in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_session import Cli, compose


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def ran(cli: Cli) -> Cli:
    """A folder with a run of actions with a large text, content, and an object."""
    content = {"$content-type": "application/octet-stream", "$content": "AAECAw=="}
    long = "@{concat(" + ", ".join(["triggerBody()"] * 4) + ")}"
    cli.flow("f", {"Long": compose(long), "Content": compose(content), "Object": compose({"a": [1, {"b/c": "ä"}]})})
    (cli.folder / "body.json").write_text(json.dumps("é" * 100_000))
    assert cli("run", "f.json", "--input", "@body.json").code == 0
    return cli


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--action", "Long"], ("é" * 400_000).encode()),
        (["--action", "/content"], bytes(range(4))),
        (["--action", "Content", "--at", "/$content"], b"AAECAw=="),
        (["--action", "Object"], '{"a":[1,{"b/c":"ä"}]}'.encode()),
        (["--action", "Object", "--at", "/a/1/b~1c"], "ä".encode()),
        (["--action", "Object", "--inputs", "--at", "/a/0"], b"1"),
    ],
)
def test_it_is_written_as_it_is(ran: Cli, options: list[str], expected: bytes) -> None:
    done = ran("runs", "output", "latest", *options, "--out", "out")
    assert (done.code, done.out) == (0, "")
    assert f"{len(expected):,} bytes" in done.err
    assert (ran.folder / "out").read_bytes() == expected
    assert [path.name for path in ran.folder.iterdir() if path.name.startswith(".out")] == []


def test_the_json_form(ran: Cli) -> None:
    done = ran("runs", "output", "latest", "--action", "Object", "--out", "out", "--json")
    told = json.loads(done.out)
    assert (told["action"], told["out"], told["bytes"]) == ("Object", "out", (ran.folder / "out").stat().st_size)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--action", "None"], 3, "no action 'None'"),
        (["--action", "Object", "--at", "/x"], 3, "nothing at '/x'"),
        (["--action", "Object", "--at", "x"], 2, "begins with '/'"),
        (["--action", "Object", "--out", "none/out"], 3, "none/out"),
    ],
)
def test_what_goes_wrong_is_said(ran: Cli, options: list[str], code: int, said: str) -> None:
    done = ran("runs", "output", "latest", "--out", "out", *options)
    assert (done.code, said in done.err) == (code, True), done.err
    assert not (ran.folder / "out").exists()
