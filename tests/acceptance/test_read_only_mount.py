"""A store on a read-only mount: what can be read is read, and nothing is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "cloud" / "hello.json"


class Mount:
    """A folder that commands see read-only, each in a mount namespace of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        self._keystore = folder / "keystore.json"

    def __call__(self, *command: str, writable: bool = False) -> subprocess.CompletedProcess[str]:
        """Run `sealflow`, its home folder on the mount."""
        words = [sys.executable, "-m", "sealflow", *command, "--home", str(self.folder / "home")]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SEALFLOW_KEYSTORE": str(self._keystore)}
        if not writable:
            bind = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
            words = ["unshare", "--mount", "sh", "-c", bind, str(self.folder), *words]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    made = Mount(tmp_path)
    if shutil.which("unshare") is None or made("check", str(HELLO)).returncode != 0:
        pytest.skip("this user cannot make a mount namespace")
    assert made("run", str(HELLO), writable=True).returncode == 0
    return made


def test_a_store_on_a_read_only_mount_is_read(mount: Mount) -> None:
    before = {path: path.read_bytes() for path in mount.folder.rglob("*") if path.is_file()}
    listed = mount("runs", "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [each["status"] for each in json.loads(listed.stdout)] == ["Succeeded"]
    assert mount("runs", "show", "latest", "--json").returncode == 0
    verified = mount("verify", "--json")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert json.loads(verified.stdout)["ok"]
    assert {path: path.read_bytes() for path in mount.folder.rglob("*") if path.is_file()} == before


def test_a_store_on_a_read_only_mount_runs_nothing(mount: Mount) -> None:
    refused = mount("run", str(HELLO), "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["code"] == "StoreNotWritable"


def test_a_log_that_was_not_applied_is_not_left_out(mount: Mount) -> None:
    (store,) = mount.folder.glob("home/environments/*/store.db")
    store.with_name("store.db-wal").write_bytes(b"what a crash has left")
    refused = mount("runs", "list", "--json")
    assert refused.returncode == 4
    assert json.loads(refused.stdout)["error"]["code"] == "StoreNotWritable"
    assert "write-ahead log" in json.loads(refused.stdout)["error"]["message"]
