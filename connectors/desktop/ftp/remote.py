"""A file server as the FTP module sees it: the port `Remote`, and the servers that speak FTP, with or without TLS.

Paths are the server's, with slashes. Whatever a server refuses is `Refused`; a connection that breaks is OSError.
Nothing here knows local folders' rules: local files are handed in open.
"""

from __future__ import annotations

import ftplib
import posixpath
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Protocol

from ..fault import Fault


class Refused(Exception):
    """What the server says to what it does not do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder on the server. `modified` in UTC as far as the server tells, None where it does not."""

    path: str
    folder: bool
    size: int = 0
    modified: datetime | None = None

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


class Remote(Protocol):
    """What an open connection can do. Every method raises Refused or OSError, `download` also what `write` raises."""

    protocol: str

    def here(self) -> str:
        """The working directory."""
        ...

    def go(self, path: str) -> None: ...

    def entries(self, path: str) -> list[Entry]:
        """What a folder has, by name."""
        ...

    def download(self, path: str, write: Callable[[bytes], object], *, ascii: bool) -> None: ...

    def upload(self, path: str, source: BinaryIO, *, ascii: bool) -> None: ...

    def make(self, path: str) -> None: ...

    def remove_folder(self, path: str) -> None:
        """Removes a folder that is empty."""
        ...

    def remove_file(self, path: str) -> None: ...

    def rename(self, path: str, new: str) -> None: ...

    def command(self, text: str) -> tuple[str, str]:
        """Sends a command of the protocol; the reply's code and text."""
        ...

    def close(self) -> None: ...


def safe(path: str) -> str:
    """The path itself. Raises Fault InvalidPathError for one that would end the command it stands in."""
    if not path or any(sign in path for sign in "\r\n\0"):
        raise Fault("InvalidPathError", "A path on the server must not be empty, nor hold line breaks.")
    return path


class _Explicit(ftplib.FTP_TLS):
    """FTP that turns to TLS. Data goes over the session of the control connection, as many servers demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321
        if getattr(self, "_prot_p", False):  # since PROT P
            session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=session)
        return connection, size


class _Implicit(_Explicit):
    """FTP that is TLS from the first byte."""

    def connect(self, host: str = "", port: int = 0, timeout: float = -999, source_address: Any = None) -> str:
        self.timeout = timeout
        plain = socket.create_connection((host, port), timeout)
        self.af = plain.family
        try:
            self.sock = self.context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


class FtpServer:
    """A connection to an FTP server; see `Remote`."""

    def __init__(self, ftp: ftplib.FTP, protocol: str) -> None:
        self._ftp = ftp
        self.protocol = protocol

    @classmethod
    def opened(
        cls,
        address: str,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        secure: str,
        active: bool,
        seconds: float,
        context: ssl.SSLContext,
    ) -> FtpServer:
        """Connects and logs in. `secure`: "", "explicit" or "implicit". Raises OSError, and Refused by the login."""
        ftp: ftplib.FTP
        if secure:
            kind = _Implicit if secure == "implicit" else _Explicit
            ftp = kind(context=context, encoding="utf-8")
        else:
            ftp = ftplib.FTP(encoding="utf-8")  # noqa: S321 - it is what the flow asks for
        ftp.host = host
        try:
            ftp.connect(address, port, seconds)
            ftp.host = host  # the name on the certificate
        except OSError:
            ftp.close()
            raise
        except (ftplib.Error, EOFError) as error:
            ftp.close()
            raise OSError("the server does not answer as an FTP server") from error
        try:
            ftp.set_pasv(not active)
            if isinstance(ftp, ftplib.FTP_TLS):
                if secure == "explicit":
                    ftp.auth()
                ftplib.FTP.login(ftp, user, password)  # noqa: S321 - under TLS, or it would have failed
                ftp.prot_p()
            else:
                ftp.login(user, password)
        except OSError:  # a certificate that is not trusted is a ValueError too
            ftp.close()
            raise
        except (ftplib.Error, EOFError, ValueError) as error:
            ftp.close()
            raise Refused("The server refused the login.") from error
        return cls(ftp, {"": "FTP", "explicit": "FTPS (explicit)", "implicit": "FTPS (implicit)"}[secure])

    def _do(self, work: Callable[..., Any], *given: Any) -> Any:
        try:
            return work(*given)
        except OSError:  # what TLS breaks at may be a ValueError too
            raise
        except (ftplib.error_perm, ftplib.error_temp, ftplib.error_reply, ftplib.error_proto, ValueError) as error:
            raise Refused(str(error)) from error
        except EOFError as error:
            raise OSError("the server closed the connection") from error

    def here(self) -> str:
        return str(self._do(self._ftp.pwd))

    def go(self, path: str) -> None:
        self._do(self._ftp.cwd, safe(path))

    def entries(self, path: str) -> list[Entry]:
        try:
            found = list(self._do(self._facts, path))
        except Refused as error:
            # A server from before RFC 3659 knows no MLSD; one that has no such folder says so in another way.
            if not str(error).startswith(("500", "501", "502", "504")):
                raise
            lines: list[str] = []
            self._do(self._ftp.retrlines, f"LIST {safe(path)}", lines.append)
            found = [entry for line in lines if (entry := listed(line, path)) is not None]
        return sorted(found, key=lambda entry: entry.name)

    def _facts(self, path: str) -> list[Entry]:
        found = []
        for name, facts in self._ftp.mlsd(safe(path), ["type", "size", "modify"]):
            kind = facts.get("type", "").lower()
            if kind not in ("cdir", "pdir") and _proper(name):
                place = posixpath.join(path, name)
                found.append(Entry(place, kind == "dir", int(facts.get("size", 0)), moment(facts.get("modify", ""))))
        return found

    def download(self, path: str, write: Callable[[bytes], object], *, ascii: bool) -> None:
        if ascii:
            encoding = self._ftp.encoding
            self._do(self._ftp.retrlines, f"RETR {safe(path)}", lambda line: write(line.encode(encoding) + b"\n"))
        else:
            self._do(self._ftp.retrbinary, f"RETR {safe(path)}", write, 1 << 16)

    def upload(self, path: str, source: BinaryIO, *, ascii: bool) -> None:
        self._do(self._ftp.storlines if ascii else self._ftp.storbinary, f"STOR {safe(path)}", source)

    def make(self, path: str) -> None:
        self._do(self._ftp.mkd, safe(path))

    def remove_folder(self, path: str) -> None:
        self._do(self._ftp.rmd, safe(path))

    def remove_file(self, path: str) -> None:
        self._do(self._ftp.delete, safe(path))

    def rename(self, path: str, new: str) -> None:
        self._do(self._ftp.rename, safe(path), safe(new))

    def command(self, text: str) -> tuple[str, str]:
        try:
            reply = str(self._do(self._ftp.sendcmd, safe(text)))
        except Refused as error:
            reply = str(error)
        return reply[:3], reply[4:]

    def close(self) -> None:
        try:
            self._ftp.quit()
        except (ftplib.Error, OSError, EOFError):
            self._ftp.close()


def moment(text: str) -> datetime | None:
    """The time of MLSD and MDTM: 20260301102030, with or without a fraction. None for what is none."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _proper(name: str) -> bool:
    """Whether it names something inside of a folder; a server may say anything."""
    return name not in ("", ".", "..") and not any(sign in name for sign in "/\\\0\r\n")


_UNIX: Final = re.compile(
    r"([-dl])\S{9}\S*\s+\d+\s+\S+\s+\S+\s+(\d+)\s+\w{3}\s+\d{1,2}\s+(?:\d{4}|\d{1,2}:\d{2})\s(.+)"
)
_DOS: Final = re.compile(r"(\d{2})-(\d{2})-(\d{2,4})\s+(\d{2}):(\d{2})([AP]M)?\s+(<DIR>|\d+)\s+(.+)")


def listed(line: str, path: str) -> Entry | None:
    """A line of LIST as Unix and Windows servers write it; None for one that names nothing. The time is not told."""
    unix = _UNIX.fullmatch(line)
    if unix is not None:
        kind, size, name = unix.groups()
        name = name.split(" -> ")[0] if kind == "l" else name
        folder = kind == "d"
    else:
        dos = _DOS.fullmatch(line)
        if dos is None:
            return None
        folder, name = dos[7] == "<DIR>", dos[8]
        size = "0" if folder else dos[7]
    return Entry(posixpath.join(path, name), folder, int(size)) if _proper(name) else None
