"""The Cryptography module's AES, for texts and files: a flow's own, on data that it hands to others.

Nothing here protects the store: that is `storage.envelope`'s alone. Offered are the variants whose initialization
vector is given apart, with and without a salt; how the product lays out the others is not published, and they are not
guessed at. AES in CBC mode keeps nobody from changing what is encrypted: it is what the actions say, not advice.

Texts that are encrypted, vectors and salts are Base64. With a salt the key is PBKDF2 of the key's text; without one it
is that text's bytes, of which there have to be as many as the key's size says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .arguments import Arguments
from .fault import Fault, fault
from .files.file import read_whole, resolved
from .files.held import written
from .files.items import file_item
from .files.unique_names import free
from .port import Operation, Outputs, Table, reads
from .session import Session

_BLOCK: Final = 16
_MOST_ITERATIONS: Final = 10_000_000
_PADDINGS: Final = ("None", "PKCS7", "Zeros", "ANSIX923", "ISO10126")
_HASHES: Final = ("SHA1", "SHA256", "SHA384", "SHA512")


# By the names of the enumeration; nothing is replaced that an encoding lacks, or the text would not come back.
_CODECS: Final = {
    "defaultencoding": "utf-8",
    "ansi": "cp1252",
    "unicode": "utf-16-le",
    "bigendianunicode": "utf-16-be",
    "utf8": "utf-8",
}


def _codec(arguments: Arguments) -> str:
    return _CODECS[arguments.choice("Encoding", tuple(_CODECS), "Unicode")]


def _encoded(arguments: Arguments, name: str, failed: str) -> bytes:
    codec = _codec(arguments)
    try:
        return arguments.text(name).encode(codec)
    except UnicodeEncodeError:
        raise fault(failed, f"The argument '{name}' has characters that {codec} lacks.") from None


def _key(arguments: Arguments, name: str, salt: bytes | None, failed: str) -> bytes:
    size = arguments.text("KeySize", "Bits256").rsplit(".", 1)[-1].casefold()
    length = {"bits128": 16, "bits192": 24, "bits256": 32}.get(size)
    if length is None:
        raise fault(failed, "A key has 128, 192 or 256 bits.")
    secret = _encoded(arguments, name, failed)
    if salt is None:
        if len(secret) != length:
            what = f"The key has {len(secret)} bytes in this encoding; of {length * 8} bits it has {length}."
            raise fault(failed, what, hint="Use a salt: a key is derived then, from a text of any length.")
        return secret
    iterations = arguments.integer("Iterations", 100_000)
    if not 1 <= iterations <= _MOST_ITERATIONS:
        raise fault(failed, f"From 1 to {_MOST_ITERATIONS:,} iterations can be made.")
    algorithm = arguments.choice("HashAlgorithm", _HASHES, "SHA256")
    return hashlib.pbkdf2_hmac(algorithm, secret, salt, iterations, length)


def _padded(data: bytes, padding: str) -> bytes | None:
    """Whole blocks; None where nothing is to be filled up and there are none."""
    missing = _BLOCK - len(data) % _BLOCK
    if padding == "none":
        return data if missing == _BLOCK else None
    if padding == "zeros":
        return data + bytes(missing % _BLOCK)
    filling = bytes([missing]) * (missing - 1) if padding == "pkcs7" else bytes(missing - 1)
    if padding == "iso10126":
        filling = os.urandom(missing - 1)
    return data + filling + bytes([missing])


def _stripped(data: bytes, padding: str) -> bytes | None:
    """Without what fills up the last block; None where that is no such filling."""
    if padding in ("none", "zeros"):
        return data  # how many of the zeros are filling nobody can tell: .NET leaves them, too
    count = data[-1] if data else 0
    if not 1 <= count <= _BLOCK or count > len(data):
        return None
    wanted = {"pkcs7": bytes([count]) * (count - 1), "ansix923": bytes(count - 1)}.get(padding)
    if wanted is not None and data[-count:-1] != wanted:
        return None
    return data[:-count]


def _encrypt(data: bytes, arguments: Arguments, failed: str) -> Outputs:
    salt = os.urandom(_BLOCK) if "salt" in arguments.selector.casefold() else None
    key = _key(arguments, "EncryptionKey", salt, failed)
    vector = os.urandom(_BLOCK)
    blocks = _padded(data, arguments.choice("PaddingMode", _PADDINGS, "PKCS7"))
    if blocks is None:
        raise fault(failed, f"Without padding there have to be whole blocks of {_BLOCK} bytes.")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    done = {
        "EncryptedText": _base64(cipher.update(blocks) + cipher.finalize()),
        "InitializationVector": _base64(vector),
    }
    return done if salt is None else {**done, "Salt": _base64(salt)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(arguments: Arguments, name: str, failed: str) -> bytes:
    try:
        return base64.b64decode(arguments.text(name), validate=True)
    except (binascii.Error, ValueError):
        raise fault(failed, f"The argument '{name}' is no Base64.") from None


def _decrypt(arguments: Arguments, failed: str) -> bytes:
    data = _bytes(arguments, arguments.named("TextToDecrypt", "EncryptedText"), failed)
    vector = _bytes(arguments, "InitializationVector", failed)
    salt = _bytes(arguments, "Salt", failed) if "salt" in arguments.selector.casefold() else None
    key = _key(arguments, arguments.named("DecryptionKey", "EncryptionKey"), salt, failed)
    if len(vector) != _BLOCK or len(data) % _BLOCK:
        raise fault(failed, f"The vector, and each block of what is encrypted, have {_BLOCK} bytes.")
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    blocks = cipher.update(data) + cipher.finalize()
    plain = _stripped(blocks, arguments.choice("PaddingMode", _PADDINGS, "PKCS7"))
    if plain is None:
        raise _other(failed)
    return plain


def _other(failed: str) -> Fault:
    """One fault for whatever comes out wrong: which of them it was is nobody's business."""
    return fault(failed, "The key, the vector, the salt or the padding are not those that it was encrypted with.")


# --- the actions


def encrypt_text(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.EncryptText.EncryptTextWithAESUse[SaltAnd]IV."""
    failed = "Failed to encrypt text"
    return _encrypt(_encoded(arguments, "TextToEncrypt", failed), arguments, failed)


def encrypt_file(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.EncryptFromFile.EncryptFromFileWithAESUse[SaltAnd]IV: the file's bytes, as a text."""
    path = resolved(arguments.get("FileToEncrypt"), session)
    return _encrypt(
        read_whole(path, session, "Failed to encrypt file contents"), arguments, "Failed to encrypt file contents"
    )


def decrypt_text(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.DecryptText.DecryptTextWithAESUse[SaltAnd]IV."""
    failed = "Failed to decrypt text"
    zeros = arguments.choice("PaddingMode", _PADDINGS, "PKCS7") == "zeros"
    try:
        text = _decrypt(arguments, failed).decode(_codec(arguments))
    except UnicodeDecodeError:
        raise _other(failed) from None
    return {"DecryptedText": text.rstrip("\0") if zeros else text}


def decrypt_file(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.DecryptToFile.DecryptToFileWithAESUse[SaltAnd]IV."""
    failed = "Failed to decrypt and save contents to file"
    data = _decrypt(arguments, failed)
    name = arguments.named("DecryptToFile", "DecryptedFilePath")
    path = resolved(arguments.get(name), session, write=True)
    how = arguments.text("IfFileExists", "Overwrite").rsplit(".", 1)[-1].casefold()
    if path.exists() and how != "overwrite":
        if "unique" not in how and "sequential" not in how:
            raise fault(failed, f"'{session.folders.shown(path)}' is there already.")
        path = path.with_name(free(path.name, (each.name for each in path.parent.iterdir())))
    _save(path, data, session, failed)
    return {"DecryptedFile": file_item(path, session)}


def _save(path: Path, data: bytes, session: Session, failed: str) -> None:
    try:
        written(session.folders, path, data)
    except OSError as error:
        raise fault(failed, f"'{session.folders.shown(path)}': {error.strerror}.") from error


_VARIANTS: Final = ("UseIV", "UseSaltAndIV")

TABLE: Table = {
    **{f"Cryptography.EncryptText.EncryptTextWithAES{how}": reads(encrypt_text) for how in _VARIANTS},
    **{f"Cryptography.EncryptFromFile.EncryptFromFileWithAES{how}": reads(encrypt_file) for how in _VARIANTS},
    **{f"Cryptography.DecryptText.DecryptTextWithAES{how}": reads(decrypt_text) for how in _VARIANTS},
    **{f"Cryptography.DecryptToFile.DecryptToFileWithAES{how}": Operation(decrypt_file) for how in _VARIANTS},
}
