"""A process that has imported the command line and forks itself for each command: a start costs milliseconds.

    python fork_server.py

Lines of JSON on stdin, one answer each on stdout: {"arguments", "cwd", "environment", "stdin", "stdout", "stderr",
"prepare"} starts a command and answers with its process id; {"wait": PID} answers with its exit code, or minus the
number of the signal that ended it. `prepare` is a list of [function of `preparations`, arguments...], called first.

    python fork_server.py SOCKET

The same for `fork_client`, which hands over its own streams, folder and environment and is told the exit code.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

PATIENCE = 120
"""Seconds after which a command that is waited for is killed."""


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        answer = wait(request["wait"]) if "wait" in request else start(request)
        print(json.dumps(answer), flush=True)


def start(request: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        child(request)
    return pid


def wait(pid: int) -> int:
    def kill(_: int, __: Any) -> None:
        os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.alarm(PATIENCE)
    status = os.waitpid(pid, 0)[1]
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)


def listen(path: str) -> None:
    """Serve clients at this socket until stdin is closed."""
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as events:
        server.bind(path)
        server.listen(64)
        print("ready", flush=True)
        events.register(server, selectors.EVENT_READ)
        events.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is server for key, _ in events.select()):
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
            connection, _ = server.accept()
            with connection:
                if not os.fork():
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    server.close()
                    serve_client(connection)


def serve_client(connection: socket.socket) -> NoReturn:
    head, files, _, _ = socket.recv_fds(connection, 4, 3)
    told = b""
    while len(told) < int.from_bytes(head, "big"):
        told += connection.recv(1 << 16)
    command, _, environment = told.decode("utf-8", "surrogateescape").partition("\0\0")
    folder, *arguments = command.split("\0")
    request = {
        "cwd": folder,
        "arguments": arguments,
        "environment": dict(each.split("=", 1) for each in environment.split("\0")),
        "prepare": [],
    }
    Thread(target=die_with, args=(connection,), daemon=True).start()
    child(request, files, connection)


def die_with(connection: socket.socket) -> None:
    """A client that was killed takes its command along."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def child(request: dict[str, Any], files: Sequence[int] = (), connection: socket.socket | None = None) -> NoReturn:
    code = 70
    try:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            how = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            file = files[number] if files else os.open(request[name], how, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 (for the life of the process)
            for number, mode in enumerate("rww")
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["sealflow", *request["arguments"]]
        import preparations

        for function, *arguments in request["prepare"]:
            getattr(preparations, function)(*arguments)
        from sealflow.engine.hosts.cli import main

        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        if connection is not None:
            connection.send(bytes([code]))
        os._exit(code)


def load() -> None:
    """Import all that commands import while they run: a command may become a user who can read no modules."""
    import encodings.ascii
    import encodings.idna  # noqa: F401
    import traceback  # noqa: F401

    import preparations  # noqa: F401
    from sealflow.engine.hosts.cli import main
    from sealflow.engine.hosts.cli.app import application
    from typer.main import get_command

    definition = {"triggers": {}, "actions": {"A": {"type": "Compose", "inputs": "@utcNow()", "runAfter": {}}}}
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        flow, bundle = Path(folder, "flow.json"), str(Path(folder, "bundle"))
        flow.write_text(json.dumps(definition))
        os.environ["SEALFLOW_KEYSTORE"] = str(Path(folder, "keystore.json"))
        os.environ["SEALFLOW_HOME"] = str(Path(folder, "home"))
        kept, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), nowhere, nowhere
        for arguments in (
            ["run", str(flow)],
            ["run", str(flow), "--json"],
            ["runs", "export", "latest", "--out", bundle],
            ["replay", bundle],
            ["runs", "list"],
            ["runs", "show", "missing", "--json"],
            ["check", str(flow)],
            ["eval", "@add(1, 2)"],
            *([name, "--help"] for name in get_command(application()).commands),  # type: ignore[attr-defined]
        ):
            main(arguments)
        sys.stdout, sys.stderr = kept
    import_module("sealflow.connectors.http.operation")
    import_module("httpx")
    gc.freeze()


if __name__ == "__main__":
    load()
    if len(sys.argv) > 1:
        listen(sys.argv[1])
    else:
        print("ready", flush=True)
        serve()
