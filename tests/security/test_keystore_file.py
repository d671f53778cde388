"""A writer of the keystore file who does not know its passphrase."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from sealflow.storage import Keystore, WrongKey
from sealflow.storage.format.envelope import PassphraseKey, lp

ENVIRONMENT = b"e" * 16


def keystore(path: Path, passphrase: str) -> Keystore:
    return Keystore(path, passphrase=lambda: passphrase)


def _sealed_under(path: Path, passphrase: str, content: bytes) -> None:
    """The file with another ciphertext, which this passphrase decrypts; its commitment stays."""
    document = json.loads(path.read_bytes())
    key = PassphraseKey(passphrase, base64.b64decode(document["salt"]))
    sealed = b"n" * 12 + key._aead.encrypt(b"n" * 12, content, lp(b"keystore", key.salt))
    path.write_text(json.dumps({**document, "sealed": base64.b64encode(sealed).decode()}))


def test_a_file_for_two_passphrases(tmp_path: Path) -> None:
    """The attacker crafts a ciphertext that a second passphrase decrypts as well. The file commits to one key, so the
    second passphrase does not open it.
    """
    path = tmp_path / "keystore.json"
    keystore(path, "first").add(ENVIRONMENT)
    content = keystore(path, "first")._read()
    _sealed_under(path, "second", json.dumps(content).encode())
    with pytest.raises(WrongKey):
        keystore(path, "second").keys(ENVIRONMENT)


def test_damaged_and_wrong_are_one_answer(tmp_path: Path) -> None:
    """The attacker changes the file and uses the errors to learn about the passphrase. A wrong passphrase, an altered
    ciphertext and a content that is not a keystore give the same error.
    """
    path, told = tmp_path / "keystore.json", set()
    keystore(path, "first").add(ENVIRONMENT)
    whole = path.read_bytes()
    for passphrase, change in (("second", None), ("first", b"not JSON"), ("first", b"[]"), ("first", b"flip")):
        path.write_bytes(whole)
        if change == b"flip":
            document = json.loads(whole)
            sealed = bytearray(base64.b64decode(document["sealed"]))
            sealed[20] ^= 1
            path.write_text(json.dumps({**document, "sealed": base64.b64encode(sealed).decode()}))
        elif change is not None:
            _sealed_under(path, passphrase, change)
        with pytest.raises(WrongKey) as caught:
            keystore(path, passphrase).keys(ENVIRONMENT)
        told.add((caught.value.message, caught.value.hint))
    assert len(told) == 1


def test_a_file_of_format_1(tmp_path: Path) -> None:
    """No attack: a sealed file of format 1, which has no commitment, opens, and gets one with the next write."""
    path = tmp_path / "keystore.json"
    keystore(path, "first").add(ENVIRONMENT)
    document = json.loads(path.read_bytes())
    del document["commitment"]
    path.write_text(json.dumps({**document, "format": 1}))
    kid = keystore(path, "first").keys(ENVIRONMENT)[0].kid
    keystore(path, "first").add(b"f" * 16)
    assert json.loads(path.read_bytes())["format"] == 2
    assert keystore(path, "first").keys(ENVIRONMENT)[0].kid == kid
