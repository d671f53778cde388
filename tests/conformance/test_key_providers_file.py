"""A customer's key file: what is done to its keys, and what of it is refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from key_servers import FileServer
from sealflow.storage import (
    AlreadyThere,
    IntegrityError,
    KeyDenied,
    KeystoreUnreadable,
    KeyUnavailable,
    RecordNotFound,
    WrongKey,
)
from sealflow.storage.keys.providers import provider_for
from sealflow.storage.keys.providers.file import (
    FileKey,
    FileKeys,
    add_version,
    create_key,
    disable_key,
    enable_key,
    list_keys,
)

CONTEXT = b"context"


@pytest.fixture
def server(tmp_path: Path) -> FileServer:
    server = FileServer(tmp_path)
    create_key(server.path, "main")
    return server


def test_keys_are_made_and_listed_without_themselves(server: FileServer) -> None:
    assert create_key(server.path, "second") == FileKey("second", 1, enabled=True)
    assert add_version(server.path, "main") == FileKey("main", 2, enabled=True)
    assert disable_key(server.path, "second") == FileKey("second", 1, enabled=False)
    listed = list_keys(server.path)
    assert listed == [FileKey("main", 2, enabled=True), FileKey("second", 1, enabled=False)]
    assert not any(secret.decode() in repr(listed) for secret in server.secrets())
    assert enable_key(server.path, "second").enabled


def test_only_its_owner_reads_it(server: FileServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700


def test_a_key_is_not_made_twice(server: FileServer) -> None:
    before = server.path.read_bytes()
    with pytest.raises(AlreadyThere):
        create_key(server.path, "main")
    assert server.path.read_bytes() == before


@pytest.mark.parametrize("act", [add_version, disable_key, enable_key])
def test_only_keys_that_are_there_are_changed(server: FileServer, act: Callable[[Path, str], FileKey]) -> None:
    with pytest.raises(RecordNotFound):
        act(server.path, "other")
    with pytest.raises(RecordNotFound):
        act(server.path.with_name("other.json"), "main")


async def test_a_disabled_key_stays_so_with_a_new_version(server: FileServer) -> None:
    disable_key(server.path, "main")
    assert add_version(server.path, "main") == FileKey("main", 2, enabled=False)
    with pytest.raises(KeyDenied):
        await server.provider("main").facts()


async def test_a_file_that_others_may_read_is_an_outage(server: FileServer) -> None:
    server.path.chmod(0o644)
    with pytest.raises(KeyUnavailable):
        await server.provider("main").facts()
    with pytest.raises(KeystoreUnreadable):
        list_keys(server.path)


async def test_an_edited_flag_is_noticed(server: FileServer) -> None:
    disable_key(server.path, "main")
    document = server.document()
    document["keys"]["main"]["enabled"] = True
    server.write(document)
    with pytest.raises(IntegrityError, match="is damaged, or was edited"):
        await server.provider("main").facts()


async def test_an_entry_under_another_name_is_noticed(server: FileServer) -> None:
    disable_key(server.path, "main")
    document = server.document()
    document["keys"]["other"] = document["keys"]["main"]
    server.write(document)
    with pytest.raises(IntegrityError, match="is damaged, or was edited"):
        await server.provider("other").facts()


def _drop_version(entry: dict[str, Any]) -> None:
    entry["versions"] = entry["versions"][1:]


def _no_versions(entry: dict[str, Any]) -> None:
    entry["versions"] = []


def _short_key(entry: dict[str, Any]) -> None:
    entry["versions"] = ["AAAA"]


def _odd_types(entry: dict[str, Any]) -> None:
    entry.update(versions=7, mac=[], enabled="yes")


def _no_mac(entry: dict[str, Any]) -> None:
    del entry["mac"]


@pytest.mark.parametrize("damage", [_drop_version, _no_versions, _short_key, _odd_types, _no_mac])
async def test_damaged_entries_are_noticed(server: FileServer, damage: Callable[[dict[str, Any]], None]) -> None:
    add_version(server.path, "main")
    document = server.document()
    damage(document["keys"]["main"])
    server.write(document)
    with pytest.raises(IntegrityError, match="is damaged, or was edited"):
        await server.provider("main").facts()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', '{"format": 9, "keys": {}}', "[" * 100_000])
async def test_damaged_files_are_noticed(server: FileServer, text: str) -> None:
    server.path.write_text(text)
    with pytest.raises(IntegrityError, match="is damaged, or was edited"):
        await server.provider("main").facts()


async def test_a_key_that_was_replaced_does_not_open_it(server: FileServer) -> None:
    keys = server.provider("main")
    wrapped = await keys.wrap(b"payload", CONTEXT)
    server.path.unlink()
    create_key(server.path, "main")
    with pytest.raises(WrongKey):
        await keys.unwrap(wrapped, CONTEXT)


async def test_a_link_is_followed(server: FileServer, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(server.path)
    create_key(link, "by-link")
    assert link.is_symlink()
    assert [key.name for key in list_keys(server.path)] == ["by-link", "main"]
    assert (await FileKeys(link, "by-link").facts()).problem is None


async def test_its_address_is_the_same_from_any_folder(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(server.path.parent)
    keys = provider_for(f"file:{server.path.name}#main")
    assert keys.uri == f"file:{server.path}#main" == server.provider("main").uri
    os.chdir("/")
    assert (await keys.facts()).problem is None
