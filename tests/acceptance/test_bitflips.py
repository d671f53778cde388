"""A bit of sealed data is flipped. Each command that reads it fails with a clear error, exit code 4 and no data, or
lists the damaged row with exit code 1.

A store with something in every table is changed bit by bit from outside. After each change every command either says
what it said before, byte for byte, or refuses with the code of a broken record; and at least one of them refuses. The
suite takes three bits of each column and one of each row, SEALFLOW_TEST_LONG=1 takes all.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from actions import compose, terminate, wait
from processes import Ended, ForkServer, Place, until_line
from sealflow.engine.hosts.cli import main
from thorough import LONG

SAMPLE = 1
"""Bits of each column of each row that the suite flips, besides the first and the last one."""

CODES = ("IntegrityError", "NotARecord", "TamperedHistory", "WrongKey", "KeyMissing", "StoreCorrupt")

Commands = Sequence[Sequence[str]]

LISTS: Commands = [["runs", "list"], ["flow", "list"], ["env", "list"]]
DETAILS: Commands = [
    ["runs", "show", "OLD"],
    ["runs", "show", "ENDED"],
    ["runs", "show", "FAILED"],
    ["runs", "show", "WAITING"],
]
FLOWS: Commands = [["flow", "show", "f", "--version", "1"], ["flow", "show", "f"], ["flow", "show", "slow"]]
ACTS: Commands = [["audit", "list", "--no-calls"]]
BUNDLES: Commands = [["runs", "export", "ENDED", "--out", "bundle.json", "--plaintext"]]
SHORT: Commands = [["runs", "follow", "WAITING", "--timeout", "0"], ["runs", "resume", "WAITING", "--timeout", "0.2"]]

SEALED: dict[tuple[str, str, str], Commands] = {
    # the file, the table, the column: the commands that are tried, the reader first
    ("control.db", "meta", "environment_id"): LISTS,
    ("control.db", "environment_keys", "kek"): LISTS,
    ("control.db", "environment_keys", "kid"): LISTS,
    ("control.db", "environment_keys", "wrapped"): LISTS,
    ("control.db", "environment_keys", "mac"): LISTS,
    ("control.db", "environments", "record"): [["env", "list"], *LISTS],
    ("control.db", "keys", "kid"): [["env", "list"], *LISTS, *ACTS],
    ("control.db", "keys", "wrapped"): [["env", "list"], *LISTS, *ACTS],
    ("control.db", "audit", "link"): ACTS,
    ("control.db", "audit", "record"): ACTS,
    ("control.db", "operations", "record"): ACTS,
    ("store.db", "meta", "environment_id"): LISTS,
    ("store.db", "environment_keys", "kek"): LISTS,
    ("store.db", "environment_keys", "kid"): LISTS,
    ("store.db", "environment_keys", "wrapped"): LISTS,
    ("store.db", "environment_keys", "mac"): LISTS,
    ("store.db", "keys", "kid"): [*LISTS, *DETAILS, *FLOWS],
    ("store.db", "keys", "wrapped"): [*LISTS, *DETAILS, *FLOWS],
    ("store.db", "flows", "record"): [["flow", "list"], *FLOWS, *DETAILS],
    ("store.db", "versions", "record"): [*FLOWS, *DETAILS],
    ("store.db", "runs", "head"): [*DETAILS, *LISTS],
    ("store.db", "runs", "summary"): [*DETAILS, *LISTS],
    ("store.db", "pages", "link"): [*DETAILS, *BUNDLES],
    ("store.db", "pages", "record"): [*DETAILS, *BUNDLES],
}
ELSEWHERE = {
    ("environment_keys", "predecessor_mac"),  # empty as long as there is one key
    ("snapshots", "record"),  # a cache that the command line does not need
    ("inbox", "record"),  # nobody asks for it; the executor refuses it
    ("triggers", "record"),  # read by a worker only
    ("messages", "record"),  # taken by a worker only
    *(("inbox_keys", column) for column in ("public", "mac", "record")),  # opened when what came while locked is taken
}
"""Sealed or authenticated, and read otherwise: tests below and of the storage see to them."""
CLEAR = {
    "schema_version": {"version", "applied_ms"},
    "ids and indexes": {"scope", "environment_id", "flow_id", "run_id", "parent", "item_id", "dedupe", "name_index"}
    | {"message_id", "partition_index", "key_id", "token_hash", "operation_id"},
}


@dataclass
class Kept:
    """A store with something in every table."""

    home: Path
    runs: dict[str, str]
    known: dict[tuple[str, ...], Ended] = field(default_factory=dict)

    def before(self, commands: Commands) -> dict[tuple[str, ...], Ended]:
        """What commands say as long as nothing is altered: asked once, since every alteration is undone."""
        for command in map(tuple, commands):
            if command not in self.known:
                self.known[command] = self.tell(command)
        return {command: self.known[command] for command in map(tuple, commands)}

    def path(self, file: str) -> Path:
        return self.home / file if file == "control.db" else next((self.home / "environments").glob("*/store.db"))

    def tell(self, command: Sequence[str]) -> Ended:
        """A command in this process, on this store."""
        arguments = [self.runs.get(each, each) for each in command]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*arguments, "--json"])
        return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, server: ForkServer) -> Iterator[Kept]:
    """Two versions of a flow, an ended run, a failed one, a long wait with its snapshot, a request that nobody took."""
    place = Place(tmp_path_factory.mktemp("bitflips"), server)
    old = place("run", place.flow("f", {"A": compose("old secret")}), "--json").expect(0)
    ended = place("run", place.flow("f", {"A": compose("secret"), "B": compose("@outputs('A')", "A")}), "--json")
    failing = place.flow("failing", {"End": terminate("Failed", code="C", message="secret")})
    failed = place("run", failing, "--json").expect(1)
    process = place.begin("run", place.flow("slow", {"A": compose("secret"), "Pause": wait(9, "Hour", "A")}))
    waiting = until_line(process, "… Pause")[0].rpartition(" ")[2]
    until_there_is_a_snapshot(place.stores()[0])
    os.kill(process.pid, signal.SIGSTOP)
    place("run", "f.json", "--timeout", "0.2", "--json").expect(124)
    process.kill()
    place.close()
    runs = {"OLD": old, "ENDED": ended.expect(0), "FAILED": failed}
    names = {name: told.json["run"] for name, told in runs.items()} | {"WAITING": waiting}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SEALFLOW_HOME", "SEALFLOW_KEYSTORE"):
            patch.setenv(name, place.environment[name])
        patch.chdir(place.work)
        yield Kept(place.home, names)


@pytest.fixture
def copied(kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """For commands that change the store."""
    shutil.copytree(kept.home, tmp_path / "home")
    monkeypatch.setenv("SEALFLOW_HOME", str(tmp_path / "home"))
    return Kept(tmp_path / "home", kept.runs)


def until_there_is_a_snapshot(store: Path) -> None:
    for _ in range(600):
        if tables(store)["snapshots"]["record"]:
            return
        time.sleep(0.05)
    raise AssertionError("a long wait left no snapshot")


def tables(path: Path) -> dict[str, dict[str, list[int]]]:
    """The rows with bytes in them, by table and column."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: {
                column[1]: [
                    row for (row,) in connection.execute(
                        f"SELECT rowid FROM {name} WHERE typeof({column[1]}) = 'blob'"
                    )
                ]
                for column in connection.execute(f"PRAGMA table_info({name})")
            }
            for name in names if not name.startswith("sqlite_")
        }  # fmt: skip


@contextmanager
def changed(path: Path, table: str, column: str, row: int, bit: int) -> Iterator[None]:
    """One bit is another one, for a while."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        (original,) = connection.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
        flipped = bytearray(original)
        flipped[bit // 8] ^= 1 << bit % 8
        update = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
        connection.execute(update, (bytes(flipped), row))
        try:
            yield
        finally:
            connection.execute(update, (original, row))


def bits(path: Path, table: str, column: str, row: int) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        sql = f"SELECT length({column}) FROM {table} WHERE rowid = ?"
        size = 8 * int(connection.execute(sql, (row,)).fetchone()[0])
    if LONG:
        return list(range(size))
    chance = random.Random(f"{table} {column} {row}")
    return sorted({0, size - 1, *(chance.randrange(size) for _ in range(SAMPLE))})


def some(found: list[int], number: int) -> list[int]:
    """Of the first row of a column all of these bits, of the others one each, another one every time."""
    return found if LONG or not number else [found[number % len(found)]]


def refused(ended: Ended, before: Ended | None = None) -> bool:
    """Whether a command refused, in the right way; or listed what is damaged beside what it said before."""
    if ended.code == 1 and before is not None:
        return _told(ended, before)
    if ended.code != 4:
        return False
    assert ended.expect(4).error["code"] in CODES, ended.error
    assert ended.error["hint"]
    assert len(ended.out.splitlines()) == 1
    assert "secret" not in ended.out + ended.err
    return True


def _told(ended: Ended, before: Ended) -> bool:
    assert "secret" not in ended.out + ended.err
    wrong = [each for each in ended.json if "error" in each]
    assert wrong
    for each in wrong:
        assert each["error"]["code"] in CODES
        assert each["error"]["hint"]
    # A run whose flow is damaged is listed without its name.
    nameless = [{**each, "flow": ""} for each in before.json]
    assert all(each in before.json or each in nameless for each in ended.json if "error" not in each)
    return True


def test_every_table_has_something_in_it(kept: Kept) -> None:
    """No attack: every table of the test store has rows."""
    found = {
        (file, name): columns
        for file in ("control.db", "store.db")
        for name, columns in tables(kept.path(file)).items()
    }
    for file, table, column in SEALED:
        assert found[file, table][column], (file, table, column)
    for table in ("snapshots", "inbox"):
        assert found["store.db", table]["record"], table
    known = {(table, column) for _, table, column in SEALED} | ELSEWHERE
    ids = {column for columns in CLEAR.values() for column in columns}
    for (file, table), columns in found.items():
        for column, rows in columns.items():
            if rows and column not in ids:
                assert (table, column) in known, f"{file}: {table}.{column} is not tested"


@pytest.mark.parametrize("where", SEALED, ids=lambda where: ".".join(where).replace(".db.", ":"))
def test_a_flipped_bit_is_refused(kept: Kept, where: tuple[str, str, str]) -> None:
    """A bit of any sealed column is flipped. Every command that reads it refuses it."""
    file, table, column = where
    path, commands = kept.path(file), SEALED[where]
    before = kept.before(commands)
    assert not any(ended.code for ended in before.values())
    for number, row in enumerate(tables(path)[table][column]):
        if table == "keys" and kind(path, row) in REQUESTS:
            continue
        for bit in some(bits(path, table, column, row), number):
            caught = False
            with changed(path, table, column, row, bit):
                for command in commands:
                    found = kept.tell(command)
                    caught = refused(found, before[tuple(command)])
                    if caught:
                        break
                    assert found == before[tuple(command)], f"bit {bit} of row {row}: other data was shown"
            assert caught, f"bit {bit} of row {row}: nobody noticed"
    assert {tuple(command): kept.tell(command) for command in commands} == before


REQUESTS = {5, 16}
"""Keys of requests, and of the box for those that come while the environment is locked: opened by the executor only."""


def kind(path: Path, row: int) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT kind FROM keys WHERE rowid = ?", (row,)).fetchone()[0])


@pytest.mark.parametrize(
    ("table", "column"),
    [("runs", "run_id"), ("runs", "flow_id"), ("flows", "flow_id"), ("versions", "flow_id"), ("keys", "scope")],
)
def test_a_flipped_bit_of_an_id_shows_nothing_wrong(kept: Kept, table: str, column: str) -> None:
    """A bit of an id is flipped. The object is missing or refused, and lists show only what they can prove."""
    path = kept.path("store.db")
    commands = [*LISTS, *DETAILS, *FLOWS] if LONG else [LISTS[0], *DETAILS, *FLOWS[1:]]
    before = kept.before(commands)
    for row in tables(path)[table][column]:
        for bit in bits(path, table, column, row)[1:2]:
            with changed(path, table, column, row, bit):
                answers = [kept.tell(command) for command in commands]
            for command, found in zip(commands, answers, strict=True):
                if found.code == 3:
                    assert found.expect(3).error["code"] in ("NotFound", "RecordNotFound")
                elif not refused(found, before[tuple(command)]):
                    assert found == before[tuple(command)], command
            if not kind_of_request(path, table, row):
                assert any(found.code in (1, 3, 4) for found in answers)


def kind_of_request(path: Path, table: str, row: int) -> bool:
    return table == "keys" and kind(path, row) in REQUESTS


RESUME: Commands = [
    ["runs", "resume", "WAITING", "--timeout", "0.05"],
    ["runs", "resume", "--all", "--timeout", "0.05"],
]


def test_a_flipped_bit_of_a_snapshot_changes_nothing(copied: Kept) -> None:
    """A bit of a snapshot is flipped. A run refuses it or resumes from its history, never from another state."""
    path = copied.path("store.db")
    show = ["runs", "show", "WAITING"]
    before = copied.tell(show)
    for row in tables(path)["snapshots"]["record"]:
        for bit in bits(path, "snapshots", "record", row):
            with changed(path, "snapshots", "record", row, bit):
                for command in RESUME:
                    found = copied.tell(command)
                    if found.code != 124:
                        assert refused(found), found
                assert copied.tell(show) == before


def test_a_flipped_bit_of_a_request_is_not_carried_out(copied: Kept) -> None:
    """A bit of a request is flipped. The executor may discard it, but does not carry it out."""
    path = copied.path("store.db")
    before = copied.tell(["runs", "list"]).json
    pristine = {each: each.read_bytes() for each in copied.home.rglob("*.db*")}
    (row,) = tables(path)["inbox"]["record"]
    for bit in bits(path, "inbox", "record", row):
        with changed(path, "inbox", "record", row, bit):
            found = copied.tell(RESUME[0])  # becomes the executor
            if found.code != 124:
                assert refused(found), found
            assert copied.tell(["runs", "list"]).json == before
        for each in [*copied.home.rglob("*.db*")]:
            each.unlink()
        for each, content in pristine.items():
            each.write_bytes(content)
    copied.tell(RESUME[0]).expect(124)
    assert len(copied.tell(["runs", "list"]).json) == len(before) + 1


def test_a_run_that_cannot_be_resumed_with_the_others_is_told_of(copied: Kept) -> None:
    """A bit of a waiting run is flipped. Resuming all runs reports it."""
    path = copied.path("store.db")
    row = tables(path)["pages"]["record"][-1]  # the last page that was written: of the run that waits
    with changed(path, "pages", "record", row, 777):
        assert refused(copied.tell(["runs", "resume", "--all", "--timeout", "5"]))
