"""A token of SoftHSM, and somebody else who manages its keys: another process, as it is with a real one.

Run as a program, this is that process: commands come in as lines of JSON, each is answered by a line.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LIBRARIES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
TOKEN = "sealflow-test"


def softhsm_library() -> Path | None:
    """The driver, where SoftHSM is installed."""
    given = os.environ.get("SOFTHSM2_LIBRARY")
    found = [Path(path) for path in ([given] if given else _LIBRARIES) if Path(path).exists()]
    return found[0] if found and shutil.which("softhsm2-util") else None


class SoftToken:
    """A token in a folder of its own. A process reads $SOFTHSM2_CONF once: there is one token for all tests."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.library = library
        self.pin = f"pin-{secrets.token_hex(8)}"
        self._tokens = folder / "tokens"
        self._tokens.mkdir()
        configuration = folder / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        subprocess.run(
            [
                "softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", self.pin,
                "--so-pin", f"so-{secrets.token_hex(8)}",
            ],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._manager = subprocess.Popen(
            [sys.executable, __file__, str(library), self.pin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def manage(self, command: str, **arguments: object) -> None:
        assert self._manager.stdin is not None
        assert self._manager.stdout is not None
        self._manager.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._manager.stdin.flush()
        answer = self._manager.stdout.readline()
        assert answer == "done\n", answer

    def take_away(self) -> None:
        self._tokens.rename(self._tokens.with_suffix(".gone"))

    def bring_back(self) -> None:
        self._tokens.with_suffix(".gone").rename(self._tokens)

    def close(self) -> None:
        self._manager.communicate("")
        del os.environ["SOFTHSM2_CONF"]


class SoftHSMServer:
    """Keys of the token. Nobody can take access to one key away, and what is destroyed is gone."""

    binds_context = True
    revoking = None

    def __init__(self, token: SoftToken, folder: Path) -> None:
        from sealflow.storage.testing.providers import Change

        self._token = token
        self._prefix = secrets.token_hex(4)
        self._made = 0
        self.pin_file = folder / "pin"
        self.pin_file.touch(mode=0o600)
        self.pin_file.write_text(f"{token.pin}\n")
        self.disabling = Change(self._disable, self._enable)
        self.deleting = Change(self._destroy, None)
        self.outage = Change(self._take_away, self._bring_back)

    def label(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def uri(self, name: str) -> str:
        return (
            f"pkcs11:token={TOKEN};object={self.label(name)}"
            f"?module-path={self._token.library}&pin-source=file:{self.pin_file}"
        )

    def provider(self, name: str) -> Any:
        from sealflow.storage.keys.providers import provider_for

        return provider_for(self.uri(name))

    def secrets(self) -> Sequence[bytes]:
        return [self._token.pin.encode()]

    def make(self, name: str, **attributes: object) -> None:
        self._made += 1
        self._token.manage("make", label=self.label(name), id=self._made, **attributes)

    async def make_key(self, name: str) -> None:
        self.make(name)

    async def new_version(self, name: str) -> None:
        self.make(name)

    async def _disable(self, name: str) -> None:
        self._token.manage("allow", label=self.label(name), allowed=False)

    async def _enable(self, name: str) -> None:
        self._token.manage("allow", label=self.label(name), allowed=True)

    async def _destroy(self, name: str) -> None:
        self._token.manage("destroy", label=self.label(name))

    def destroy_first(self, name: str) -> None:
        self._token.manage("destroy", label=self.label(name), first=True)

    def make_again(self, name: str) -> None:
        """Another key with the same label and id."""
        self._made -= 1
        self.make(name)

    async def _take_away(self, name: str) -> None:
        self._token.take_away()

    async def _bring_back(self, name: str) -> None:
        self._token.bring_back()


def _manage(library: str, pin: str) -> None:
    import pkcs11
    from pkcs11 import Attribute, KeyType, ObjectClass

    opened: list[Any] = []  # the token may be gone for a while: a session is opened when it is needed

    def keys(label: str) -> list[Any]:
        wanted: dict[Attribute, Any] = {Attribute.LABEL: label, Attribute.CLASS: ObjectClass.SECRET_KEY}
        return list(opened[0].get_objects(wanted))

    for line in sys.stdin:
        command = json.loads(line)
        loaded = pkcs11.lib(library)
        if opened:
            opened.pop().close()
            loaded.reinitialize()
        opened.append(loaded.get_token(token_label=TOKEN).open(rw=True, user_pin=pin))
        label = command["label"]
        if command["command"] == "make":
            opened[0].generate_key(
                KeyType.AES, command.get("bits", 256), label=label, id=command["id"].to_bytes(2, "big"), store=True,
                template={
                    Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: command.get("extractable", False),
                    Attribute.ENCRYPT: True, Attribute.DECRYPT: True,
                },
            )  # fmt: skip
        elif command["command"] == "allow":
            for key in keys(label):
                key[Attribute.ENCRYPT] = key[Attribute.DECRYPT] = command["allowed"]
        else:
            for key in sorted(keys(label), key=lambda key: key[Attribute.ID])[: 1 if command.get("first") else None]:
                key.destroy()
        print("done", flush=True)


if __name__ == "__main__":
    _manage(*sys.argv[1:])
