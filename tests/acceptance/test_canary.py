"""Texts planted in a flow are searched for on the disk, in logs at level DEBUG, and in process arguments. None is
found.

Canaries are planted in everything that a flow has, from its name to the headers of an answer. The store is searched
while the run waits, when its process was killed, and when it has ended; the control finds every canary in a plaintext
export and in what the commands show.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from actions import after, compose, each, respond, variable, wait
from canaries import Canaries, files, samples
from processes import Ended, Place, until_line

WHAT = (
    "the file", "the flow's description", "an action", "a scope", "an output", "an expression", "a variable",
    "a variable's value", "a parameter", "a parameter's default", "a parameter's value", "the input",
    "the input's member", "a sent header", "a sent body", "an address", "an answer", "an answer's header", "an error",
    "a failed answer", "a response", "an iteration", "a mock", "the cancel reason", "a tracked property",
    "a child's input",
)  # fmt: skip
# Letters only, so that every encoding of names and headers takes them as they are; no canary is part of another.
CANARIES = Canaries({what: f"Kanarieqzjxvw{number:02d}Vogel" for number, what in enumerate(WHAT)})
ENVIRONMENTS = Canaries({"the environment": "Kanarieqzjxvwomgeving"})
C = CANARIES.texts


class Handler(BaseHTTPRequestHandler):
    """Answers with canaries."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bad = self.path.endswith("/bad")
        told = {"error": {"code": "No", "message": C["a failed answer"]}} if bad else {"told": C["an answer"]}
        data = json.dumps(told).encode()
        self.send_response(400 if bad else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Told", C["an answer's header"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def definition(service: str) -> dict[str, Any]:
    """A flow with a canary in everything; it comes to a long pause at its end."""

    def post(path: str, *names: str) -> dict[str, Any]:
        inputs = {
            "method": "POST",
            "uri": f"{service}/{C['an address']}{path}",
            "headers": {"X-Sent": C["a sent header"]},
            "body": {"x": C["a sent body"] * 20},
        }
        return {"type": "Http", "inputs": inputs, "runAfter": after(*names)}

    many = C["an output"] * 3_000  # 100 KB: the value leaves the state
    actions: dict[str, Any] = {
        "Declare": variable(C["a variable"], "string", C["a variable's value"]),
        C["an action"]: compose([C["an output"], many, "@triggerBody()", f"@concat('{C['an expression']}', 'x')"]),
        "Parameter": compose(f"@parameters('{C['a parameter']}')"),
        "Call": post(""),
        "Bad": post("/bad", "Call"),
        C["a scope"]: {
            "type": "Scope",
            "runAfter": {"Bad": ["Failed"]},
            "actions": {"Fails": compose(f"@int('{C['an error']}')")},
        },
        "Loop": {
            **each(f"@createArray('{C['an iteration']}', '2')", {"In": compose("@items('Loop')")}),
            "runAfter": {C["a scope"]: ["Failed"]},
        },
        "Answer": respond({"x": C["a response"]}, "Loop", "Declare", C["an action"], "Parameter"),
        "Pause": wait(1, "Hour", "Answer"),
    }
    actions[C["an action"]]["trackedProperties"] = {"p": C["a tracked property"]}
    return {
        "description": C["the flow's description"],
        "triggers": {"manual": {"type": "Request", "kind": "Http"}},
        "parameters": {C["a parameter"]: {"type": "String", "defaultValue": C["a parameter's default"]}},
        "actions": actions,
    }


def searched(place: Place, more: dict[str, bytes] | None = None) -> list[str]:
    """What is found in the home, the keystore's folder, temporary files, the configuration folder and the logs."""
    folders = [place.home, place.keystore.parent, place.temporary, place.folder / "config", place.folder / "logs"]
    haystacks = files(*folders) | (more or {})
    return CANARIES.found(haystacks) + ENVIRONMENTS.found(haystacks)


def test_the_search_would_find_them() -> None:
    """No attack: the search finds the texts in a plain export."""
    for what, text in CANARIES.texts.items():
        lone = Canaries({what: text})
        for name, data in samples(text).items():
            assert bool(lone.found({name: data})) == (name != "not bz2"), name
    assert CANARIES.found({"x": b"Kanarie and nothing else" * 100, "y": os.urandom(1 << 20)}) == []


def test_nothing_is_in_the_clear(place: Place, service: str) -> None:
    """Commands run with a store in use. The disk and the logs contain none of the texts."""
    logs = place.folder / "logs"
    logs.mkdir()
    count = 0

    def logged() -> list[list[Any]]:
        nonlocal count
        count += 1
        return [["log_everything", str(logs / f"{count}.log")]]

    def command(*arguments: str, stdin: str = "") -> Ended:
        """A command in the environment, and what it shows; its log at DEBUG is kept."""
        return place(*arguments, "--environment", environment, stdin=stdin, prepare=logged())

    environment = ENVIRONMENTS.texts["the environment"]
    file = place.write(f"{C['the file']}.json", definition(service))
    place.write("value.json", json.dumps(C["a parameter's value"]))
    body = json.dumps({C["the input's member"]: [C["the input"]] * 50})
    arguments = ["run", file, "--input", "@-", "--parameter", f"{C['a parameter']}=@value.json"]

    # A process that waits: its store, its arguments, and nothing in its environment that was not given.
    first = place.start(*arguments, "--environment", environment, stdin=body, prepare=logged())
    shown = first.until("… Pause")
    found = searched(place, {"the names of open files": opened_files(first.pid)})
    assert found == []
    store_files = {path.name for path in place.stores()[0].parent.iterdir()}
    assert {"store.db", "store.db-wal", "store.db-shm"} <= store_files

    # A second process asks the first for a run, and gives up waiting; a third has a run cancelled.
    waiting = command("run", file, "--input", "@-", "--timeout", "0.3", "--json", stdin=body).expect(124)
    for _ in range(600):
        runs = json.loads(command("runs", "list", "--json").expect(0).out)
        if len(runs) > 1:  # it has been taken
            break
    command("runs", "cancel", runs[0]["run"], "--reason", C["the cancel reason"], "--json").expect(0)
    assert searched(place) == []

    # Requests that nobody takes stay in the store.
    os.kill(first.pid, signal.SIGSTOP)
    command("run", file, "--input", "@-", "--timeout", "0.1", "--json", stdin=body).expect(124)
    assert searched(place) == []
    first.kill()
    assert first.wait().killed
    assert rows(place, "inbox") == 1
    assert searched(place) == []

    # Looking at everything writes nothing in the clear either.
    outputs = [command("runs", "show", "latest", "--full").expect(0), command("flow", "list").expect(0), waiting]
    outputs.append(command("flow", "show", C["the file"], "--definition").expect(0))
    bundle = str(place.folder / "logs" / "sealed.bundle")
    command("runs", "export", "latest", "--out", bundle).expect(0)
    place("replay", bundle, "--json", prepare=logged()).expect(0)
    mocks = place.write("mocks.json", {"Call": {"outputs": {"statusCode": 200, "body": C["a mock"]}}})
    command("run", file, "--simulate", "--mocks", mocks, "--input", "@-", "--json", stdin=body)
    child = {"type": "Workflow", "inputs": {"host": {"workflow": {"id": C["the file"]}}, "body": C["a child's input"]}}
    outputs.append(command("run", place.flow("parent", {"Child": child}), "--simulate", "--json"))
    command("runs", "resume", "--all", "--timeout", "1", "--json").expect(124)
    outputs += [command("runs", "show", "latest", "--json"), command("runs", "list", "--json")]
    outputs.append(place("env", "list", prepare=logged()).expect(0))
    assert searched(place) == []
    assert all(path.stat().st_size > 1_000 for path in logs.glob("*.log")), "nothing was logged at DEBUG"

    # The control: all of them are there for who has the key.
    exported = b""
    for run in json.loads(command("runs", "list", "--json").out):
        command("runs", "export", run["run"], "--plaintext", "--out", "open.json").expect(0)
        exported += (place.work / "open.json").read_bytes()
    assert CANARIES.missing(exported) == []
    assert ENVIRONMENTS.missing(exported) == []
    seen = "".join(ended.out + ended.err for ended in outputs).encode() + shown.encode()
    assert {"an output", "an error", "a response", "the file"}.isdisjoint(CANARIES.missing(seen))


def rows(place: Place, table: str) -> int:
    with closing(sqlite3.connect(place.stores()[0])) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def opened_files(pid: int) -> bytes:
    """The names of the files that a process has open: nothing lies in a place that is not searched."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.is_dir():
        return b""
    return "\n".join(str(path.readlink()) for path in folder.iterdir()).encode()


def test_a_process_has_no_canary_in_its_arguments(place: Place, service: str) -> None:
    """Input comes from stdin and files. Process arguments, environment and thread names contain none of the texts."""
    flow = place.write("flow.json", definition(service))
    place.write("input.json", {"x": C["the input"]})
    process = place.begin("run", flow, "--input", "@input.json")
    out = "\n".join(until_line(process, "… Pause")).encode()
    told = Path(f"/proc/{process.pid}")
    if not told.is_dir():
        pytest.skip("there is no /proc here")
    haystacks = {name: (told / name).read_bytes() for name in ("cmdline", "environ", "comm", "maps")}
    haystacks |= {f"{task.name} comm": (task / "comm").read_bytes() for task in (told / "task").iterdir()}
    assert len(haystacks["cmdline"].split(b"\0")) == 7  # the interpreter, the script, what was given
    assert CANARIES.found(haystacks) == []
    assert C["an error"].encode() in out
