"""`sealflow env move` as a command: what it says, what it refuses, and with which exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_session import Cli, compose
from postgres_server import PostgresServer, shared_server
from sealflow.storage import StoreUnreachable
from sealflow.storage.maintenance import relocation as moving

asyncpg = pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")


@pytest.fixture(scope="module")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_there_and_back(cli: Cli, postgres: PostgresServer) -> None:
    assert cli("flow", "deploy", cli.flow("order", {"C": compose(1)})).code == 0
    assert cli("run", "order").code == 0
    moved = cli("env", "move", "default", "--database", postgres.url)
    assert moved.code == 0, moved.err
    lines = moved.out.splitlines()
    assert lines[0].startswith(f"Moved default to {postgres.url}: 1 flow, 1 run (0 in flight), ")
    assert lines[1:] == ["keys at the old place: destroyed; write-ahead log: done; backups and other copies: unknown"]
    assert moved.err.splitlines() == [
        "fence…", "verify the source…", "copy…", "seal by fresh keys…", "write…", "verify the target…", "switch…",
    ]  # fmt: skip
    assert cli("env", "show", "default", "--json").json["store"] == postgres.url
    assert cli("run", "order").code == 0
    back = cli("env", "move", "default", "--file", "--json")
    assert (back.code, back.err) == (0, "")
    told = back.json
    assert (told["store"], told["runs"], told["source"], told["wal"]) == ("file", 2, "destroyed", "pending")
    assert cli("runs", "show", "latest").code == 0
    assert cli("verify").code == 0


def test_what_is_refused(cli: Cli, postgres: PostgresServer) -> None:
    assert cli("flow", "deploy", cli.flow("order", {"C": compose(1)})).code == 0
    for options in ((), ("--file", "--database", postgres.url)):
        refused = cli("env", "move", "default", *options)
        assert (refused.code, "--file" in refused.err) == (2, True)
    assert "in that place already" in cli("env", "move", "default", "--file").err
    assert cli("env", "move", "default", "--file").code == 2
    assert cli("env", "move", "nobody", "--file").code == 3
    secret = cli("env", "move", "default", "--database", "postgresql://me:s3cret@host/db")
    assert (secret.code, "s3cret" in secret.out + secret.err) == (2, False)
    assert cli("env", "lock", "default").code == 0
    assert cli("env", "move", "default", "--database", postgres.url).code == 4
    assert cli("env", "unlock", "default").code == 0
    assert cli("run", "order").code == 0


def test_an_old_place_that_cannot_be_reached(
    cli: Cli, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment has moved, and what is left is said; the same command does it."""
    assert cli("flow", "deploy", cli.flow("order", {"C": compose(1)})).code == 0

    async def away(_: object) -> bool:
        raise StoreUnreachable("The server is away.")

    with monkeypatch.context() as patch:
        patch.setattr(moving, "keys_destroyed", away)
        moved = cli("env", "move", "default", "--database", postgres.url)
    assert moved.code == 1
    assert moved.out.splitlines()[1:] == [
        "keys at the old place: NOT destroyed: The server is away.", "next: the same command again",
    ]  # fmt: skip
    assert cli("run", "order").code == 0  # it is there
    assert "not destroyed" in cli("env", "status", "default").out
    again = cli("env", "move", "default", "--database", postgres.url)
    assert (again.code, "keys at the old place: destroyed" in again.out) == (0, True)
    assert "not destroyed" not in cli("env", "status", "default").out


def test_a_move_that_is_given_up(cli: Cli, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a death: it is closed, and opened again where it is."""
    assert cli("flow", "deploy", cli.flow("order", {"C": compose(1)})).code == 0

    async def died(*_: object) -> None:
        raise StoreUnreachable("The server is away.")

    with monkeypatch.context() as patch:
        patch.setattr(moving, "rekeyed", died)
        patch.setattr(moving._Move, "_undo", died)
        assert cli("env", "move", "default", "--database", postgres.url).code != 0
    assert "it is being moved" in cli("env", "status", "default").out
    refused = cli("run", "order")
    assert (refused.code, "sealflow env move default" in refused.err) == (4, True)
    assert cli("env", "unlock", "default").code == 4
    given_up = cli("env", "move", "default", "--file")
    assert (given_up.code, given_up.out) == (0, "default stays in file; of the move that was begun nothing is left\n")
    assert cli("run", "order").code == 0
    assert cli("verify").code == 0
