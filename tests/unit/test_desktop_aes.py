"""AES as an action of a flow: round trips, known answers, and what does not come back."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from desktop_world import World
from sealflow.connectors.desktop.modules import is_built
from sealflow.engine.datatypes import Datum

KEY = {"UseIV": "0123456789abcdef", "UseSaltAndIV": "any text at all"}  # 16 characters of UTF-16 have 256 bits


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def both(world: World, how: str, text: str, **more: Datum) -> Datum:
    """What comes back of a text."""
    cheap: dict[str, Datum] = {"Iterations": 10, **more}
    done = await world.do(
        f"Cryptography.EncryptText.EncryptTextWithAES{how}", TextToEncrypt=text, EncryptionKey=KEY[how], **cheap
    )
    hidden = {"TextToDecrypt": done.pop("EncryptedText"), **done}
    back = await world.do(
        f"Cryptography.DecryptText.DecryptTextWithAES{how}", DecryptionKey=KEY[how], **cheap, **hidden
    )
    return back["DecryptedText"]


@pytest.mark.parametrize("how", ["UseIV", "UseSaltAndIV"])
@pytest.mark.parametrize("padding", ["PKCS7", "Zeros", "ANSIX923", "ISO10126"])
async def test_texts_come_back(world: World, how: str, padding: str) -> None:
    for text in ("", "é", "exactly8", "뮿 first"):
        assert await both(world, how, text, PaddingMode=f"Cryptography.PaddingMode.{padding}") == text


@pytest.mark.parametrize(("size", "length"), [("Bits128", 16), ("Bits192", 24), ("Bits256", 32)])
@pytest.mark.parametrize("encoding", ["UTF8", "BigEndianUnicode", "ANSI", "DefaultEncoding"])
async def test_sizes_and_encodings(world: World, size: str, length: int, encoding: str) -> None:
    more: dict[str, Datum] = {"KeySize": size, "Encoding": f"Cryptography.EncryptionEncoding.{encoding}"}
    assert await both(world, "UseSaltAndIV", "ünder", HashAlgorithm="SHA512", **more) == "ünder"
    key = "k" * (length // 2 if encoding == "BigEndianUnicode" else length)
    action = "Cryptography.EncryptText.EncryptTextWithAESUseIV"
    assert await world.do(action, TextToEncrypt="a", EncryptionKey=key, **more)
    await world.fails("FailedToEncryptTextError", action, TextToEncrypt="a", EncryptionKey=key + "k", **more)


def coded(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


async def decrypted(world: World, how: str, **more: Datum) -> bytes:
    """One block, decrypted with a key of 128 bits in ANSI and without padding."""
    await world.do(
        f"Cryptography.DecryptToFile.DecryptToFileWithAES{how}",
        Encoding="ANSI", KeySize="Bits128", PaddingMode="None", DecryptToFile="C:\\block", **more,
    )  # fmt: skip
    return (world.folder / "block").read_bytes()


async def test_known_answers(world: World) -> None:
    block: dict[str, Datum] = {
        "TextToDecrypt": coded("7649abac8119b246cee98e9b12e9197d"),
        "InitializationVector": coded("000102030405060708090a0b0c0d0e0f"),
    }
    # NIST SP 800-38A, F.2.2, the first block.
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c").decode("cp1252")
    plain = await decrypted(world, "UseIV", DecryptionKey=key, **block)
    assert plain == bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    # RFC 6070, 2 iterations: the derived key, and the password and salt that it comes from.
    key = bytes.fromhex("ea6c014dc72d6f8ccd1ed92ace1d41f0").decode("cp1252")
    derived: dict[str, Datum] = {"DecryptionKey": "password", "Salt": coded(b"salt".hex()), "HashAlgorithm": "SHA1"}
    assert await decrypted(world, "UseIV", DecryptionKey=key, **block) == await decrypted(
        world, "UseSaltAndIV", Iterations=2, **derived, **block
    )


async def test_vectors_and_salts_are_other_ones_each_time(world: World) -> None:
    action = "Cryptography.EncryptText.EncryptTextWithAESUseSaltAndIV"
    made = [await world.do(action, TextToEncrypt="a", EncryptionKey="b", Iterations=1) for _ in range(2)]
    assert all(made[0][name] != made[1][name] for name in ("EncryptedText", "InitializationVector", "Salt"))


async def test_files(world: World) -> None:
    data = bytes(range(256)) * 3
    world.file("a.bin", data)
    done = await world.do(
        "Cryptography.EncryptFromFile.EncryptFromFileWithAESUseSaltAndIV",
        FileToEncrypt="C:\\a.bin", EncryptionKey="k", Iterations=5,
    )  # fmt: skip
    arguments = {
        "TextToDecrypt": done["EncryptedText"], "InitializationVector": done["InitializationVector"],
        "Salt": done["Salt"], "DecryptionKey": "k", "Iterations": 5, "DecryptToFile": "C:\\b.bin",
    }  # fmt: skip
    action = "Cryptography.DecryptToFile.DecryptToFileWithAESUseSaltAndIV"
    await world.do(action, **arguments)
    assert (world.folder / "b.bin").read_bytes() == data
    failed = "FailedToDecryptAndSaveContentsToFileError"
    await world.fails(failed, action, **arguments, IfFileExists="DoNothing")
    await world.do(action, **arguments, IfFileExists="UniqueName")
    assert (world.folder / "b_2.bin").read_bytes() == data
    await world.fails("AccessDeniedError", action, **(arguments | {"DecryptToFile": str(world.outside / "x")}))
    await world.fails(
        "FileNotFoundError", "Cryptography.EncryptFromFile.EncryptFromFileWithAESUseIV",
        FileToEncrypt="C:\\no", EncryptionKey=KEY["UseIV"],
    )  # fmt: skip


async def test_what_does_not_come_back(world: World) -> None:
    encrypt, decrypt = "Cryptography.EncryptText.EncryptTextWithAES", "Cryptography.DecryptText.DecryptTextWithAES"
    done = await world.do(encrypt + "UseIV", TextToEncrypt="secret", EncryptionKey=KEY["UseIV"])
    right: dict[str, Datum] = {
        "TextToDecrypt": done["EncryptedText"], "InitializationVector": done["InitializationVector"],
        "DecryptionKey": KEY["UseIV"],
    }  # fmt: skip
    assert (await world.do(decrypt + "UseIV", **right))["DecryptedText"] == "secret"
    for wrong in (
        {"DecryptionKey": "fedcba9876543210"},
        {"DecryptionKey": "short"},
        {"TextToDecrypt": "no Base64!"},
        {"TextToDecrypt": base64.b64encode(b"half a block").decode()},
        {"InitializationVector": base64.b64encode(b"short").decode()},
        {"KeySize": "Bits512"},
    ):
        failure = await world.fails("FailedToDecryptTextError", decrypt + "UseIV", **(right | wrong))
        assert KEY["UseIV"] not in str(failure)
    failed = "FailedToEncryptTextError"
    key = KEY["UseIV"]
    await world.fails(failed, encrypt + "UseIV", TextToEncrypt="odd", EncryptionKey=key, PaddingMode="None")
    await world.fails(failed, encrypt + "UseIV", TextToEncrypt="☃", EncryptionKey="k" * 32, Encoding="ANSI")
    await world.fails(failed, encrypt + "UseSaltAndIV", TextToEncrypt="a", EncryptionKey=key, Iterations=0)


def test_variants_whose_layout_is_not_known_are_not_built() -> None:
    assert is_built("Cryptography.EncryptText.EncryptTextWithAESUseIV")
    assert not is_built("Cryptography.EncryptText.EncryptTextWithAES")
    assert not is_built("Cryptography.DecryptText.DecryptTextWithAESUseSalt")
