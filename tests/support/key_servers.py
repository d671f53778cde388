"""Key stores that the suite for key providers may order about: the service keystore, key files, and a real OpenBao."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from sealflow.storage import Keystore
from sealflow.storage.keys.providers.file import FileKeys, add_version, create_key, disable_key, enable_key
from sealflow.storage.keys.providers.vault import VaultKeys
from sealflow.storage.port import KeyProvider
from sealflow.storage.testing.providers import Change


class ServiceServer:
    """The service keystore: its keys are neither disabled nor refused."""

    binds_context = True
    disabling = revoking = deleting = outage = None

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys" / "keystore.json"
        self.keystore = Keystore(self.path)

    def _id(self, name: str) -> bytes:
        return name.encode().ljust(16, b"\0")

    async def make_key(self, name: str) -> None:
        self.keystore.add(self._id(name))

    async def new_version(self, name: str) -> None:
        self.keystore.add_version(self._id(name))

    def provider(self, name: str) -> KeyProvider:
        return self.keystore.provider(self._id(name))

    def secrets(self) -> Sequence[bytes]:
        stored = json.loads(self.path.read_bytes())["keys"].values()
        return [key.encode() for each in stored for key in ([each] if isinstance(each, str) else each)]


class FileServer:
    """A customer's key file."""

    binds_context = True
    revoking = None

    def __init__(self, folder: Path) -> None:
        self.path = folder / "customer" / "keys.json"
        self.disabling = Change(self._disable, self._enable)
        self.deleting = Change(self._delete, self._put_back)
        self.outage = Change(self._take_away, self._bring_back)

    async def make_key(self, name: str) -> None:
        create_key(self.path, name)

    async def new_version(self, name: str) -> None:
        add_version(self.path, name)

    def provider(self, name: str) -> KeyProvider:
        return FileKeys(self.path, name)

    def secrets(self) -> Sequence[bytes]:
        return [key.encode() for entry in self.document()["keys"].values() for key in entry["versions"]]

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.path.read_bytes())
        return document

    def write(self, document: object) -> None:
        self.path.write_text(json.dumps(document))

    async def _disable(self, name: str) -> None:
        disable_key(self.path, name)

    async def _enable(self, name: str) -> None:
        enable_key(self.path, name)

    async def _delete(self, name: str) -> None:
        self._kept = self.path.read_bytes()
        document = self.document()
        del document["keys"][name]
        self.write(document)

    async def _put_back(self, name: str) -> None:
        self.path.write_bytes(self._kept)

    async def _take_away(self, name: str) -> None:
        self.path.rename(self.path.with_suffix(".gone"))

    async def _bring_back(self, name: str) -> None:
        self.path.with_suffix(".gone").rename(self.path)


def bao_program() -> str | None:
    """The OpenBao server, where it is installed."""
    return shutil.which("bao", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


class BaoProcess:
    """An OpenBao server in development mode: everything in memory, on a port of loopback."""

    def __init__(self, program: str, folder: Path) -> None:
        self.root = secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
        self.url = f"http://{address}"
        self._process = subprocess.Popen(
            [
                program, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={self.root}",
                f"-dev-listen-address={address}", "-log-level=error",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={"HOME": str(folder)},
        )  # fmt: skip
        self._unseal_key = self._printed("Unseal Key: ")
        self._printed("Root Token: ")
        self.client = httpx.Client(base_url=f"{self.url}/v1/", headers={"X-Vault-Token": self.root})
        self.call("POST", "sys/mounts/transit", type="transit")

    def _printed(self, label: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(label):
                return line.removeprefix(label).strip()
        raise AssertionError("OpenBao did not start")

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        """Returns when the server answers again."""
        self.call("PUT", "sys/unseal", key=self._unseal_key)
        for _ in range(1000):
            if self.client.get("sys/health").status_code == 200:
                return
        raise AssertionError("OpenBao stays sealed")

    def call(self, method: str, path: str, **body: object) -> dict[str, Any]:
        response = self.client.request(method, path, json=body or None)
        assert response.status_code < 300, response.text
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.communicate()


class BaoServer:
    """Transit keys of an OpenBao server. The service has a token of its own, under a policy of its own."""

    binds_context = True

    def __init__(self, bao: BaoProcess) -> None:
        self.bao = bao
        self.prefix = secrets.token_hex(4)
        self.disabling = Change(self._soft_delete, self._restore)
        self.revoking = Change(self._revoke, self._grant)
        self.deleting = Change(self._delete, None)
        self.outage = Change(self._seal, self._unseal)
        self._grant_now()
        self.token = self.new_token()
        self.tokens_read = 0

    def path(self, name: str) -> str:
        return f"transit/keys/{self.prefix}-{name}"

    def new_token(self) -> str:
        made = self.bao.call("POST", "auth/token/create", policies=[self.prefix], ttl="1h")
        return str(made["auth"]["client_token"])

    def read_token(self) -> str:
        self.tokens_read += 1
        return self.token

    async def make_key(self, name: str) -> None:
        self.bao.call("POST", self.path(name), type="aes256-gcm96")

    async def new_version(self, name: str) -> None:
        self.bao.call("POST", f"{self.path(name)}/rotate")

    def provider(self, name: str) -> VaultKeys:
        return VaultKeys(self.bao.url, "transit", f"{self.prefix}-{name}", token=self.read_token)

    def secrets(self) -> Sequence[bytes]:
        return [self.token.encode(), self.bao.root.encode()]

    def configure(self, name: str, **settings: object) -> None:
        self.bao.call("POST", f"{self.path(name)}/config", **settings)

    async def _soft_delete(self, name: str) -> None:
        self.bao.call("DELETE", f"{self.path(name)}/soft-delete")

    async def _restore(self, name: str) -> None:
        self.bao.call("POST", f"{self.path(name)}/soft-delete-restore")

    async def _delete(self, name: str) -> None:
        self.configure(name, deletion_allowed=True)
        self.bao.call("DELETE", self.path(name))

    def _grant_now(self) -> None:
        rules = {
            f"transit/keys/{self.prefix}-*": "read",
            f"transit/encrypt/{self.prefix}-*": "update",
            f"transit/decrypt/{self.prefix}-*": "update",
        }
        self._set_policy(rules)

    def _set_policy(self, rules: dict[str, str]) -> None:
        text = "\n".join(f'path "{path}" {{ capabilities = ["{may}"] }}' for path, may in rules.items())
        self.bao.call("PUT", f"sys/policies/acl/{self.prefix}", policy=text)

    async def _grant(self, name: str) -> None:
        self._grant_now()

    async def _revoke(self, name: str) -> None:
        self._set_policy({"transit/keys/somebody-elses": "read"})

    async def _seal(self, name: str) -> None:
        self.bao.seal()

    async def _unseal(self, name: str) -> None:
        self.bao.unseal()
