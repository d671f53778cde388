"""The FTP module: connections, folders and files on a server; local files only in the allowed folders.

Beside the names that the designer writes, those are read that its labels suggest. Synchronizing is `ftp_sync`'s.
"""

from __future__ import annotations

import asyncio
import posixpath
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..files.held import made, moved, removed
from ..files.held import opened as opened_file
from ..files.unique_names import free
from ..port import Operation, Outputs, Table, reads
from ..reach import address_of, trust
from ..session import Session
from .remote import Entry, FtpServer, Refused, Remote, safe
from .sftp import SftpServer, host_key_of

KIND: Final = "FtpConnection"

_DEEPEST: Final = 64
"""Folders inside of folders that are gone into: a server may have rings."""


class Opened:
    """An open connection. A relative path on the server begins at `remote.here()`."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    def close(self) -> None:
        """Says goodbye to the server."""
        self.remote.close()

    async def aclose(self) -> None:
        """The same; the server may take its time, and nobody else has to wait for it."""
        await asyncio.to_thread(self.remote.close)


def opened(arguments: Arguments, session: Session) -> Remote:
    """The connection that an action is given. Raises Fault NotConnectedError."""
    name = arguments.named("Connection", "FTPConnection", "FtpConnection", "SftpConnection")
    try:
        return session.use(arguments.item(name, KIND), Opened).remote
    except Fault as error:
        if error.name != "InstanceLost":
            raise
        raise fault("Not connected error", error.message, hint=error.hint) from error


# --- connecting


def connect(arguments: Arguments, session: Session) -> Outputs:
    """FTP.OpenConnection, FTP.OpenSecureConnection.*"""
    how = arguments.selector.casefold()
    sftp, implicit = "sftp" in how, how.endswith("implicit")
    host = arguments.text("Host")
    port = arguments.integer("Port", 22 if sftp else 990 if implicit else 21)
    address = address_of(host, port, session, "Connection error")
    seconds = float(arguments.number("Timeout", 10))
    user, password = arguments.text("Username"), arguments.text("Password", "")
    remote: Remote
    try:
        if sftp:
            key = None
            if "privatekey" in how:
                key = resolved(arguments.get(arguments.named("PathToPrivateKey", "PrivateKey")), session)
            phrase = arguments.text(arguments.named("PrivateKeyPassPhrase", "Passphrase"), "")
            wanted = host_key_of(host, port)
            remote = SftpServer.opened(address, port, user, password, key, phrase, wanted=wanted, seconds=seconds)
        else:
            secure = "" if not how else "implicit" if implicit else "explicit"
            active = arguments.boolean("ActiveMode", False)
            remote = FtpServer.opened(
                address, host, port, user, password, secure=secure, active=active, seconds=seconds, context=trust()
            )
    except Refused as error:
        raise fault("Login failed error", str(error)) from error
    except OSError as error:
        raise fault("Connection error", f"No connection to '{host}' could be made: {_reason(error)}.") from error
    item = session.keep(KIND, Opened(remote), {"Host": host, "SecurityProtocol": remote.protocol})
    return dict.fromkeys(("Connection", "FTPConnection", "SftpConnection") if how else ("Connection",), item)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


def close(arguments: Arguments, session: Session) -> Outputs:
    """FTP.CloseConnection."""
    opened(arguments, session)
    name = arguments.named("Connection", "FTPConnection", "FtpConnection", "SftpConnection")
    session.drop(arguments.item(name, KIND)).close()
    return None


# --- what stands on the server


def file_of(entry: Entry, session: Session) -> Item:
    """The FtpFile of an entry."""
    name = entry.name
    stem, suffix = posixpath.splitext(name)
    properties: dict[str, Datum] = {
        "FullName": entry.path,
        "Directory": posixpath.dirname(entry.path),
        "Name": name,
        "NameWithoutExtension": stem,
        "Extension": suffix,
        "Size": entry.size,
        "LastModified": _local(entry.modified, session),
    }
    return Item("FtpFile", entry.path, properties)


def _folder_of(entry: Entry, session: Session) -> Item:
    properties: dict[str, Datum] = {
        "FullName": entry.path,
        "Parent": posixpath.dirname(entry.path),
        "Name": entry.name,
        "LastModified": _local(entry.modified, session),
    }
    return Item("FtpFolder", entry.path, properties)


def _local(moment: datetime | None, session: Session) -> datetime | None:
    zone = ZoneInfo(session.settings.time_zone)
    return None if moment is None else moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def path_on(remote: Remote, text: str) -> str:
    """The full path on the server."""
    return posixpath.normpath(posixpath.join(remote.here(), safe(text)))


def paths(arguments: Arguments, remote: Remote, *names: str) -> list[str]:
    """The full paths of an argument: one or a list, texts, FtpFiles or FtpFolders."""
    found = []
    for value in arguments.list(arguments.named(*names)):
        text = value.text if isinstance(value, Item) else str(value)
        found.append(path_on(remote, text))
    return found


def list_directory(arguments: Arguments, session: Session) -> Outputs:
    """FTP.ListDirectory: the working directory, or the one at Path."""
    remote = opened(arguments, session)
    name = arguments.named("Path", "Directory")
    with trouble("Listing error", "Directory doesn't exist error"):
        entries = remote.entries(path_on(remote, arguments.text(name, "") or "."))
    folders: list[Datum] = [_folder_of(entry, session) for entry in entries if entry.folder]
    files: list[Datum] = [file_of(entry, session) for entry in entries if not entry.folder]
    return {
        "Directories": folders,
        "Folders": folders,
        "FtpDirectories": folders,
        "Files": files,
        "FtpFiles": files,
    }


class trouble:  # noqa: N801 - it reads as a statement
    """In `with`: what goes wrong with the server becomes one of the action's faults, `missing` where it has no such.

    A connection that breaks is `broken`, or `failed` for actions that know no such fault.
    """

    def __init__(self, failed: str, missing: str = "", broken: str = "") -> None:
        self._failed, self._missing, self._broken = failed, missing or failed, broken or failed

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused):
            text = str(error)
            gone = any(word in text.casefold() for word in ("no such", "not found", "not exist", "cannot find"))
            raise fault(self._missing if gone else self._failed, f"The server refused it: {text}") from error
        if isinstance(error, OSError) and error.filename is not None:
            # A file here, not the server.
            name = posixpath.basename(str(error.filename))
            raise fault(self._failed, f"'{name}': {_reason(error)}.") from error
        if isinstance(error, OSError):
            raise fault(self._broken, f"The connection broke: {_reason(error)}.") from error


def change_directory(arguments: Arguments, session: Session) -> Outputs:
    """FTP.ChangeWorkingDirectory."""
    remote = opened(arguments, session)
    with trouble("Can't change working directory error", "Directory doesn't exist error"):
        remote.go(arguments.text(arguments.named("Directory", "WorkingDirectory", "Path")))
    return None


def create_directory(arguments: Arguments, session: Session) -> Outputs:
    """FTP.CreateDirectory; its parent has to be there."""
    remote = opened(arguments, session)
    (path,) = paths(arguments, remote, "Directory", "NewDirectory", "DirectoryName")
    with trouble("Create directory error", "Directory doesn't exist error"):
        if any(entry.path == path for entry in remote.entries(posixpath.dirname(path))):
            raise fault("File exists error", f"There is a '{path}' already.")
        remote.make(path)
    return None


def delete_directory(arguments: Arguments, session: Session) -> Outputs:
    """FTP.DeleteDirectory, with everything in it."""
    remote = opened(arguments, session)
    (path,) = paths(arguments, remote, "Directory", "DirectoryToDelete", "Folder")
    if path == "/":
        raise fault("Delete directory error", "The server's whole tree is not deleted.")
    with trouble("Delete directory error", "Remote directory doesn't exist error"):
        remove_tree(remote, path)
    return None


def remove_tree(remote: Remote, path: str, depth: int = 0) -> None:
    """Removes a folder and what is in it. Raises Refused, OSError."""
    if depth > _DEEPEST:
        raise Refused("The folders go too deep.")
    for entry in remote.entries(path):
        if entry.folder:
            remove_tree(remote, entry.path, depth + 1)
        else:
            remote.remove_file(entry.path)
    remote.remove_folder(path)


def delete_files(arguments: Arguments, session: Session) -> Outputs:
    """FTP.DeleteFiles."""
    remote = opened(arguments, session)
    for path in paths(arguments, remote, "Files", "FilesToDelete"):
        with trouble("Can't delete file error", "File wasn't found error"):
            remote.remove_file(path)
    return None


def rename_file(arguments: Arguments, session: Session) -> Outputs:
    """FTP.RenameFile: another name in the same folder."""
    remote = opened(arguments, session)
    (path,) = paths(arguments, remote, "FileToRename", "File")
    new = posixpath.join(posixpath.dirname(path), arguments.text(arguments.named("NewFileName", "NewName")))
    with trouble("Can't rename file error", "File wasn't found error"):
        remote.rename(path, new)
    return None


def invoke_command(arguments: Arguments, session: Session) -> Outputs:
    """FTP.InvokeCommand: fails where the reply's code is none of the valid ones, if any are given."""
    remote = opened(arguments, session)
    with trouble("Invoke command error"):
        code, text = remote.command(arguments.text("Command"))
    valid = (
        arguments.text(arguments.named("ValidReplyCodes", "ValidResponseCodes"), "")
        .replace(";", " ")
        .replace(",", " ")
        .split()
    )
    if valid and code not in valid:
        raise fault("Invoke command error", f"The server replied {code}, and only {', '.join(valid)} are valid.")
    return {"ReplyCode": code, "ReplyText": text}


# --- transfers


def _ascii(arguments: Arguments) -> bool:
    return arguments.text("TransferType", "Auto").rsplit(".", 1)[-1].casefold() == "ascii"


def _if_there(arguments: Arguments) -> str:
    """`overwrite`, `unique` (another name) or `skip`."""
    word = arguments.text("IfFileExists", "Overwrite").rsplit(".", 1)[-1].casefold()
    if "unique" in word or "sequential" in word:
        return "unique"
    return "overwrite" if word == "overwrite" else "skip"


def fetch(remote: Remote, path: str, target: Path, session: Session, *, ascii: bool = False) -> None:
    """A file from the server, whole or not at all. Raises Refused, OSError, Fault."""
    place = session.folders.resolve(str(target), write=True)
    most, size = session.settings.file_bytes, 0

    part = place.with_name(f".download-{secrets.token_hex(8)}")
    with opened_file(session.folders, part, "xb") as out:
        try:

            def write(data: bytes) -> None:
                nonlocal size
                size += len(data)
                if size > most:
                    raise Fault("FileTooLargeError", f"'{posixpath.basename(path)}' has more than {most:,} bytes.")
                out.write(data)

            remote.download(path, write, ascii=ascii)
            out.flush()
            moved(session.folders, part, place)
        except BaseException:
            with suppress(OSError):
                removed(session.folders, part)
            raise


def _local_folder(arguments: Arguments, session: Session) -> Path:
    name = arguments.named("DownloadInto", "LocalFolder", "DownloadIntoFolder")
    folder = resolved(arguments.get(name), session, write=True)
    if not folder.is_dir():
        raise fault("Directory doesn't exist error", f"There is no folder '{session.folders.shown(folder)}'.")
    return folder


def download_files(arguments: Arguments, session: Session) -> Outputs:
    """FTP.DownloadFiles."""
    remote, folder, how = opened(arguments, session), _local_folder(arguments, session), _if_there(arguments)
    for path in paths(arguments, remote, "RemoteFilePaths", "Files", "FilesToDownload"):
        target = folder / posixpath.basename(path)
        if target.exists() and how == "skip":
            continue
        if how == "unique":
            target = folder / free(target.name, (each.name for each in folder.iterdir()))
        with trouble("Can't download file error", "Remote file doesn't exist error", "FTP connection abort error"):
            fetch(remote, path, target, session, ascii=_ascii(arguments))
    return None


def download_folders(arguments: Arguments, session: Session) -> Outputs:
    """FTP.DownloadFolders: each with its name, and what is in it, into the local folder."""
    remote, folder = opened(arguments, session), _local_folder(arguments, session)
    for path in paths(arguments, remote, "RemotePath", "Folders", "FoldersToDownload"):
        failed = "Can't download directory error"
        with trouble(failed, "Remote directory doesn't exist error", "FTP connection abort error"):
            _fetch_tree(remote, path, folder / posixpath.basename(path), session)
    return None


def _fetch_tree(remote: Remote, path: str, target: Path, session: Session, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise Refused("The folders go too deep.")
    entries = remote.entries(path)
    made(session.folders, session.folders.resolve(str(target), write=True))
    for entry in entries:
        if entry.folder:
            _fetch_tree(remote, entry.path, target / entry.name, session, depth + 1)
        else:
            fetch(remote, entry.path, target / entry.name, session)


def _remote_folder(arguments: Arguments, remote: Remote) -> str:
    name = arguments.named("RemoteLocation", "RemoteFolder")
    return path_on(remote, arguments.text(name, "") or ".")


def upload_files(arguments: Arguments, session: Session) -> Outputs:
    """FTP.UploadFiles, into the working directory or the remote location."""
    remote, how = opened(arguments, session), _if_there(arguments)
    for value in arguments.list(arguments.named("Files", "FilesToUpload")):
        path = resolved(value, session)
        if not path.is_file():
            raise fault("File wasn't found error", f"There is no file '{session.folders.shown(path)}'.")
        with trouble("File upload error", broken="FTP connection abort error"):
            folder = _remote_folder(arguments, remote)
            there = [entry.name for entry in remote.entries(folder)] if how != "overwrite" else []
            if how == "skip" and path.name in there:
                continue
            with opened_file(session.folders, path) as source:
                remote.upload(posixpath.join(folder, free(path.name, there)), source, ascii=_ascii(arguments))
    return None


def upload_folders(arguments: Arguments, session: Session) -> Outputs:
    """FTP.UploadFolders: each with its name and what is in it."""
    remote = opened(arguments, session)
    for value in arguments.list(arguments.named("Folders", "FoldersToUpload")):
        path = resolved(value, session)
        if not path.is_dir():
            raise fault("Directory upload error", f"There is no folder '{session.folders.shown(path)}'.")
        failed = "Directory upload error"
        with trouble(failed, "Remote directory doesn't exist error", "FTP connection abort error"):
            _send_tree(remote, path, _remote_folder(arguments, remote), session)
    return None


def _send_tree(remote: Remote, path: Path, parent: str, session: Session) -> None:
    there = {entry.name for entry in remote.entries(parent)}
    target = posixpath.join(parent, path.name)
    if path.name not in there:
        remote.make(target)
    for each in sorted(path.iterdir()):
        if session.folders.resolve(str(each)) != each:
            continue  # a link: what it leads to is not part of the folder
        if each.is_dir():
            _send_tree(remote, each, target, session)
        elif each.is_file():
            with opened_file(session.folders, each) as source:
                remote.upload(posixpath.join(target, each.name), source, ascii=False)


_SECURE: Final = (
    "ConnectWithFtpsExplicit",
    "ConnectWithFtpsImplicit",
    "ConnectWithSftpPrivateKey",
    "ConnectWithSftpPrivateKeyAndPassPhrase",
    "ConnectWithSftpUsernameAndPassword",
)

TABLE: Table = {
    "FTP.OpenConnection": Operation(connect),
    **{f"FTP.OpenSecureConnection.{name}": Operation(connect) for name in _SECURE},
    "FTP.CloseConnection": Operation(close),
    "FTP.ListDirectory": reads(list_directory),
    "FTP.ChangeWorkingDirectory": Operation(change_directory),
    "FTP.CreateDirectory": Operation(create_directory),
    "FTP.DeleteDirectory": Operation(delete_directory),
    "FTP.DeleteFiles": Operation(delete_files),
    "FTP.RenameFile": Operation(rename_file),
    "FTP.InvokeCommand": Operation(invoke_command),
    "FTP.DownloadFiles": Operation(download_files),
    "FTP.DownloadFolders": Operation(download_folders),
    "FTP.UploadFiles": Operation(upload_files),
    "FTP.UploadFolders": Operation(upload_folders),
}
