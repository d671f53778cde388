"""Command lines as processes of their own, in a folder with a store and a keystore of their own.

`place(...)` forks the command from a process that has everything imported already (see fork_server); `place.whole(...)`
starts the installed `sealflow`, `place.begin(...)` leaves a command running.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from command_lines import CommandLine

SEALFLOW: Final = Path(sys.executable).with_name("sealflow")
SERVER: Final = Path(__file__).with_name("fork_server.py")
PATIENCE: Final = 120.0
"""Seconds after which a command that should have ended is a failure."""

Prepare = list[list[Any]]


class Ended(CommandLine):
    """A command that ran as a process."""

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    def expect(self, code: int) -> Ended:
        """This, if it ended with `code` and without a traceback."""
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err + self.out
        assert "internal error" not in self.err
        return self


@dataclass(frozen=True)
class Forked:
    """A command that runs."""

    pid: int
    server: ForkServer
    out: Path
    err: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def until(self, shown: str) -> str:
        """What it has written to stdout when that has come up there. One that does not come kills the process."""
        end = time.monotonic() + PATIENCE
        while shown not in (text := _text(self.out)):
            if time.monotonic() > end or ") Z " in _text(Path(f"/proc/{self.pid}/stat")):
                self.kill()
                raise AssertionError(f"it did not come to '{shown}': {self.wait()}")
            time.sleep(0.01)
        return text

    def wait(self) -> Ended:
        code = self.server.ask({"wait": self.pid})
        return Ended(code, _text(self.out), _text(self.err))


class ForkServer:
    """The process that forks commands. Use it with `with`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def ask(self, request: dict[str, Any]) -> int:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    server = ForkServer()
    try:
        yield server
    finally:
        server.close()


class Place:
    """A folder to work in, a store, a keystore outside of it, and commands that use them."""

    def __init__(self, folder: Path, server: ForkServer) -> None:
        self.folder = folder
        self.server = server
        self.work, self.home, self.temporary = folder / "work", folder / "home", folder / "tmp"
        for made in (self.work, self.temporary, folder / "streams"):
            made.mkdir(parents=True)
        self.keystore = folder / "keys" / "keystore.json"
        self.prepare: Prepare = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SEALFLOW_")},
            "SEALFLOW_HOME": str(self.home),
            "SEALFLOW_KEYSTORE": str(self.keystore),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TMPDIR": str(self.temporary),
            "PYTHONIOENCODING": "utf-8",
        }
        self._count = 0
        self._begun: list[subprocess.Popen[str]] = []

    # ---- files

    def write(self, name: str, content: Any) -> str:
        """A file with these bytes, this text or JSON, in the working folder; its name."""
        data = content if isinstance(content, bytes | str) else json.dumps(content)
        (self.work / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return name

    def flow(self, name: str, actions: dict[str, Any], **more: Any) -> str:
        """A file with a definition of these actions; its name."""
        trigger = {"manual": {"type": "Request", "kind": "Http"}}
        return self.write(f"{name}.json", {"triggers": trigger, "actions": actions, **more})

    def stores(self) -> list[Path]:
        """The database files of the environments."""
        return sorted((self.home / "environments").glob("*/store.db"))

    # ---- commands

    def start(self, *arguments: str, stdin: str | bytes = b"", prepare: Prepare | None = None) -> Forked:
        """A command as a forked process."""
        self._count += 1
        streams = {name: self.folder / "streams" / f"{self._count}.{name}" for name in ("stdin", "stdout", "stderr")}
        streams["stdin"].write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        pid = self.server.ask(
            {
                "arguments": arguments,
                "cwd": str(self.work),
                "environment": self.environment,
                "prepare": [*self.prepare, *(prepare or [])],
                **{name: str(path) for name, path in streams.items()},
            }
        )
        return Forked(pid, self.server, streams["stdout"], streams["stderr"])

    def __call__(self, *arguments: str, stdin: str | bytes = b"", prepare: Prepare | None = None) -> Ended:
        """A command as a forked process, to its end."""
        return self.start(*arguments, stdin=stdin, prepare=prepare).wait()

    def whole(self, *arguments: str, stdin: str | bytes = b"") -> Ended:
        """The installed `sealflow`, to its end."""
        done = subprocess.run(
            [str(SEALFLOW), *arguments], cwd=self.work, env=self.environment, timeout=PATIENCE, check=False,
            input=stdin.encode() if isinstance(stdin, str) else stdin, capture_output=True,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """The installed `sealflow`, left running; `close` kills it."""
        process = subprocess.Popen(
            [str(SEALFLOW), *arguments], cwd=self.work, env=self.environment, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._begun.append(process)
        return process

    def close(self) -> None:
        for process in self._begun:
            if process.poll() is None:
                process.kill()
            process.communicate()


def until_line(process: subprocess.Popen[str], beginning: str) -> list[str]:
    """The lines of the process's stdout up to the first that begins so. One that does not come kills the process."""
    assert process.stdout is not None
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()  # which ends its stdout

    lines = []
    watchdog = threading.Timer(PATIENCE, give_up)
    watchdog.start()
    try:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith(beginning):
                return lines
    finally:
        watchdog.cancel()
    what = (
        f"no line '{beginning}' in {PATIENCE:g} seconds" if late.is_set() else f"it ended before a line '{beginning}'"
    )
    said = process.stderr.read() if process.stderr is not None else ""
    raise AssertionError(f"{what}, but {lines}\n{said}")


def _text(path: Path) -> str:
    return path.read_text("utf-8", "surrogateescape") if path.exists() else ""
