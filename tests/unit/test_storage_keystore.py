"""The service keystore: where it lies, who may read it, and what is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sealflow.storage import (
    AlreadyThere,
    IntegrityError,
    KeyMissing,
    Keystore,
    KeystoreUnreadable,
    NotDedicated,
    StoreFull,
    StoreNotWritable,
    WrongKey,
)
from sealflow.storage.format.purposes import Role

ENVIRONMENT = b"E" * 16


@pytest.fixture(autouse=True)
def no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALFLOW_PASSPHRASE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keystore.json"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_it_wraps_and_unwraps(path: Path) -> None:
    keystore = Keystore(path)
    assert not keystore.exists()
    assert not keystore.has(ENVIRONMENT)
    keystore.add(ENVIRONMENT)
    assert keystore.created
    assert keystore.has(ENVIRONMENT)
    provider = keystore.provider(ENVIRONMENT)
    wrapped = await provider.wrap(b"payload", b"context")
    assert await Keystore(path).provider(ENVIRONMENT).unwrap(wrapped, b"context") == b"payload"
    with pytest.raises(IntegrityError, match="was altered or moved"):
        await provider.unwrap(wrapped, b"other")
    with pytest.raises(IntegrityError, match="was altered or moved"):
        await provider.unwrap(wrapped._replace(data=b""), b"context")
    with pytest.raises(WrongKey):
        await provider.unwrap(wrapped._replace(kek=bytes(16)), b"context")


def test_only_its_owner_reads_it(path: Path) -> None:
    Keystore(path).add(ENVIRONMENT)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == ["keystore.json", "keystore.json.lock"]


def test_adding_again_keeps_the_key(path: Path) -> None:
    Keystore(path).add(ENVIRONMENT)
    before = path.read_bytes()
    again = Keystore(path)
    again.add(ENVIRONMENT)
    assert not again.created
    assert path.read_bytes() == before
    again.add(b"F" * 16)
    assert len(json.loads(path.read_bytes())["keys"]) == 2


def test_missing(path: Path) -> None:
    with pytest.raises(KeyMissing, match="missing"):
        Keystore(path).keys(ENVIRONMENT)[-1]
    assert not path.exists()
    Keystore(path).add(b"F" * 16)
    with pytest.raises(KeyMissing, match="another keystore"):
        Keystore(path).keys(ENVIRONMENT)[-1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format": 2}',
        b'{"format": 1}',
        b'{"format": 1, "keys": []}',
        b'{"format": 1, "keys": {"45454545454545454545454545454545": "AAAA"}}',
        b'{"format": 1, "keys": {"45454545454545454545454545454545": 5}}',
        b'{"format": 1, "keys": {}, "control": 5}',
        b'{"format": 1, "sealed": "AAAA"}',
        b'{"format": 1, "sealed": "AAAA", "salt": "AAAA"}',
        b'{"format": 1, "sealed": "AAAA", "salt": null}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeystoreUnreadable) as caught:
        Keystore(path, passphrase=lambda: "x").keys(ENVIRONMENT)[-1]
    assert "chmod" not in (caught.value.hint or "")
    assert path.read_bytes() == content


def test_passphrase(path: Path) -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return "correct horse"

    keystore = Keystore(path, passphrase=ask)
    keystore.add(ENVIRONMENT)
    keystore.add(b"F" * 16)
    keystore.keys(ENVIRONMENT)[-1]
    assert len(asked) == 1
    assert b"keys" not in path.read_bytes()
    assert Keystore(path, passphrase=ask).keys(ENVIRONMENT)[-1].kid == keystore.keys(ENVIRONMENT)[-1].kid
    with pytest.raises(WrongKey):
        Keystore(path, passphrase=lambda: "wrong").keys(ENVIRONMENT)[-1]
    with pytest.raises(WrongKey, match="sealed with a passphrase"):
        Keystore(path).keys(ENVIRONMENT)[-1]
    with pytest.raises(WrongKey):
        Keystore(path).add(b"G" * 16)


def test_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALFLOW_PASSPHRASE", raising=False)
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(tmp_path / "k.json"))
    assert Keystore.default().path == tmp_path / "k.json"
    monkeypatch.delenv("SEALFLOW_KEYSTORE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    if sys.platform == "linux":
        assert Keystore.default().path == tmp_path / "config" / "sealflow" / "keystore.json"


def test_passphrase_of_the_environment_comes_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(path))
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "from the environment")
    Keystore.default(passphrase=lambda: "never asked").add(ENVIRONMENT)
    monkeypatch.delenv("SEALFLOW_PASSPHRASE")
    assert Keystore.default(passphrase=lambda: "from the environment").keys(ENVIRONMENT)[-1]


def test_a_prompt_alone_does_not_seal_a_new_keystore(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_KEYSTORE", str(path))
    monkeypatch.delenv("SEALFLOW_PASSPHRASE", raising=False)

    def prompt() -> str:
        raise AssertionError("asked")

    Keystore.default(passphrase=prompt).add(ENVIRONMENT)
    assert Keystore.default(passphrase=prompt).keys(ENVIRONMENT)[-1]


def test_the_first_run_notice_says_where_why_and_how(path: Path) -> None:
    notice = Keystore(path).first_run_notice()
    assert str(path) in notice
    assert "lost" in notice
    assert f"cp {path}" in notice


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreNotWritable):
        Keystore(tmp_path / "file" / "keystore.json").add(ENVIRONMENT)


def test_never_inside_the_store(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "k.json").symlink_to(tmp_path / "elsewhere.json")
    (tmp_path / "into.json").symlink_to(tmp_path / "store" / "keystore.json")
    for place in (
        "store/keystore.json",
        "store/deep/er/keystore.json",
        "link/keystore.json",
        "other/../store/keystore.json",
        "store/k.json",
        "link/k.json",
        "into.json",
    ):
        with pytest.raises(KeystoreUnreadable, match="inside"):
            Keystore(tmp_path / place).refuse_inside(tmp_path / "store")
    Keystore(tmp_path / "store-keys" / "keystore.json").refuse_inside(tmp_path / "store")


def test_processes_that_add_at_once_lose_no_key(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sealflow.storage import Keystore\n"
        "k = Keystore(Path(sys.argv[1]))\n"
        "for i in range(20): k.add(bytes([int(sys.argv[2]), i]) * 8)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path), str(i)]) for i in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(json.loads(path.read_bytes())["keys"]) == 60


def test_a_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Keystore(path).add(ENVIRONMENT)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreFull, match="full") as caught:
        Keystore(path).add(b"F" * 16)
    assert caught.value.code == "StoreFull"
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    Keystore(path).add(ENVIRONMENT)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    keystore = Keystore(link)
    keystore.add(b"F" * 16)
    assert not keystore.created
    assert link.is_symlink()
    assert len(json.loads(path.read_bytes())["keys"]) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["keys", "link.json"]
    assert Keystore(link).has(ENVIRONMENT)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_one_that_others_may_use_is_refused(path: Path, bits: int) -> None:
    Keystore(path).add(ENVIRONMENT)
    path.chmod(bits)
    for call in (Keystore(path).keys, Keystore(path).add):
        with pytest.raises(KeystoreUnreadable, match="other users") as caught:
            call(ENVIRONMENT)
        assert caught.value.hint == f"chmod 600 {path}"
    path.chmod(0o400)
    assert Keystore(path).keys(ENVIRONMENT)[-1]


def test_another_users_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Keystore(path).add(ENVIRONMENT)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(KeystoreUnreadable, match="another user"):
        Keystore(path).keys(ENVIRONMENT)[-1]


def test_every_way_to_make_one_asks_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "hunter2")
    Keystore(path).add(ENVIRONMENT)
    Keystore.default(path.with_name("b.json"), passphrase=lambda: "never asked").add(ENVIRONMENT)
    for file in (path, path.with_name("b.json")):
        assert "sealed" in json.loads(file.read_bytes())
    monkeypatch.delenv("SEALFLOW_PASSPHRASE")
    with pytest.raises(WrongKey):
        Keystore(path).keys(ENVIRONMENT)[-1]


def test_a_passphrase_seals_a_clear_keystore_with_the_next_key(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Keystore(path).add(ENVIRONMENT)
    kid = Keystore(path).keys(ENVIRONMENT)[-1].kid
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "hunter2")
    keystore = Keystore(path)
    assert keystore.keys(ENVIRONMENT)[-1].kid == keystore.keys(ENVIRONMENT)[-1].kid == kid
    assert ["not sealed yet" in record.getMessage() for record in caplog.records] == [True]
    keystore.add(b"F" * 16)
    assert "sealed" in json.loads(path.read_bytes())
    assert Keystore(path).keys(ENVIRONMENT)[-1].kid == kid


def test_an_empty_passphrase_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongKey, match="empty"):
        Keystore(path, passphrase=lambda: "").add(ENVIRONMENT)
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "")
    with pytest.raises(KeystoreUnreadable, match="SEALFLOW_PASSPHRASE"):
        Keystore(path)
    with pytest.raises(KeystoreUnreadable, match="SEALFLOW_PASSPHRASE"):
        Keystore.default(path)
    assert not path.exists()


def test_what_a_killed_process_left_does_not_stay(path: Path) -> None:
    Keystore(path).add(ENVIRONMENT)
    path.with_name("keystore.json.new").write_bytes(b"half of it")
    Keystore(path).add(b"F" * 16)
    assert sorted(file.name for file in path.parent.iterdir()) == ["keystore.json", "keystore.json.lock"]


def test_the_key_of_a_control_store_is_no_environments(path: Path) -> None:
    keystore = Keystore(path)
    keystore.add(ENVIRONMENT)
    keystore.add(b"C" * 16, Role.CONTROL)
    assert json.loads(path.read_bytes())["control"] == [(b"C" * 16).hex()]
    assert keystore.keys(ENVIRONMENT)[-1]
    assert keystore.keys(b"C" * 16, Role.CONTROL)[-1]
    with pytest.raises(IntegrityError, match="put in each other's place"):
        keystore.keys(ENVIRONMENT, Role.CONTROL)
    with pytest.raises(IntegrityError, match="put in each other's place"):
        keystore.keys(b"C" * 16)[-1]


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(KeystoreUnreadable, match="nowhere"):
        Keystore(tmp_path / "a")


def test_a_folder_that_may_not_be_entered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore = Keystore(path)

    def denied(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    for call in (keystore.keys, keystore.has):
        with pytest.raises(KeystoreUnreadable, match="denied"):
            call(ENVIRONMENT)


@pytest.mark.parametrize("passphrase", [None, "secret words"])
async def test_the_keys_of_one_environment_are_exported(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passphrase: str | None
) -> None:
    if passphrase:
        monkeypatch.setenv("SEALFLOW_PASSPHRASE", passphrase)
    other, control = b"O" * 16, b"C" * 16
    keystore = Keystore(path)
    for environment, role in ((ENVIRONMENT, Role.ENVIRONMENT), (other, Role.ENVIRONMENT), (control, Role.CONTROL)):
        keystore.add(environment, role)
    keystore.add_version(ENVIRONMENT)
    wrapped = await keystore.provider(ENVIRONMENT).wrap(b"payload", b"context")
    with pytest.raises(NotDedicated):
        keystore.refuse_others(ENVIRONMENT)
    single = tmp_path / "single" / "keys.json"
    keystore.export(ENVIRONMENT, single)
    assert mode(single) == 0o600
    assert ("sealed" in json.loads(single.read_text())) == bool(passphrase)
    exported = Keystore(single)
    assert await exported.provider(ENVIRONMENT).unwrap(wrapped, b"context") == b"payload"
    assert len(exported.keys(control, Role.CONTROL)) == 1
    with pytest.raises(KeyMissing):
        exported.keys(other)
    exported.refuse_others(ENVIRONMENT)
    with pytest.raises(NotDedicated):
        exported.refuse_others(other)
    with pytest.raises(AlreadyThere):
        keystore.export(ENVIRONMENT, single)
    with pytest.raises(KeyMissing):
        keystore.export(b"N" * 16, tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()
