"""Texts planted in a store are searched for on the disk and in logs. None is found."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from sealflow.storage import Keystore, NotStorable, RecordNotFound, Store, export_bundle

CANARY = "canary-7f3a9b"
FORMS = {
    "text": CANARY.encode(),
    "upper": CANARY.upper().encode(),
    "utf-16": CANARY.encode("utf-16-le"),
    "hex": CANARY.encode().hex().encode(),
    **{f"base64+{shift}": base64.b64encode(b"x" * shift + CANARY.encode())[4:-4] for shift in range(3)},
}


def searched(folder: Path) -> dict[str, bytes]:
    # Read by another process: opening a database by hand and closing it would drop the locks that SQLite has here.
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): subprocess.run(["cat", path], capture_output=True, check=True).stdout
        for path in paths
    }


def found(files: dict[str, bytes]) -> list[tuple[str, str]]:
    return [(name, form) for name, data in files.items() for form, needle in FORMS.items() if needle in data]


def test_the_search_finds_what_is_there() -> None:
    """No attack: the search finds planted texts in every encoding."""
    for form, needle in FORMS.items():
        assert (("x", form)) in found({"x": b"before " + needle + b" after"})


@pytest.mark.parametrize("passphrase", [None, CANARY])
async def test_no_canary_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    passphrase: str | None,
) -> None:
    """A store is used in every way. Its files and logs contain none of the texts."""
    caplog.set_level(logging.DEBUG)
    temporary = _folder(tmp_path / "tmp")
    for name in ("TMPDIR", "TMP", "TEMP", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    keystore = Keystore(tmp_path / "keys" / "k.json", passphrase=(lambda: passphrase) if passphrase else None)
    files: dict[str, bytes] = {}

    store = await Store.open(tmp_path / "home", keystore)
    await store.create_environment(f"environment {CANARY}")
    vault = await store.open_vault(f"environment {CANARY}")
    await vault.try_become_executor()
    for version in range(3):
        await vault.put_flow(f"flow {CANARY}", {CANARY: [CANARY] * 500, "v": version}, meta={"path": CANARY})
    flow = await vault.flow(f"FLOW {CANARY}")
    assert await vault.trigger(flow.flow_id) is None
    for run in range(20):
        log = vault.create_run(os.urandom(16), flow.flow_id, 1, 5, {"name": CANARY}, parent=b"p" * 16)
        for page in range(10):
            log.append([[CANARY, page, {"body": CANARY * 100, "bytes": CANARY.encode()}]])
        log.append([[CANARY * 10_000]])
        log.snapshot({"variables": {CANARY: CANARY}})
        if run % 2:
            log.append([], status=2, ended_ms=9, summary={"error": CANARY})
        await vault.inbox_add(1, {"body": CANARY}, run_id=log.run_id, dedupe=f"{CANARY}{run}".encode())
        await vault.add_message(flow.flow_id, CANARY + str(run % 3), {CANARY: CANARY}, dedupe=f"{CANARY}{run}".encode())
        vault.set_trigger(flow.flow_id, {"url": CANARY}, due_ms=run, expected=run)
    await vault.flush()
    for message in (await vault.messages(flow.flow_id))[::2]:
        vault.consume_message(flow.flow_id, message.number)
    assert CANARY in str(await vault.message_counts(flow.flow_id))
    for item in (await vault.inbox())[::2]:
        vault.consume(item.id)
    await vault.flush()
    await vault.runs()
    bundle = await export_bundle(vault, {"history": [CANARY] * 10_000})
    with pytest.raises(RecordNotFound, match="no flow"):
        await vault.flow("missing")
    nested: object = CANARY
    for _ in range(1000):
        nested = [nested]
    with pytest.raises(NotStorable, match="deep"):
        await vault.put_flow("x", nested)
    files |= {f"open {name}": data for name, data in searched(tmp_path).items()}
    assert any(name.endswith("-wal") and len(data) > 1_000_000 for name, data in files.items())
    await vault.close()
    await store.close()
    files |= {f"closed {name}": data for name, data in searched(tmp_path).items()}

    store = await Store.open(tmp_path / "home", keystore)
    vault = await store.open_vault(f"environment {CANARY}")
    for info in await vault.runs(limit=100):
        assert [page async for page in vault.read_run(info.run_id)]
    await vault.close()
    await store.close()

    output = capfd.readouterr()
    files |= {
        "bundle": bundle,
        "log": "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records).encode(),
        "output": (output.out + output.err).encode(),
    }
    assert len(caplog.records) > 100  # the driver does log at DEBUG
    assert found(files) == []
    assert not list(temporary.iterdir())


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
