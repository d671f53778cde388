"""Small inputs unpack to large data. The data is never in memory as a whole, and a limit stops it."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from desktop_world import World
from http_server import raw, serving
from sealflow.connectors import Call, ConnectorError, HttpConnector, Limits, Services
from sealflow.connectors.desktop.fault import Fault as DesktopFault
from sealflow.connectors.desktop.office.packaged import judge_size
from sealflow.connectors.isolated import liquid_template
from sealflow.connectors.isolated.fault import Fault
from sealflow.engine.runtime.flows.packages import Archive, PackageError
from sealflow.engine.runtime.workers.clock import VirtualClock
from sealflow.storage.maintenance.backup.files import read_manifest

MIB = 1 << 20
ZEROS = bytes(96 * MIB)


@contextmanager
def _at_most(most: int) -> Iterator[None]:
    """No more bytes than this are allocated at any time, beside those that were."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        assert tracemalloc.get_traced_memory()[1] - before <= most
    finally:
        tracemalloc.stop()


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
        ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
        ("deflate", _raw_deflate),
    ],
)
async def test_a_compressed_answer_unfolds_no_further_than_its_limit(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """A service responds with a body that unpacks to 96 MiB, compressed once or twice. The call fails at its limit of 1
    MiB and uses a small part of the memory.
    """
    bomb, fits = (raw(200, pack(data), Content_Encoding=encoding) for data in (ZEROS, b"fits" * 9))
    given = Services(clock=VirtualClock(), limits=Limits(response_bytes=MIB))
    connector = HttpConnector()
    async with serving() as serve:
        server = await serve(lambda seen: bomb)
        call = Call("http", "", {"method": "GET", "uri": server.url}, key="k")
        with _at_most(16 * MIB), pytest.raises(ConnectorError) as caught:
            await connector.invoke(call, given)
        assert caught.value.code == "ResponseTooLarge"
        server.handler = lambda seen: fits
        assert (await connector.invoke(call, given)).body == "fits" * 9
        server.handler = lambda seen: raw(200, b"x", Content_Encoding=", ".join(["gzip"] * 5))
        with pytest.raises(ConnectorError, match="not compressed in the way it says"):
            await connector.invoke(call, given)
    await connector.aclose()


def _without_name(data: bytes) -> bytes:
    """The archive with its entry's name, of one letter, cut out of both of its headers."""
    at = data.index(b"PK\x01\x02")
    local, directory, end = data[:at], data[at:-22], data[-22:]
    local = local[:26] + b"\0\0" + local[28:30] + local[31:]
    directory = directory[:28] + b"\0\0" + directory[30:46] + directory[47:]
    return (
        local + directory + end[:12] + len(directory).to_bytes(4, "little") + len(local).to_bytes(4, "little") + b"\0\0"
    )


def test_an_entry_of_a_package_without_a_name(tmp_path: Path) -> None:
    """The maker imports an archive with an entry whose name is empty. It is refused as an unsafe path."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("n", b"x")
    nameless = _without_name(target.getvalue())
    assert zipfile.ZipFile(io.BytesIO(nameless)).namelist() == [""]
    with pytest.raises(PackageError) as caught:
        Archive(nameless)
    assert caught.value.code == "UnsafePath"


async def test_an_entry_without_a_name_is_unzipped_by_a_desktop_flow(tmp_path: Path) -> None:
    """A desktop flow unpacks an archive with an entry whose name is empty. The action fails with its own error."""
    world, target = World(tmp_path), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("n", b"x")
    (world.folder / "z.zip").write_bytes(_without_name(target.getvalue()))
    place = {"ArchivePath": "C:\\z.zip", "DestinationFolder": "C:\\out"}
    await world.fails("FailedToUnzipFilesError", "Compression.UnzipFiles", **place)


async def test_an_archive_whose_method_unfolds_everything_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desktop flow unpacks an entry that bzip2 compressed from 96 MiB to 200 bytes. The size limit of unpacked
    archives stops it.
    """
    monkeypatch.setattr("sealflow.connectors.desktop.files.compression.MOST_BYTES", MIB)
    world = World(tmp_path)
    with zipfile.ZipFile(world.folder / "z.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("zeros", ZEROS)
    place = {"ArchivePath": "C:\\z.zip", "DestinationFolder": "C:\\out"}
    await world.fails("FailedToUnzipFilesError", "Compression.UnzipFiles", **place)
    assert (world.folder / "out" / "zeros").stat().st_size <= MIB


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_workbook_that_unfolds_to_a_lot(tmp_path: Path, method: int) -> None:
    """A desktop flow opens a workbook of 100 KB whose sheet unpacks to 96 MiB, or one with a compression method that
    unpacks everything at once. Both are refused before they are read.
    """
    world = World(tmp_path)
    with zipfile.ZipFile(world.folder / "z.xlsx", "w", method) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", ZEROS)
    with _at_most(MIB), pytest.raises(DesktopFault) as caught:
        judge_size(world.folder / "z.xlsx", world.session)
    assert caught.value.name == "FileTooLargeError"


def test_the_manifest_of_a_backup_is_a_bomb(tmp_path: Path) -> None:
    """The attacker puts a manifest that unpacks to 96 MiB into a backup. It is refused before it is unpacked."""
    part = tmp_path / "part"
    for method, content in ((zipfile.ZIP_DEFLATED, ZEROS), (zipfile.ZIP_BZIP2, b"{}"), (zipfile.ZIP_STORED, ZEROS)):
        with zipfile.ZipFile(part, "w", method) as archive:
            archive.writestr("manifest.json", content)
        with zipfile.ZipFile(part) as archive, _at_most(MIB), pytest.raises(ValueError, match="manifest"):
            read_manifest(archive)


@pytest.mark.parametrize(
    "template",
    ["{{ content.endless | ceil }}", "{{ content.large | divided_by: 2.5 }}", "{{ content.digits | times: 2 }}"],
)
def test_a_number_of_a_liquid_template_is_too_large(template: str) -> None:
    """The maker's template computes a number that is too large. The action fails with its own code and not with that of
    a crashed process.
    """
    content = {"endless": float("inf"), "large": 10**400, "digits": 10**4300}
    with pytest.raises(Fault) as caught:
        liquid_template.perform({"content": content, "map": template, "kind": "jsontotext"})
    assert caught.value.code == "LiquidNumberTooLarge"
