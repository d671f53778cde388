"""A file server that speaks SFTP (over SSH); see `ftp_remote.Remote`.

A server is trusted only by its key in the `known_hosts` of the user that runs this process: the actions have no
argument for it, and a key that nobody knows could be anyone's.
"""

from __future__ import annotations

import posixpath
import socket
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import paramiko

from .remote import Entry, Refused, safe

T = TypeVar("T")


def host_key_of(host: str, port: int) -> list[paramiko.PKey]:
    """The keys that the process's user knows of a server."""
    keys = paramiko.HostKeys()
    try:
        keys.load(str(Path("~/.ssh/known_hosts").expanduser()))
    except (OSError, RuntimeError):
        return []
    found = keys.lookup(host if port == 22 else f"[{host}]:{port}")
    return list(found.values()) if found is not None else []


class SftpServer:
    """A connection to an SFTP server."""

    protocol = "SFTP"

    def __init__(self, transport: paramiko.Transport, client: paramiko.SFTPClient) -> None:
        self._transport = transport
        self._client = client
        self._here = client.normalize(".")

    @classmethod
    def opened(
        cls,
        address: str,
        port: int,
        user: str,
        password: str,
        key: Path | None,
        phrase: str,
        *,
        wanted: list[paramiko.PKey],
        seconds: float,
    ) -> SftpServer:
        """Connects and logs in, by the private key in the file `key` or else by the password.

        Raises OSError, for a server whose key is none of `wanted` too, and Refused by the login.
        """
        if not wanted:
            raise OSError("the server's key is not in known_hosts; ssh-keyscan shows it")
        transport = paramiko.Transport(socket.create_connection((address, port), seconds))
        try:
            options = transport.get_security_options()
            kinds = {kind for each in wanted for kind in _kinds(each)}
            options.key_types = tuple(kind for kind in options.key_types if kind in kinds)
            transport.start_client(timeout=seconds)
            if transport.get_remote_server_key() not in wanted:
                raise OSError("the server's key is another than the one in known_hosts")
            try:
                if key is not None:
                    # Bytes are what it takes, whatever its types say.
                    private = paramiko.PKey.from_path(key, phrase.encode() or None)  # type: ignore[arg-type]
                    transport.auth_publickey(user, private)
                else:
                    transport.auth_password(user, password, fallback=False)
            except (paramiko.SSHException, ValueError, TypeError) as error:
                raise Refused("The server refused the login, or the private key cannot be read.") from error
            client = paramiko.SFTPClient.from_transport(transport)
            if client is None:
                raise OSError("the server offers no SFTP")
            client.get_channel().settimeout(seconds)  # type: ignore[union-attr]
            return cls(transport, client)
        except (paramiko.SSHException, EOFError, ValueError) as error:
            transport.close()
            raise OSError("the server does not answer as an SSH server that can be talked to") from error
        except (Refused, OSError):
            transport.close()
            raise

    def _do(self, work: Callable[..., T], *given: Any) -> T:
        try:
            return work(*given)
        except FileNotFoundError as error:
            raise Refused("no such file") from error
        except (EOFError, paramiko.SSHException) as error:
            raise OSError("the server closed the connection") from error
        except PermissionError as error:
            raise Refused("permission denied") from error
        except OSError as error:
            # What the server answers has no number of an error; a socket's failure has one.
            if error.errno is None and not isinstance(error, TimeoutError):
                raise Refused(str(error) or "failure") from error
            raise

    def here(self) -> str:
        return self._here

    def go(self, path: str) -> None:
        there = self._do(self._client.normalize, self._full(path))
        if not stat.S_ISDIR(self._do(self._client.stat, there).st_mode or 0):
            raise Refused("not found: it is no directory")
        self._here = there

    def _full(self, path: str) -> str:
        return posixpath.join(self._here, safe(path))

    def entries(self, path: str) -> list[Entry]:
        found = []
        full = self._full(path)
        for each in self._do(self._client.listdir_attr, full):
            name, mode = each.filename, each.st_mode or 0
            if name in ("", ".", "..") or any(sign in name for sign in "/\\\0\r\n"):
                continue
            when = datetime.fromtimestamp(each.st_mtime, UTC) if each.st_mtime is not None else None
            found.append(Entry(posixpath.join(full, name), stat.S_ISDIR(mode), each.st_size or 0, when))
        return sorted(found, key=lambda entry: entry.name)

    def download(self, path: str, write: Callable[[bytes], object], *, ascii: bool) -> None:
        with self._do(self._client.open, self._full(path), "rb") as source:
            while data := self._do(source.read, 1 << 16):
                write(data)

    def upload(self, path: str, source: BinaryIO, *, ascii: bool) -> None:
        with self._do(self._client.open, self._full(path), "wb") as target:
            while data := source.read(1 << 16):
                self._do(target.write, data)

    def make(self, path: str) -> None:
        self._do(self._client.mkdir, self._full(path))

    def remove_folder(self, path: str) -> None:
        self._do(self._client.rmdir, self._full(path))

    def remove_file(self, path: str) -> None:
        self._do(self._client.remove, self._full(path))

    def rename(self, path: str, new: str) -> None:
        self._do(self._client.rename, self._full(path), self._full(new))

    def command(self, text: str) -> tuple[str, str]:
        raise Refused("SFTP has no such commands")

    def close(self) -> None:
        self._transport.close()


def _kinds(key: paramiko.PKey) -> tuple[str, ...]:
    """The algorithms that a server with this key may sign by."""
    name = key.get_name()
    return ("rsa-sha2-512", "rsa-sha2-256", name) if name == "ssh-rsa" else (name,)
