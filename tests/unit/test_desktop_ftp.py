"""The FTP module against real servers on loopback: FTP, FTPS and SFTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import paramiko
import pytest
import trustme
from desktop_world import World
from ftp_server import PASSWORD, USER, ftp_server, sftp_server
from sealflow.connectors.desktop.ftp.remote import Entry, listed
from sealflow.engine.datatypes import Datum, Item


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.session.aclose()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    (folder / "sub/b.csv").write_bytes(b"1,2")
    (folder / "sub/deep/c.txt").write_bytes(b"deep")
    return folder


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def named(value: Datum) -> list[str]:
    assert isinstance(value, list)
    return [str(each.get("Name")) for each in value]


async def ftp(world: World, port: int, **more: Datum) -> Datum:
    login: dict[str, Datum] = {"Username": USER, "Password": PASSWORD, **more}
    return (await world.do("FTP.OpenConnection", Host="127.0.0.1", Port=port, **login))["Connection"]


async def secure(world: World, how: str, host: str, port: int, **more: Datum) -> Datum:
    login: dict[str, Datum] = {"Username": USER, "Password": PASSWORD, **more}
    done = await world.do(f"FTP.OpenSecureConnection.ConnectWith{how}", Host=host, Port=port, **login)
    return done["SftpConnection"]


async def everything(world: World, served: Path, c: Datum) -> None:
    """What every kind of connection does."""
    found = await world.do("FTP.ListDirectory", Connection=c)
    assert named(found["Directories"]) == ["sub"]
    assert named(found["Files"]) == ["a.txt"]
    files = found["Files"]
    assert isinstance(files, list)
    (file,) = files
    assert isinstance(file, Item)
    assert (file.kind, file.text, file.get("Size"), file.get("Extension")) == ("FtpFile", "/a.txt", 10, ".txt")
    assert isinstance(file.get("LastModified"), datetime)
    await world.do("FTP.ChangeWorkingDirectory", Connection=c, WorkingDirectory="sub")
    assert named((await world.do("FTP.ListDirectory", Connection=c))["Files"]) == ["b.csv"]
    await world.do("FTP.DownloadFiles", Connection=c, RemoteFilePaths=[file, "b.csv"], DownloadInto="C:\\")
    assert (world.folder / "a.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert (world.folder / "b.csv").read_bytes() == b"1,2"
    await world.do("FTP.UploadFiles", Connection=c, Files=str(world.file("new.txt", "x")), RemoteLocation="/sub/deep")
    assert (served / "sub/deep/new.txt").read_text() == "x"
    await world.do("FTP.RenameFile", Connection=c, FileToRename="deep/new.txt", NewFileName="old.txt")
    await world.do("FTP.DownloadFolders", Connection=c, RemotePath="/sub", DownloadInto="C:\\")
    assert (world.folder / "sub/deep/old.txt").read_text() == "x"
    await world.do("FTP.DeleteFiles", Connection=c, Files="/sub/deep/old.txt")
    assert not (served / "sub/deep/old.txt").exists()
    await world.do("FTP.CreateDirectory", Connection=c, Directory="made")
    await world.do("FTP.UploadFolders", Connection=c, Folders=[str(world.folder / "sub")], RemoteLocation="/sub/made")
    assert (served / "sub/made/sub/deep/old.txt").read_text() == "x"
    await world.do("FTP.DeleteDirectory", Connection=c, Directory="/sub")
    assert os.listdir(served) == ["a.txt"]
    for error, action, arguments in (
        ("RemoteFileDoesntExistError", "DownloadFiles", {"Files": "/no", "LocalFolder": "C:\\"}),
        ("DirectoryDoesntExistError", "DownloadFiles", {"Files": "/a.txt", "LocalFolder": "C:\\no"}),
        ("RemoteDirectoryDoesntExistError", "DownloadFolders", {"Folders": "/no", "LocalFolder": "C:\\"}),
        ("DirectoryDoesntExistError", "ListDirectory", {"Path": "/no"}),
        ("DirectoryDoesntExistError", "ChangeWorkingDirectory", {"WorkingDirectory": "/no"}),
        ("FileWasntFoundError", "DeleteFiles", {"Files": "/no"}),
        ("FileWasntFoundError", "RenameFile", {"File": "/no", "NewName": "x"}),
        ("FileWasntFoundError", "UploadFiles", {"Files": "C:\\no"}),
        ("RemoteDirectoryDoesntExistError", "DeleteDirectory", {"Directory": "/no"}),
        ("DeleteDirectoryError", "DeleteDirectory", {"Directory": "/"}),
        ("DirectoryDoesntExistError", "CreateDirectory", {"Directory": "/no/no"}),
        ("FileExistsError", "CreateDirectory", {"Directory": "/a.txt"}),
        ("AccessDeniedError", "DownloadFiles", {"Files": "/a.txt", "LocalFolder": str(world.outside)}),
        ("AccessDeniedError", "UploadFiles", {"Files": "/etc/passwd"}),
        ("InvalidPathError", "ListDirectory", {"Path": "/\r\nDELE a.txt"}),
    ):
        await world.fails(error, f"FTP.{action}", Connection=c, **arguments)
    assert (served / "a.txt").exists()
    await world.do("FTP.CloseConnection", Connection=c)
    await world.fails("NotConnectedError", "FTP.ListDirectory", Connection=c)


async def test_ftp(world: World, served: Path, stack: ExitStack) -> None:
    await everything(world, served, await ftp(world, stack.enter_context(ftp_server(served))))


async def test_ftps(world: World, served: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    pem = world.outside / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    port = stack.enter_context(ftp_server(served, pem))
    await world.fails(
        "ConnectionError", "FTP.OpenSecureConnection.ConnectWithFtpsExplicit",
        Host="localhost", Port=port, Username=USER, Password=PASSWORD,
    )  # fmt: skip
    authority.cert_pem.write_to_path(world.outside / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(world.outside / "ca.pem"))
    connection = await secure(world, "FtpsExplicit", "localhost", port)
    assert isinstance(connection, Item)
    assert connection.get("SecurityProtocol") == "FTPS (explicit)"
    await everything(world, served, connection)
    implicit = stack.enter_context(ftp_server(served, pem, implicit=True))
    other = await secure(world, "FtpsImplicit", "localhost", implicit)
    await world.do("FTP.DownloadFiles", Connection=other, Files="a.txt", LocalFolder="C:\\")
    assert (world.folder / "a.txt").read_bytes() == b"one\r\ntwo\r\n"


async def test_sftp(world: World, served: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(world.outside))
    host, mine = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    port = stack.enter_context(sftp_server(served, host, mine))
    unknown = await world.fails(
        "ConnectionError", "FTP.OpenSecureConnection.ConnectWithSftpUsernameAndPassword",
        Host="127.0.0.1", Port=port, Username=USER, Password=PASSWORD,
    )  # fmt: skip
    assert "known_hosts" in unknown.message
    (world.outside / ".ssh").mkdir()
    known = world.outside / ".ssh/known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {mine.get_name()} {mine.get_base64()}\n")
    other = await world.fails(
        "ConnectionError", "FTP.OpenSecureConnection.ConnectWithSftpUsernameAndPassword",
        Host="127.0.0.1", Port=port, Username=USER, Password=PASSWORD,
    )  # fmt: skip
    assert "another" in other.message
    known.write_text(f"[127.0.0.1]:{port} {host.get_name()} {host.get_base64()}\n")
    await world.fails(
        "LoginFailedError", "FTP.OpenSecureConnection.ConnectWithSftpUsernameAndPassword",
        Host="127.0.0.1", Port=port, Username=USER, Password="wrong",
    )  # fmt: skip
    mine.write_private_key_file(str(world.folder / "id"), password="phrase")
    how = "SftpPrivateKeyAndPassPhrase"
    keyed = await secure(world, how, "127.0.0.1", port, PrivateKey="C:\\id", Passphrase="phrase")
    await world.fails("InvokeCommandError", "FTP.InvokeCommand", Connection=keyed, Command="NOOP")
    (world.folder / "id").unlink()
    await everything(world, served, await secure(world, "SftpUsernameAndPassword", "127.0.0.1", port))


async def test_what_is_there_already(world: World, served: Path, stack: ExitStack) -> None:
    c = await ftp(world, stack.enter_context(ftp_server(served)))
    world.file("a.txt", "mine")

    async def fetched(how: str) -> None:
        await world.do("FTP.DownloadFiles", Connection=c, Files="a.txt", LocalFolder="C:\\", IfFileExists=how)

    await fetched("FTP.IfFtpFileExists.Skip")
    assert (world.folder / "a.txt").read_text() == "mine"
    await fetched("FTP.IfFtpFileExists.TransferWithUniqueName")
    assert (world.folder / "a_2.txt").read_bytes() == b"one\r\ntwo\r\n"
    await fetched("FTP.IfFileExists.Overwrite")
    assert (world.folder / "a.txt").read_bytes() == b"one\r\ntwo\r\n"
    sent = str(world.file("sub/b.csv", "9"))
    for how, there in (("DoNothing", b"1,2"), ("UniqueName", b"1,2"), ("Overwrite", b"9")):
        await world.do("FTP.UploadFiles", Connection=c, Files=sent, RemoteLocation="sub", IfFileExists=how)
        assert (served / "sub/b.csv").read_bytes() == there
    assert (served / "sub/b_2.csv").read_bytes() == b"9"
    assert not [each for each in world.folder.iterdir() if each.name.startswith(".")]


async def test_ascii_transfers_have_the_lines_of_each_side(world: World, served: Path, stack: ExitStack) -> None:
    c = await ftp(world, stack.enter_context(ftp_server(served)))
    (served / "a.txt").write_bytes(b"one\ntwo\n")  # the server sends them as CR LF
    await world.do("FTP.DownloadFiles", Connection=c, Files="a.txt", LocalFolder="C:\\", TransferType="ASCII")
    assert (world.folder / "a.txt").read_bytes() == b"one\ntwo\n"


async def test_a_file_that_is_too_large_leaves_nothing(tmp_path: Path, served: Path, stack: ExitStack) -> None:
    world = World(tmp_path, file_bytes=5)
    c = await ftp(world, stack.enter_context(ftp_server(served)))
    await world.fails("FileTooLargeError", "FTP.DownloadFiles", Connection=c, Files="a.txt", LocalFolder="C:\\")
    assert list(world.folder.iterdir()) == []
    await world.session.aclose()


async def test_commands(world: World, served: Path, stack: ExitStack) -> None:
    c = await ftp(world, stack.enter_context(ftp_server(served)))
    done = await world.do("FTP.InvokeCommand", Connection=c, Command="SIZE a.txt")
    assert done == {"ReplyCode": "550", "ReplyText": "SIZE not allowed in ASCII mode."}
    valid = await world.do("FTP.InvokeCommand", Connection=c, Command="NOOP", ValidReplyCodes="200, 250")
    assert valid["ReplyCode"] == "200"
    await world.fails("InvokeCommandError", "FTP.InvokeCommand", Connection=c, Command="NOOP", ValidResponseCodes="250")
    await world.fails("InvalidPathError", "FTP.InvokeCommand", Connection=c, Command="NOOP\r\nDELE a.txt")


async def test_connections_that_are_not_made(world: World, served: Path, stack: ExitStack) -> None:
    port = stack.enter_context(ftp_server(served))
    login: dict[str, Datum] = {"Host": "127.0.0.1", "Port": port, "Username": USER}
    failure = await world.fails("LoginFailedError", "FTP.OpenConnection", **login, Password="s3cret")
    assert "s3cret" not in str(failure)
    await world.fails("EgressRefused", "FTP.OpenConnection", Host="169.254.169.254", Username=USER)
    await world.fails("ConnectionError", "FTP.OpenConnection", Host="nowhere.invalid", Username=USER)
    stack.close()
    await world.fails("ConnectionError", "FTP.OpenConnection", **login)


async def test_synchronizing(world: World, served: Path, stack: ExitStack) -> None:
    c = await ftp(world, stack.enter_context(ftp_server(served)))

    async def run(how: str, **more: Datum) -> dict[str, list[str]]:
        done = await world.do(f"FTP.SynchronizeDirectory.Synchronize{how}", Connection=c, LocalFolder="C:\\", **more)
        return {name: named(value) for name, value in done.items()}

    only = await run("DownloadIncludeFilter", FileFilter="*.txt", FtpDirectory="/")
    assert only == {"FilesAdded": ["a.txt", "c.txt"], "FilesModified": [], "FilesDeleted": []}
    assert (world.folder / "sub/deep/c.txt").read_text() == "deep"
    assert (await run("DownloadExcludeFilter", FileFilter="*.txt"))["FilesAdded"] == ["b.csv"]
    assert await run("DownloadAll") == {"FilesAdded": [], "FilesModified": [], "FilesDeleted": []}
    os.utime(served / "a.txt", (4_000_000_000, 4_000_000_000))
    world.file("extra.txt", "e")
    assert await run("DownloadAll", DeleteIfSourceAbsent=True, IncludeSubdirectories=False) == {
        "FilesAdded": [], "FilesModified": ["a.txt"], "FilesDeleted": ["extra.txt"],
    }  # fmt: skip
    os.utime(served / "a.txt", (1_000_000_000, 1_000_000_000))
    world.file("new/n.txt", "n")
    (world.folder / "sub/b.csv").unlink()
    sent = await run("UploadAll", DeleteIfSourceDoesntExist=True, FtpDirectory="/")
    assert sent == {"FtpFilesAdded": ["n.txt"], "FtpFilesModified": ["a.txt"], "FtpFilesDeleted": ["b.csv"]}
    assert (served / "new/n.txt").read_text() == "n"
    assert not (served / "sub/b.csv").exists()


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("-rw-r--r--   1 ann users  12 Mar  1 10:20 my file.txt", Entry("/d/my file.txt", False, 12)),
        ("drwxr-xr-x   2 ann users 4096 Mar  1  2025 sub", Entry("/d/sub", True, 4096)),
        ("lrwxrwxrwx   1 ann users  5 Mar  1  2025 l -> a.txt", Entry("/d/l", False, 5)),
        ("03-01-26  10:20AM       <DIR>          Sub Dir", Entry("/d/Sub Dir", True, 0)),
        ("03-01-2026  22:20             1234 a.txt", Entry("/d/a.txt", False, 1234)),
        ("total 12", None),
        ("drwxr-xr-x   2 ann users 4096 Mar  1  2025 ..", None),
        ("-rw-r--r--   1 ann users  12 Mar  1 10:20 ../../etc/passwd", None),
    ],
)
def test_lines_of_older_servers(line: str, entry: Entry | None) -> None:
    assert listed(line, "/d") == entry
