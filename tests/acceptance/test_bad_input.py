"""Invalid input is refused with the problem, its position and the next step, with the right exit code, without a
traceback, and without loss of data.

Files that are no flows, flows that are broken, keys that do not fit, folders that may not be written, disks that are
full.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from actions import after, compose, each, terminate
from processes import ForkServer, Place
from thorough import LONG

NOBODY = ["become_nobody"]


def definition(actions: Any, **more: Any) -> Any:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions, **more}


def deep(levels: int) -> Any:
    actions: Any = {"Leaf": compose(1)}
    for number in range(levels):
        actions = {f"S{number}": {"type": "Scope", "actions": actions, "runAfter": {}}}
    return definition(actions)


# ---- files that are no flows, and flows that are broken

LOST = compose({"x": ["a @{body('Nowhere')?['y']}"]})
GLAD = {**compose(1), "runAfter": after("A", on=["Glad"])}
TYPED = {"p": {"type": "Int", "defaultValue": "x"}}

FILES: dict[str, tuple[bytes | Any, str | None, str]] = {
    # what it is: the content, the code, where
    "malformed": (b'{\n  "actions": {]\n}', "InvalidJson", "2:15"),
    "cut off": (b'{"triggers": {}, "actions": {"A"', "InvalidJson", "1:"),
    "empty": (b"", "InvalidJson", ""),
    "blank": (b" \n\t ", "InvalidJson", ""),
    "binary": (bytes(range(256)) * 40, None, ""),
    "zeros": (bytes(5_000), None, ""),
    "not utf-8": (b'{"triggers": {}, "actions": {"\xff": 1}}', None, ""),
    "a list": ([], None, ""),
    "a number": (5, None, ""),
    "null": (None, None, ""),
    "another document": ({"name": "package", "version": "1.0"}, None, ""),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(1000), None, ""),
    "open brackets": (b"[" * 100_000, None, ""),
    "open braces": (b'{"a":' * 100_000, None, ""),
    "nested scopes": (deep(60), None, ""),
    "a huge number": (b'{"triggers": {}, "actions": 1' + b"0" * 10_000 + b"}", None, ""),
    "actions as list": (definition([]), None, "/actions"),
    "an action as text": (definition({"A": "x"}), None, "/actions/A"),
    "no type": (definition({"A": {"inputs": 1, "runAfter": {}}}), None, "/actions/A"),
    "unknown type": (definition({"A": {"type": "Teleport"}}), "UnknownActionType", "/actions/A/type"),
    "a cycle": (definition({"A": compose(1, "B"), "B": compose(1, "A")}), None, "/actions/A/runAfter"),
    "after itself": (definition({"A": compose(1, "A")}), None, "/actions/A/runAfter"),
    "after nothing": (definition({"A": compose(1, "Nowhere")}), "UnknownPredecessor", "/actions/A/runAfter"),
    "an unknown status": (definition({"A": compose(1), "B": GLAD}), None, "/actions/B/runAfter"),
    "outputs of nothing": (definition({"A": compose("@outputs('Nowhere')")}), "UnknownAction", "/actions/A/inputs"),
    "body of nothing": (definition({"A": LOST}), "UnknownAction", "/actions/A/inputs/x/0"),
    "an unknown variable": (definition({"A": compose("@variables('v')")}), "UnknownVariable", "/actions/A/inputs"),
    "an unknown function": (definition({"A": compose("@frobnicate(1)")}), None, "/actions/A/inputs"),
    "a broken expression": (definition({"A": compose("@concat('a', ")}), None, "/actions/A/inputs"),
    "a default of the wrong type": (definition({"A": compose(1)}, parameters=TYPED), None, "/parameters/p"),
    "items of no loop": (definition({"A": compose(1), "B": compose("@items('A')", "A")}), None, "/actions/B/inputs"),
    "a loop over nothing": (definition({"L": {"type": "Foreach", "actions": {}}}), None, "/actions/L"),
    "a bad status to end with": (definition({"E": terminate("Glad")}), None, "/actions/E/inputs"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "code", "where"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_flow_is_invalid(place: Place, content: Any, code: str | None, where: str) -> None:
    """A file that is not a valid flow is refused."""
    file = place.write("bad.json", content)
    checked = place("check", file, "--json").expect(2).json
    assert checked["ok"] is False
    errors = [problem for problem in checked["problems"] if problem["severity"] == "error"]
    assert any(code in (None, problem["code"]) and problem["at"].startswith(where) for problem in errors), errors
    error = place("run", file, "--json").expect(2).error
    assert error["message"]
    assert error["file"] == file
    if error["code"] in ("InvalidJson", "TooDeep"):
        assert re.fullmatch(r"\d+:\d+", error["at"])
    else:
        assert error["hint"]
    assert "bad.json" in place("run", file).expect(2).err
    for command in (["flow", "deploy", file], ["replay", file]):
        place(*command, "--json").expect(2)
    if place.home.exists():
        assert place("runs", "list", "--json").json == place("flow", "list", "--json").json == []


def test_what_is_no_file(place: Place) -> None:
    """A path that is not a readable file is refused."""
    (place.work / "folder.json").mkdir()
    for command, code in ((["run"], 3), (["check"], 2), (["flow", "deploy"], 3), (["replay"], 2)):
        place(*command, "folder.json").expect(2)
        missing = place(*command, "no/such/file.json").expect(code)
        assert "no/such/file.json" in missing.out + missing.err
    (place.work / "loop.json").symlink_to("loop.json")
    place("run", "loop.json").expect(2)
    place("eval", "1", "--context", "folder.json").expect(2)
    place("eval", "--batch", "folder.json").expect(2)
    flow = place.flow("f", {"A": compose(1)})
    place("run", flow, "--input", "@folder.json").expect(2)
    place("run", flow, "--input", "@missing.json").expect(3)
    place("run", flow, "--simulate", "--mocks", "folder.json").expect(2)
    assert not place.home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["run"], ["run", "f.json", "--input"], ["run", "f.json", "--input", "{"], ["run", "f.json", "extra"],
        ["run", "f.json", "--mocks", "f.json"], ["run", "f.json", "--dialect", "klingon"],
        ["run", "f.json", "--timeout", "soon"], ["run", "f.json", "--environment", ""],
        ["runs"], ["runs", "show"], ["runs", "list", "--status", "Glad"], ["runs", "list", "--limit", "0"],
        ["runs", "list", "--since", "long ago"], ["runs", "resume"], ["runs", "resume", "x", "--all"],
        ["eval"], ["eval", "1", "--context", "f.txt"], ["flow", "show", "f", "--version", "x"],
        ["nonsense"], ["--nonsense"], ["env", "create", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_line_that_makes_no_sense(place: Place, arguments: list[str]) -> None:
    """Invalid command lines are refused."""
    place.flow("f", {"A": compose(1)})
    place.write("f.txt", "words")
    place("run", "f.json", "--json").expect(0)
    ended = place(*arguments)
    if not arguments or arguments == ["runs"]:
        assert "Usage" in ended.out + ended.err
        assert ended.code in (0, 2)
        return
    ended.expect(2)
    assert ended.err.strip()
    assert len(place("runs", "list", "--json").json) == 1


def test_input_that_fits_nothing(place: Place) -> None:
    """Input that is nested too deeply or is not UTF-8 is refused, or fails the run."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    trigger = {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": schema}}}
    place.write("f.json", {"triggers": trigger, "actions": {"A": compose("@triggerBody()")}})
    place("run", "f.json", "--input", '{"n":1}', "--json").expect(0)
    wrong = place("run", "f.json", "--input", "[" * 5_000 + "]" * 5_000, "--json")
    assert wrong.code in (1, 2)
    wrong.expect(wrong.code)
    place("run", "f.json", "--input", "@-", "--json", stdin=b"\xff\xfe").expect(2)


def test_mocks_that_are_none(place: Place) -> None:
    """Invalid mocks are refused."""
    flow = place.flow("f", {"A": compose(1)})
    broken: list[Any] = [
        [],
        5,
        {"B": {}},
        {"A": 5},
        {"A": []},
        {"A": {"status": "Glad"}},
        {"A": {"output": 1}},
        "{oops",
    ]
    for mocks in broken:
        place("run", flow, "--simulate", "--mocks", place.write("m.json", mocks), "--json").expect(2)


def test_a_run_that_fails_badly_is_still_only_a_failed_run(place: Place) -> None:
    """Values that nest or grow too far, endless loops and failing expressions make a run fail. The command still works
    as usual.
    """
    twice = "@concat(outputs('Big'), outputs('Big'))"
    actions = {
        "Zero": compose("@div(1, 0)"),
        "Deep": compose("@json(concat(" + ",".join(["'" + "[" * 900 + "'"] * 2) + "))"),
        "Long": compose("@int('" + "9" * 5_000 + "')"),
        "Text": each("@string('no list')", {"X": compose(1)}),
        "Many": each("@range(0, 100001)", {"Y": compose(1)}),
        "Big": compose("x" * 100_000),
        "Bigger": compose(twice, "Big"),
    }
    ended = place("run", place.flow("f", actions), "--json").expect(1)
    found = {action["path"]: action["status"] for action in ended.json["actions"] if action["path"].count("/") == 1}
    for failed in ("/Zero", "/Deep", "/Long", "/Text", "/Many"):
        assert found[failed] == "Failed", failed


# ---- bundles


def test_what_is_no_bundle(place: Place) -> None:
    """A file that is not a bundle is refused."""
    place("run", place.flow("f", {"A": compose(1), "B": compose("@outputs('A')", "A")}), "--json").expect(0)
    place("runs", "export", "latest", "--out", "sealed").expect(0)
    place("runs", "export", "latest", "--out", "open", "--plaintext").expect(0)
    sealed, opened = ((place.work / name).read_bytes() for name in ("sealed", "open"))
    content = json.loads(opened)
    step = 1 if LONG else 997
    broken: list[bytes | Any] = [
        b"", b"{", bytes(500), sealed[:-1], sealed[:40], sealed + b"x", opened[:-5], {"format": "sealflow-history"},
        {**content, "version": 99}, {**content, "document": {}}, {**content, "document": {"definition": 5}},
        *({**content, "records": records} for records in (None, [], [[1]], content["records"][1:])),
        *(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(0, len(sealed), step)),
    ]  # fmt: skip
    for data in broken:
        ended = place("replay", place.write("bundle", data), "--json")
        ended.expect(2)
        assert ended.error["message"]
    place("replay", "sealed", "open", "--json").expect(0)
    place("replay", "open", "--definition", place.write("d.json", {"x": 1}), "--json").expect(2)


# ---- keys


def kept(place: Place) -> Any:
    """A store with a run in it, and what `runs list` shows."""
    place("run", place.flow("f", {"A": compose(1)}), "--json").expect(0)
    return place("runs", "list", "--json").expect(0).json


EVERYTHING = [["runs", "list"], ["runs", "show", "latest"], ["flow", "list"], ["env", "list"], ["run", "f.json"]]


def test_a_missing_keystore_is_never_made_anew(place: Place) -> None:
    """The keystore of an existing store is missing. No new one is created."""
    before = kept(place)
    aside = place.keystore.rename(place.folder / "aside.json")
    for command in EVERYTHING:
        error = place(*command, "--json").expect(4).error
        assert error["code"] == "KeyMissing"
        assert str(place.keystore) in error["message"]
        assert "SEALFLOW_KEYSTORE" in error["hint"]
    assert not place.keystore.exists()
    aside.rename(place.keystore)
    assert place("runs", "list", "--json").expect(0).json == before


def test_a_store_made_by_another_key(place: Place, server: ForkServer) -> None:
    """The keystore belongs to another store. It is refused."""
    before = kept(place)
    other = Place(place.folder / "other", server)
    kept(other)
    place.environment["SEALFLOW_KEYSTORE"] = str(other.keystore)
    for command in EVERYTHING:
        error = place(*command, "--json").expect(4).error
        assert error["code"] == "KeyMissing"
        assert "another keystore" in error["message"]
        assert error["hint"]
    place.environment["SEALFLOW_KEYSTORE"] = str(place.keystore)
    assert place("runs", "list", "--json").expect(0).json == before


def test_keys_that_are_wrong_or_no_keys(place: Place) -> None:
    """The keystore contains invalid or wrong keys. It is refused."""
    before = kept(place)
    good = place.keystore.read_bytes()
    document = json.loads(good)
    keys = document["keys"]
    for content in (
        {**document, "keys": dict.fromkeys(keys, "A" * 43 + "=")},  # another key under the same name
        {**document, "keys": dict(zip(keys, reversed(keys.values()), strict=True))},
        {**document, "keys": dict.fromkeys(keys, "?")},
        {**document, "keys": dict.fromkeys(keys, 5)},
        {**document, "keys": {}},
        {**document, "keys": []},
        {"format": 9},
        b"[]",
        b"",
        b"\xff\x00",
        good[:-20],
    ):
        place.keystore.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        written = place.keystore.read_bytes()
        for command in EVERYTHING if LONG else EVERYTHING[-1:]:
            error = place(*command, "--json").expect(4).error
            assert error["code"] in ("WrongKey", "KeyMissing", "KeystoreUnreadable"), (content, error)
            assert str(place.keystore) in error["message"]
        assert place.keystore.read_bytes() == written
    place.keystore.write_bytes(good)
    assert place("runs", "list", "--json").expect(0).json == before


def test_a_keystore_inside_of_the_store(place: Place) -> None:
    """The keystore is inside the folder of the store. It is refused."""
    place.environment["SEALFLOW_KEYSTORE"] = str(place.home / "keystore.json")
    error = place("run", place.flow("f", {"A": compose(1)}), "--json").expect(4).error
    assert error["code"] == "KeystoreUnreadable"
    assert not place.home.exists()


def test_the_wrong_passphrase(place: Place) -> None:
    """The passphrase of the keystore is wrong. It is refused."""
    place.environment["SEALFLOW_PASSPHRASE"] = "right"
    before = kept(place)
    for given in ("wrong", None):
        place.environment.pop("SEALFLOW_PASSPHRASE")
        if given:
            place.environment["SEALFLOW_PASSPHRASE"] = given
        error = place("runs", "list", "--json").expect(4).error
        assert error["code"] in ("WrongKey", "PassphraseNeeded")
        place.environment["SEALFLOW_PASSPHRASE"] = "right"
    assert place("runs", "list", "--json").expect(0).json == before


# ---- stores


@pytest.mark.parametrize("content", [b"", b"words, no database" * 500, bytes(9_000)], ids=["empty", "text", "zeros"])
def test_a_store_that_is_no_database(place: Place, content: bytes) -> None:
    """The file of the store is not a database. It is refused."""
    kept(place)
    (store,) = place.stores()
    for name in ("store.db-wal", "store.db-shm"):
        store.with_name(name).unlink(missing_ok=True)
    store.write_bytes(content)
    for command in (["runs", "list"], ["runs", "show", "latest"], ["run", "f.json"]):
        error = place(*command, "--json").expect(4).error
        assert error["message"]
        assert error["hint"]
    store.unlink()
    place("runs", "list", "--json").expect(4)


def test_the_control_store_is_gone(place: Place) -> None:
    """The control store is missing although environments exist. The command fails."""
    kept(place)
    (place.home / "control.db").write_bytes(b"no database at all, only words" * 400)
    for command in EVERYTHING:
        place(*command, "--json").expect(4)


def test_the_home_is_a_file(place: Place) -> None:
    """The folder of the store is a file. The command fails."""
    place.home.write_text("x")
    place("run", place.flow("f", {"A": compose(1)}), "--json").expect(4)
    place("runs", "list", "--json")
    assert place.home.read_text() == "x"


# ---- folders that may not be written


@pytest.fixture
def public(server: ForkServer) -> Iterator[Place]:
    """A place that another user may read and write: the tests' own folder is closed to others."""
    folder = Path(tempfile.mkdtemp())
    _let(folder, 0o777)
    place = Place(folder, server)
    for path in folder.rglob("*"):
        _let(path, 0o777)
    yield place
    place.close()
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            _let(path, 0o777)
    shutil.rmtree(folder)


def _let(path: Path, mode: int) -> None:
    path.chmod(mode)


def frozen(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        _let(path, 0o555 if path.is_dir() else 0o444)


def test_a_folder_that_may_not_be_written(public: Place) -> None:
    """The folder of the store is read-only. The command fails."""
    public.home.mkdir()
    frozen(public.home)
    error = public("run", public.flow("f", {"A": compose(1)}), "--json", prepare=[NOBODY]).expect(4).error
    assert error["code"] == "StoreNotWritable"
    assert str(public.home) in error["message"]
    assert error["hint"]
    assert list(public.home.iterdir()) == []
    assert not public.keystore.exists()


def test_a_store_that_may_not_be_written(public: Place) -> None:
    """The file of the store is read-only. The command fails."""
    public("run", public.flow("f", {"A": compose(1)}), "--json", prepare=[NOBODY]).expect(0)
    before = {path: path.read_bytes() for path in public.home.rglob("*.db")}
    frozen(public.home)
    for command in (["run", "f.json"], ["flow", "deploy", "f.json", "--name", "g"], ["env", "create", "e"]):
        error = public(*command, "--json", prepare=[NOBODY]).expect(4).error
        assert error["code"] == "StoreNotWritable"
        assert str(public.home) in error["message"]
    assert {path: path.read_bytes() for path in public.home.rglob("*.db")} == before
    for path in [public.home, *public.home.rglob("*")]:
        _let(path, 0o777)
    assert len(public("runs", "list", "--json", prepare=[NOBODY]).expect(0).json) == 1


def test_a_keystore_that_may_not_be_written_or_read(public: Place) -> None:
    """The keystore is not writable or not readable. The command fails."""
    keys = public.keystore.parent
    keys.mkdir()
    frozen(keys)
    flow = public.flow("f", {"A": compose(1)})
    error = public("run", flow, "--json", prepare=[NOBODY]).expect(4).error
    assert str(keys) in error["message"]
    _let(keys, 0o777)
    public("run", flow, "--json", prepare=[NOBODY]).expect(0)
    _let(public.keystore, 0o000)
    error = public("runs", "list", "--json", prepare=[NOBODY]).expect(4).error
    assert error["code"] == "KeystoreUnreadable"


def test_an_export_to_where_nothing_may_be_written(public: Place) -> None:
    """The destination of an export is not writable. The command fails."""
    public("run", public.flow("f", {"A": compose(1)}), "--json", prepare=[NOBODY]).expect(0)
    closed = public.work / "closed"
    closed.mkdir()
    _let(closed, 0o555)
    for out, code in (("closed/bundle", 4), ("no/such/folder/bundle", 3), ("closed", 2)):
        ended = public("runs", "export", "latest", "--out", out, "--json", prepare=[NOBODY])
        assert ended.code in (code, 4), (out, ended)
        ended.expect(ended.code)
    assert list(closed.iterdir()) == []


# ---- full disks


def test_a_full_disk_loses_nothing_that_was_told(place: Place) -> None:
    """The disk becomes full at each moment at which a run writes. Nothing that was acknowledged is lost."""
    place("run", place.flow("f", {"A": compose("@guid()")}), "--json").expect(0)
    place.flow("big", {"Big": compose({"x": "y" * 300_000})})
    refused = 0
    for limit in (4_096, 20_000, 40_000, 60_000, 100_000, 140_000, 200_000):
        ended = place("run", "big.json", "--json", prepare=[["limit_file_size", limit]])
        if ended.code != 0:
            refused += 1
            error = ended.expect(4).error
            assert error["hint"]
        listed = place("runs", "list", "--json").expect(0).json
        for run in listed:
            place("runs", "show", run["run"], "--json").expect(0)
    assert refused >= 3
    place("run", "big.json", "--json").expect(0)
    place("runs", "resume", "--all", "--json").expect(0)
    assert {run["status"] for run in place("runs", "list", "--json").json} == {"Succeeded"}


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """A file system of two and a half megabytes, where this user may mount one: an empty store takes two of them."""
    disk = place.folder / "disk"
    disk.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_is_really_full(place: Place, small_disk: Path) -> None:
    """The store is on a file system that is full. Nothing that was acknowledged is lost."""
    place.environment["SEALFLOW_HOME"] = str(small_disk / "home")
    flow = place.flow("f", {"A": compose("@triggerBody()")})
    place("run", flow, "--input", "1", "--json").expect(0)
    told = 1
    chance = random.Random(1)
    for size in (*[90_000] * 12, 2_400_000):
        body = chance.randbytes(size).hex()  # cannot be compressed below `size`
        ended = place("run", flow, "--input", "@-", "--json", stdin=json.dumps(body))
        if ended.code:
            break
        told += 1
    error = ended.expect(4).error
    assert error["code"] == "StoreFull"
    assert str(small_disk) in error["message"]
    assert "space" in error["hint"]
    filler = small_disk / "filler"
    try:
        with filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4_096)
    except OSError:  # not a byte is left
        pass
    place("run", flow, "--input", "1", "--json").expect(4)
    place("runs", "export", "latest", "--out", str(small_disk / "bundle"), "--json").expect(4)
    filler.unlink(missing_ok=True)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    listed = place("runs", "list", "--json").expect(0).json
    assert len([run for run in listed if run["status"] == "Succeeded"]) == told
    place("runs", "resume", "--all", "--json").expect(0)
    place("run", flow, "--input", "1", "--json").expect(0)
    place("runs", "export", "latest", "--out", str(small_disk / "bundle"), "--json").expect(0)


def test_what_cannot_be_written_to_stdout_is_an_error(place: Place) -> None:
    """Standard output refuses every byte (`/dev/full`). The command fails."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("there is no /dev/full here")
    flow = place.flow("f", {"A": {"type": "Compose", "inputs": 1}})
    place("run", flow).expect(0)
    command = Path(sys.executable).parent / "sealflow"
    for arguments in (["runs", "list", "--json"], ["eval", "add(1,2)"], ["--help"]):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [command, *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                env=place.environment,
                cwd=place.work,
                check=False,
            )
        assert done.returncode == 4
        assert b"disk is full" in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_device_is_written_to_and_not_replaced(place: Place) -> None:
    """The output file is a device. The command writes to it and does not replace it."""
    flow = place.flow("f", {"A": {"type": "Compose", "inputs": 1}})
    place("run", flow).expect(0)
    pipe = place.work / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    place("runs", "export", "latest", "--out", str(pipe)).expect(0)
    assert len(reader.communicate(timeout=60)[0]) > 500
    assert pipe.is_fifo()
