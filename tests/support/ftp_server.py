"""File servers on loopback for tests: FTP with and without TLS (pyftpdlib), and SFTP (paramiko), each over a folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports asyncore's heir, and TLS by pyOpenSSL
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

USER, PASSWORD = "ann", "open sesame"


@contextmanager
def ftp_server(folder: Path, certificate: Path | None = None, *, implicit: bool = False) -> Iterator[int]:
    """An FTP server; its port. With a certificate (and key) in a PEM file it wants TLS of the login and the data.

    `implicit`: TLS from the first byte. With TLS it is a process of its own: pyOpenSSL in a thread beside other users
    of OpenSSL has brought the whole process down.
    """
    if certificate is not None:
        with _in_a_process(folder, certificate, implicit) as port:
            yield port
        return
    server = _server(folder, None, implicit)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.05, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        stop.set()
        thread.join()


@contextmanager
def _in_a_process(folder: Path, certificate: Path, implicit: bool) -> Iterator[int]:
    kind = "implicit" if implicit else "explicit"
    command = [sys.executable, "-W", "ignore", __file__, str(folder), str(certificate), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _server(folder: Path, certificate: Path | None, implicit: bool) -> Any:
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmwMT")
    base: Any = FTPHandler
    if certificate is not None:
        from pyftpdlib.handlers import TLS_FTPHandler

        class Implicit(TLS_FTPHandler):  # type: ignore[misc]
            def handle(self) -> None:
                self.secure_connection(self.get_ssl_context())

            def handle_ssl_established(self) -> None:
                super().handle()

        base = Implicit if implicit else TLS_FTPHandler
    settings: dict[str, Any] = {
        "authorizer": authorizer,
        "log_prefix": "",
        "use_sendfile": False,
        "auth_failed_timeout": 0,
    }
    if certificate is not None:
        settings |= {"certfile": str(certificate), "tls_control_required": True, "tls_data_required": True}
    return FTPServer(("127.0.0.1", 0), type("Handler", (base,), settings))


class _Gate(paramiko.ServerInterface):
    def __init__(self, key: paramiko.PKey | None) -> None:
        self._key = key

    def check_auth_password(self, username: str, password: str) -> int:
        return self._answer((username, password) == (USER, PASSWORD))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._answer(username == USER and key == self._key)

    def _answer(self, right: bool) -> int:
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"


class _Handle(paramiko.SFTPHandle):
    def __init__(self, flags: int, file: Any) -> None:
        super().__init__(flags)
        self.readfile = self.writefile = file


class _Files(paramiko.SFTPServerInterface):
    """The part of SFTP that the module uses."""

    root = Path()

    def _real(self, path: str) -> Path:
        return self.root / self.canonicalize(path).lstrip("/")

    def _try(self, work: Any, *given: Any) -> Any:
        try:
            return work(*given)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def list_folder(self, path: str) -> Any:
        def work() -> list[paramiko.SFTPAttributes]:
            return [
                paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in sorted(self._real(path).iterdir())
            ]

        return self._try(work)

    def stat(self, path: str) -> Any:
        return self._try(lambda: paramiko.SFTPAttributes.from_stat(self._real(path).stat()))

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def work() -> _Handle:
            descriptor = os.open(self._real(path), flags, 0o600)
            return _Handle(flags, os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb"))

        return self._try(work)

    def _done(self, work: Any, *given: Any) -> int:
        answer = self._try(work, *given)
        return answer if isinstance(answer, int) else 0  # SFTP_OK

    def remove(self, path: str) -> int:
        return self._done(self._real(path).unlink)

    def rename(self, oldpath: str, newpath: str) -> int:
        return self._done(self._real(oldpath).rename, self._real(newpath))

    def mkdir(self, path: str, attr: Any) -> int:
        return self._done(self._real(path).mkdir)

    def rmdir(self, path: str) -> int:
        return self._done(self._real(path).rmdir)


@contextmanager
def sftp_server(folder: Path, host_key: paramiko.PKey, user_key: paramiko.PKey | None = None) -> Iterator[int]:
    """An SFTP server; its port."""
    files = type("Files", (_Files,), {"root": folder})
    listening = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            try:
                transport.start_server(event=threading.Event(), server=_Gate(user_key))
            except (paramiko.SSHException, EOFError):
                transport.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for transport in transports:
            transport.close()


if __name__ == "__main__":
    served = _server(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "implicit")
    print(served.socket.getsockname()[1], flush=True)
    served.serve_forever()
